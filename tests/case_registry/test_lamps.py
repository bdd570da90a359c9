"""Lamps by the clock alone: at the stated instants, once for each limit that was set."""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from case_registry.deadlines import DeadlineRule, Pause, due, midnight, rule_for
from case_registry.lamps import Lamp, Limit, Timing, changes, lamp_at, yellow_at, yellow_from
from case_registry.told import BEIJING

INSTANT = timedelta(microseconds=1)


def row(limit: int, unit: str) -> DeadlineRule:
    return DeadlineRule("T1", "a", "e", limit, unit, "event", "10 workday once", (), "law", "", "", "v")


def timing(
    rule: DeadlineRule,
    start: datetime,
    *,
    extended: tuple[datetime, int] | None = None,
    pauses: tuple[Pause, ...] = (),
) -> Timing:
    limits = [Limit(start, due(rule, start, pauses=pauses))]
    if extended:
        limits.append(Limit(extended[0], due(rule, start, extension=extended[1], pauses=pauses)))
    return Timing(start, rule.unit, tuple(limits), pauses)


def colour(t: Timing, at: datetime) -> str:
    return lamp_at(t, at).colour


def test_the_worked_example() -> None:
    """Answer limit 15 workdays: yellow at 10, red on workday 16; extended by 10 on day 12: green until 17."""
    rule, start = row(15, "workday"), midnight(date(2026, 5, 11))
    t = timing(rule, start)
    day = {n: due(row(n, "workday"), start).last_day for n in range(1, 30)}
    assert yellow_from(15) == 10 and yellow_from(25) == 17 and yellow_from(1) == 0
    assert colour(t, midnight(day[10]) - INSTANT) == "GREEN" and colour(t, midnight(day[10])) == "YELLOW"
    assert colour(t, midnight(day[15])) == "YELLOW" and colour(t, midnight(day[16])) == "RED"
    asked = midnight(day[12]) + timedelta(hours=9)
    longer = timing(rule, start, extended=(asked, 10))
    assert colour(longer, asked - INSTANT) == "YELLOW" and colour(longer, asked) == "GREEN"
    assert colour(longer, midnight(day[17])) == "YELLOW" and colour(longer, midnight(day[25])) == "YELLOW"
    assert colour(longer, midnight(day[26])) == "RED"
    assert [lamp.colour for _, lamp in changes(longer, midnight(day[28]))] == [
        "GREEN",
        "YELLOW",
        "GREEN",
        "YELLOW",
        "RED",
    ]


def test_red_starts_after_the_rolled_day() -> None:
    t = timing(rule_for("PM01", date(2026, 4, 2)), midnight(date(2026, 4, 2)))
    assert t.limits[0].due.last_day == date(2026, 5, 6), "2 May rolls over the holiday"
    assert (
        colour(t, midnight(date(2026, 5, 7)) - INSTANT) == "YELLOW"
        and colour(t, midnight(date(2026, 5, 7))) == "RED"
    )
    assert lamp_at(t, midnight(date(2026, 4, 22))).used == 20


def test_limit_of_one_is_yellow_at_once_and_hours_by_the_minute() -> None:
    start = midnight(date(2026, 4, 1))
    assert colour(timing(row(1, "workday"), start), start) == "YELLOW"
    begun = datetime(2026, 4, 1, 10, 17, tzinfo=BEIJING)
    hours = timing(row(48, "hour"), begun)
    assert (
        colour(hours, begun + timedelta(hours=33) - INSTANT) == "GREEN"
        and colour(hours, begun + timedelta(hours=33)) == "YELLOW"
    )
    assert (
        colour(hours, begun + timedelta(hours=48) - INSTANT) == "YELLOW"
        and colour(hours, begun + timedelta(hours=48)) == "RED"
    )


def test_grey_keeps_the_colour_as_a_rim_and_an_open_pause_never_runs_out() -> None:
    start = midnight(date(2026, 4, 1))
    t = timing(row(10, "calendar_day"), start, pauses=(Pause(date(2026, 4, 9), None),))
    assert lamp_at(t, midnight(date(2026, 4, 9))) == Lamp("GREY", 7, 10, "YELLOW")
    assert lamp_at(t, midnight(date(2026, 8, 9))).colour == "GREY"
    over = timing(row(10, "calendar_day"), start, pauses=(Pause(date(2026, 4, 9), date(2026, 4, 20)),))
    assert over.limits[0].due.last_day == date(2026, 4, 22)
    assert [lamp.colour for _, lamp in changes(over, midnight(date(2026, 5, 1)))] == [
        "GREEN",
        "YELLOW",
        "GREY",
        "YELLOW",
        "RED",
    ]


@given(
    st.dates(date(2026, 1, 5), date(2026, 6, 1)), st.integers(1, 40), st.sampled_from(["calendar_day", "workday", "hour"]),
    st.integers(0, 30), st.integers(1, 20), st.one_of(st.none(), st.tuples(st.integers(1, 20), st.integers(1, 20))),
)  # fmt: skip
def test_any_past_moment_gives_the_same_lamp(
    day: date, limit: int, unit: str, after: int, more: int, pause: tuple[int, int] | None
) -> None:
    start = midnight(day)
    rule = row(limit, unit)
    pauses = (
        ()
        if pause is None
        else (Pause(day + timedelta(days=pause[0]), day + timedelta(days=pause[0] + pause[1])),)
    )
    asked = start + timedelta(days=after)
    extended = (asked, more) if asked < due(rule, start, pauses=pauses).over_at else None
    t = timing(rule, start, extended=extended, pauses=pauses)
    end = start + timedelta(days=120)
    found = changes(t, end)
    assert found[0][0] == start and [at for at, _ in found] == sorted(at for at, _ in found)
    for (_, before), (at, lamp) in itertools.pairwise(found):
        assert before.colour != lamp.colour and lamp_at(t, at) == lamp
        assert lamp_at(t, at - INSTANT).colour == before.colour
    for later in (asked, end - timedelta(days=30)):
        assert [c for c in found if c[0] <= later] == changes(t, later), "the past does not change"
    reds = [at for at, lamp in found if lamp.colour == "RED"]
    assert len(reds) <= 2 and yellow_at(t) <= end
