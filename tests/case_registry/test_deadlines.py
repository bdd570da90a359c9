"""How clocks count: every row of the table, every unit, over real and made-up calendars."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from case_registry.deadlines import (
    UNITS,
    DeadlineRule,
    Pause,
    all_rules,
    due,
    extension_allowed,
    midnight,
    rule_for,
    stated_due,
)  # fmt: skip
from case_registry.source import NotAllowed, Unknown
from case_registry.told import BEIJING
from schemas.workdays import CalendarRow, WorkCalendar

DAY = timedelta(days=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


def rule(limit: int, unit: str, counted_from: str = "event", extension: str = "none") -> DeadlineRule:
    return DeadlineRule("T1", "a", "e", limit, unit, counted_from, extension, (), "law", "", "", "v")


def test_all_rows_are_read_with_known_units_and_can_be_counted() -> None:
    rows = all_rules()
    assert len(rows) >= 127 + 1
    for versions in rows.values():
        for row in versions:
            assert row.unit in UNITS and row.law_article
            if row.limit is None:
                with pytest.raises(NotAllowed):
                    due(row, at("2026-03-02"))
                continue
            found = due(row, at("2026-03-02"))
            assert found.total > 0
            assert (found.last_day < date(2026, 3, 2)) == row.backwards, row.id


@pytest.mark.parametrize(("rule_id", "start", "last_day"), [
    ("PT04", "2026-03-20", "2026-05-19"), ("PM01", "2026-04-02", "2026-05-06"), ("PT03", "2026-04-29", "2026-05-09"),
    ("PM04", "2026-02-13", "2026-02-25"), ("PM02", "2026-01-31", "2026-02-28"), ("CT05", "2025-08-31", "2026-02-28"),
    ("CT21", "2024-02-29", "2026-02-28"), ("LA01", "2025-05-04", "2026-05-06"), ("CT04", "2026-05-07", "2026-04-30"),
    ("LA05", "2026-05-12", "2026-05-06"), ("LA07", "2026-04-17", "2026-05-06"), ("AD02", "2026-09-24", "2026-10-09"),
])  # fmt: skip
def test_worked_examples(rule_id: str, start: str, last_day: str) -> None:
    found = due(rule_for(rule_id, date.fromisoformat(start)), at(start))
    assert found.last_day.isoformat() == last_day and found.status == ""
    assert found.over_at == midnight(found.last_day + DAY)


def test_hours_count_from_the_minute_and_do_not_roll() -> None:
    found = due(rule_for("CT16", date(2026, 5, 1)), at("2026-05-01T10:17"))
    assert found.over_at == at("2026-05-03T10:17")


def test_past_the_published_calendar_is_provisional() -> None:
    found = due(rule_for("PT04", date(2026, 11, 20)), at("2026-11-20"))
    assert (found.last_day, found.status) == (date(2027, 1, 19), "NOT_YET_PUBLISHED")
    found = due(rule(5, "workday"), at("2026-12-30"))
    assert (found.last_day, found.provisional) == (date(2027, 1, 6), True)


def test_limits_that_changed_by_law_go_by_the_day_of_the_event() -> None:
    assert due(rule_for("AR03", date(2026, 2, 28)), at("2026-02-28")).last_day == date(2026, 8, 28)
    assert due(rule_for("AR03", date(2026, 3, 1)), at("2026-03-01")).last_day == date(2026, 6, 1)
    with pytest.raises(Unknown):
        rule_for("XX99", date(2026, 1, 1))


def test_a_stated_day_stands_as_it_is() -> None:
    found = stated_due(at("2026-03-14"), date(2026, 5, 16))
    assert (found.last_day, found.total) == (date(2026, 5, 16), 63), "a Saturday, not rolled"


def test_pauses_keep_what_was_used() -> None:
    pauses = [Pause(date(2026, 4, 7), date(2026, 4, 17))]
    assert due(rule(10, "calendar_day"), at("2026-04-01"), pauses=pauses).last_day == date(2026, 4, 21)
    assert due(rule(5, "workday"), at("2026-04-01"), pauses=pauses).last_day == date(2026, 4, 21)
    assert due(rule(48, "hour"), at("2026-04-06T08:00"), pauses=pauses).over_at == at("2026-04-18T08:00")
    overlapping = [*pauses, Pause(date(2026, 4, 10), date(2026, 4, 17))]
    assert due(rule(10, "calendar_day"), at("2026-04-01"), pauses=overlapping).last_day == date(2026, 4, 21)


@pytest.mark.parametrize(("extension", "amount", "already", "allowed"), [
    ("none", 1, 0, False), ("none (a fixed period: Judicial Interpretation 127)", 1, 0, False),
    ("30 calendar_day by head of agency, petitioner told why", 30, 0, True),
    ("30 calendar_day by head of agency, petitioner told why", 31, 0, False),
    ("30 calendar_day by head of agency, petitioner told why", 1, 30, False),
    ("6 month by court president; more by the court above", 9, 6, True),
    ("by consent of both sides", 99, 0, True), ("by consent of both sides", 0, 0, False),
    ("10 workday once, by the issuer", 10, 0, True), ("1 year each, asked before the end", 1, 1, True),
])  # fmt: skip
def test_extensions(extension: str, amount: int, already: int, allowed: bool) -> None:
    row = rule(10, "calendar_day", extension=extension)
    if allowed:
        extension_allowed(row, amount, already)
    else:
        with pytest.raises(NotAllowed):
            extension_allowed(row, amount, already)


@st.composite
def calendars(draw: st.DrawFn) -> WorkCalendar:
    """Calendars of 2026 with holidays and moved workdays anywhere."""
    first = date(2026, 1, 1)
    offs = draw(st.sets(st.integers(0, 364), min_size=1, max_size=30))
    ons = draw(st.sets(st.integers(0, 364), max_size=12)) - offs
    rows = [CalendarRow(first + i * DAY, "holiday", "h") for i in offs]
    return WorkCalendar([*rows, *(CalendarRow(first + i * DAY, "workday", "w") for i in ons)])


@given(
    calendars(),
    st.integers(0, 200),
    st.integers(1, 60),
    st.sampled_from(["calendar_day", "workday"]),
    st.booleans(),
)
def test_days_against_plain_counting(
    work: WorkCalendar, offset: int, limit: int, unit: str, backwards: bool
) -> None:
    start = date(2026, 3, 1) + offset * DAY
    row = rule(limit, unit, "counted backwards from the hearing" if backwards else "event")
    found = due(row, midnight(start), work=work)
    step = -DAY if backwards else DAY
    day, left = start, limit
    while left:
        day += step
        left -= unit == "calendar_day" or _worked(work, day)
    while not _worked(work, day):
        day += step
    assert found.last_day == day and found.over_at == midnight(day + DAY)


def _worked(work: WorkCalendar, day: date) -> bool:
    return work.is_workday(day) if day.year == 2026 else day.weekday() < 5


@given(st.dates(date(2024, 1, 1), date(2026, 6, 30)), st.integers(1, 12))
def test_months_end_on_the_same_number_or_the_last_day(start: date, months: int) -> None:
    from schemas.workdays import work_calendar

    found = due(rule(months, "month"), midnight(start))
    nominal = start + found.total * DAY
    assert (nominal.year * 12 + nominal.month) - (start.year * 12 + start.month) == months
    assert nominal.day == start.day or (nominal.day < start.day and (nominal + DAY).day == 1)
    assert found.last_day >= nominal
    if not found.provisional:
        assert work_calendar().is_workday(found.last_day)
