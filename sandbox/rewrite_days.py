"""Shifts a story by whole weeks: weekdays stay, and days of rest stay days of rest where the calendar allows it."""

from __future__ import annotations

import random
import re
from calendar import monthrange
from datetime import date, datetime, timedelta
from itertools import pairwise

from schemas.workdays import NotYetPublished, WorkCalendar, work_calendar

MOST_WEEKS = 8
FIRST_DUE_DAYS = 10
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAY = (
    r"(?P<iso>(?<!\d)20\d{2}(?P<daymark>[-/.])\d{1,2}(?P=daymark)\d{1,2}(?!\d))"
    r"|(?P<han>(?<!\d)20\d{2}年\d{1,2}月\d{1,2}日)"
    r"|(?P<packed>(?<!\d)20\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{6})?(?!\d))"
    r"|(?P<oracle>(?<![A-Z0-9])\d{2}(?:" + "|".join(MONTHS) + r")\d{2}(?![A-Z0-9]))"
)
_NUMBERS = re.compile(r"\d+")


def read_day(text: str) -> date | None:
    """The day in one matched text of DAY; None when there is no such day or it is no day of a story."""
    try:
        if text[2:5] in MONTHS:
            found = date(2000 + int(text[5:7]), MONTHS.index(text[2:5]) + 1, int(text[:2]))
        elif text.isdigit():
            found = datetime.strptime(text[:8], "%Y%m%d").date()  # noqa: DTZ007
        else:
            found = date(*[int(each) for each in _NUMBERS.findall(text)[:3]])
    except ValueError:
        return None
    return found if 2024 <= found.year <= 2029 else None


def write_day(old: str, new: date) -> str:
    """The new day in the manner of the old text (padding, order, marks, the time behind it)."""
    if old[2:5] in MONTHS:
        return f"{new.day:02d}{MONTHS[new.month - 1]}{new.year % 100:02d}"
    if old.isdigit():
        return f"{new:%Y%m%d}{old[8:]}"
    values = iter((new.year, new.month, new.day))

    def put(match: re.Match[str]) -> str:
        value = next(values, None)
        return match[0] if value is None else f"{value:02d}" if len(match[0]) > 1 or value > 9 else str(value)

    return _NUMBERS.sub(put, old)


def choose_weeks(
    days: set[date], signed: list[tuple[date, int]], main: set[date], numbers: random.Random
) -> int:
    """Weeks to shift by, 1 to 8 either way.

    `days`: all days in the story; `main`: days of its steps, which stay in their year. `signed`: (day, instalments)
    of agreements, whose monthly due days must keep their distances. Prefers shifts that keep work and rest days.
    """
    calendar = work_calendar()
    weeks = [each for each in range(-MOST_WEEKS, MOST_WEEKS + 1) if each]
    numbers.shuffle(weeks)

    def cost(each: int) -> tuple[int, int, int]:
        shift = timedelta(weeks=each)
        year = sum((day + shift).year != day.year for day in main)
        months = sum(_due_gaps(day, count) != _due_gaps(day + shift, count) for day, count in signed)
        rest = sum(_worked(calendar, day) != _worked(calendar, day + shift) for day in days)
        return year, months, rest

    costs = {each: cost(each) for each in weeks}
    best = min(costs.values())
    return next(each for each in weeks if costs[each] == best)


def _due_gaps(signed: date, count: int) -> list[int]:
    first = signed + timedelta(days=FIRST_DUE_DAYS)
    due = [first]
    for ahead in range(1, count):
        year, month = divmod(first.year * 12 + first.month - 1 + ahead, 12)
        due.append(date(year, month + 1, min(first.day, monthrange(year, month + 1)[1], 28)))
    return [(later - earlier).days for earlier, later in pairwise(due)]


def _worked(calendar: WorkCalendar, day: date) -> bool:
    try:
        return calendar.is_workday(day)
    except NotYetPublished:
        return day.weekday() < 5
