"""What is done to a running clock, each act kept in its log, from which any past lamp can be worked out again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from case_registry import deadlines
from case_registry.deadlines import Due, Pause, midnight
from case_registry.lamps import Limit, Timing, yellow_at
from case_registry.source import NotAllowed, Unknown
from case_registry.told import BEIJING
from foundation.unit_of_work import UnitOfWork

CAME_SUSPENDED = "the episode came suspended"
EPISODE_SUSPENDED = "the episode is suspended"


def limit_detail(due: Due, why: str) -> dict[str, Any]:
    """What the log says of a limit that was set."""
    return {"last_day": due.last_day.isoformat(), "total": due.total, "over_at": due.over_at.isoformat(),
            "status": due.status, "why": why}  # fmt: skip


def change_state(uow: UnitOfWork, row: RowMapping, state: str, kind: str, detail: dict[str, Any]) -> None:
    """Move a clock to another state and write why."""
    uow.execute(
        "UPDATE registry.clock SET state = :state, stopped_at = :stopped WHERE id = :id",
        state=state,
        stopped=uow.now if state == "STOPPED" else None,
        id=row["id"],
    )
    log(uow, row["id"], kind, uow.now, detail)


def stop_clocks(uow: UnitOfWork, stops: Sequence[tuple[RowMapping, str]]) -> None:
    """Stop clocks, each with the reason."""
    uow.execute(
        "UPDATE registry.clock SET state = 'STOPPED', stopped_at = :now WHERE id = ANY(:ids)",
        now=uow.now,
        ids=[row["id"] for row, _ in stops],
    )
    write_log(uow, [log_row(row["id"], "STOP", uow.now, {"why": why}) for row, why in stops])


def log_row(clock: UUID, kind: str, at: datetime, detail: dict[str, Any]) -> dict[str, Any]:
    """One line of a clock's log."""
    return {"clock": clock, "kind": kind, "at": at, "detail": detail}


def write_log(uow: UnitOfWork, rows: Sequence[dict[str, Any]]) -> None:
    """Write lines of clocks' logs, in this order."""
    uow.execute(LOG, by=uow.actor.id, rows=orjson.dumps(rows).decode())


# No ORDER BY: a function in FROM gives its rows in the order of the array, and the log's ids follow it.
LOG = """
INSERT INTO registry.clock_event (clock, kind, at, by, detail)
SELECT clock, kind, at, :by, detail FROM json_populate_recordset(NULL::registry.clock_event, CAST(:rows AS json))
"""


def log(uow: UnitOfWork, clock: UUID, kind: str, at: datetime, detail: dict[str, Any]) -> None:
    """Write one line of a clock's log."""
    write_log(uow, [log_row(clock, kind, at, detail)])


def lamp_detail(was: str, now: str, used: int, total: int) -> dict[str, Any]:
    """What the log says of one change of a lamp."""
    return {"from": was, "to": now, "used": used, "limit": total}


def log_lamp(uow: UnitOfWork, clock: UUID, at: datetime, was: str, now: str, used: int, total: int) -> None:
    """Write one change of a lamp at its own instant."""
    log(uow, clock, "LAMP", at, lamp_detail(was, now, used, total))


def log_reminder(uow: UnitOfWork, clock: UUID, on: date) -> None:
    """Write that a reminder was due on a day."""
    log(uow, clock, "REMIND", midnight(on), {"day": on.isoformat()})


def timing_of(uow: UnitOfWork, clock: UUID) -> Timing:
    """Everything the clock's lamp depends on, from its own log."""
    return timings_of(uow, [clock])[clock]


def timings_of(uow: UnitOfWork, clocks: Sequence[UUID]) -> dict[UUID, Timing]:
    """`timing_of` for several clocks at once."""
    events = uow.all(
        "SELECT k.id AS clock, k.started_at, k.unit, e.kind, e.at, e.detail FROM registry.clock k"
        " JOIN registry.clock_event e ON e.clock = k.id WHERE k.id = ANY(:ids) ORDER BY e.id",
        ids=list(clocks),
    )
    by_clock: dict[UUID, list[RowMapping]] = {}
    for event in events:
        by_clock.setdefault(event["clock"], []).append(event)
    return {clock: _timing(rows) for clock, rows in by_clock.items()}


def _timing(events: Sequence[RowMapping]) -> Timing:
    limits: list[Limit] = []
    pauses: list[Pause] = []
    for event in events:
        detail = event["detail"]
        if event["kind"] in ("LIMIT", "EXTEND"):
            due = Due(
                date.fromisoformat(detail["last_day"]),
                detail["total"],
                datetime.fromisoformat(detail["over_at"]),
                detail["status"],
            )
            limits.append(Limit(event["at"], due))
        elif event["kind"] == "SUSPEND":
            pauses.append(Pause(date.fromisoformat(detail["day"]), None))
        elif event["kind"] == "RESUME" and pauses:
            pauses[-1] = Pause(pauses[-1].start, date.fromisoformat(detail["day"]))
    return Timing(events[0]["started_at"], events[0]["unit"], tuple(limits), tuple(pauses))


def set_limit(uow: UnitOfWork, clock: UUID, due: Due, kind: str, why: str) -> None:
    """Set a new limit from now on; the lamp follows it, and may turn green again."""
    log(uow, clock, kind, uow.now, limit_detail(due, why))
    refresh_instants(uow, clock)


