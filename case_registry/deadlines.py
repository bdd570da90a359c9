"""How clocks count: the table of limits and the day on which one ends. Pure.

Rules (supervision.md 0; CPL 85; Civil Code 201–203): the day of the event does not count; a last day on a rest
day rolls to the next workday, backwards to the workday before; months and years end on the same number of day
or the month's last; hours count from the minute. Past the published calendar the answer is provisional
(weekends only) and marked NOT_YET_PUBLISHED.
"""

from __future__ import annotations

import calendar
import csv
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from case_registry.source import NotAllowed, Unknown
from case_registry.told import BEIJING
from schemas.workdays import WorkCalendar, work_calendar

UNITS = ("calendar_day", "workday", "month", "year", "hour")
NOT_YET_PUBLISHED = "NOT_YET_PUBLISHED"
_ONE_DAY = timedelta(days=1)
_EXTENSION = re.compile(r"^(\d+) (calendar_day|workday|month|year|hour)\b")


@dataclass(frozen=True)
class DeadlineRule:
    """One row of deadlines.csv, valid for events between `valid_from` and `valid_to` (None = open).

    `limit` None = no number in law: the partner states the date. `backwards`: counted back from a later day.
    """

    id: str
    agency: str
    event: str
    limit: int | None
    unit: str
    counted_from: str
    extension: str
    suspends_on: tuple[str, ...]
    law_article: str
    consequence: str
    note: str
    version: str
    valid_from: date | None = None
    valid_to: date | None = None

    @property
    def backwards(self) -> bool:
        """Whether the limit is counted back from a later day."""
        return self.counted_from.startswith("counted backwards")


@dataclass(frozen=True)
class Pause:
    """A suspension: from its day until the day it ended, that day not included (None = still on)."""

    start: date
    end: date | None


@dataclass(frozen=True)
class Due:
    """When a limit ends.

    `last_day`: the last day on which the act is in time. `total`: limit and extension in counted units
    (months and years as days). `over_at`: the first instant after. `status`: "" or NOT_YET_PUBLISHED,
    then `last_day` is provisional.
    """

    last_day: date
    total: int
    over_at: datetime
    status: str = ""

    @property
    def provisional(self) -> bool:
        """Whether the end lies past the published calendar."""
        return self.status == NOT_YET_PUBLISHED


def data() -> dict[str, Any]:
    """The table beside deadlines.csv: former limits, own rows, and which episodes open which clocks."""
    return tomllib.loads(files("case_registry").joinpath("data/deadline_rules.toml").read_text("utf-8"))


@cache
def all_rules() -> dict[str, tuple[DeadlineRule, ...]]:
    """Every row by id, former limits beside the present ones."""
    text = files("case_registry").joinpath("data/deadlines.csv").read_text("utf-8")
    extra = data()
    found: dict[str, tuple[DeadlineRule, ...]] = {}
    starts = {row["id"]: date.fromisoformat(row["valid_from"]) for row in extra["changed"]}
    extensions = {row["id"]: row["text"] for row in extra["extension"]}
    for row in [*csv.DictReader(text.splitlines()), *extra["own"]]:
        rule = DeadlineRule(
            id=row["id"],
            agency=row["agency"],
            event=row["event"],
            limit=int(row["limit"]) if row.get("limit") else None,
            unit=row["unit"],
            counted_from=row["counted_from"],
            extension=extensions.get(row["id"], row["extension"]),
            suspends_on=tuple(part for part in row["suspends_on"].split(";") if part),
            law_article=row["law_article"],
            consequence=row["consequence"],
            note=row["note"],
            version=f"{extra['version']}/{row['id']}",
            valid_from=starts.get(row["id"]),
        )
        found[rule.id] = (rule,)
    for row in extra["former"]:
        present = found[row["id"]]
        former = replace(
            present[-1],
            limit=row["limit"],
            unit=row["unit"],
            law_article=row["law_article"],
            version=f"{extra['version']}/{row['id']}/former",
            valid_from=None,
            valid_to=date.fromisoformat(row["valid_to"]),
        )
        found[row["id"]] = (former, *present)
    return found


def rule_for(rule_id: str, on: date) -> DeadlineRule:
    """The row in force for an event on that day. Raises Unknown."""
    for rule in reversed(all_rules().get(rule_id, ())):
        if (rule.valid_from is None or rule.valid_from <= on) and (
            rule.valid_to is None or on <= rule.valid_to
        ):
            return rule
    raise Unknown("deadline rule", rule_id)


