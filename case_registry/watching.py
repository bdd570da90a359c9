"""One round of the watch: lamps, reminders, gaps, provisional dates, grades that move by time; then the rows follow."""

from __future__ import annotations

from uuid import UUID

from case_registry import watch
from case_registry.board_counts import fold_counts
from case_registry.gaps import watch_gaps
from case_registry.indicator_notes import end_lapsed
from case_registry.refresh import refresh
from case_registry.source import Event
from case_registry.supervision_watch import watch_supervision
from foundation.unit_of_work import UnitOfWork


def watch_deadlines(uow: UnitOfWork) -> list[Event]:
    """Do all that time alone makes due; safe to run as often as one likes. Returns events for the choreography.

    Events: `lamp_changed`, `deadline_reminder`, `gap_alarm`, `transport_alarm`, `gap_ended`, and what follows for disputes.
    """
    fold_counts(uow)
    watch.settle_provisional(uow)
    events = [*watch.light_lamps(uow), *watch.send_reminders(uow), *watch_gaps(uow)]
    cases = sorted({event["case"] for event in events if event["case"] is not None})
    named = watch.name_cases(uow, cases)
    for event in events:
        event.update(named.get(event.pop("case"), {}))
    concerned: set[UUID] = {row["dispute_id"] for row in named.values() if row["dispute_id"]}
    concerned |= end_lapsed(uow, watch.BATCH)
    concerned |= {row["dispute"] for row in uow.all(_DUE_FACTORS, now=uow.now, most=watch.BATCH)}
    return [*events, *refresh(uow, sorted(concerned)), *watch_supervision(uow)]


# Grades that may move by time alone: a lower score that has stood long enough, a review, a note or a silence whose window
# is over; and a grade set by hand that has run out, on whatever list.
_DUE_FACTORS = """
(SELECT f.dispute FROM registry.factor f JOIN registry.dispute d ON d.id = f.dispute
WHERE d.merged_into IS NULL AND f.computed <> 'NONE'
  AND (f.lower_since IS NOT NULL OR d.grade <> f.computed OR f.review_on <= CAST(:now AS date))
ORDER BY f.changed_at LIMIT :most)
UNION
(SELECT d.id FROM registry.dispute d LEFT JOIN registry.factor f ON f.dispute = d.id
WHERE d.merged_into IS NULL AND d.grade <> 'NONE' AND d.grade <> COALESCE(f.computed, 'NONE') ORDER BY d.moved_at LIMIT :most)
"""


def after_act(uow: UnitOfWork, clock: UUID) -> list[Event]:
    """What follows at once from an act on a clock: its lamp, and its dispute's row."""
    case = uow.scalar("SELECT source_case FROM registry.clock WHERE id = :id", id=clock)
    named = watch.name_cases(uow, [case])[case]
    events = watch.light_lamps(uow, [case])
    for event in events:
        event.pop("case")
        event.update(named)
    return [*events, *(refresh(uow, [named["dispute_id"]]) if named["dispute_id"] else [])]