def suspend(uow: UnitOfWork, clock: UUID, at: datetime, why: str) -> None:
    """Stop a running clock: the days from this one on are not counted."""
    uow.execute("UPDATE registry.clock SET state = 'SUSPENDED' WHERE id = :id", id=clock)
    day = at.astimezone(BEIJING).date()
    log(uow, clock, "SUSPEND", at, {"day": day.isoformat(), "why": why})
    row = uow.one("SELECT lamp FROM registry.clock WHERE id = :id", id=clock)
    if row is not None and row["lamp"] != "GREY":
        uow.execute("UPDATE registry.clock SET lamp = 'GREY' WHERE id = :id", id=clock)
        log_lamp(uow, clock, midnight(day), row["lamp"], "GREY", 0, 0)


def suspended_by_episode(uow: UnitOfWork, clock: UUID) -> bool:
    """Whether the episode's own state stopped the clock; what a person stopped only a person lets go on."""
    why = uow.scalar(
        "SELECT detail ->> 'why' FROM registry.clock_event WHERE clock = :id AND kind = 'SUSPEND' ORDER BY id DESC LIMIT 1",
        id=clock,
    )
    return why in (CAME_SUSPENDED, EPISODE_SUSPENDED)


def resume(uow: UnitOfWork, clock: UUID, at: datetime, why: str) -> None:
    """Let a suspended clock go on with what was left."""
    day = at.astimezone(BEIJING).date()
    log(uow, clock, "RESUME", at, {"day": day.isoformat(), "why": why})
    uow.execute("UPDATE registry.clock SET state = 'RUNNING' WHERE id = :id", id=clock)
    refresh_instants(uow, clock)


def refresh_instants(uow: UnitOfWork, clock: UUID) -> None:
    """Work out anew when the clock ends and when its lamp changes, from its log."""
    timing = timing_of(uow, clock)
    row = uow.one("SELECT rule, stated, started_at, extended FROM registry.clock WHERE id = :id", id=clock)
    assert row is not None
    due = timing.limits[-1].due
    if timing.pauses and not row["stated"]:
        rule = deadlines.rule_for(row["rule"], row["started_at"].astimezone(BEIJING).date())
        due = deadlines.due(rule, row["started_at"], extension=row["extended"], pauses=timing.pauses)
        if due != timing.limits[-1].due:
            log(uow, clock, "LIMIT", uow.now, limit_detail(due, "the time it stood still is added"))
            timing = timing_of(uow, clock)
    uow.execute(
        "UPDATE registry.clock SET total = :total, due_on = :due, provisional = :p, yellow_at = :y, red_at = :r WHERE id = :id",
        id=clock,
        total=due.total,
        due=due.last_day,
        p=due.provisional,
        y=yellow_at(timing),
        r=due.over_at,
    )


def extend(uow: UnitOfWork, clock: UUID, amount: int, reason: str) -> None:
    """Grant `amount` more of the row's own unit. Raises Unknown, NotAllowed (too late, too much, or twice)."""
    row = uow.one("SELECT * FROM registry.clock WHERE id = :id FOR UPDATE", id=clock)
    if row is None:
        raise Unknown("clock", clock)
    if row["state"] not in ("RUNNING", "SUSPENDED") or uow.now >= row["red_at"]:
        raise NotAllowed("the limit has run out or the clock has stopped: it stays red")
    if not reason.strip():
        raise NotAllowed("an extension needs a reason")
    rule = deadlines.rule_for(row["rule"], row["started_at"].astimezone(BEIJING).date())
    deadlines.extension_allowed(rule, amount, row["extended"])
    pauses = timing_of(uow, clock).pauses
    due = deadlines.due(rule, row["started_at"], extension=row["extended"] + amount, pauses=pauses)
    uow.execute("UPDATE registry.clock SET extended = extended + :n WHERE id = :id", n=amount, id=clock)
    set_limit(uow, clock, due, "EXTEND", reason)


def suspend_by_person(uow: UnitOfWork, clock: UUID, reason: str) -> None:
    """Stop a clock for one of its row's reasons, from today. Raises Unknown, NotAllowed."""
    row = _clock(uow, clock, "RUNNING")
    rule = deadlines.rule_for(row["rule"], row["started_at"].astimezone(BEIJING).date())
    code = reason.split(":", 1)[0].strip()
    if code not in rule.suspends_on:
        allowed = ", ".join(rule.suspends_on) or "nothing"
        raise NotAllowed(f"{rule.id} is suspended by: {allowed}; write the reason as 'code: text'")
    suspend(uow, clock, uow.now, reason)


def resume_by_person(uow: UnitOfWork, clock: UUID, reason: str) -> None:
    """Let a suspended clock go on from today. Raises Unknown, NotAllowed."""
    _clock(uow, clock, "SUSPENDED")
    if not reason.strip():
        raise NotAllowed("resuming needs a reason")
    resume(uow, clock, uow.now, reason)


def _clock(uow: UnitOfWork, clock: UUID, state: str) -> RowMapping:
    row = uow.one("SELECT * FROM registry.clock WHERE id = :id FOR UPDATE", id=clock)
    if row is None:
        raise Unknown("clock", clock)
    if row["state"] != state:
        raise NotAllowed(f"the clock is {row['state']}")
    return row
