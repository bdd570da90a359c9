"""Messages handed in ready-made: sent as they are, and their facts brought into the book so that both agree."""

from __future__ import annotations

from typing import Any

from lxml import etree

from sandbox.bank import profile
from sandbox.bank.ledger import Ledger, Side
from sandbox.bank.notices import Notices
from sandbox.bank.orders import Orders
from sandbox.bank.teller import Teller
from sandbox.bank.xsd import every, text
from sandbox.books import Books
from sandbox.clock import VirtualClock
from sandbox.control import BadOrder
from schemas.money import Fen

STATEMENT_HOLD = "statement"  # the document number of a hold that only an emitted camt.052 tells of


class Emitter:
    def __init__(
        self, books: Books, clock: VirtualClock, ledger: Ledger, orders: Orders, teller: Teller, notices: Notices
    ) -> None:  # fmt: skip
        self._books, self._clock, self._ledger = books, clock, ledger
        self._orders, self._teller, self._notices = orders, teller, notices

    def apply(self, msg_type: str, root: etree._Element) -> list[dict[str, Any]]:
        """Bring the message's facts into the book. Raises BadOrder where the book cannot agree with it."""
        body = root[0]
        with self._books.transaction():
            if msg_type == profile.CAMT_054:
                return [self._entry(one, entry) for one in every(body, "Ntfctn") for entry in booked(one)]
            if msg_type == profile.CAMT_053:
                return [change for one in every(body, "Stmt") for change in self._statement(one)]
            if msg_type == profile.CAMT_052:
                return [change for one in every(body, "Rpt") for change in self._report(one)]
            if msg_type == profile.PAIN_002:
                return self._statuses(body)
            if msg_type == profile.PACS_004:
                return [self._announced(tx, text(body, "GrpHdr/MsgId")) for tx in every(body, "TxInf")]
        return []

    def _account_of(self, told: etree._Element, entry: etree._Element) -> str:
        """The account an entry is of; one told on the parent belongs to the sub-account that CdtrAcct names."""
        number = text(told, "Acct/Id/Othr/Id")
        details = "NtryDtls/TxDtls/RltdPties/CdtrAcct/Id/Othr"
        if number == profile.PARENT and text(entry, f"{details}/SchmeNm/Prtry") == "VSA":
            number = text(entry, f"{details}/Id")
        if self._ledger.account(number) is None:
            self._ledger.put_account(number, None, "", self._clock.beijing().date())
        return number

    def _entry(
        self, told: etree._Element, entry: etree._Element, seen: set[int] | None = None
    ) -> dict[str, Any]:
        account = self._account_of(told, entry)
        fen = fen_of(text(entry, "Amt")) * (1 if text(entry, "CdtDbtInd") == "CRDT" else -1)
        ref, day = text(entry, "AcctSvcrRef"), text(entry, "BookgDt/Dt") or text(entry, "BookgDt/DtTm")[:10]
        e2e = text(entry, "NtryDtls/TxDtls/Refs/EndToEndId")
        e2e = "" if e2e == "NOTPROVIDED" else e2e
        side = Side(account, fen, ref, day)
        known = self._known(side, e2e, seen)
        if known:
            return {"account": account, "fen": fen, "entry": known, "new": False}
        returned = text(entry, "NtryDtls/TxDtls/RtrInf/Rsn/Cd")
        if fen < 0 and e2e:
            made = self._orders.execute(e2e, checked=False, quiet=True, ref=ref, day=day)
        elif fen > 0 and e2e and returned:
            made = self._returned(entry, side, e2e, returned)
        else:
            made = self._other(entry, side)
        return {"account": account, "fen": fen, "entry": made, "new": True}

    def _known(self, side: Side, e2e: str, seen: set[int] | None) -> int | None:
        """The entry already booked that this one tells of again: by reference, by payment, else by sum.

        `seen`: in a statement, whose references may differ from the notice's, the entries that its earlier lines were
        found to be; None = no statement, so no finding by sum.
        """
        lines = [n for n in self._ledger.lines(account=side.account) if n.fen == side.fen]
        for line in lines:
            if (line.ref == side.ref and line.biz_date == side.biz_date) or (
                side.fen < 0 and e2e and line.e2e == e2e
            ):
                return line.entry
        if seen is None:
            return None
        waiting = self._ledger.lines(account=side.account, unstated_to=side.biz_date)
        same_day = [n for n in lines if n.biz_date == side.biz_date]
        return next(
            (
                n.entry
                for n in [*waiting, *same_day]
                if n.fen == side.fen and n.entry not in seen and (not e2e or n.e2e == e2e)
            ),
            None,
        )

    def _returned(self, entry: etree._Element, side: Side, e2e: str, reason: str) -> int:
        told = text(entry, "NtryDtls/TxDtls/RtrInf/AddtlInf")
        payment = self._orders.payment(e2e)
        made = self._ledger.post(
            "return", self._clock.now(), self._clock.beijing().date(), [side], e2e=e2e, text="退汇", reason=reason,
            reason_text=told, other_name=payment["payee_name"], other_account=payment["payee_account"],
        )  # fmt: skip
        with self._books.transaction() as db:
            row = db.execute(
                "SELECT rtr_id FROM bank_return WHERE e2e=? AND entry IS NULL ORDER BY rowid LIMIT 1", (e2e,)
            ).fetchone()
            rtr_id = row["rtr_id"] if row else f"{side.ref}-{side.biz_date}"
            if row is None:
                db.execute(
                    "INSERT INTO bank_return VALUES (?,?,?,?,?,?,?,NULL)",
                    (rtr_id, e2e, side.fen, reason, told, "", self._clock.now().isoformat()),
                )
        self._teller.settle_return(rtr_id, e2e, made)
        return made

    def _other(self, entry: etree._Element, side: Side) -> int:
        party = "Dbtr" if side.fen > 0 else "Cdtr"
        parties = "NtryDtls/TxDtls/RltdPties"
        reversal = text(entry, "RvslInd") in ("true", "1")
        return self._ledger.post(
            "reversal" if reversal else "deposit" if side.fen > 0 else "deduction",
            self._clock.now(), self._clock.beijing().date(), [side],
            other_name=text(entry, f"{parties}/{party}/Pty/Nm"),
            other_account=text(entry, f"{parties}/{party}Acct/Id/Othr/Id"),
            text=text(entry, "NtryDtls/TxDtls/RmtInf/Ustrd"),
            reverses=self._reversed(entry, side) if reversal else None,
        )  # fmt: skip

    def _reversed(self, entry: etree._Element, side: Side) -> int | None:
        origin = side.ref.removesuffix("R")
        lines = self._ledger.lines(account=side.account)
        return next((n.entry for n in lines if n.ref == origin and n.fen == -side.fen), None)

    def _statement(self, told: etree._Element) -> list[dict[str, Any]]:
        number, account = int(text(told, "ElctrncSeqNb", "0")), text(told, "Acct/Id/Othr/Id")
        changes: list[dict[str, Any]] = []
        for entry in booked(told):
            changes.append(self._entry(told, entry, {change["entry"] for change in changes}))
        closing = _balance(told, "CLBD")
        if self._ledger.account(account) is None:
            self._ledger.put_account(account, None, "", self._clock.beijing().date())
        day = text(told, "Bal/Dt/Dt") or text(told, "CreDtTm")[:10]
        lines = self._ledger.lines(account=account, unstated_to=day)
        book = self._ledger.need(account).closing_fen + sum(line.fen for line in lines)
        if closing is not None and book != closing:
            raise BadOrder(f"the statement closes {account} with {closing} fen, the book with {book}")
        if closing is not None and number:
            opening = _balance(told, "OPBD") or 0
            self._notices.keep_statement(account, number, day, (opening, closing), lines, text(told, "Id"))
        return [*changes, {"account": account, "statement": number, "closing_fen": closing}]

    def _report(self, told: etree._Element) -> list[dict[str, Any]]:
        account, booked, available = (
            text(told, "Acct/Id/Othr/Id"),
            _balance(told, "ITBD"),
            _balance(told, "ITAV"),
        )
        if booked is None or available is None or self._ledger.account(account) is None:
            return []
        self._ledger.hold(account, STATEMENT_HOLD, booked - available, self._clock.now())
        return [{"account": account, "held_fen": self._ledger.held(account)}]

    def _statuses(self, body: etree._Element) -> list[dict[str, Any]]:
        changes = []
        for tx in every(body, "OrgnlPmtInfAndSts/TxInfAndSts"):
            e2e, word = text(tx, "OrgnlEndToEndId"), text(tx, "TxSts")
            if word == "RJCT" and self._orders.payment(e2e)["state"] in ("ACSP", "PDNG"):
                reason = text(tx, "StsRsnInf/Rsn/Cd") or text(tx, "StsRsnInf/Rsn/Prtry") or "NARR"
                self._orders.refuse(e2e, reason, text(tx, "StsRsnInf/AddtlInf"), quiet=True)
            changes.append({"e2e": e2e, "status": word})
        return changes

    def _announced(self, tx: etree._Element, msg_id: str) -> dict[str, Any]:
        rtr_id, e2e = text(tx, "RtrId"), text(tx, "OrgnlEndToEndId")
        self._orders.payment(e2e)
        with self._books.transaction() as db:
            done = db.execute(
                "INSERT OR IGNORE INTO bank_return VALUES (?,?,?,?,?,?,?,NULL)",
                (
                    rtr_id, e2e, fen_of(text(tx, "RtrdIntrBkSttlmAmt")), text(tx, "RtrRsnInf/Rsn/Cd"),
                    text(tx, "RtrRsnInf/AddtlInf"), msg_id, self._clock.now().isoformat(),
                ),
            )  # fmt: skip
        return {"e2e": e2e, "rtr_id": rtr_id, "new": bool(done.rowcount)}


def fen_of(amount: str) -> int:
    return int(Fen.from_yuan_text(amount))


def booked(told: etree._Element) -> list[etree._Element]:
    return [entry for entry in every(told, "Ntry") if text(entry, "Sts/Cd") == "BOOK"]


def _balance(told: etree._Element, code: str) -> int | None:
    for balance in every(told, "Bal"):
        if text(balance, "Tp/CdOrPrtry/Cd") == code:
            return fen_of(text(balance, "Amt")) * (1 if text(balance, "CdtDbtInd") == "CRDT" else -1)
    return None
