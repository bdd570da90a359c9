"""What happens at the bank without the hub: deposits, moves, holds, deductions, reversals, returned payments."""

from __future__ import annotations

from typing import Any

from sandbox.bank import iso_payments, profile
from sandbox.bank.iso_accounts import xml_bytes
from sandbox.bank.ledger import Ledger, Line, Side
from sandbox.bank.notices import Notices
from sandbox.bank.orders import Orders
from sandbox.bank.post_office import PostOffice
from sandbox.books import Books
from sandbox.clock import VirtualClock
from sandbox.control import BadOrder

P = profile.PARTNER


class Teller:
    """Each act books and tells in one commit; returns the entry and the numbers of the messages made."""

    def __init__(
        self, books: Books, clock: VirtualClock, ledger: Ledger, orders: Orders, notices: Notices, post: PostOffice
    ) -> None:  # fmt: skip
        self._books, self._clock, self._ledger = books, clock, ledger
        self._orders, self._notices, self._post = orders, notices, post

    def deposit(
        self,
        account: str,
        fen: int,
        payer_name: str,
        payer_account: str,
        text: str,
        *,
        masked: bool,
        tell: bool,
    ) -> dict[str, Any]:
        """Money in. `masked`: the payer's name is cut to its first character and stars (habit 1)."""
        self._ledger.need(account)
        name = payer_name[:1] + "*" * max(len(payer_name) - 1, 1) if masked and payer_name else payer_name
        return self._book(
            "deposit", [Side(account, _positive(fen))], tell,
            other_name=name, other_account=payer_account, text=text,
        )  # fmt: skip

    def expect(
        self, account: str, fen: int, payer_name: str, payer_account: str, text: str
    ) -> dict[str, Any]:
        """camt.052 with a credit that is only announced (PDNG); it is in no book."""
        found, at = self._ledger.need(account), self._clock.beijing()
        ref = f"EXP{self._books.next_number(P, 'expected'):07d}"
        day = at.date().isoformat()
        line = Line(
            0, "deposit", account, found.kind, _positive(fen), ref, day, "", payer_name, payer_account, text, "", "", False
        )  # fmt: skip
        return {"told": [self._notices.report(account, [line])]}

    def move(self, source: str, target: str, fen: int, text: str, *, tell: bool) -> dict[str, Any]:
        """From one account of this bank to another, such as parent to sub-account."""
        for number in (source, target):
            self._ledger.need(number)
        if source == target:
            raise BadOrder("source and target are the same account")
        sides = [Side(source, -_positive(fen)), Side(target, fen)]
        return self._book("move", sides, tell, other_name=profile.OWNER, text=text)

    def hold(self, account: str, fen: int, document_no: str, *, tell: bool) -> dict[str, Any]:
        """A court's hold; camt.052 shows it in ITAV."""
        with self._books.transaction():
            self._ledger.hold(account, _document(document_no), _positive(fen), self._clock.now())
            return {"told": [self._notices.report(account, [])] if tell else [], **self._standing(account)}

    def lift(self, account: str, document_no: str, *, tell: bool) -> dict[str, Any]:
        with self._books.transaction():
            self._ledger.lift(account, _document(document_no), self._clock.now())
            return {"told": [self._notices.report(account, [])] if tell else [], **self._standing(account)}

    def deduct(self, account: str, fen: int, document_no: str, *, tell: bool) -> dict[str, Any]:
        """扣划: a debit without EndToEndId, the document number in the text; uses up a hold of the same number."""
        self._ledger.need(account)
        with self._books.transaction() as db:
            db.execute(
                "UPDATE bank_hold SET fen=max(fen-?, 0), lifted_at=CASE WHEN fen<=? THEN ? ELSE lifted_at END"
                " WHERE account=? AND document_no=? AND lifted_at IS NULL",
                (fen, fen, self._clock.now().isoformat(), account, _document(document_no)),
            )
            return self._book(
                "deduction", [Side(account, -_positive(fen))], tell, other_name="瓯栖县人民法院", text=f"扣划 {document_no}"
            )  # fmt: skip

    def reverse(self, entry: int, *, tell: bool) -> dict[str, Any]:
        """冲正: the same entry with its sides turned round, RvslInd=true. Once for each entry."""
        lines = self._ledger.lines(entry=entry)
        if not lines:
            raise BadOrder(f"no entry {entry}")
        sides = [Side(line.account, -line.fen, f"{line.ref}R") for line in lines]
        first = lines[0]
        return self._book(
            "reversal", sides, tell, other_name=first.other_name, other_account=first.other_account,
            text="冲正：错账", reverses=entry,
        )  # fmt: skip

    def find_entry(self, account: str, ref: str, biz_date: str) -> int:
        """The entry behind an AcctSvcrRef, which is unique per account and day only."""
        found = [
            n for n in self._ledger.lines(account=account) if n.ref == ref and biz_date in ("", n.biz_date)
        ]
        if len(found) != 1:
            raise BadOrder(f"{len(found)} entries {ref} on {account}; give biz_date or entry")
        return found[0].entry

    def give_back(
        self, e2e: str, fen: int | None, reason: str, text: str, *, announce: bool, credit: bool
    ) -> dict[str, Any]:
        """退汇: pacs.004 first, then the credit. `fen` may be less than was paid, never more in sum."""
        payment = self._orders.payment(e2e)
        if payment["state"] not in ("ACSC", "RTND"):
            raise BadOrder(f"payment {e2e} is {payment['state']}: nothing was paid")
        answer: dict[str, Any] = {"told": []}
        with self._books.transaction() as db:
            opened = db.execute(
                "SELECT * FROM bank_return WHERE e2e=? AND entry IS NULL ORDER BY rowid LIMIT 1", (e2e,)
            ).fetchone()
            gone = db.execute("SELECT coalesce(sum(fen), 0) FROM bank_return WHERE e2e=?", (e2e,)).fetchone()[
                0
            ]
            if announce or opened is None:
                back = payment["fen"] - gone if fen is None else fen
                if not 0 < back <= payment["fen"] - gone:
                    raise BadOrder(f"{back} fen cannot come back of {payment['fen'] - gone}")
                number = self._books.next_number(P, "pacs.004")
                rtr_id, msg_id = f"OQP{number:05d}R", f"OQP{number:05d}"
                at = self._clock.now().isoformat()
                db.execute(
                    "INSERT INTO bank_return VALUES (?,?,?,?,?,?,?,NULL)",
                    (rtr_id, e2e, back, reason, text, msg_id, at),
                )
                opened = db.execute("SELECT * FROM bank_return WHERE rtr_id=?", (rtr_id,)).fetchone()
                if announce:
                    answer["told"].append(self._announce(payment, opened, msg_id))
            answer["rtr_id"] = opened["rtr_id"]
            if credit:
                booked = self._book(
                    "return", [Side(payment["account"], opened["fen"])], True, e2e=e2e, other_name=payment["payee_name"],
                    other_account=payment["payee_account"], text="退汇", reason=opened["reason"],
                    reason_text=opened["reason_text"],
                )  # fmt: skip
                self.settle_return(opened["rtr_id"], e2e, booked["entry"])
                answer = {**answer, "entry": booked["entry"], "told": answer["told"] + booked["told"]}
        return answer

    def settle_return(self, rtr_id: str, e2e: str, entry: int) -> None:
        with self._books.transaction() as db:
            db.execute("UPDATE bank_return SET entry=? WHERE rtr_id=?", (entry, rtr_id))
            db.execute("UPDATE bank_payment SET state='RTND' WHERE e2e=?", (e2e,))

    def announce_again(self, rtr_id: str, *, new_msg_id: bool) -> dict[str, Any]:
        """Habit 11: the same pacs.004 once more, with the same MsgId or with a new one around the same RtrId."""
        with self._books.transaction() as db:
            row = db.execute("SELECT * FROM bank_return WHERE rtr_id=?", (rtr_id,)).fetchone()
            if row is None:
                raise BadOrder(f"no return {rtr_id}")
            msg_id = f"OQP{self._books.next_number(P, 'pacs.004'):05d}" if new_msg_id else row["msg_id"]
            return {"rtr_id": rtr_id, "told": [self._announce(self._orders.payment(row["e2e"]), row, msg_id)]}

    def _announce(self, payment: dict[str, Any], back: Any, msg_id: str) -> int:
        document = iso_payments.payment_return(
            msg_id,
            back["rtr_id"],
            self._clock.beijing(),
            payment,
            back["fen"],
            back["reason"],
            back["reason_text"],
        )
        return self._post.put(profile.PACS_004, xml_bytes(document))

    def _book(self, kind: str, sides: list[Side], tell: bool, **told: Any) -> dict[str, Any]:
        with self._books.transaction():
            entry = self._ledger.post(kind, self._clock.now(), self._clock.beijing().date(), sides, **told)
            lines = self._ledger.lines(entry=entry)
            return {
                "entry": entry,
                "lines": [
                    {"account": n.account, "fen": n.fen, "ref": n.ref, "biz_date": n.biz_date} for n in lines
                ],
                "told": self._notices.tell(entry) if tell else [],
                **self._standing(lines[0].account),
            }

    def _standing(self, account: str) -> dict[str, int]:
        balance, held = self._ledger.need(account).balance_fen, self._ledger.held(account)
        return {"balance_fen": balance, "held_fen": held, "available_fen": balance - held}


def _positive(fen: int) -> int:
    if isinstance(fen, bool) or not isinstance(fen, int) or fen <= 0:
        raise BadOrder("fen is a whole number above zero")
    return fen


def _document(number: str) -> str:
    if not number:
        raise BadOrder("document_no is needed")
    return number
