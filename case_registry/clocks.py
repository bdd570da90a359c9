"""Running clocks: opened by what episodes say, stopped when the act is done.

A clock is one running instance of a deadline on one episode; what happens to it is in `clock_acts`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from case_registry import deadlines
from case_registry.clock_acts import (
    CAME_SUSPENDED,
    EPISODE_SUSPENDED,
    LOG,
    change_state,
    lamp_detail,
    limit_detail,
    log_row,
    resume,
    set_limit,
    stop_clocks,
    suspend,
    suspended_by_episode,
)  # fmt: skip
from case_registry.deadlines import DeadlineRule, Due, midnight
from case_registry.episodes import Episode
from case_registry.lamps import Lamp, Limit, Timing, changes, yellow_at
from case_registry.matter import families
from case_registry.source import Event
from case_registry.told import BEIJING
from case_registry.watch import light_lamps
from foundation.unit_of_work import UnitOfWork


@dataclass(frozen=True)
class Wanted:
    """A clock that an episode asks for. `stated`: the partner's own date, which decides."""

    case: int
    sub_id: str
    rule: DeadlineRule
    agency: str
    start: datetime
    running: bool
    suspended: bool
    stated: date | None
    remind_days: tuple[int, ...]

    @property
    def key(self) -> tuple[int, str, str, datetime]:
        """What makes it one clock: case, proceeding, rule, start."""
        return self.case, self.sub_id, self.rule.id, self.start

    def due(self) -> Due:
        """When it ends."""
        return (
            deadlines.stated_due(self.start, self.stated)
            if self.stated
            else deadlines.due(self.rule, self.start)
        )


@cache
def _openings() -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for row in deadlines.data()["open"]:
        found.setdefault(row["kind"], []).append(row)
    return found


def wanted_clocks(case: int, agency: str, episode: Episode, confirmed: bool) -> list[Wanted]:
    """The clocks that an episode's facts ask for, by the table in `data/deadline_rules.toml`.

    `confirmed`: the dispute has a decided judicial confirmation, which ends the clock to ask for one.
    """
    found = []
    for row in _openings().get(episode.kind, ()):
        start = episode.day(row["start"])
        if start is None or not _right_law(row, episode):
            continue
        rule = deadlines.rule_for(row["id"], start)
        stated = episode.day(row["stated"]) if "stated" in row else None
        if rule.limit is None and stated is None:
            continue
        running = episode.state in row["while"] and not (confirmed and row.get("until_confirmation"))
        found.append(
            Wanted(
                case,
                episode.sub_id,
                rule,
                agency,
                midnight(start),
                running,
                episode.state == row.get("suspend_in"),
                stated,
                tuple(row.get("remind_days", ())),
            )
        )
    return found


def _right_law(row: Mapping[str, Any], episode: Episode) -> bool:
    if "only_labour" not in row:
        return True
    labour = "LABOUR" in families(episode.text("cause")) or "劳动" in episode.text("commission")
    return bool(row["only_labour"]) is labour


@dataclass(frozen=True)
class Asked:
    """The clocks that a dispute's episodes ask for. `fresh`: its cases cannot have clocks yet."""

    wanted: Sequence[Wanted]
    cases: Sequence[int]
    fresh: bool


@dataclass
class Synced:
    """What bringing a dispute's clocks up to date did. `any`: whether it has clocks at all; `lamp`: the worst lamp,
    where all its clocks were opened just now."""

    any: bool = False
    events: list[Event] = field(default_factory=list)
    lamp: str | None = None


def sync_clocks(uow: UnitOfWork, asked: Sequence[Asked]) -> list[Synced]:
    """Open, move, pause and stop clocks so that they are what the episodes ask for; an answer for each dispute."""
    stored = [case for each in asked if not each.fresh for case in each.cases]
    rows = (
        uow.all("SELECT * FROM registry.clock WHERE source_case = ANY(:cases)", cases=stored)
        if stored
        else []
    )
    # A supervision case's clocks follow its own acts; episodes say nothing about them.
    present = {
        (r["source_case"], r["sub_id"], r["rule"], r["started_at"]): r
        for r in rows
        if r["supervision"] is None
    }
    with_clocks = {r["source_case"] for r in rows}
    opening: list[tuple[int, Wanted]] = []
    stops: list[tuple[RowMapping, str]] = []
    moved: set[int] = set()
    found = [Synced(lamp="" if each.fresh else None) for each in asked]
    for i, each in enumerate(asked):
        found[i].any = not with_clocks.isdisjoint(each.cases)
        for clock in each.wanted:
            row = present.pop(clock.key, None)
            if row is not None:
                if _bring(uow, clock, row, stops):
                    moved.update(each.cases)
            elif clock.running:
                opening.append((i, clock))
    stops += [(row, NOT_ASKED) for row in present.values() if row["state"] in ("RUNNING", "SUSPENDED")]
    if stops:
        stop_clocks(uow, stops)
    if opening:
        for (i, _), (events, lamp) in zip(opening, open_clocks(uow, [c for _, c in opening]), strict=True):
            found[i].any = True
            found[i].events += events
            if asked[i].fresh:
                found[i].lamp = worst((found[i].lamp or "", lamp))
    if moved:
        at = {case: i for i, each in enumerate(asked) for case in each.cases}
        for event in light_lamps(uow, sorted(moved)):
            found[at[event["case"]]].events.append(event)
    return found


