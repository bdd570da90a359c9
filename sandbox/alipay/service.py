"""The wallet as one object: its parts, its rounds, and what the control API asks of it."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from sandbox.alipay import acts, profile, settings, signing
from sandbox.alipay.authority import Authority
from sandbox.alipay.bill import Bills
from sandbox.alipay.gateway import AtTheDoor, Gateway, Replied
from sandbox.alipay.nodes import refused
from sandbox.alipay.notify import Notifier, is_taken
from sandbox.alipay.pool import Pool
from sandbox.alipay.script import Script
from sandbox.control import BadOrder, content_bytes
from sandbox.desk import Desk
from sandbox.told import named_act
from schemas.money import Fen

log = logging.getLogger("sandbox.alipay")
TABLES = (Path(__file__).parent / "tables.sql").read_text("utf-8")
FORM_KEYS = (
    "notify_id",
    "utc_timestamp",
    "msg_method",
    "app_id",
    "version",
    "charset",
    "msg_type",
    "sign_type",
)


class Alipay:
    partner = profile.PARTNER

    def __init__(self, desk: Desk, opening_fen: int) -> None:
        desk.books.add_tables(TABLES)
        self.desk, self.books, self.clock = desk, desk.books, desk.clock
        self.authority = Authority(desk.var, desk.books)
        self.pool = Pool(desk.books, desk.clock, opening_fen)
        self.script = Script(desk.books)
        self.bills = Bills(desk.books, self.pool)
        self.notifier = Notifier(desk.books, desk.clock, desk.faults, desk.endpoints, self.authority)
        self.gateway = Gateway(
            desk.clock, self.authority, self.pool, self.script, self.bills, lambda: settings.read(desk.books)
        )
        self._calls: deque[float] = deque(maxlen=1000)
        self._counting = threading.Lock()
        self._wake = threading.Event()
        threading.Thread(target=self._keep_going, name="alipay", daemon=True).start()

    def wake(self) -> None:
        """Something may be due: look now rather than at the next tick."""
        self._wake.set()

    def _keep_going(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            try:
                self.tick()
            except Exception:  # the next wake or tick tries again; nothing is lost, all is in the book
                log.exception("round of the wallet")

    def tick(self) -> int:
        return self.notifier.send_due()

    def call(self, body: bytes, base_url: str, *, broken: bool) -> Replied:
        """Answer a gateway call; in the caller's transaction."""
        try:
            call = self.gateway.read(body)
        except AtTheDoor as no:
            return Replied(no.reply, no.sub_code)
        if self._too_many():
            serial, key = self.authority.gateway()
            node = refused("isp.unknow-error", call.biz, told="请求过于频繁")
            return Replied(signing.reply(call.method, node, serial, key, call.charset), "isp.unknow-error")
        replied = self.gateway.answer(call, base_url, broken=broken)
        if replied.changed:
            self.tell(replied.changed)
        return replied

    def _too_many(self) -> bool:
        limit = settings.read(self.books).rate_per_s
        with self._counting:
            now = time.monotonic()
            over = bool(limit) and sum(1 for moment in self._calls if now - moment < 1.0) >= limit
            if not over:
                self._calls.append(now)
        return over

    def tell(self, out_biz_no: str) -> None:
        """Notify of an order as it stands, unless notifies come by order only."""
        if settings.read(self.books).notify == "auto":
            self.notifier.put(out_biz_no, self.notifier.fields(self.pool.need(out_biz_no), {}))

    def offer(self, order: dict[str, Any]) -> dict[str, Any]:
        """{"next": [lines]} scripts replies; {"content": reply} a ready-made one; {"top_up": {…}} is any act."""
        named = named_act(order, acts.ACTS)
        if named is not None:
            done: dict[str, Any] = acts.carry_out(self, *named)
            return done
        if "next" in order:
            return dict(acts.carry_out(self, "script", order))
        try:
            told = json.loads(content_bytes(order))
            name = next(key for key in told if key.endswith("_response"))
        except (ValueError, StopIteration, TypeError) as trouble:
            raise BadOrder("the content is no reply of the gateway") from trouble
        methods = {f"{method.replace('.', '_')}_response": short for short, method in profile.METHODS.items()}
        line = {
            key: order[key]
            for key in ("apply", "then", "sign", "bind", "out_biz_no", "times")
            if key in order
        }
        if name == "error_response":
            method, line["sign"] = str(order.get("method", "transfer")), "none"
        else:
            method = methods.get(name, "")
        return dict(
            acts.carry_out(self, "script", {"next": [{"method": method, "node": told[name], **line}]})
        )

    def emit(self, order: dict[str, Any]) -> dict[str, Any]:
        """A notify: {"out_biz_no", changes…}, or a ready-made form in `content`, bound to the hub's order and signed
        anew; with "as_is": true it goes out untouched and changes nothing."""
        if not ({"content", "content_base64"} & order.keys()):
            return self._emit_own(dict(order))
        body = content_bytes(order)
        if order.get("as_is"):
            url = self.desk.endpoints.url(self.partner)
            done = self.notifier.post(url, body, str(order.get("charset", "utf-8")), "")
            return {
                "status": done.status,
                "reply": done.body.decode("utf-8", "replace"),
                "verdict": _word(done),
            }
        charset = dict(parse_qsl(body.decode("ascii", "replace"))).get("charset") or "utf-8"
        fields = dict(parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True, encoding=charset))
        fields.pop("sign", None)
        biz = json.loads(fields["biz_content"])
        with self.books.transaction():
            bound = self._bind(biz) if order.get("bind_orders", True) else {}
            if order.get("apply", True):
                self._agree(biz)
            fields["biz_content"] = json.dumps(biz, ensure_ascii=False, separators=(",", ":"))
            number = self.notifier.put(biz.get("out_biz_no", ""), fields, bad_sign=order.get("sign") == "bad")
        return self._sent(number, fields["notify_id"], bound)

    def _emit_own(self, order: dict[str, Any]) -> dict[str, Any]:
        out_biz_no = str(order.pop("out_biz_no", ""))
        bad_sign, apply = order.pop("sign", "good") == "bad", order.pop("apply", True)
        with self.books.transaction():
            found = self.pool.need(out_biz_no)
            if apply:
                self._agree({"out_biz_no": out_biz_no, "status": order.get("status"), **order})
                found = self.pool.need(out_biz_no)
            fields = self.notifier.fields(found, order)
            number = self.notifier.put(out_biz_no, fields, bad_sign=bad_sign)
        return self._sent(number, fields["notify_id"], {})

    def _sent(self, number: int, notify_id: str, bound: dict[str, str]) -> dict[str, Any]:
        done = self.notifier.send_now(number)
        return {
            "status": done.status, "reply": done.body.decode("utf-8", "replace"), "verdict": _word(done),
            "notify_id": notify_id, "bound": bound,
        }  # fmt: skip

    def _bind(self, biz: dict[str, Any]) -> dict[str, str]:
        """Put the ids of the hub's order in place of a story's: the oldest unbound one of the same sum."""
        story_no = str(biz.get("out_biz_no", ""))
        with self.books.transaction() as db:
            row = (
                db.execute(
                    "SELECT o.* FROM alipay_order o LEFT JOIN alipay_binding b ON b.story_no=? WHERE o.out_biz_no IN (?,"
                    " b.out_biz_no)",
                    (story_no, story_no),
                ).fetchone()
                or db.execute(
                    "SELECT * FROM alipay_order WHERE fen=? AND out_biz_no NOT IN (SELECT out_biz_no FROM alipay_binding)"
                    " ORDER BY rowid LIMIT 1",
                    (int(Fen.from_yuan_text(str(biz.get("trans_amount", "0")))),),
                ).fetchone()
            )
            if row is None:
                return {}
            db.execute("INSERT OR IGNORE INTO alipay_binding VALUES (?, ?)", (story_no, row["out_biz_no"]))
        for name in ("out_biz_no", "order_id", "pay_fund_order_id"):
            biz[name] = row[name]
        return {story_no: row["out_biz_no"]} if row["out_biz_no"] != story_no else {}

    def _agree(self, biz: dict[str, Any]) -> None:
        """Bring an open order of the book to what a notify says of it; what is over stays as it is."""
        order = self.pool.order(str(biz.get("out_biz_no", "")))
        if order is None:
            return
        if biz.get("status") == "SUCCESS" and order["status"] == "DEALING":
            self.pool.pay(order["out_biz_no"], str(biz.get("pay_date") or ""))
        elif biz.get("status") == "FAIL" and order["status"] == "DEALING":
            self.pool.fail(
                order["out_biz_no"], str(biz.get("error_code", "")), str(biz.get("fail_reason", ""))
            )
        elif biz.get("status") == "REFUND" and order["status"] == "SUCCESS":
            self.pool.refund(
                order["out_biz_no"], str(biz.get("error_code", "")), str(biz.get("fail_reason", ""))
            )

    def book(self, out_biz_no: str = "") -> dict[str, Any]:
        return {
            **self.pool.judgement(out_biz_no), "notifies": self.notifier.overview(), "script": self.script.waiting(),
            "settings": vars(settings.read(self.books)), "root_cert_sn": self.authority.root_serial,
            "cert_sn": self.authority.gateway()[0],
        }  # fmt: skip


def _word(done: Any) -> str:
    return "success" if is_taken(done) else done.error or "not taken"
