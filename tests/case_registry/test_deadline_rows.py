"""Every row of the table of deadlines by its article: limit, unit, extension, a worked example, and thousands of
generated calendars; lamps at their instants, once for each limit that was set."""

from __future__ import annotations

import csv
import itertools
import random
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from case_registry.deadlines import DeadlineRule, Pause, all_rules, due, extension_allowed, rule_for
from case_registry.lamps import Limit, Timing, changes, lamp_at
from case_registry.source import NotAllowed
from schemas.wide import BEIJING
from tests.case_registry.calendar_oracle import DAY, Counted, Made, generated, midnight

ROWS = list(
    csv.DictReader((Path(__file__).parent / "deadline_articles.csv").open(encoding="utf-8", newline=""))
)
UNIT = {
    "d": "calendar_day",
    "w": "workday",
    "m": "month",
    "y": "year",
    "h": "hour",
    "bd": "calendar_day",
    "bw": "workday",
}
EXAMPLE = date(
    2026, 4, 2
)  # a Thursday before the festival of 4 to 6 April; 1 to 5 May are holidays, 9 May is worked
INSTANT = timedelta(microseconds=1)


def test_no_row_is_without_its_test() -> None:
    table = {
        rule_id
        for rule_id, versions in all_rules().items()
        if versions[-1].agency not in ("partner",) and "-" not in rule_id
    }
    assert {row["id"] for row in ROWS} == table and len(ROWS) == 127


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_row_by_its_article(row: dict[str, str]) -> None:
    """What the article says: the number, its unit, from when it may be longer, and one date worked out."""
    rule = rule_for(row["id"], EXAMPLE)
    assert row["article"] in rule.law_article
    assert (rule.limit, rule.unit, rule.backwards) == (
        int(row["limit"]) if row["limit"] else None, UNIT[row["unit"]], row["unit"].startswith("b"),
    )  # fmt: skip
    _check_extension(rule, row["extension"])
    if rule.limit is None:
        with pytest.raises(NotAllowed, match="no number in law"):
            due(rule, midnight(EXAMPLE))
        return
    found = due(rule, midnight(EXAMPLE))
    assert found.last_day.isoformat() == row["last_day"]
    assert found.provisional is (found.last_day.year > 2026)


def _check_extension(rule: DeadlineRule, most: str) -> None:
    """ "0": none; a number: at most so much, once; "-": as consent or the head of the body says."""
    if most == "0":
        with pytest.raises(NotAllowed, match="no extension"):
            extension_allowed(rule, 1, 0)
        return
    extension_allowed(rule, 1 if most == "-" else int(most), 0)
    if most != "-":
        for amount, already in ((int(most) + 1, 0), (1, 1), (0, 0)):
            with pytest.raises(NotAllowed):
                extension_allowed(rule, amount, already)


def _case(
    chance: random.Random, made: Made, row: dict[str, str], rule: DeadlineRule
) -> tuple[Counted, tuple[Pause, ...]]:
    """A start anywhere in the published years, by the minute for hours, at times with a pause inside the limit."""
    first = date(2026, 3, 1) + chance.randrange(150) * DAY
    at = midnight(first) + timedelta(minutes=chance.randrange(1440) if row["unit"] == "h" else 0)
    pause = None
    if rule.suspends_on and not rule.backwards and chance.random() < 0.6:
        # Inside the limit: what has run out is not suspended.
        last = Counted(made, at, int(row["limit"]), row["unit"]).over() - INSTANT
        if last.date() > first:
            begun = first + chance.randint(1, min(20, (last.date() - first).days)) * DAY
            pause = (begun, begun + chance.randint(1, 25) * DAY)
    counted = Counted(made, at, int(row["limit"]), row["unit"], pause)
    return counted, (Pause(*pause),) if pause else ()


def check_calendar(seed: int, lamps: int) -> int:
    """Every row over one calendar, with pauses; of some rows the lamps too. Returns how many limits were counted."""
    chance, made = random.Random(seed), generated(seed)
    counted_rows = 0
    rows = [row for row in ROWS if row["limit"]]
    for row in rows:
        rule = rule_for(row["id"], EXAMPLE)
        counted, pauses = _case(chance, made, row, rule)
        found = due(rule, counted.start, pauses=pauses, work=made.work)
        assert found.over_at == counted.over(), (seed, row["id"], counted)
        if row["unit"] != "h":
            assert found.last_day == counted.last_day()
            assert found.provisional is (found.last_day.year > made.last_year), (seed, row["id"])
        counted_rows += 1
    for row in chance.sample(
        [row for row in rows if not row["unit"].startswith("b") and row["unit"] != "y"], lamps
    ):
        check_lamps(chance, made, row)
    return counted_rows


