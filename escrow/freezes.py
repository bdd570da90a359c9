"""Freezes in force: what each holds, what it still wants, and how it takes it. Placed and ended in holds.py."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import RowMapping

from escrow import case_state, ledger
from escrow.results import Event
from foundation.unit_of_work import UnitOfWork


def active(uow: UnitOfWork, case_id: UUID) -> list[RowMapping]:
    """Freezes in force, oldest first, with what each holds and still wants, in fen."""
    return list(
        uow.all(
            "SELECT f.*, a.balance AS held_fen, f.amount_fen - f.deducted_fen - a.balance AS wanting_fen"
            " FROM escrow.freeze f JOIN escrow.account a ON a.id = f.ledger"
            " WHERE f.case_id = :case AND f.state = 'ACTIVE' ORDER BY f.queue_no",
            case=case_id,
        )
    )


def fill(uow: UnitOfWork, case_id: UUID) -> list[Event]:
    """Give active freezes what they still want from the case's free money; call after anything that frees money.

    What left before this hub ran and is not shown by a statement yet is no longer there to be frozen.
    """
    events: list[Event] = []
    rows = active(uow, case_id)
    gone = sent_before(uow, case_id) if rows else 0
    for row in rows:
        take = min(int(row["wanting_fen"]), ledger.balance(uow, "case_escrow", case_id) - gone)
        if take > 0:
            step = int(uow.scalar("SELECT last_seq FROM escrow.account WHERE id = :id", id=row["ledger"])) + 1
            parts = [(ledger.account(uow, "case_escrow", case_id), take), (row["ledger"], -take)]
            grounds = ledger.Grounds(document=row["document"])
            ledger.post(uow, f"freeze/{row['id']}/{step}", "FREEZE", take, parts, case_id, grounds)
            events.append(
                case_state.event(uow, case_id, "MONEY_FROZEN", document_no=row["document_no"], fen=take)
            )
    return events


def sent_before(uow: UnitOfWork, case_id: UUID) -> int:
    """Fen of instructions of the time before that left the case's own accounts, as far as is known, and no line shows yet."""
    found: int = uow.scalar(
        "SELECT coalesce(sum(a.fen), 0) FROM escrow.rail_attempt a JOIN escrow.bank_account b ON b.rail = a.rail"
        " AND b.number = a.debit_account AND b.case_id = a.case_id WHERE a.case_id = :case AND a.source = 'HISTORY'"
        " AND a.proved_by IS NULL AND coalesce(a.outcome, '') NOT IN ('REFUSED', 'NOT_SENT')",
        case=case_id,
    )  # fmt: skip
    return int(found)


def held(uow: UnitOfWork, freeze: UUID) -> int:
    """Fen that one freeze holds."""
    held: int = uow.scalar(
        "SELECT a.balance FROM escrow.freeze f JOIN escrow.account a ON a.id = f.ledger WHERE f.id = :id",
        id=freeze,
    )
    return held


def end_freeze(uow: UnitOfWork, freeze: UUID, state: str, document: UUID) -> None:
    """End a freeze by a court's document."""
    uow.execute(
        "UPDATE escrow.freeze SET state = :state, ended_at = :at, ended_by = :document WHERE id = :id",
        state=state, at=uow.now, document=document, id=freeze,
    )  # fmt: skip
