"""Payment orders: taking files in, executing what is due, refusing, cancelling, giving back."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from lxml import etree

from sandbox.bank import iso_payments, policy, profile, settings, windows
from sandbox.bank.iso_accounts import iso_time, xml_bytes
from sandbox.bank.iso_payments import Instruction
from sandbox.bank.ledger import Ledger, Side
from sandbox.bank.notices import Notices
from sandbox.bank.post_office import PostOffice
from sandbox.books import Books
from sandbox.clock import VirtualClock
from sandbox.control import BadOrder

P = profile.PARTNER
BATCH = 200
MOST_IN_FILE = 500


class Orders:
    """`to_wallet(fen, e2e, at)` is called in the payout's own transaction when money goes to the wallet's account."""

    def __init__(
        self, books: Books, clock: VirtualClock, ledger: Ledger, post: PostOffice, notices: Notices,
        to_wallet: Callable[[int, str, datetime], None],
    ) -> None:  # fmt: skip
        self._books, self._clock, self._ledger, self._post, self._notices = (
            books,
            clock,
            ledger,
            post,
            notices,
        )
        self._to_wallet = to_wallet

    def take_file(self, request_id: str, root: etree._Element) -> str:
        """Take a pain.001. Returns the answer's code: A00000, or U00999 where the manner says so."""
        read = iso_payments.read_pain001(root)
        now = self._clock.now()
        with self._books.transaction() as db:
            known = db.execute("SELECT 1 FROM bank_file WHERE msg_id=?", (read.msg_id,)).fetchone()
            if known or read.fault:
                code, told = ("DU01", "重复报文") if known else (read.fault[:4], read.fault[5:])
                if not known:
                    self._keep_file(read.msg_id, request_id, now, len(read.instructions), "RJCT")
                self._say(read.msg_id, len(read.instructions), [], ("RJCT", code, told))
                return "A00000"
            self._keep_file(read.msg_id, request_id, now, len(read.instructions), "TAKEN")
            rows, unknown = [], False
            for one in read.instructions:
                row, mode = self._take(read.msg_id, one, now)
                unknown = unknown or mode == "unknown"
                rows += [row] if row["speaks"] else []
            if rows:
                words = {row["status"] for row in rows}
                self._say(
                    read.msg_id, len(read.instructions), rows, ("PART", "", "") if len(words) > 1 else None
                )
        return "U00999" if unknown else "A00000"

    def _keep_file(self, msg_id: str, request_id: str, at: datetime, count: int, status: str) -> None:
        with self._books.transaction() as db:
            db.execute(
                "INSERT INTO bank_file VALUES (?,?,?,?,?)",
                (msg_id, request_id, at.isoformat(), count, status),
            )

    def _take(self, msg_id: str, one: Instruction, now: datetime) -> tuple[dict[str, Any], str]:
        """Keep one instruction; returns its status row and the manner it met."""
        row: dict[str, Any] = {**vars(one), "msg_id": msg_id, "speaks": 1, "reason": "", "reason_text": ""}
        with self._books.transaction() as db:
            again = db.execute("UPDATE bank_payment SET submissions=submissions+1 WHERE e2e=?", (one.e2e,))
            if again.rowcount:
                return row | {"status": "RJCT", "reason": "DU01", "reason_text": "重复的端到端标识"}, "refuse"
            manner = policy.take(self._books, one.account, one.e2e)
            state, reason, told, due = self._judge(one, manner, now)
            row |= {"status": state, "reason": reason, "reason_text": told}
            row["speaks"] = int(manner.mode not in ("manual", "never_answer"))
            if one.fen <= 0 or not one.e2e:
                return row, manner.mode  # nothing that could ever be asked for
            db.execute(
                "INSERT INTO bank_payment (e2e, instr_id, msg_id, info_id, account, fen, payee_name, payee_id,"
                " payee_account, payee_bank, text, requested_on, received_at, due_at, state, speaks, reason, reason_text)"
                " VALUES (:e2e, :instr_id, :msg_id, :info_id, :account, :fen, :payee_name, :payee_id, :payee_account,"
                " :payee_bank, :text, :requested_on, :at, :due, :status, :speaks, :reason, :reason_text)",
                row | {"at": now.isoformat(), "due": due},
            )
        return row, manner.mode

    def _judge(
        self, one: Instruction, manner: policy.Manner, now: datetime
    ) -> tuple[str, str, str, str | None]:
        """(state, reason, text, due) of an instruction that comes in."""
        if not re.fullmatch(r"[A-Z0-9]{1,32}", one.e2e, re.ASCII) or one.fen <= 0:
            return "RJCT", "NARR", "端到端标识或金额不合要求", None
        if manner.mode == "refuse":
            return "RJCT", manner.reason, manner.text, None
        if manner.mode == "manual":
            return "ACSP", "", "", None
        reason, told = self._obstacle(one.account, one.fen, one.payee_account, one.payee_name)
        if reason:
            return "RJCT", reason, told, None
        if manner.mode == "hold":
            return "PDNG", "OQ21", manner.text or "大额核实中", None
        beijing = self._clock.beijing()
        due = beijing
        if settings.read(self._books).windows:
            due = windows.earliest(beijing, one.requested_on, one.fen, one.payee_bank)
        waits = due > beijing and one.fen >= profile.LARGE_FEN
        due_at = max(due.astimezone(UTC), now).isoformat()
        return ("PDNG", "OQ21", "大额核实中", due_at) if waits else ("ACSP", "", "", due_at)

    def _obstacle(
        self, account: str, fen: int, payee_account: str, payee_name: str, own: str = ""
    ) -> tuple[str, str]:
        """Why money cannot leave: ("", "") or (reason, text). Counts what is already promised to others than `own`."""
        found = self._ledger.account(account)
        if found is None:
            return "AC01", "付款账户不存在"
        reason, told = policy.payee_fault(self._books, payee_account, payee_name)
        if reason:
            return reason, told
        with self._books.transaction() as db:
            promised = db.execute(
                "SELECT coalesce(sum(fen), 0) FROM bank_payment WHERE account=? AND state='ACSP' AND due_at IS NOT NULL"
                " AND e2e<>?",
                (account, own),
            ).fetchone()[0]
        if (not own and fen > found.balance_fen - promised) or fen > found.balance_fen:
            return "AM04", "子账户余额不足"
        if fen > found.balance_fen - self._ledger.held(account):
            return "OQ30", "法院冻结"
        return "", ""

    def run_due(self) -> int:
        """Execute (or at last refuse) payments whose time has come, each in its own commit."""
        with self._books.transaction() as db:
            due = db.execute(
                "SELECT e2e, msg_id FROM bank_payment WHERE state IN ('ACSP','PDNG') AND due_at<=? ORDER BY rowid LIMIT ?",
                (self._clock.now().isoformat(), MOST_IN_FILE),
            ).fetchall()
        if settings.read(self._books).by_file:
            for msg_id in dict.fromkeys(row["msg_id"] for row in due):
                self._execute_together(msg_id, [row["e2e"] for row in due if row["msg_id"] == msg_id])
            return len(due)
        for row in due[:BATCH]:
            self.execute(row["e2e"])
        return len(due[:BATCH])

    def _execute_together(self, msg_id: str, e2es: list[str]) -> None:
        """Book the payments of one file in one commit, and tell of them together."""
        with self._books.transaction() as db:
            entries = [entry for e2e in e2es if (entry := self.execute(e2e, quiet=True)) is not None]
            count = db.execute("SELECT payments FROM bank_file WHERE msg_id=?", (msg_id,)).fetchone()[0]
            rows = [self.payment(e2e) for e2e in e2es]
            if entries and settings.read(self._books).debit_notice:
                self._notices.tell_together(entries)
            told = [row | {"status": row["state"]} for row in rows if row["speaks"]]
            if told:
                self._say(msg_id, count, told, None)

    def payment(self, e2e: str) -> dict[str, Any]:
        """The payment's row. Raises BadOrder when the bank never took one of this EndToEndId."""
        with self._books.transaction() as db:
            row = db.execute("SELECT * FROM bank_payment WHERE e2e=?", (e2e,)).fetchone()
        if row is None:
            raise BadOrder(f"no payment {e2e}")
        return dict(row)

    def execute(
        self, e2e: str, *, checked: bool = True, quiet: bool = False, ref: str = "", day: str = ""
    ) -> int | None:
        """Book the payout once, and say so (unless `quiet`). Returns the entry, or None when it was refused.

        `checked` off: an emitted statement says it is done, so payee and holds are not looked at again.
        """
        with self._books.transaction() as db:
            payment = self.payment(e2e)
            if payment["entry"] is not None:
                return int(payment["entry"])
            if payment["state"] not in ("ACSP", "PDNG"):
                raise BadOrder(f"payment {e2e} is {payment['state']}")
            reason, told = "", ""
            if checked:
                reason, told = self._obstacle(
                    payment["account"],
                    payment["fen"],
                    payment["payee_account"],
                    payment["payee_name"],
                    own=e2e,
                )
            if reason:
                self.refuse(e2e, reason, told, quiet=quiet)
                return None
            now = self._clock.now()
            entry = self._ledger.post(
                "payout", now, self._clock.beijing().date(), [Side(payment["account"], -payment["fen"], ref, day)],
                e2e=e2e, other_name=payment["payee_name"], other_account=payment["payee_account"],
                text=payment["text"],
            )  # fmt: skip
            line = self._ledger.lines(entry=entry)[0]
            db.execute(
                "UPDATE bank_payment SET state='ACSC', reason='', reason_text='', entry=?, bank_ref=?, booked_at=?,"
                " due_at=NULL WHERE e2e=?",
                (entry, line.ref, iso_time(self._clock.beijing()), e2e),
            )
            if payment["payee_account"] == profile.WALLET_ACCOUNT:
                self._to_wallet(payment["fen"], e2e, now)
            if payment["speaks"] and not quiet:
                if settings.read(self._books).debit_notice:
                    self._notices.tell(entry)
                self._status(e2e)
        return entry

    def release(self, e2e: str) -> None:
        """Let a held or silent payment go on at the next round."""
        with self._books.transaction() as db:
            done = db.execute(
                "UPDATE bank_payment SET state='ACSP', due_at=?, reason='', reason_text='' WHERE e2e=?"
                " AND state IN ('ACSP','PDNG')",
                (self._clock.now().isoformat(), e2e),
            )
            if done.rowcount == 0:
                raise BadOrder(f"payment {e2e} is {self.payment(e2e)['state']}")

    def refuse(self, e2e: str, reason: str, told: str, *, quiet: bool = False) -> None:
        """Refuse a payment that has not been executed."""
        with self._books.transaction() as db:
            done = db.execute(
                "UPDATE bank_payment SET state='RJCT', reason=?, reason_text=?, due_at=NULL WHERE e2e=?"
                " AND state IN ('ACSP','PDNG')",
                (reason, told, e2e),
            )
            if done.rowcount == 0:
                raise BadOrder(f"payment {e2e} is {self.payment(e2e)['state']}")
            if not quiet and self.payment(e2e)["speaks"]:
                self._status(e2e)

    def _status(self, e2e: str) -> None:
        payment = self.payment(e2e)
        with self._books.transaction() as db:
            count = db.execute(
                "SELECT payments FROM bank_file WHERE msg_id=?", (payment["msg_id"],)
            ).fetchone()[0]
        self._say(payment["msg_id"], count, [payment | {"status": payment["state"]}], None)

    def _say(
        self, original: str, count: int, rows: list[dict[str, Any]], group: tuple[str, str, str] | None
    ) -> None:
        msg_id = f"OQB{2_000_000 + self._books.next_number(P, 'pain.002')}"
        report = iso_payments.status_report(msg_id, self._clock.beijing(), original, count, rows, group)
        self._post.put(profile.PAIN_002, xml_bytes(report))

    def cancel(self, root: etree._Element) -> None:
        """camt.055: what has not left is taken back, what is gone is gone; camt.029 says which."""
        _, original, wanted = iso_payments.read_camt055(root)
        answers = []
        with self._books.transaction() as db:
            if not wanted:
                rows = db.execute(
                    "SELECT info_id, e2e FROM bank_payment WHERE msg_id=?", (original,)
                ).fetchall()
                wanted = [(row["info_id"], row["e2e"]) for row in rows]
            for info_id, e2e in wanted:
                done = db.execute(
                    "UPDATE bank_payment SET state='CANC', due_at=NULL WHERE e2e=? AND state IN ('ACSP','PDNG')",
                    (e2e,),
                )
                word, told = ("CNCL", "") if done.rowcount else ("RJCR", "款项已付出或无此交易")
                answers.append((info_id, e2e, word, told))
            msg_id = f"OQC{self._books.next_number(P, 'camt.029'):05d}"
            answers = answers or [(original or "-", "-", "RJCR", "无此交易")]
            document = iso_payments.cancellation_answer(
                msg_id, self._clock.beijing(), original or "-", answers
            )
            self._post.put(profile.CAMT_029, xml_bytes(document))
