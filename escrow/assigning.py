"""Booking what two persons decided about a credit in suspense."""

from __future__ import annotations

from uuid import UUID

from escrow import breaks, case_state, credits, ledger, suspense
from escrow.line_rows import PLACE
from escrow.results import Event
from foundation.unit_of_work import UnitOfWork


def apply_split(uow: UnitOfWork, decision: UUID, line_id: UUID, parts: list[tuple[UUID, int]]) -> list[Event]:
    """Book a confirmed split: suspense to each case, and note where the money lies."""
    ledger.lock_cases(uow, [case for case, _ in parts])
    suspense.check_split(uow, line_id, parts)
    line = uow.one(f"SELECT {PLACE} WHERE l.id = :id", id=line_id)
    assert line is not None
    pot = ledger.account(uow, "suspense", None, str(line_id))
    events: list[Event] = []
    for case_id, fen in sorted(parts):
        move = [(pot, fen), (ledger.account(uow, "case_escrow", case_id), -fen)]
        grounds = ledger.Grounds(decision=decision, custody=line["custody"])
        ledger.post(uow, f"assign/{decision}/{case_id}", "ASSIGN", fen, move, case_id, grounds)
        credits.expect_move(uow, case_id, line, fen)
        events += credits.fund(uow, case_id, line, fen)
    breaks.close_by_rule(uow, "UNKNOWN_PAYER", f"line/{line_id}", "挂账已认领")
    events.append(
        case_state.event(
            uow, None, "SUSPENSE_ASSIGNED", line=line_id, parts=[{"case_id": c, "fen": f} for c, f in parts]
        )
    )
    return events
