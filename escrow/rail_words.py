"""What the rails said of our instructions, with their own reference and time: to recognise what contradicts it later.

No outcome rests on this. A reference told for one of our numbers is never that of another, and a refusal that comes
after a success was told is a contradiction, however early its date.
"""

from __future__ import annotations

from collections.abc import Iterable

from escrow.rails import OrderOutcome
from foundation.unit_of_work import UnitOfWork


def note(uow: UnitOfWork, rail_id: str, outcomes: Iterable[OrderOutcome]) -> None:
    """Keep the words about numbers that we sent; the same word again changes nothing."""
    uow.execute_many(
        "INSERT INTO escrow.rail_word (rail, number, reference, outcome, told_at, known_at)"
        " SELECT :rail, a.number, :reference, :outcome, :told_at, :at FROM escrow.rail_attempt a"
        " WHERE a.rail = :rail AND a.number = :number ON CONFLICT DO NOTHING",
        [
            {"rail": rail_id, "number": one.number, "reference": one.rail_reference, "outcome": one.outcome,
             "told_at": one.at, "at": uow.now}
            for one in outcomes
            if one.rail_reference or one.outcome == "DONE"
        ],
    )  # fmt: skip


def number_of(uow: UnitOfWork, rail_id: str, reference: str) -> str | None:
    """Our number for which the rail first told this reference of its own."""
    found: str | None = uow.scalar(
        "SELECT number FROM escrow.rail_word WHERE rail = :rail AND reference = :reference AND reference <> ''"
        " ORDER BY known_at, number LIMIT 1",
        rail=rail_id, reference=reference,
    )  # fmt: skip
    return found


def told_done(uow: UnitOfWork, rail_id: str, number: str) -> bool:
    """Whether the rail ever said DONE of that number."""
    return bool(
        uow.scalar(
            "SELECT EXISTS (SELECT 1 FROM escrow.rail_word WHERE rail = :rail AND number = :number AND outcome = 'DONE')",
            rail=rail_id, number=number,
        )
    )  # fmt: skip
