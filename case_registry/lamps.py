"""Lamps: by the clock alone (supervision.md 3). Pure: any past moment gives the lamp it had.

yellow_at = (L + E) * 7 // 10     YELLOW when used >= yellow_at, RED from the first instant after the last day
GREY while suspended; the colour before it is kept and shown as a rim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from case_registry.deadlines import Due, Pause, midnight
from case_registry.told import BEIJING
from schemas.workdays import WorkCalendar, work_calendar

LAMPS = ("GREEN", "YELLOW", "RED", "GREY")
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Limit:
    """A limit as it was set at `set_at`; it holds until the next one is set."""

    set_at: datetime
    due: Due


@dataclass(frozen=True)
class Timing:
    """Everything a lamp depends on: start, unit, limits in the order they were set, pauses."""

    start: datetime
    unit: str
    limits: tuple[Limit, ...]
    pauses: tuple[Pause, ...] = ()

    def limit_at(self, at: datetime) -> Limit:
        """The limit in force at a moment; before the first was set, the first."""
        held = [limit for limit in self.limits if limit.set_at <= at]
        return held[-1] if held else self.limits[0]


@dataclass(frozen=True)
class Lamp:
    """A lamp with what it was worked out from. `rim`: the colour under a grey lamp."""

    colour: str
    used: int
    total: int
    rim: str = ""


def yellow_from(total: int) -> int:
    """How many units must be used for yellow; 0 = at once."""
    return total * 7 // 10


def lamp_at(timing: Timing, at: datetime, work: WorkCalendar | None = None) -> Lamp:
    """The lamp at a moment."""
    due = timing.limit_at(at).due
    used = units_used(timing, at, work or work_calendar())
    if at >= due.over_at and not _open_before(timing.pauses, due):
        colour = "RED"
    elif used >= yellow_from(due.total) and at >= timing.start:
        colour = "YELLOW"
    else:
        colour = "GREEN"
    today = at.astimezone(BEIJING).date()
    if any(p.start <= today and (p.end is None or today < p.end) for p in timing.pauses):
        return Lamp("GREY", used, due.total, colour)
    return Lamp(colour, used, due.total)


def _open_before(pauses: Sequence[Pause], due: Due) -> bool:
    """Whether a pause that has not ended yet began in time: its clock cannot run out."""
    return any(p.end is None and p.start <= due.last_day for p in pauses)


def units_used(timing: Timing, at: datetime, work: WorkCalendar) -> int:
    """Units used up at a moment: whole hours, or counted days up to and with today."""
    if timing.unit == "hour":
        lost = sum(((p.end - p.start).days for p in timing.pauses if p.end is not None), 0)
        return max(0, int((at - timing.start - timedelta(days=lost)).total_seconds() // 3600))
    first = timing.start.astimezone(BEIJING).date()
    last = at.astimezone(BEIJING).date()
    if timing.unit != "workday" and not timing.pauses:
        return max(0, (last - first).days)
    days = (first + i * _ONE_DAY for i in range(1, (last - first).days + 1))
    return sum(_counts(day, timing, work) for day in days)


def _counts(day: date, timing: Timing, work: WorkCalendar) -> bool:
    if any(p.start <= day and (p.end is None or day < p.end) for p in timing.pauses):
        return False
    return timing.unit != "workday" or work.provisional(day - _ONE_DAY, 1)[0] == day


def yellow_at(timing: Timing, work: WorkCalendar | None = None) -> datetime:
    """The instant from which the lamp is yellow under the latest limit, did nothing else happen.

    Never before the limit was set: an extension turns the lamp green again until its own 70 per cent.
    """
    calendar_in_force = work or work_calendar()
    due = timing.limits[-1].due
    need = yellow_from(due.total)
    if need == 0:
        return timing.start
    if timing.unit == "hour":
        return (
            timing.start + timedelta(hours=need) + (due.over_at - timing.start - timedelta(hours=due.total))
        )
    day = timing.start.astimezone(BEIJING).date()
    if timing.unit != "workday" and not timing.pauses:
        return midnight(min(day + need * _ONE_DAY, due.last_day + _ONE_DAY))
    while need > 0:
        day += _ONE_DAY
        need -= _counts(day, timing, calendar_in_force)
        if day > due.last_day:
            break
    return midnight(day)


def changes(timing: Timing, until: datetime, work: WorkCalendar | None = None) -> list[tuple[datetime, Lamp]]:
    """Every change of the lamp from its start to `until`, each at its own instant, the first lamp included."""
    calendar_in_force = work or work_calendar()
    moments = {timing.start}
    for i in range(1, len(timing.limits) + 1):
        so_far = Timing(timing.start, timing.unit, timing.limits[:i], timing.pauses)
        moments |= {
            so_far.limits[-1].set_at,
            yellow_at(so_far, calendar_in_force),
            so_far.limits[-1].due.over_at,
        }
    for pause in timing.pauses:
        moments.add(midnight(pause.start))
        if pause.end is not None:
            moments.add(midnight(pause.end))
    found: list[tuple[datetime, Lamp]] = []
    for moment in sorted(m for m in moments if timing.start <= m <= until):
        lamp = lamp_at(timing, moment, calendar_in_force)
        if not found or found[-1][1].colour != lamp.colour:
            found.append((moment, lamp))
    return found
