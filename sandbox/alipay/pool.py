"""The payout account and its orders: the wallet's own book, the judge of what was paid and how often."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from datetime import datetime
from typing import Any

from sandbox.alipay.profile import APP_ID, PARTNER, POOL
from sandbox.books import Books
from sandbox.clock import BEIJING, VirtualClock
from sandbox.control import BadOrder
from schemas.money import Fen

OPENED_AT = datetime(2019, 12, 31, 12, tzinfo=BEIJING)


def beijing_text(at: datetime) -> str:
    return at.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


class Pool:
    """Every method may run inside an open `books.transaction()`; the outermost one commits."""

    def __init__(self, books: Books, clock: VirtualClock, opening_fen: int) -> None:
        """`opening_fen`: what the pool holds when the book is begun, on a day that no bill is asked for."""
        self._books, self._clock = books, clock
        with books.transaction() as db:
            new = db.execute("INSERT OR IGNORE INTO alipay_pool (account) VALUES (?)", (POOL,)).rowcount
            if new and opening_fen:
                self.top_up(opening_fen, "OPENING", OPENED_AT)

    def balance(self) -> int:
        with self._books.transaction() as db:
            return int(
                db.execute("SELECT balance_fen FROM alipay_pool WHERE account=?", (POOL,)).fetchone()[0]
            )

    def top_up(self, fen: int, reference: str, at: datetime) -> None:
        """Money from the bank arrives in the pool, once for each reference."""
        self._line("top_up", self._number("2026", 28), reference, fen, at)

    def order(self, out_biz_no: str) -> dict[str, Any] | None:
        with self._books.transaction() as db:
            row = db.execute("SELECT * FROM alipay_order WHERE out_biz_no=?", (out_biz_no,)).fetchone()
        return None if row is None else dict(row)

    def by_order_id(self, order_id: str) -> dict[str, Any] | None:
        with self._books.transaction() as db:
            row = db.execute("SELECT * FROM alipay_order WHERE order_id=?", (order_id,)).fetchone()
        return None if row is None else dict(row)

    def need(self, out_biz_no: str) -> dict[str, Any]:
        """The order. Raises BadOrder when there is none."""
        found = self.order(out_biz_no)
        if found is None:
            raise BadOrder(f"no order {out_biz_no}")
        return found

    def seen_again(self, out_biz_no: str) -> None:
        with self._books.transaction() as db:
            db.execute("UPDATE alipay_order SET requests=requests+1 WHERE out_biz_no=?", (out_biz_no,))

    def obstacle(self, biz: dict[str, Any]) -> str:
        """Why a transfer cannot be made now (a sub_code), or ""."""
        payee = biz["payee_info"]
        with self._books.transaction() as db:
            known = db.execute("SELECT * FROM alipay_payee WHERE identity=?", (payee["identity"],)).fetchone()
        if known is not None and known["status"] == "absent":
            return "PAYEE_NOT_EXIST"
        name = payee.get("name", "")
        if (known is not None and known["name"] not in ("", name)) or not _common_characters(name):
            return "PAYEE_USER_INFO_ERROR"
        if self.balance() < amount_fen(biz):
            return "PAYER_BALANCE_NOT_ENOUGH"
        return ""

    def accept(self, biz: dict[str, Any], *, pay: bool) -> dict[str, Any]:
        """Keep an order; `pay`: money leaves at once, else it stays DEALING. Raises BadOrder when it cannot."""
        now = self._clock.now()
        payee = biz["payee_info"]
        with self._books.transaction() as db:
            db.execute(
                "INSERT INTO alipay_order (out_biz_no, digest, order_id, pay_fund_order_id, fen, identity, identity_type,"
                " name, title, remark, created_at, status) VALUES (?,?,?,?,?,?,?,?,?,?,?,'DEALING')",
                (
                    biz["out_biz_no"], content_digest(biz), self._number("2026", 28), self._number("2026", 24),
                    amount_fen(biz), payee["identity"], payee["identity_type"], payee.get("name", ""),
                    biz.get("order_title", ""), biz.get("remark", ""), now.isoformat(),
                ),
            )  # fmt: skip
            if pay:
                self.pay(biz["out_biz_no"])
            return self.need(biz["out_biz_no"])

    def pay(self, out_biz_no: str, pay_date: str = "") -> None:
        """The money leaves (once); the order is SUCCESS. `pay_date`: Beijing time as text, default now."""
        order = self.need(out_biz_no)
        if order["status"] == "SUCCESS":
            return
        if order["status"] != "DEALING":
            raise BadOrder(f"order {out_biz_no} is {order['status']}")
        at = self._clock.now()
        if pay_date:
            at = datetime.strptime(pay_date, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
        with self._books.transaction() as db:
            self._line("payout", order["order_id"], out_biz_no, -order["fen"], at)
            db.execute(
                "UPDATE alipay_order SET status='SUCCESS', pay_date=? WHERE out_biz_no=?", (beijing_text(at), out_biz_no)
            )  # fmt: skip

    def fail(self, out_biz_no: str, error_code: str, reason: str) -> None:
        """A DEALING order fails; nothing was paid."""
        if self.need(out_biz_no)["status"] != "DEALING":
            raise BadOrder(f"order {out_biz_no} is {self.need(out_biz_no)['status']}")
        self._end(out_biz_no, "FAIL", error_code, reason)

    def refund(self, out_biz_no: str, error_code: str, reason: str) -> None:
        """银行退票: a paid order's money comes back to the pool."""
        order = self.need(out_biz_no)
        if order["status"] == "REFUND":
            return
        if order["status"] != "SUCCESS":
            raise BadOrder(f"order {out_biz_no} is {order['status']}: nothing was paid")
        with self._books.transaction():
            self._line("refund", order["order_id"], out_biz_no, order["fen"], self._clock.now())
            self._end(out_biz_no, "REFUND", error_code, reason)

    def _end(self, out_biz_no: str, status: str, error_code: str, reason: str) -> None:
        with self._books.transaction() as db:
            db.execute(
                "UPDATE alipay_order SET status=?, error_code=?, fail_reason=? WHERE out_biz_no=?",
                (status, error_code, reason, out_biz_no),
            )

    def _line(self, kind: str, trade_no: str, reference: str, fen: int, at: datetime) -> None:
        try:
            with self._books.transaction() as db:
                db.execute(
                    "INSERT INTO alipay_line (account, kind, trade_no, reference, fen, at, bill_date)"
                    " VALUES (?,?,?,?,?,?,?)",
                    (POOL, kind, trade_no, reference, fen, at.isoformat(), beijing_text(at)[:10]),
                )
        except sqlite3.IntegrityError as refused:
            raise BadOrder(f"the book refuses this {kind}: {refused}") from refused

    def _number(self, stem: str, length: int) -> str:
        return stem + str(self._books.next_number(PARTNER, "number")).rjust(length - len(stem), "0")

    def lines(self, bill_date: str = "") -> list[dict[str, Any]]:
        """Lines of the book with their orders, oldest first (of one day, when given)."""
        with self._books.transaction() as db:
            rows = db.execute(
                "SELECT l.*, o.name, o.identity, o.title, o.remark, o.created_at, o.order_id FROM alipay_line l"
                " LEFT JOIN alipay_order o ON o.out_biz_no=l.reference AND l.kind<>'top_up'"
                " WHERE ?='' OR l.bill_date=? ORDER BY l.id LIMIT 100000",
                (bill_date, bill_date),
            ).fetchall()
        return [dict(row) for row in rows]

    def judgement(self, out_biz_no: str) -> dict[str, Any]:
        """What was paid, how often, and whether the book adds up."""
        with self._books.transaction() as db:
            orders = [
                dict(row)
                for row in db.execute(
                    "SELECT o.*, (SELECT count(*) FROM alipay_line l WHERE l.kind='payout' AND l.reference=o.out_biz_no)"
                    " AS executions FROM alipay_order o WHERE ?='' OR o.out_biz_no=? ORDER BY o.rowid LIMIT 10000",
                    (out_biz_no, out_biz_no),
                )
            ]
            same = [
                {**dict(row), "out_biz_nos": row["out_biz_nos"].split(",")}
                for row in db.execute(
                    "SELECT identity, fen, count(*) AS times, group_concat(out_biz_no) AS out_biz_nos FROM alipay_order"
                    " WHERE status='SUCCESS' GROUP BY identity, fen HAVING count(*)>1"
                )
            ]
            total = db.execute("SELECT coalesce(sum(fen), 0) FROM alipay_line").fetchone()[0]
        return {
            "app_id": APP_ID, "account": POOL, "balance_fen": self.balance(), "balanced": total == self.balance(),
            "orders": orders, "same_payee_and_sum": same, "lines": self.lines(),
        }  # fmt: skip


def amount_fen(biz: dict[str, Any]) -> int:
    return int(Fen.from_yuan_text(biz["trans_amount"]))


def content_digest(biz: dict[str, Any]) -> str:
    """Digest of what makes a transfer the same: all of biz_content."""
    return hashlib.sha256(json.dumps(biz, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _common_characters(name: str) -> bool:
    # Habit 12: what GBK cannot write counts as rare.
    try:
        name.encode("gbk")
    except UnicodeEncodeError:
        return False
    return True
