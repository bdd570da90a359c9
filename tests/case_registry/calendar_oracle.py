"""Generated working calendars, and limits and lamps counted over them day by day, by other means than the product's."""

from __future__ import annotations

import calendar
import random
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from schemas.wide import BEIJING
from schemas.workdays import CalendarRow, WorkCalendar

DAY = timedelta(days=1)
FIRST, LAST = date(2026, 1, 1), date(2026, 12, 31)


@dataclass(frozen=True)
class Made:
    """A calendar as the product takes it, and as one list of what each day is. `last_year`: published up to it."""

    work: WorkCalendar
    worked: dict[date, bool]
    last_year: int

    def is_work(self, day: date) -> bool:
        found = self.worked.get(day)
        return day.weekday() < 5 if found is None else found


def generated(seed: int, last_year: int = 2026) -> Made:
    """Seven to eleven holidays of 1 to 9 days anywhere in each year, some weekends before and after them worked."""
    chance = random.Random(seed)
    worked: dict[date, bool] = {}
    for year in range(2026, last_year + 1):
        length = 366 if calendar.isleap(year) else 365
        for _ in range(chance.randint(7, 11)):
            first = date(year, 1, 1) + chance.randrange(length) * DAY
            for n in range(chance.randint(1, 9)):
                if (first + n * DAY).year == year:
                    worked[first + n * DAY] = False
        ends = [date(year, 1, 1) + n * DAY for n in range(length)]
        weekend = [day for day in ends if day.weekday() >= 5 and day not in worked]
        for day in chance.sample(weekend, chance.randint(3, 9)):
            worked[day] = True
    rows = [CalendarRow(day, "workday" if on else "holiday", "made") for day, on in sorted(worked.items())]
    return Made(WorkCalendar(rows), worked, last_year)


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), BEIJING)


@dataclass(frozen=True)
class Counted:
    """A limit counted by hand. `unit`: d, w, m, y or h, b before it = backwards; `pause`: [from, until)."""

    made: Made
    start: datetime
    limit: int
    unit: str
    pause: tuple[date, date] | None = None

    @property
    def day(self) -> date:
        return self.start.astimezone(BEIJING).date()

    def paused(self, day: date) -> bool:
        return self.pause is not None and self.pause[0] <= day < self.pause[1]

    def nominal(self, more: int) -> int:
        """Days of the limit as counted: months and years are the days between."""
        count = self.limit + more
        if self.unit not in ("m", "y"):
            return count
        months = self.day.year * 12 + self.day.month - 1 + count * (12 if self.unit == "y" else 1)
        year, month = months // 12, months % 12 + 1
        while True:
            try:
                return (date(year, month, self.day.day) - self.day).days
            except ValueError:
                return (date(year, month, calendar.monthrange(year, month)[1]) - self.day).days

    def last_day(self, more: int = 0) -> date:
        """The last day in time."""
        if self.unit.startswith("b"):
            day, left = self.day, self.limit
            while left:
                day -= DAY
                left -= self.unit == "bd" or self.made.is_work(day)
            while not self.made.is_work(day):
                day -= DAY
            return day
        day, left = self.day, self.nominal(more)
        while left:
            day += DAY
            left -= not self.paused(day) and (self.unit != "w" or self.made.is_work(day))
        while not self.made.is_work(day) or self.paused(day):
            day += DAY
        return day

    def over(self, more: int = 0) -> datetime:
        """First instant after it."""
        if self.unit != "h":
            return midnight(self.last_day(more) + DAY)
        still = (self.pause[1] - self.pause[0]).days if self.pause else 0
        return self.start + timedelta(hours=self.limit + more, days=still)

    def used(self, at: datetime) -> int:
        if self.unit == "h":
            still = (self.pause[1] - self.pause[0]).days if self.pause else 0
            return max(0, (at - self.start - timedelta(days=still)) // timedelta(hours=1))
        today, day, count = at.astimezone(BEIJING).date(), self.day, 0
        while day < today:
            day += DAY
            count += not self.paused(day) and (self.unit != "w" or self.made.is_work(day))
        return count

    def lamp(self, at: datetime, extended: tuple[datetime, int] | None = None) -> str:
        """The colour at an instant, straight from the rule."""
        more = extended[1] if extended and at >= extended[0] else 0
        if self.paused(at.astimezone(BEIJING).date()):
            return "GREY"
        if at >= self.over(more):
            return "RED"
        return "YELLOW" if self.used(at) >= self.nominal(more) * 7 // 10 else "GREEN"