NOT_ASKED = "its episode no longer says so"


def _worse(lamp: str) -> int:
    return _WORST.index(lamp) if lamp else -1


def worst_lamp(clocks: Sequence[Wanted], now: datetime) -> str:
    """The worst lamp of clocks about to be opened, "" for none."""
    return worst(
        _lamps(clock, clock.due(), now)[-1][1].colour if not clock.suspended else "GREY" for clock in clocks
    )


def worst(lamps: Iterable[str]) -> str:
    """The worst of these lamps, "" for none."""
    return max(lamps, key=_worse, default="")


def _lamps(clock: Wanted, due: Due, now: datetime) -> list[tuple[datetime, Lamp]]:
    """Every change of the lamp of a clock opened now, from its own start on."""
    timing = Timing(clock.start, clock.rule.unit, (Limit(clock.start, due),))
    return changes(timing, now) or [(clock.start, Lamp("GREEN", 0, due.total))]


_WORST = ("GREY", "GREEN", "YELLOW", "RED")


def open_clocks(uow: UnitOfWork, clocks: Sequence[Wanted]) -> list[tuple[list[Event], str]]:
    """Open clocks, each with the changes its lamp has gone through since its own start; for each its events and lamp."""
    made = opened(clocks, [uow.new_id() for _ in clocks], uow.now)
    rows = made.rows
    uow.execute(_OPEN, rows=orjson.dumps(rows).decode(), log=orjson.dumps(made.log).decode(), by=uow.actor.id)
    for row, clock in zip(rows, clocks, strict=True):
        if clock.suspended:
            suspend(uow, row["id"], uow.now, CAME_SUSPENDED)
            row["lamp"] = "GREY"
    return [(events, row["lamp"]) for events, row in zip(made.events, rows, strict=True)]


@dataclass
class Opened:
    """Clocks about to be opened: their rows and the rows of their log, and each one's events."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    events: list[list[Event]] = field(default_factory=list)


def opened(clocks: Sequence[Wanted], ids: Sequence[UUID], now: datetime) -> Opened:
    """The rows of clocks about to be opened under these ids. Pure."""
    made = Opened()
    for clock, ident in zip(clocks, ids, strict=True):
        due = clock.due()
        timing = Timing(clock.start, clock.rule.unit, (Limit(clock.start, due),))
        first = clock.start.astimezone(BEIJING).date()
        lamps = _lamps(clock, due, now)
        made.rows.append(
            {"id": ident, "source_case": clock.case, "sub_id": clock.sub_id, "rule": clock.rule.id,
             "rule_version": clock.rule.version, "agency": clock.agency, "started_at": clock.start, "total": due.total,
             "unit": clock.rule.unit, "due_on": due.last_day, "stated": clock.stated is not None,
             "provisional": due.provisional, "yellow_at": yellow_at(timing), "red_at": due.over_at,
             "lamp": lamps[-1][1].colour, "remind_on": [first + timedelta(days=n) for n in clock.remind_days]}
        )  # fmt: skip
        made.log.append(log_row(ident, "LIMIT", clock.start, limit_detail(due, "opened")))
        base = {"clock": ident, "rule": clock.rule.id, "agency": clock.agency, "due_on": due.last_day.isoformat(),
                "case": clock.case}  # fmt: skip
        events = [{"event": "clock_opened", **base, "provisional": due.provisional}]
        for (_, before), (at, after) in pairwise(lamps):
            made.log.append(
                log_row(ident, "LAMP", at, lamp_detail(before.colour, after.colour, after.used, after.total))
            )
            events.append(
                {"event": "lamp_changed", **base, "from": before.colour, "to": after.colour, "at": at}
            )
        made.events.append(events)
    return made


OPENED = (
    "id, source_case, sub_id, rule, rule_version, agency, started_at, total, unit, due_on, stated, provisional, yellow_at,"
    " red_at, lamp, remind_on"
)
_OPEN = f"""
WITH made AS (
    INSERT INTO registry.clock ({OPENED})
    SELECT {OPENED} FROM json_populate_recordset(NULL::registry.clock, CAST(:rows AS json)))
{LOG.replace(":rows", ":log")}
"""


def _bring(uow: UnitOfWork, clock: Wanted, row: RowMapping, stops: list[tuple[RowMapping, str]]) -> bool:
    """Bring one clock that is there to what its episode asks for; returns whether its lamp may have changed.

    `stops`: takes up the clocks to be stopped, with the reason."""
    state = row["state"]
    if not clock.running:
        if state != "STOPPED":
            stops.append((row, "the act is done"))
        return False
    moved = False
    if state == "STOPPED":
        change_state(uow, row, "RUNNING", "REOPEN", {"why": "the episode is open again"})
        state, moved = "RUNNING", True
    if clock.stated and clock.stated != row["due_on"]:
        due = deadlines.stated_due(clock.start, clock.stated)
        set_limit(uow, row["id"], due, "LIMIT", "the partner states another day")
        moved = True
    if clock.suspended and state == "RUNNING":
        suspend(uow, row["id"], uow.now, EPISODE_SUSPENDED)
    elif not clock.suspended and state == "SUSPENDED" and suspended_by_episode(uow, row["id"]):
        resume(uow, row["id"], uow.now, "the episode goes on")
        moved = True
    return moved