def check_lamps(chance: random.Random, made: Made, row: dict[str, str]) -> None:
    """The lamp at every instant at which it could flip, just before it, and on days at random; each limit flips it once."""
    rule = rule_for(row["id"], EXAMPLE)
    counted, pauses = _case(chance, made, row, rule)
    limits = [Limit(counted.start, due(rule, counted.start, pauses=pauses, work=made.work))]
    extended: tuple[datetime, int] | None = None
    if row["extension"] != "0":
        more = chance.randint(
            1, int(row["extension"]) if row["extension"] != "-" else 30 if row["unit"] in "dw" else 2
        )
        asked = counted.start + (limits[0].due.over_at - counted.start) * chance.uniform(0.3, 0.98)
        extended = (asked, more)
        limits.append(Limit(asked, due(rule, counted.start, extension=more, pauses=pauses, work=made.work)))
    timing = Timing(counted.start, rule.unit, tuple(limits), pauses)
    end = limits[-1].due.over_at + timedelta(days=3)
    found = changes(timing, end, made.work)
    span = (end - counted.start).days
    moments = [
        midnight(counted.day + n * DAY)
        for n in (chance.sample(range(1, span), min(6, span - 1)) if span > 1 else [])
    ]
    for at, lamp in found:
        assert lamp.colour == counted.lamp(at, extended), (row["id"], at)
        moments.append(at - INSTANT)
    for at in moments:
        if at >= counted.start:
            assert lamp_at(timing, at, made.work).colour == counted.lamp(at, extended), (row["id"], at)
    for (_, before), (_, after) in itertools.pairwise(found):
        assert before.colour != after.colour
    for n, limit in enumerate(limits):
        until = limits[n + 1].set_at if n + 1 < len(limits) else end + DAY
        within: list[Any] = [
            lamp.colour for at, lamp in found if limit.set_at <= at < until and lamp.colour != "GREY"
        ]
        assert (
            within.count("RED") <= 1 and within[within.index("RED") + 1 :] == [] if "RED" in within else True
        )
        # A pause hides the colour and gives it back: it is not a flip.
        assert within.count("YELLOW") <= 1 + (2 if pauses else 0)
    assert found[-1][1].colour == "RED" and found[-1][0] == limits[-1].due.over_at


def test_all_rows_over_generated_calendars() -> None:
    assert sum(check_calendar(seed, lamps=4) for seed in range(12)) == 12 * 126


@pytest.mark.long
def test_all_rows_over_ten_thousand_calendars() -> None:
    assert sum(check_calendar(1_000_000 + seed, lamps=1) for seed in range(10_000)) == 10_000 * 126


def test_beyond_the_published_calendar_until_it_is_published() -> None:
    """Provisional and marked, weekends alone counted; once the next year is published, marked no more and exact."""
    late = 0
    for seed in range(15):
        both = generated(seed, 2027)
        one = Made(type(both.work)([r for r in both.work._rows.values() if r.day.year == 2026]),
                   {d: w for d, w in both.worked.items() if d.year == 2026}, 2026)  # fmt: skip
        for row in ROWS:
            if row["unit"] in ("d", "w", "m"):
                start = midnight(date(2026, 12, 1) - ((seed * 7 + sum(map(ord, row["id"]))) % 90) * DAY)
                if not row["limit"]:
                    continue
                rule = rule_for(row["id"], EXAMPLE)
                marked, exact = due(rule, start, work=one.work), due(rule, start, work=both.work)
                for found, made in ((marked, one), (exact, both)):
                    assert found.last_day == Counted(made, start, int(row["limit"]), row["unit"]).last_day()
                    assert (found.status == "NOT_YET_PUBLISHED") is (found.last_day.year > made.last_year)
                late += marked.provisional and not exact.provisional
    assert late > 150


def test_overlapping_pauses_count_once_and_an_open_one_never_runs_out() -> None:
    rule = rule_for("PT04", EXAMPLE)
    start = datetime(2026, 4, 2, tzinfo=BEIJING)
    two = (Pause(date(2026, 4, 10), date(2026, 4, 20)), Pause(date(2026, 4, 15), date(2026, 4, 25)))
    one = (Pause(date(2026, 4, 10), date(2026, 4, 25)),)
    assert due(rule, start, pauses=two).last_day == due(rule, start, pauses=one).last_day
    timing = Timing(start, rule.unit, (Limit(start, due(rule, start)),), (Pause(date(2026, 4, 10), None),))
    assert lamp_at(timing, datetime(2027, 4, 2, tzinfo=BEIJING)).colour == "GREY"
