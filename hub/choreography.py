"""What one room does because of another: one table, event → action.

Rooms return events and know nothing of each other; this is the only place that joins them. Everything that
follows from a message or an act happens in its transaction.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from foundation.unit_of_work import UnitOfWork
from hub import after_agencies, after_money, after_office, after_watch, notices

Event = dict[str, Any]
MOST_STEPS = 500  # that follow from what was handed in


Told = tuple[str, dict[str, Any]]
"""An event as subscribers are told of it: topic, names and numbers."""


def follow(
    uow: UnitOfWork, events: Iterable[Event], inbox_id: UUID | None = None, told: list[Told] | None = None
) -> int:
    """Carry out what follows from events, and what follows from that; returns how many events there were.

    ``told``: what subscribers are to be told is put here, for the caller to publish with more of the kind; without it,
    it is published at the end. Raises RuntimeError when it does not come to an end: a loop in the table is a fault of
    ours.
    """
    shown: list[Told] = []
    waiting = deque(events)
    most = MOST_STEPS + len(waiting)
    touched: set[str] = set()
    count = 0
    while waiting:
        event = waiting.popleft()
        count += 1
        if count > most:
            raise RuntimeError(f"choreography does not end: {event.get('event')}")
        for action in ACTIONS.get(event["event"], ()):
            waiting.extend(action(uow, event) or ())
        # A credit in suspense shows on every case that it may be for.
        for about in (event, *event.get("proposals", ())):
            if about.get("mediation_number") and "case_id" in about:
                touched.add(about["mediation_number"])
        if not waiting:
            for number in sorted(touched):
                waiting.extend(after_money.summarise(uow, number))
            touched.clear()
        shown.append(_shown(event, inbox_id))
    if told is None:
        uow.publish_many(shown)
    else:
        told += shown
    return count


def _shown(event: Event, inbox_id: UUID | None) -> Told:
    """What subscribers are told of an event: names and numbers, no personal data."""
    shown = {
        name: event[name]
        for name in (
            "dispute",
            "dispute_id",
            "mediation_number",
            "stage",
            "holder",
            "number",
            "state",
            "after",
        )
        if event.get(name) is not None
    }
    return str(event["event"]).lower(), {"inbox": inbox_id, **shown}


ACTIONS: dict[str, tuple[Callable[[UnitOfWork, Event], Iterable[Event] | None], ...]] = {
    "matter_accepted": (after_office.tell_matter, after_office.taken_up),
    "matter_moved": (after_office.tell_matter, after_office.moved),
    "agreement_signed": (after_office.tell_matter, after_office.open_escrow, after_office.agreed),
    "agreement_void": (after_office.tell_matter, after_office.void_escrow),
    "confirmation_moved": (after_office.confirmation_moved,),
    "confirmation_result": (after_agencies.confirmation_result,),
    "hold_ordered": (after_agencies.court_document,),
    "enforcement_filed": (after_agencies.enforcement,),
    "withdrawal": (after_agencies.withdrawn, after_agencies.overlap),
    "award_issued": (after_agencies.overlap,),
    "linked": (after_agencies.catch_up,),
    "COURT_DOCUMENT_UNPLACED": (after_agencies.court_document_left,),
    "COURT_DOCUMENT_WAITS": (after_agencies.court_document_left,),
    "disputes_merged": (after_agencies.catch_up,),
    "person_checked": (after_agencies.person_checked,),
    "ESCROW_COMPLETED": (after_money.completed,),
    "ESCROW_DEFAULTED": (after_money.defaulted,),
    "LATE_MONEY": (after_money.late_money,),
    "transport_alarm": (after_watch.no_receipt,),
    "gap_alarm": (after_watch.gap,),
    "factor_raised": (after_watch.graded,),
    "flag_raised": (after_watch.flagged,),
}


def notice_delivered(uow: UnitOfWork, row: RowMapping) -> None:
    """A partner acknowledged a notice: one less is owed for its dispute."""
    number = row["body"].get("mediation_number")
    if number:
        # Of two that are acknowledged at once each would count the other as owed still, and none would be the last.
        uow.execute("SELECT pg_advisory_xact_lock(hashtextextended(:key, 11))", key=f"owed/{number}")
        follow(uow, notices.count_owed(uow, number))
