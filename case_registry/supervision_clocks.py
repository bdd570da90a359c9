"""The clocks of a supervision case: to sign (SV02), to answer (SV03 and its rows by level), to verify (SV04).

They are clocks like every other: lamps, extension, pauses and their log are those of `clock_acts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from case_registry import clock_acts, deadlines
from case_registry.clocks import Wanted, open_clocks
from case_registry.source import NotAllowed
from case_registry.told import BEIJING
from foundation.unit_of_work import UnitOfWork


def start(uow: UnitOfWork, row: Mapping[str, Any], rule: str, why: str) -> None:
    """Start a clock of the case from now, in the place of the one that ran. Raises NotAllowed (twice at one instant)."""
    stop(uow, row["id"], why)
    found = deadlines.rule_for(rule, uow.now.astimezone(BEIJING).date())
    wanted = Wanted(
        row["source_case"], str(row["number"]), found, row["agency"], uow.now, True, False, None, ()
    )
    same = uow.scalar("SELECT 1 FROM registry.clock WHERE source_case = :c AND sub_id = :s AND rule = :r AND started_at = :at",
                      c=wanted.case, s=wanted.sub_id, r=found.id, at=uow.now)  # fmt: skip
    if same:
        raise NotAllowed("the same clock was started at this very instant: do it again")
    open_clocks(uow, [wanted])
    uow.execute(
        "UPDATE registry.clock SET supervision = :id WHERE source_case = :c AND sub_id = :s AND rule = :r AND started_at = :at",
        id=row["id"],
        c=wanted.case,
        s=wanted.sub_id,
        r=found.id,
        at=uow.now,
    )


def stop(uow: UnitOfWork, case: UUID, why: str) -> None:
    """Stop what runs or stands still."""
    rows = uow.all(
        "SELECT * FROM registry.clock WHERE supervision = :s AND state IN ('RUNNING', 'SUSPENDED') FOR UPDATE",
        s=case,
    )
    if rows:
        clock_acts.stop_clocks(uow, [(row, why) for row in rows])


def running(uow: UnitOfWork, case: UUID, state: str = "RUNNING") -> UUID | None:
    """The clock of a case in that state, None where there is none."""
    found: UUID | None = uow.scalar(
        "SELECT id FROM registry.clock WHERE supervision = :s AND state = :st", s=case, st=state
    )
    return found


def stand_still(uow: UnitOfWork, case: UUID, why: str) -> None:
    """The days from today on are not counted."""
    clock = running(uow, case)
    if clock is not None:
        clock_acts.suspend(uow, clock, uow.now, why)


def go_on(uow: UnitOfWork, case: UUID, why: str) -> None:
    """What was left goes on from today."""
    clock = running(uow, case, "SUSPENDED")
    if clock is not None:
        clock_acts.resume(uow, clock, uow.now, why)


def extend(uow: UnitOfWork, case: UUID, days: int, why: str) -> None:
    """Grant more workdays. Raises NotAllowed where the row does not allow it or the end has passed."""
    clock = running(uow, case)
    if clock is None:
        raise NotAllowed("no clock runs")
    clock_acts.extend(uow, clock, days, why)
