"""Debits that are none of our orders: a court's deduction, and the holder undoing its own mistakes."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import RowMapping

from escrow import case_state, freezes, holds, ledger, recoveries
from escrow.line_rows import Placed, unposted
from foundation.unit_of_work import UnitOfWork
from schemas.case_numbers import normalise_case_number


def by_document(uow: UnitOfWork, line: RowMapping) -> Placed | None:
    """扣划: a debit with a court's document number. Posted from what that document froze; without the document, or for
    more than it froze, it waits with a break."""
    document = _document(uow, line)
    if document is None or line["case_id"] is None:
        return unposted(uow, line, "DEDUCTION", "UNEXPECTED_DEBIT", document_no=line["document_no"])
    freeze = holds.freeze_for_deduction(uow, document)
    fen, case_id = int(line["fen"]), line["case_id"]
    held = (
        0
        if freeze is None
        else int(uow.scalar("SELECT balance FROM escrow.account WHERE id = :id", id=freeze["ledger"]))
    )
    if freeze is None or fen > held or fen > document["fen"]:
        return unposted(
            uow, line, "DEDUCTION", "UNEXPECTED_DEBIT", document_no=line["document_no"], frozen=held
        )
    parts = [(freeze["ledger"], fen), (line["custody_ledger"], -fen)]
    grounds = ledger.Grounds(line=line["id"], document=document["id"], custody=line["custody"])
    ledger.post(uow, f"line/{line['id']}", "DEDUCT", fen, parts, case_id, grounds)
    uow.execute(
        "UPDATE escrow.freeze SET deducted_fen = deducted_fen + :fen WHERE id = :id", fen=fen, id=freeze["id"]
    )
    events = [case_state.event(uow, case_id, "HOLD_DEDUCTED", document_no=document["document_no"], fen=fen)]
    if int(freeze["deducted_fen"]) + fen >= int(freeze["amount_fen"]):
        freezes.end_freeze(uow, freeze["id"], "DEDUCTED", document["id"])
        events += holds.promote(uow, case_id)
    events += case_state.allocate(uow, case_id)
    return Placed("POSTED", "DEDUCTION", case_id, events=events)


def _document(uow: UnitOfWork, line: RowMapping) -> RowMapping | None:
    told = normalise_case_number(line["document_no"])
    rows = uow.all(
        "SELECT * FROM escrow.court_document WHERE account = :account AND measure = 'DEDUCT'",
        account=line["account"],
    )
    return next((row for row in rows if normalise_case_number(row["document_no"]) == told), None)


def reverse_credit(uow: UnitOfWork, line: RowMapping) -> Placed:
    """冲正: the holder takes a wrong credit back. The case falls back by funding; where the money was used meanwhile,
    a break is opened and nothing goes below zero."""
    fen = int(line["fen"])
    original = uow.one(
        "SELECT l.id, e.kind, e.case_id FROM escrow.statement_line l JOIN escrow.entry e ON e.line = l.id"
        " WHERE l.rail = :rail AND l.account = :account AND l.direction = 'CREDIT' AND l.fen = :fen"
        " AND e.kind IN ('CREDIT', 'SUSPENSE') AND l.booked_on <= :day"
        " AND NOT EXISTS (SELECT 1 FROM escrow.entry r WHERE r.business_key = 'reverse/' || l.id)"
        " ORDER BY l.booked_on DESC, l.known_at DESC LIMIT 1",
        rail=line["rail"], account=line["account"], fen=fen, day=line["booked_on"],
    )  # fmt: skip
    if original is None:
        return unposted(uow, line, "REVERSAL", "REVERSAL", why="no credit of this sum on this account")
    case_id = original["case_id"]
    if original["kind"] == "SUSPENSE":
        pot = ledger.account(uow, "suspense", None, str(original["id"]))
        held = ledger.balance(uow, "suspense", None, str(original["id"]))
    else:
        pot = ledger.account(uow, "case_escrow", case_id)
        held = ledger.balance(uow, "case_escrow", case_id)
    if held < fen:
        return unposted(
            uow, line, "REVERSAL", "REVERSAL", case_id=case_id, why="the money was used meanwhile", left=held
        )
    ledger.post(uow, f"reverse/{original['id']}", "REVERSAL", fen, [(pot, fen), (line["custody_ledger"], -fen)], case_id,
                ledger.Grounds(line=line["id"], custody=line["custody"]))  # fmt: skip
    if case_id is None:
        return Placed("POSTED", "REVERSAL")
    taken_back = _take_back_funding(uow, line, original)
    events = [case_state.event(uow, case_id, "CREDIT_REVERSED", fen=fen), *case_state.allocate(uow, case_id)]
    events += recoveries.reversed_credit(uow, original["id"], taken_back)
    return Placed(
        "POSTED", "REVERSAL", case_id, events=[*events, *case_state.move_if_allowed(uow, case_id, "reversal")]
    )


def _take_back_funding(uow: UnitOfWork, line: RowMapping, original: RowMapping) -> UUID:
    funding = uow.new_id()
    uow.execute(
        "INSERT INTO escrow.funding SELECT :id, case_id, :line, -:fen, payer_account, payer_name, third_party, late, :at"
        " FROM escrow.funding WHERE line = :original AND case_id = :case",
        id=funding, line=line["id"], fen=line["fen"], at=uow.now, original=original["id"], case=original["case_id"],
    )  # fmt: skip
    late = uow.scalar("SELECT late FROM escrow.funding WHERE line = :line", line=original["id"])
    if late:
        uow.execute(
            "UPDATE escrow.escrow_case SET late_fen = late_fen - :fen WHERE id = :id",
            fen=line["fen"],
            id=original["case_id"],
        )
    return funding


def undo_unposted(uow: UnitOfWork, line: RowMapping) -> Placed | None:
    """The holder gives back a debit that we never posted: the two lines cancel each other out."""
    other = uow.scalar(
        "SELECT l.id FROM escrow.statement_line l JOIN escrow.line_placing p ON p.line = l.id WHERE l.rail = :rail"
        " AND l.account = :account AND l.direction = 'DEBIT' AND l.fen = :fen AND p.placed = 'UNPOSTED' ORDER BY l.known_at LIMIT 1",
        rail=line["rail"], account=line["account"], fen=line["fen"],
    )  # fmt: skip
    if other is None:
        return None
    uow.execute(
        "UPDATE escrow.line_placing SET placed = 'NETTED', meaning = 'UNDONE', at = :at WHERE line = :id",
        at=uow.now,
        id=other,
    )
    uow.execute(
        "UPDATE escrow.recon_break SET state = 'CLOSED', closed_at = :at, closed_by = :by, close_document = :document,"
        " owner = coalesce(owner, :by) WHERE line = :id AND state <> 'CLOSED'",
        at=uow.now, by=uow.actor.id, document=f"银行冲正 {line['bank_ref']}", id=other,
    )  # fmt: skip
    return Placed("NETTED", "UNDONE", line["case_id"])
