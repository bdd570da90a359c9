"""Running clocks: opened by what episodes say, stopped when the act is done.

A clock is one running instance of a deadline on one episode; what happens to it is in `clock_acts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import RowMapping

from case_registry import deadlines
from case_registry.clock_acts import change_state, limit_detail, log, resume, set_limit, suspend
from case_registry.deadlines import DeadlineRule, Due, midnight
from case_registry.episodes import Episode
from case_registry.lamps import Limit, Timing, yellow_at
from case_registry.matter import families
from case_registry.source import Event
from case_registry.told import BEIJING
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
        return self.case, self.sub_id, self.rule.id, self.start

    def due(self) -> Due:
        return (
            deadlines.stated_due(self.start, self.stated)
            if self.stated
            else deadlines.due(self.rule, self.start)
        )


@cache
def _openings() -> tuple[dict[str, Any], ...]:
    return tuple(deadlines.data()["open"])


def wanted_clocks(case: int, agency: str, episode: Episode, confirmed: bool) -> list[Wanted]:
    """The clocks that an episode's facts ask for, by the table in `data/deadline_rules.toml`.

    `confirmed`: the dispute has a decided judicial confirmation, which ends the clock to ask for one.
    """
    found = []
    for row in _openings():
        start = episode.day(row["start"])
        if row["kind"] != episode.kind or start is None or not _right_law(row, episode):
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


def sync_clocks(uow: UnitOfWork, wanted: Sequence[Wanted], cases: Sequence[int]) -> list[Event]:
    """Open, move, pause and stop the clocks of these cases so that they are what the episodes ask for."""
    rows = uow.all("SELECT * FROM registry.clock WHERE source_case = ANY(:cases)", cases=list(cases))
    present = {(r["source_case"], r["sub_id"], r["rule"], r["started_at"]): r for r in rows}
    events: list[Event] = []
    for clock in wanted:
        row = present.pop(clock.key, None)
        if row is None:
            if clock.running:
                events.append(_open(uow, clock))
        else:
            _bring(uow, clock, row)
    for row in present.values():
        if row["state"] in ("RUNNING", "SUSPENDED"):
            change_state(uow, row, "STOPPED", "STOP", {"why": "its episode no longer says so"})
    return events


def _open(uow: UnitOfWork, clock: Wanted) -> Event:
    due = clock.due()
    timing = Timing(clock.start, clock.rule.unit, (Limit(clock.start, due),))
    row_id = uow.new_id()
    first = clock.start.astimezone(BEIJING).date()
    uow.execute(
        "INSERT INTO registry.clock (id, source_case, sub_id, rule, rule_version, agency, started_at, total, unit, due_on,"
        " stated, provisional, yellow_at, red_at, remind_on) VALUES (:id, :case, :sub, :rule, :version, :agency, :start,"
        " :total, :unit, :due, :stated, :provisional, :yellow, :red, :remind)",
        id=row_id,
        case=clock.case,
        sub=clock.sub_id,
        rule=clock.rule.id,
        version=clock.rule.version,
        agency=clock.agency,
        start=clock.start,
        total=due.total,
        unit=clock.rule.unit,
        due=due.last_day,
        stated=clock.stated is not None,
        provisional=due.provisional,
        yellow=yellow_at(timing),
        red=due.over_at,
        remind=[first + timedelta(days=n) for n in clock.remind_days],
    )
    log(uow, row_id, "LIMIT", clock.start, limit_detail(due, "opened"))
    if clock.suspended:
        suspend(uow, row_id, uow.now, "the episode came suspended")
    return {"event": "clock_opened", "rule": clock.rule.id, "due_on": due.last_day.isoformat(), "case": clock.case,
            "provisional": due.provisional}  # fmt: skip


def _bring(uow: UnitOfWork, clock: Wanted, row: RowMapping) -> None:
    state = row["state"]
    if not clock.running:
        if state != "STOPPED":
            change_state(uow, row, "STOPPED", "STOP", {"why": "the act is done"})
        return
    if state == "STOPPED":
        change_state(uow, row, "RUNNING", "REOPEN", {"why": "the episode is open again"})
        state = "RUNNING"
    if clock.stated and clock.stated != row["due_on"]:
        set_limit(
            uow,
            row["id"],
            deadlines.stated_due(clock.start, clock.stated),
            "LIMIT",
            "the partner states another day",
        )
    if clock.suspended and state == "RUNNING":
        suspend(uow, row["id"], uow.now, "the episode is suspended")
    elif not clock.suspended and state == "SUSPENDED":
        resume(uow, row["id"], uow.now, "the episode goes on")