def due(
    rule: DeadlineRule,
    start: datetime,
    *,
    extension: int = 0,
    pauses: Sequence[Pause] = (),
    work: WorkCalendar | None = None,
) -> Due:
    """When the limit of `rule` ends for an event at `start` (aware).

    `extension`: more of the row's own unit. Raises NotAllowed for a row without a number.
    """
    if rule.limit is None:
        raise NotAllowed(f"{rule.id} has no number in law: take the date that the partner states")
    calendar_in_force = work or work_calendar()
    amount = rule.limit + extension
    day = start.astimezone(BEIJING).date()
    if rule.unit == "hour":
        return _due_hours(start, amount, pauses)
    if rule.backwards:
        return _due_backwards(rule, day, amount, calendar_in_force)
    if rule.unit == "workday":
        return _due_workdays(day, amount, pauses, calendar_in_force)
    total = amount if rule.unit == "calendar_day" else (_add_months(day, amount, rule.unit) - day).days
    last = _nth_counted_day(day, total, pauses)
    rolled, status = _roll(last, calendar_in_force, 1)
    closed = [p for p in pauses if p.end is not None]
    # A day that does not count is no last day either: a pause over the rolled day moves it on.
    while _paused(rolled, closed):
        rolled, later = _roll(rolled + _ONE_DAY, calendar_in_force, 1)
        status = status or later
    return Due(rolled, total, midnight(rolled + _ONE_DAY), status)


def stated_due(start: datetime, last_day: date) -> Due:
    """A date that the partner states: it stands as it is, end of that day, Beijing time."""
    total = max(0, (last_day - start.astimezone(BEIJING).date()).days)
    return Due(last_day, total, midnight(last_day + _ONE_DAY))


def midnight(day: date) -> datetime:
    """The first instant of a Beijing day."""
    return datetime.combine(day, time(), BEIJING)


def over_after(at: datetime, workdays: int, work: WorkCalendar | None = None) -> datetime:
    """The first instant after so many workdays from `at`, weekends only where no calendar is published."""
    last, _ = (work or work_calendar()).provisional(at.astimezone(BEIJING).date(), workdays)
    return midnight(last + _ONE_DAY)


def extension_allowed(rule: DeadlineRule, amount: int, already: int) -> None:
    """Whether the row allows `amount` more, once. Raises NotAllowed with the reason."""
    if rule.extension in ("", "none") or rule.extension.startswith("none "):
        raise NotAllowed(f"{rule.id}: {rule.law_article} allows no extension")
    match = _EXTENSION.match(rule.extension)
    repeated = "more by" in rule.extension or " each" in rule.extension
    if already and not repeated:
        raise NotAllowed(f"{rule.id}: extended once already ({rule.extension})")
    if match and not repeated:
        most = int(match[1]) * (24 if rule.unit == "hour" and match[2] == "calendar_day" else 1)
        if amount > most:
            raise NotAllowed(f"{rule.id}: at most {most} {rule.unit} ({rule.extension})")
    if amount <= 0:
        raise NotAllowed("an extension is at least 1")


def _add_months(day: date, amount: int, unit: str) -> date:
    months = day.year * 12 + day.month - 1 + amount * (12 if unit == "year" else 1)
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _paused(day: date, pauses: Sequence[Pause]) -> bool:
    return any(p.start <= day and (p.end is None or day < p.end) for p in pauses)


def _nth_counted_day(start: date, count: int, pauses: Sequence[Pause]) -> date:
    """The `count`-th day after `start` that no pause covers; an open pause counts as ending on its start."""
    closed = [p for p in pauses if p.end is not None]
    if not closed:
        return start + count * _ONE_DAY
    day = start
    while count > 0:
        day += _ONE_DAY
        if not _paused(day, closed):
            count -= 1
    return day


def _due_workdays(start: date, count: int, pauses: Sequence[Pause], work: WorkCalendar) -> Due:
    closed = [p for p in pauses if p.end is not None]
    day, total, provisional = start, count, False
    while count > 0:
        day, unpublished = work.provisional(day, 1)
        provisional = provisional or unpublished
        if not _paused(day, closed):
            count -= 1
    return Due(day, total, midnight(day + _ONE_DAY), NOT_YET_PUBLISHED if provisional else "")


def _due_hours(start: datetime, count: int, pauses: Sequence[Pause]) -> Due:
    lost = sum(((p.end - p.start).days for p in pauses if p.end is not None), 0)
    over = start + timedelta(hours=count, days=lost)
    return Due(over.astimezone(BEIJING).date(), count, over)


def _due_backwards(rule: DeadlineRule, day: date, count: int, work: WorkCalendar) -> Due:
    if rule.unit == "workday":
        last, unpublished = work.provisional(day, -count)
        return Due(last, count, midnight(last + _ONE_DAY), NOT_YET_PUBLISHED if unpublished else "")
    back = day - count * _ONE_DAY if rule.unit == "calendar_day" else _add_months(day, -count, rule.unit)
    last, status = _roll(back, work, -1)
    return Due(last, count, midnight(last + _ONE_DAY), status)


def _roll(day: date, work: WorkCalendar, step: int) -> tuple[date, str]:
    """`day` or the next (step 1) or former (step -1) workday; weekends only where no calendar is published."""
    before = day - step * _ONE_DAY
    rolled, unpublished = work.provisional(before, step)
    return rolled, NOT_YET_PUBLISHED if unpublished else ""
