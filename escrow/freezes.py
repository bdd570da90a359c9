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
    """Give active freezes what they still want from the case's free money; call after anything that frees money."""
    events: list[Event] = []
    for row in active(uow, case_id):
        take = min(int(row["wanting_fen"]), ledger.balance(uow, "case_escrow", case_id))
        if take > 0:
            step = int(uow.scalar("SELECT last_seq FROM escrow.account WHERE id = :id", id=row["ledger"])) + 1
            parts = [(ledger.account(uow, "case_escrow", case_id), take), (row["ledger"], -take)]
            grounds = ledger.Grounds(document=row["document"])
            ledger.post(uow, f"freeze/{row['id']}/{step}", "FREEZE", take, parts, case_id, grounds)
            events.append(
                case_state.event(uow, case_id, "MONEY_FROZEN", document_no=row["document_no"], fen=take)
            )
    return events


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
