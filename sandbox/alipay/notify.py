"""Notifies to the hub: signed anew for each attempt, repeated until the answer is exactly `success`."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

from sandbox.alipay import profile, settings, signing
from sandbox.alipay.authority import Authority
from sandbox.alipay.profile import PARTNER, REDELIVER_MINUTES
from sandbox.books import Books, Entry
from sandbox.clock import VirtualClock
from sandbox.control import BadOrder
from sandbox.faults import FaultPlan, wait_out
from sandbox.outbound import Delivered, HubEndpoints, deliver, deliver_broken
from schemas.money import Fen

PUSH_FAULTS = ("delay", "wrong_signature", "duplicate", "reset", "half_answer")
SWAP_WAIT_S = 3


class Notifier:
    def __init__(
        self, books: Books, clock: VirtualClock, faults: FaultPlan, endpoints: HubEndpoints, authority: Authority
    ) -> None:  # fmt: skip
        self._books, self._clock, self._faults = books, clock, faults
        self._endpoints, self._authority = endpoints, authority
        self._sending = threading.Lock()

    def fields(self, order: dict[str, Any], changes: dict[str, Any]) -> dict[str, str]:
        """The unsigned form that tells of an order as it stands. `changes`: biz_content keys to differ; `charset`,
        `app_id`, `notify_id` of the form itself."""
        status = changes.get("status", order["status"])
        biz = {
            "pay_fund_order_id": order["pay_fund_order_id"],
            "out_biz_no": order["out_biz_no"],
            "product_code": profile.PRODUCT,
            "biz_scene": profile.SCENE,
            "origin_interface": profile.TRANSFER,
            "order_id": order["order_id"],
            "status": status,
            "action_type": {"REFUND": "REFUND", "CLOSED": "CLOSE"}.get(status, "FINISH"),
            "trans_amount": Fen(order["fen"]).yuan_text(),
        }
        biz |= {name: order[name] for name in ("pay_date", "error_code", "fail_reason") if order[name]}
        form_keys = ("charset", "app_id", "notify_id")
        biz |= {key: value for key, value in changes.items() if key not in form_keys}
        now = self._clock.now()
        number = self._books.next_number(PARTNER, "notify")
        return {
            "notify_id": str(changes.get("notify_id") or f"{now:%Y}{number:028d}"),
            "utc_timestamp": str(int(now.timestamp() * 1000)),
            "msg_method": profile.CHANGED,
            "app_id": str(changes.get("app_id") or profile.APP_ID),
            "version": "1.1",
            "biz_content": json.dumps(biz, ensure_ascii=False, separators=(",", ":")),
            "charset": str(changes.get("charset") or settings.read(self._books).notify_charset),
            "msg_type": "",
            "sign_type": "RSA2",
        }

    def put(self, out_biz_no: str, fields: dict[str, str], *, bad_sign: bool = False) -> int:
        """Keep a notify to be sent; in the caller's transaction. Returns its number."""
        with self._books.transaction() as db:
            if db.execute("SELECT 1 FROM alipay_notify WHERE notify_id=?", (fields["notify_id"],)).fetchone():
                raise BadOrder(f"notify {fields['notify_id']} was sent already: resend it")
            return int(
                db.execute(
                    "INSERT INTO alipay_notify (notify_id, out_biz_no, fields, state, due_at, bad_sign)"
                    " VALUES (?,?,?,'DUE',?,?)",
                    (
                        fields["notify_id"], out_biz_no, json.dumps(fields, ensure_ascii=False),
                        self._clock.now().isoformat(), int(bad_sign),
                    ),
                ).lastrowid
                or 0
            )  # fmt: skip

    def send_due(self, limit: int = 50) -> int:
        """Send what is due, oldest first."""
        if not self._sending.acquire(blocking=False):
            return 0
        try:
            due = self._due(limit)
            if due and self._swaps():
                if len(due) < 2:
                    return 0
                self._faults.take(PARTNER, "push", "notify", ("wrong_order",))
                due[0], due[1] = due[1], due[0]
            return sum(1 for row in due if self._send(row) is not None)
        finally:
            self._sending.release()

    def send_now(self, number: int) -> Delivered:
        with self._sending:
            with self._books.transaction() as db:
                row = db.execute("SELECT * FROM alipay_notify WHERE id=?", (number,)).fetchone()
            done = self._send(row)
        if done is None:
            raise BadOrder("the hub has not said where it listens for the wallet")
        return done

    def _due(self, limit: int) -> list[Any]:
        now = self._clock.now()
        horizon = (
            now + timedelta(minutes=max(REDELIVER_MINUTES))
        ).isoformat()  # for a clock that was set back
        with self._books.transaction() as db:
            return db.execute(
                "SELECT * FROM alipay_notify WHERE state='DUE' AND (due_at<=? OR due_at>?) ORDER BY id LIMIT ?",
                (now.isoformat(), horizon, limit),
            ).fetchall()

    def _swaps(self) -> bool:
        return any(
            fault["kind"] == "wrong_order" and fault["direction"] == "push"
            for fault in self._faults.pending(PARTNER)
        )

    def _send(self, row: Any) -> Delivered | None:
        try:
            url = self._endpoints.url(PARTNER)
        except LookupError:
            return None
        fault = self._faults.take(PARTNER, "push", "notify", PUSH_FAULTS)
        wait_out(fault)
        broken = bool(row["bad_sign"]) or (fault is not None and fault.kind == "wrong_signature")
        done = self.call(url, json.loads(row["fields"]), broken=broken, wire=fault)
        if fault is not None and fault.kind == "duplicate":
            done = self.call(url, json.loads(row["fields"]), broken=broken)
        self._settle(row, done)
        return done

    def call(self, url: str, fields: dict[str, str], *, broken: bool = False, wire: Any = None) -> Delivered:
        """One signed POST, kept in the books."""
        charset = fields.get("charset") or "utf-8"
        content = signing.canonical(fields, without=("sign", "sign_type")).encode(charset)
        signed = signing.sign(content + (b" " if broken else b""), self._authority.gateway()[1])
        body = urlencode({**fields, "sign": signed}, encoding=charset).encode()
        return self.post(url, body, charset, fields.get("notify_id", ""), wire)

    def post(self, url: str, body: bytes, charset: str, notify_id: str, wire: Any = None) -> Delivered:
        headers = {"Content-Type": f"application/x-www-form-urlencoded; charset={charset}"}
        if wire is not None and wire.kind in ("reset", "half_answer"):
            done = deliver_broken(url, headers, body, wire.kind, wire.point)
        else:
            done = deliver("POST", url, headers, body)
        self._books.record(
            Entry(
                PARTNER, "out", "notify", self._clock.now(), body, request_id=notify_id or None, url=url, headers=headers,
                status=done.status, reply=done.body, reply_headers=done.headers,
                verdict="success" if is_taken(done) else done.error or "not taken", fault=wire.kind if wire else None,
            )
        )  # fmt: skip
        return done

    def _settle(self, row: Any, done: Delivered) -> None:
        tries = row["attempts"] + 1
        hurry = settings.read(self._books).hurry or (100 if self._clock.is_virtual else 1)
        over = tries > len(REDELIVER_MINUTES)
        wait = timedelta(minutes=REDELIVER_MINUTES[min(tries, len(REDELIVER_MINUTES)) - 1]) / hurry
        with self._books.transaction() as db:
            db.execute(
                "UPDATE alipay_notify SET state=CASE WHEN state='TAKEN' THEN state ELSE ? END, attempts=?, due_at=?,"
                " last_answer=? WHERE id=?",
                (
                    "TAKEN" if is_taken(done) else "GIVEN_UP" if over else "DUE", tries,
                    (self._clock.now() + wait).isoformat(), done.body[:200].decode("utf-8", "replace") or done.error,
                    row["id"],
                ),
            )  # fmt: skip

    def resend(self, notify_id: str) -> int:
        """Make notifies (one, or with "" all that were not taken) due at once, taken ones included when named."""
        with self._books.transaction() as db:
            return db.execute(
                "UPDATE alipay_notify SET state='DUE', due_at=? WHERE (?='' AND state<>'TAKEN') OR notify_id=?",
                (self._clock.now().isoformat(), notify_id, notify_id),
            ).rowcount

    def overview(self) -> list[dict[str, Any]]:
        with self._books.transaction() as db:
            rows = db.execute(
                "SELECT notify_id, out_biz_no, state, attempts, last_answer FROM alipay_notify ORDER BY id DESC LIMIT 1000"
            ).fetchall()
        return [dict(row) for row in reversed(rows)]


def is_taken(done: Delivered) -> bool:
    """Exactly the seven bytes, with HTTP 200."""
    return done.status == 200 and done.body == b"success"
