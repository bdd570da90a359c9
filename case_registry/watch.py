"""The watch: lamps that change by time alone, reminders, provisional dates (hand-overs: `gaps`).

Run often; it only does what is due. A lamp is logged at the instant it changed, not when the watch looked.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from case_registry import clock_acts, deadlines
from case_registry.lamps import changes
from case_registry.source import Event
from case_registry.told import BEIJING
from foundation.unit_of_work import UnitOfWork

BATCH = 2_000


def light_lamps(uow: UnitOfWork, cases: Sequence[int] | None = None) -> list[Event]:
    """Bring the lamps of due clocks (of these cases, or of all) to now; returns `lamp_changed` events."""
    only = "" if cases is None else " AND source_case = ANY(:cases)"
    rows = uow.all(
        "SELECT k.id, k.lamp, k.rule, k.agency, k.due_on, k.source_case FROM registry.clock k"
        " WHERE state = 'RUNNING' AND ((lamp IN ('GREEN', 'GREY') AND yellow_at <= :now)"
        " OR (lamp <> 'RED' AND red_at <= :now) OR (lamp = 'GREY')"
        f" OR (lamp IN ('YELLOW', 'RED') AND yellow_at > :now)){only} ORDER BY red_at LIMIT :most",
        now=uow.now,
        most=BATCH,
        **({} if cases is None else {"cases": list(cases)}),
    )
    events: list[Event] = []
    for row in rows:
        events += _light(uow, row)
    return events


def _light(uow: UnitOfWork, row: RowMapping) -> list[Event]:
    timing = clock_acts.timing_of(uow, row["id"])
    last = uow.scalar(
        "SELECT max(at) FROM registry.clock_event WHERE clock = :id AND kind = 'LAMP'", id=row["id"]
    )
    lamp, events = row["lamp"], []
    for at, new in changes(timing, uow.now):
        if new.colour == lamp or (last is not None and at < last):
            continue
        clock_acts.log_lamp(uow, row["id"], at, lamp, new.colour, new.used, new.total)
        events.append(_lamp_event(row, at, lamp, new.colour))
        lamp = new.colour
    uow.execute(
        "UPDATE registry.clock SET lamp = :lamp WHERE id = :id AND lamp <> :lamp", lamp=lamp, id=row["id"]
    )
    return events


def _lamp_event(row: RowMapping, at: datetime, was: str, now: str) -> Event:
    return {"event": "lamp_changed", "clock": row["id"], "rule": row["rule"], "agency": row["agency"], "from": was,
            "to": now, "at": at, "due_on": row["due_on"].isoformat(), "case": row["source_case"]}  # fmt: skip


def send_reminders(uow: UnitOfWork) -> list[Event]:
    """Say, once each, that a day on which people are to be reminded has come."""
    today = uow.now.astimezone(BEIJING).date()
    rows = uow.all(
        "SELECT id, rule, agency, remind_on, reminded, due_on, source_case FROM registry.clock"
        " WHERE state = 'RUNNING' AND reminded < cardinality(remind_on) AND remind_on[reminded + 1] <= :today LIMIT :most",
        today=today,
        most=BATCH,
    )
    events: list[Event] = []
    for row in rows:
        due = [day for day in row["remind_on"][row["reminded"] :] if day <= today]
        for day in due:
            clock_acts.log_reminder(uow, row["id"], day)
            events.append({"event": "deadline_reminder", "clock": row["id"], "rule": row["rule"], "agency": row["agency"],
                           "day": day.isoformat(), "due_on": row["due_on"].isoformat(), "case": row["source_case"]})  # fmt: skip
        uow.execute(
            "UPDATE registry.clock SET reminded = :n WHERE id = :id",
            n=row["reminded"] + len(due),
            id=row["id"],
        )
    return events


def settle_provisional(uow: UnitOfWork) -> int:
    """Work out anew the clocks whose end lay past the published calendar; returns how many are settled now."""
    rows = uow.all(
        "SELECT id, rule, started_at, extended FROM registry.clock"
        " WHERE provisional AND NOT stated AND state IN ('RUNNING', 'SUSPENDED') LIMIT :most",
        most=BATCH,
    )
    settled = 0
    for row in rows:
        rule = deadlines.rule_for(row["rule"], row["started_at"].astimezone(BEIJING).date())
        pauses = clock_acts.timing_of(uow, row["id"]).pauses
        due = deadlines.due(rule, row["started_at"], extension=row["extended"], pauses=pauses)
        if not due.provisional:
            clock_acts.set_limit(uow, row["id"], due, "LIMIT", "the calendar is published")
            settled += 1
    return settled


def lamp_of_dispute(uow: UnitOfWork, disputes: Sequence[UUID]) -> dict[UUID, str]:
    """The worst lamp of each dispute's running clocks, "" where none runs."""
    rows = uow.all(
        "SELECT c.dispute, max(CASE k.lamp WHEN 'RED' THEN 4 WHEN 'YELLOW' THEN 3 WHEN 'GREEN' THEN 2 ELSE 1 END) AS worst"
        " FROM registry.source_case c, LATERAL (SELECT lamp FROM registry.clock"
        "   WHERE source_case = c.id AND state IN ('RUNNING', 'SUSPENDED') OFFSET 0) k"
        " WHERE c.dispute = ANY(:ids) GROUP BY c.dispute",
        ids=list(disputes),
    )
    names: dict[Any, str] = {4: "RED", 3: "YELLOW", 2: "GREEN", 1: "GREY"}
    return {row["dispute"]: names[row["worst"]] for row in rows}


def days_left(due_on: date, now: datetime) -> int:
    """Calendar days until a limit's last day; below zero = overdue."""
    return (due_on - now.astimezone(BEIJING).date()).days


def name_cases(uow: UnitOfWork, cases: Sequence[int]) -> dict[int, dict[str, Any]]:
    """What events say of a case: partner, native id, dispute."""
    rows = uow.all(
        "SELECT c.id, c.partner, c.native_id, d.id AS dispute_id, d.number AS dispute FROM registry.source_case c"
        " LEFT JOIN registry.dispute d ON d.id = c.dispute WHERE c.id = ANY(:ids)",
        ids=list(cases),
    )
    return {row["id"]: {k: v for k, v in row.items() if k != "id"} for row in rows}
