"""The working calendar: which days are worked, and counting in workdays.

Source: State Council holiday notices, as carried by schemas/data/calendar.csv (equal to PyPI
chinesecalendar 1.11.0). Beyond the last year of the table there is no answer yet.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from typing import Literal

ONE_DAY = timedelta(days=1)


class NotYetPublished(Exception):
    """The calendar of that year is not in the table. `year` says which."""

    def __init__(self, year: int) -> None:
        super().__init__(f"the working calendar of {year} is not published yet")
        self.year = year


@dataclass(frozen=True)
class CalendarRow:
    """A day that differs from its weekday: a holiday, or a weekend day that is worked."""

    day: date
    kind: Literal["holiday", "workday"]
    name: str


class WorkCalendar:
    """A working calendar made of rows; it answers for the years that the rows cover."""

    def __init__(self, rows: Iterable[CalendarRow]) -> None:
        self._rows = {row.day: row for row in rows}
        years = {day.year for day in self._rows}
        if not years:
            raise ValueError("a working calendar needs rows")
        self.first_year, self.last_year = min(years), max(years)

    def name(self, day: date) -> str:
        """The name of the holiday or moved workday, "" on an ordinary day."""
        row = self._rows.get(day)
        return row.name if row else ""

    def is_workday(self, day: date) -> bool:
        """Whether `day` is worked. Raises NotYetPublished outside the table's years."""
        if not self.first_year <= day.year <= self.last_year:
            raise NotYetPublished(day.year)
        return self._worked(day)

    def add_workdays(self, day: date, count: int) -> date:
        """The `count`-th workday after `day` (before it when negative; 0 = `day` itself).

        `day` itself is not counted (Civil Code 201). Raises NotYetPublished.
        """
        step = ONE_DAY if count >= 0 else -ONE_DAY
        for _ in range(abs(count)):
            day += step
            while not self.is_workday(day):
                day += step
        return day

    def roll_forward(self, day: date) -> date:
        """`day`, or the first workday after it: a limit whose last day is a rest day (Civil Code 203)."""
        while not self.is_workday(day):
            day += ONE_DAY
        return day

    def workdays_between(self, after: date, until: date) -> int:
        """How many workdays lie after `after` and up to and with `until`; 0 when until ≤ after."""
        return sum(self.is_workday(after + timedelta(days=i)) for i in range(1, (until - after).days + 1))

    def provisional(self, day: date, count: int) -> tuple[date, bool]:
        """Like `add_workdays`, but counts weekends only where no table is published.

        Returns the day and whether it is provisional (recompute once the year's table is loaded).
        """
        step = ONE_DAY if count >= 0 else -ONE_DAY
        open_year = False
        for _ in range(abs(count)):
            day += step
            while not self._worked(day):
                day += step
            open_year = open_year or not self.first_year <= day.year <= self.last_year
        return day, open_year

    def _worked(self, day: date) -> bool:
        row = self._rows.get(day)
        return row.kind == "workday" if row else day.weekday() < 5


@cache
def work_calendar() -> WorkCalendar:
    """The calendar of schemas/data/calendar.csv."""
    text = files("schemas").joinpath("data", "calendar.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return WorkCalendar(
        CalendarRow(
            date.fromisoformat(r["date"]), "workday" if r["kind"] == "workday" else "holiday", r["name"]
        )
        for r in rows
    )
