"""Unstable factors: the table row by row, going up and down, notes, overrides; story S07's repeat petitions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine

from case_registry import (
    NotAllowed,
    dispute,
    factor_list,
    find_disputes,
    note_indicator,
    noted_indicators,
    override_grade,
    refresh_disputes,
    strike_off_factor,
    watch_deadlines,
)  # fmt: skip
from case_registry.factors import GRADES, grade, readings, stand, table
from foundation.unit_of_work import UnitOfWork, unit_of_work
from tests.case_registry.make import (
    ARBITRATION,
    PETITION,
    PROCURATORATE,
    body,
    episode,
    person,
    resident,
    take,
)

Clock = Callable[[datetime | str], None]
NOW = datetime(2026, 4, 22, 1, tzinfo=UTC)
MAN = {"id_number": resident(7), "phone": "10057702627"}
BOTH = [person("夏冬", **MAN), body("温州双溪和电器股份有限公司")]
WAGES = {"cause": "追索劳动报酬纠纷", "claimed_fen": 11082850}


def graded(values: dict[str, int], **noted: list[str]) -> tuple[str, int]:
    found = grade(readings(values, noted))
    return found.name, found.score


@pytest.mark.parametrize("row", table()["indicator"], ids=lambda r: r["id"])
def test_each_indicator_counts_at_its_highest_step(row: dict[str, object]) -> None:
    ident = str(row["id"])
    if "words" in row:
        words: dict[str, int] = row["words"]  # type: ignore[assignment]
        for word, weight in words.items():
            assert readings({}, {ident: [word]})[0].weight == weight
        assert readings({}, {ident: list(words)})[0].weight == max(words.values())
        assert readings({}, {ident: ["nonsense"]}) == ()
        return
    steps: list[list[int]] = row["steps"]  # type: ignore[assignment]
    for i, (threshold, weight) in enumerate(steps):
        values, noted = (
            ({ident: threshold}, {}) if row["by"] == "computed" else ({}, {ident: ["x"] * threshold})
        )
        assert readings(values, noted)[0].weight == weight
        below = threshold - 1
        values, noted = ({ident: below}, {}) if row["by"] == "computed" else ({}, {ident: ["x"] * below})
        assert sum(r.weight for r in readings(values, noted)) == (steps[i - 1][1] if i else 0)


@pytest.mark.parametrize(("values", "noted", "name"), [
    ({}, {}, "NONE"), ({"U02": 1, "U01": 4}, {}, "NONE"), ({"U02": 3}, {}, "BLUE"), ({"U01": 5, "U04": 5}, {}, "BLUE"),
    ({"U01": 5, "U02": 2, "U04": 5}, {}, "YELLOW"), ({"U02": 2, "U12": 1}, {}, "YELLOW"), ({}, {"U05": ["words"]}, "ORANGE"),
    ({}, {"U13": ["death"]}, "ORANGE"), ({}, {"U13": ["injury"]}, "NONE"), ({}, {"U03": ["a", "b"]}, "ORANGE"),
    ({}, {"U05": ["act"]}, "RED"), ({}, {"U06": ["recorded"]}, "RED"), ({"U01": 30, "U04": 5}, {}, "RED"), ({"U01": 30}, {}, "YELLOW"),
    ({}, {"U16": ["order_broken"]}, "RED"), ({"U01": 100, "U02": 5, "U12": 2}, {}, "RED"),
])  # fmt: skip
def test_grades(values: dict[str, int], noted: dict[str, list[str]], name: str) -> None:
    assert graded(values, **noted)[0] == name


def test_up_at_once_down_by_steps_never_off_by_itself() -> None:
    assert stand("NONE", None, "RED", NOW).name == "RED"
    first = stand("RED", None, "BLUE", NOW)
    assert (first.name, first.lower_since) == ("RED", NOW)
    assert stand("RED", NOW, "BLUE", NOW + timedelta(days=13)).name == "RED"
    one = stand("RED", NOW, "BLUE", NOW + timedelta(days=14))
    assert (one.name, one.lower_since) == ("ORANGE", NOW + timedelta(days=14))
    assert stand("YELLOW", NOW, "BLUE", NOW + timedelta(days=14)).lower_since is None
    assert stand("BLUE", NOW, "NONE", NOW + timedelta(days=400)).name == "BLUE"
    assert stand("RED", NOW, "RED", NOW + timedelta(days=1)).lower_since is None
    assert set(table()["by_grade"]) == set(GRADES) - {"NONE"}


def petition(number: str, **more: object) -> object:
    return episode(number, "PETITION", "REFERRED", opened_on="2026-03-15", people_count=1, repeat_flag=False,
                   parties=BOTH, **WAGES, **more)  # fmt: skip


def flags(uow: UnitOfWork) -> list[str]:
    return list(find_disputes(uow).rows[0]["flags"])


def test_story_s07(engine: Engine, set_clock: Clock) -> None:
    def step(at: str, *args: object) -> list[str]:
        set_clock(at)
        with unit_of_work(engine) as uow:
            take(uow, *args)  # type: ignore[arg-type]
            return flags(uow)

    claimant = [person("夏冬", **MAN), body("温州双溪和电器股份有限公司", credit_code="91330399MADU13PE1U")]
    case = episode(
        "ARB-1", "ARBITRATION", "OPEN", opened_on="2026-03-18", sequence=1, parties=claimant, **WAGES
    )
    assert step("2026-03-28T09:30", ARBITRATION, case) == []
    assert step("2026-04-02T09:00", PETITION, petition("XF1")) == ["PETITION_WHILE_OPEN"]
    second = petition("XF2", repeats="XF1")
    assert step("2026-04-12T09:00", PETITION, second) == ["PETITION_WHILE_OPEN", "REPEAT:1"]
    assert step("2026-04-22T09:00", PETITION, petition("XF3")) == [
        "PETITION_WHILE_OPEN",
        "REPEAT:2",
        "UNSTABLE",
    ]
    support = episode(
        "J1", "SUPPORT_PROSECUTION", "REFERRED", opened_on="2026-04-24", parties=claimant, **WAGES
    )
    assert step("2026-04-24T15:00", PROCURATORATE, support) == [
        "REPEAT:2",
        "UNSTABLE",
        "PROCURATORATE_SUPPORTS",
    ]
    from schemas.claims import Record

    award = Record(
        "award",
        "ARB-1",
        (2,),
        "2026-05-15",
        data={"award_id": "W", "total_fen": 6649710, "final": True, "sequence": 2},
    )
    assert step("2026-05-15T16:00", ARBITRATION, award) == ["REPEAT:2", "UNSTABLE", "PROCURATORATE_SUPPORTS"]
    with unit_of_work(engine) as uow:
        row = find_disputes(uow).rows[0]
        assert (row["stage"], row["holder"]) == ("AWARDED", "arbitration")
        factor = (dispute(uow, row["number"]) or {})["factor"]
        assert [entry["now"] for entry in factor["log"]] == ["BLUE"] and factor["log"][0]["cause"]
        assert {i["id"] for i in factor["indicators"]} == {"U02"}
        assert factor_list(uow)[0]["number"] == row["number"]


def test_flagship_second_letter_of_five_people(uow: UnitOfWork) -> None:
    told = episode(
        "XF1",
        "PETITION",
        "OPEN",
        opened_on="2026-03-20",
        people_count=5,
        repeat_flag=True,
        group_flag=True,
        parties=BOTH,
    )
    raised = next(e for e in take(uow, PETITION, told).events if e["event"] == "factor_raised")
    assert raised["to"] == "BLUE" and {"U01", "U04"} <= {i["id"] for i in raised["indicators"]}
    assert flags(uow) == ["REPEAT:1", "UNSTABLE"]


def test_notes_overrides_and_striking_off(engine: Engine, set_clock: Clock) -> None:
    set_clock("2026-04-01T09:00")
    with unit_of_work(engine) as uow:
        number = (
            take(uow, PETITION, episode("X1", "PETITION", "OPEN", opened_on="2026-03-20", parties=BOTH))
            .disputes[0]
            .number
        )
        assert flags(uow) == []
        for wrong in (("U01", "5"), ("U05", "shout"), ("U99", "x")):
            with pytest.raises(NotAllowed):
                note_indicator(uow, number, *wrong, "理由")
        assert {"U05", "U06"} <= {i["id"] for i in noted_indicators()}
        events = note_indicator(uow, number, "U06", "recorded", "民警记录", "police")
        assert next(e for e in events if e["event"] == "factor_raised")["to"] == "RED"
        reason = "已由卫生部门评估，情绪稳定，由专人每日随访，风险可控"
        for bad in (
            {"until": date(2026, 5, 1), "second": "b", "document": "d"}, {"until": date(2026, 4, 10), "document": "d"},
            {"until": date(2026, 4, 10), "second": "b"}, {"until": date(2026, 3, 1), "second": "b", "document": "d"},
        ):  # fmt: skip
            with pytest.raises(NotAllowed):
                override_grade(uow, number, "YELLOW", "TREATED", reason, **bad)  # type: ignore[arg-type]
        with pytest.raises(NotAllowed):
            override_grade(
                uow, number, "YELLOW", "TREATED", "太短", date(2026, 4, 10), second="b", document="d"
            )
        override_grade(
            uow, number, "YELLOW", "TREATED", reason, date(2026, 4, 10), second="b", document="卫健文1号"
        )
        listed = factor_list(uow)[0]
        assert (listed["grade"], listed["computed"]) == ("YELLOW", "RED"), "both grades are shown"
        with pytest.raises(NotAllowed):
            strike_off_factor(uow, number, "急着移出")
    set_clock("2026-04-11T00:30")
    with unit_of_work(engine) as uow:
        watch_deadlines(uow)
        assert factor_list(uow)[0]["grade"] == "RED", "the computed grade came back by itself"
        uow.execute("UPDATE registry.indicator_note SET ended_at = :now, ended_by = 'x'", now=uow.now)
        refresh_disputes(uow, [number])
    for day, expected in (
        ("2026-04-26", "ORANGE"),
        ("2026-05-11", "YELLOW"),
        ("2026-05-26", "BLUE"),
        ("2026-06-01", "BLUE"),
    ):
        set_clock(f"{day}T09:00")
        with unit_of_work(engine) as uow:
            watch_deadlines(uow)
            assert factor_list(uow)[0]["grade"] == expected, day
    set_clock("2026-07-10T09:00")
    with unit_of_work(engine) as uow:
        watch_deadlines(uow)
        assert flags(uow) == ["UNSTABLE"], "never off the list by itself"
        strike_off_factor(uow, number, "连续三十日低于标准，经办人审核")
        assert flags(uow) == [] and factor_list(uow) == []


def test_a_letter_of_many_that_is_told_late_is_on_the_list_all_the_same(
    engine: Engine, set_clock: Clock
) -> None:
    """Told in its time it would have been listed, and nothing leaves the list by itself; closed matters stay off."""
    set_clock("2026-11-24T09:00")
    told = {"opened_on": "2026-01-22", "people_count": 7, "group_flag": True, "parties": BOTH}
    with unit_of_work(engine) as uow:
        raised = next(
            e
            for e in take(uow, PETITION, episode("X1", "PETITION", "OPEN", **told)).events
            if e["event"] == "factor_raised"
        )
        assert raised["to"] == "BLUE" and {"U01", "U04"} <= {i["id"] for i in raised["indicators"]}
        other = [person("李夏", id_number=resident(9)), body("温州南屏和电器股份有限公司")]
        closed = episode("X2", "PETITION", "CLOSED", **{**told, "parties": other}, closed_on="2026-02-20")
        assert "factor_raised" not in [e["event"] for e in take(uow, PETITION, closed).events]
