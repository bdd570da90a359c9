"""Running clocks: opened by what episodes say, stopped when the act is done.

A clock is one running instance of a deadline on one episode; what happens to it is in `clock_acts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Any

import orjson
from sqlalchemy import RowMapping

from case_registry import deadlines
from case_registry.clock_acts import (
    CAME_SUSPENDED,
    EPISODE_SUSPENDED,
    change_state,
    lamp_detail,
    limit_detail,
    log_row,
    resume,
    set_limit,
    suspend,
    suspended_by_episode,
    write_log,
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


@dataclass
class Synced:
    """What bringing clocks up to date did. `any`: whether these cases have clocks at all; `lamp`: the worst lamp,
    where all their clocks were opened just now."""

    any: bool
    events: list[Event]
    lamp: str | None = None


def sync_clocks(uow: UnitOfWork, wanted: Sequence[Wanted], cases: Sequence[int], *, fresh: bool) -> Synced:
    """Open, move, pause and stop the clocks of these cases so that they are what the episodes ask for.

    `fresh`: the cases cannot have clocks yet.
    """
    rows = (
        []
        if fresh
        else uow.all("SELECT * FROM registry.clock WHERE source_case = ANY(:cases)", cases=list(cases))
    )
    present = {(r["source_case"], r["sub_id"], r["rule"], r["started_at"]): r for r in rows}
    opening: list[Wanted] = []
    moved = False
    for clock in wanted:
        row = present.pop(clock.key, None)
        if row is not None:
            moved = _bring(uow, clock, row) or moved
        elif clock.running:
            opening.append(clock)
    for row in present.values():
        if row["state"] in ("RUNNING", "SUSPENDED"):
            change_state(uow, row, "STOPPED", "STOP", {"why": "its episode no longer says so"})
    events, worst = open_clocks(uow, opening) if opening else ([], "")
    if moved:
        events += light_lamps(uow, cases)
    return Synced(bool(rows or opening), events, worst if fresh else None)


def worst_lamp(clocks: Sequence[Wanted], now: datetime) -> str:
    """The worst lamp of clocks about to be opened, "" for none."""
    found = [
        _lamps(clock, clock.due(), now)[-1][1].colour if not clock.suspended else "GREY" for clock in clocks
    ]
    return max(found, key=_WORST.index, default="")


def _lamps(clock: Wanted, due: Due, now: datetime) -> list[tuple[datetime, Lamp]]:
    """Every change of the lamp of a clock opened now, from its own start on."""
    timing = Timing(clock.start, clock.rule.unit, (Limit(clock.start, due),))
    return changes(timing, now) or [(clock.start, Lamp("GREEN", 0, due.total))]


_WORST = ("GREY", "GREEN", "YELLOW", "RED")


def open_clocks(uow: UnitOfWork, clocks: Sequence[Wanted]) -> tuple[list[Event], str]:
    """Open clocks, each with the changes its lamp has gone through since its own start; also the worst lamp."""
    rows: list[dict[str, Any]] = []
    log_rows: list[dict[str, Any]] = []
    events: list[Event] = []
    for clock in clocks:
        ident = uow.new_id()
        due = clock.due()
        timing = Timing(clock.start, clock.rule.unit, (Limit(clock.start, due),))
        first = clock.start.astimezone(BEIJING).date()
        lamps = _lamps(clock, due, uow.now)
        lamp = lamps[-1][1].colour
        rows.append(
            {"id": ident, "case": clock.case, "sub": clock.sub_id, "rule": clock.rule.id, "version": clock.rule.version,
             "agency": clock.agency, "start": clock.start, "total": due.total, "unit": clock.rule.unit,
             "due": due.last_day, "stated": clock.stated is not None, "provisional": due.provisional,
             "yellow": yellow_at(timing), "red": due.over_at, "lamp": lamp,
             "remind": [(first + timedelta(days=n)).isoformat() for n in clock.remind_days]}
        )  # fmt: skip
        log_rows.append(log_row(ident, "LIMIT", clock.start, limit_detail(due, "opened")))
        base = {"clock": ident, "rule": clock.rule.id, "agency": clock.agency, "due_on": due.last_day.isoformat(),
                "case": clock.case}  # fmt: skip
        events.append({"event": "clock_opened", **base, "provisional": due.provisional})
        for (_, before), (at, after) in pairwise(lamps):
            log_rows.append(
                log_row(ident, "LAMP", at, lamp_detail(before.colour, after.colour, after.used, after.total))
            )
            events.append(
                {"event": "lamp_changed", **base, "from": before.colour, "to": after.colour, "at": at}
            )
    uow.execute(_OPEN, **{name: [row[name] for row in rows] for name in rows[0] if name != "remind"},
                remind=[orjson.dumps(row["remind"]).decode() for row in rows])  # fmt: skip
    write_log(uow, log_rows)
    for row, clock in zip(rows, clocks, strict=True):
        if clock.suspended:
            suspend(uow, row["id"], uow.now, CAME_SUSPENDED)
            row["lamp"] = "GREY"
    return events, max((row["lamp"] for row in rows), key=_WORST.index)


_OPEN = """
INSERT INTO registry.clock (id, source_case, sub_id, rule, rule_version, agency, started_at, total, unit, due_on, stated,
    provisional, yellow_at, red_at, lamp, remind_on)
SELECT id, c, sub, rule, version, agency, start, total, unit, due, stated, provisional, yellow, red, lamp,
    ARRAY(SELECT CAST(d AS date) FROM jsonb_array_elements_text(CAST(remind AS jsonb)) d)
FROM unnest(CAST(:id AS uuid[]), CAST(:case AS bigint[]), CAST(:sub AS text[]), CAST(:rule AS text[]),
    CAST(:version AS text[]), CAST(:agency AS text[]), CAST(:start AS timestamptz[]), CAST(:total AS int[]),
    CAST(:unit AS text[]), CAST(:due AS date[]), CAST(:stated AS boolean[]), CAST(:provisional AS boolean[]),
    CAST(:yellow AS timestamptz[]), CAST(:red AS timestamptz[]), CAST(:lamp AS text[]), CAST(:remind AS text[]))
    AS t(id, c, sub, rule, version, agency, start, total, unit, due, stated, provisional, yellow, red, lamp, remind)
"""


def _bring(uow: UnitOfWork, clock: Wanted, row: RowMapping) -> bool:
    """Bring one clock that is there to what its episode asks for; returns whether its lamp may have changed."""
    state = row["state"]
    if not clock.running:
        if state != "STOPPED":
            change_state(uow, row, "STOPPED", "STOP", {"why": "the act is done"})
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
