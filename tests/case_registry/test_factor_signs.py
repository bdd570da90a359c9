"""Indicators that the record itself states: each with a case that shows it, one that does not, and its reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine

from case_registry import dispute, find_disputes, note_indicator, override_grade, watch_deadlines
from case_registry.factor_signs import merged
from foundation.unit_of_work import UnitOfWork, unit_of_work
from schemas.claims import Record
from schemas.identifiers import resident_check_digit
from tests.case_registry.make import (
    ARBITRATION,
    COURT,
    MEDIATION,
    PETITION,
    PROCURATORATE,
    episode,
    person,
    take,
)

Clock = Callable[[datetime | str], None]


def born(day: str) -> str:
    first = f"330399{day}001"
    return first + resident_check_digit(first)


def shown(uow: UnitOfWork, number: str) -> dict[str, dict[str, Any]]:
    """Indicators of a dispute, listed by a note that puts it on the list whatever else is true."""
    note_indicator(uow, number, "U06", "recorded", "测试", "police")
    found = dispute(uow, number)
    assert found is not None
    return {each["id"]: each for each in found["factor"]["indicators"]}


def test_signs_of_the_record(uow: UnitOfWork) -> None:
    wages = {"cause": "追索劳动报酬纠纷", "opened_on": "2026-03-01", "occurred_on": "2026-02-20"}
    five = [person(f"工人{n}") for n in range(5)]
    claim = (
        take(uow, ARBITRATION, episode("A1", "ARBITRATION", "OPEN", parties=five, **wages)).disputes[0].number
    )
    assert "U07" not in shown(uow, claim), "a claim's words alone state no arrears"
    award = Record(
        "award",
        "A1",
        (2,),
        "2026-03-30",
        data={"award_id": "W1", "total_fen": 5_000_000, "items": [], "final": True},
    )
    take(uow, ARBITRATION, award)
    assert (
        shown(uow, claim)["U07"]["word"] == "people5_or_days30"
        and "5 people" in shown(uow, claim)["U07"]["why"]
    )
    charge = episode("J1", "CRIMINAL_RECONCILIATION", "REFERRED", cause="故意伤害（重伤）", opened_on="2026-03-01", claimed_fen=20_000_000,
                     occurred_on="2026-02-10", parties=[person("夏小", id_number=born("20100301"))])  # fmt: skip
    harm = shown(uow, take(uow, PROCURATORATE, charge).disputes[0].number)
    assert harm["U13"]["word"] == "injury" and harm["U17"]["why"] == "a person hurt was 15 years old"
    assert harm["U14"]["word"] == "years3"
    death = episode("F1", "TRIAL", "OPEN", cause="生命权、身体权、健康权纠纷", opened_on="2026-03-05", claimed_fen=90_000_000,
                    parties=[person("何老", id_number=born("19500301"))])  # fmt: skip
    grave = shown(uow, take(uow, COURT, death).disputes[0].number)
    assert (grave["U13"]["word"], grave["U14"]["word"]) == ("death", "years10") and "76" in grave["U17"][
        "why"
    ]
    order = episode(
        "F2",
        "TRIAL",
        "OPEN",
        sub_id="(2026)浙0399民保令3号",
        case_number="(2026)浙0399民保令3号",
        opened_on="2026-03-05",
    )
    assert shown(uow, take(uow, COURT, order).disputes[0].number)["U16"]["word"] == "order_or_two_calls"
    doing = episode("F3", "ENFORCEMENT", "OPEN", opened_on="2026-03-28")
    assert (
        shown(uow, take(uow, COURT, doing).disputes[0].number)["U19"]["why"] == "enforcement from 2026-03-28"
    )
    calm = shown(
        uow, take(uow, PETITION, episode("X9", "PETITION", "OPEN", opened_on="2026-03-20")).disputes[0].number
    )
    assert set(calm) == {"U06"}


def test_silence_after_refusal(engine: Engine, set_clock: Clock) -> None:
    from schemas.claims import Reference

    with unit_of_work(engine) as uow:
        number = (
            take(uow, PETITION, episode("X1", "PETITION", "OPEN", opened_on="2026-03-01")).disputes[0].number
        )
        refs = [Reference("case_number", "X1", "petition")]
        for n, day in ((2, "2026-03-10"), (3, "2026-03-18")):
            take(
                uow,
                PETITION,
                episode(f"X{n}", "PETITION", "OPEN", opened_on=day, repeats="X1", refs=refs, at=day),
            )
        take(
            uow,
            MEDIATION,
            episode(
                "M1",
                "MEDIATION",
                "FAILED",
                opened_on="2026-03-12",
                closed_on="2026-03-30",
                refs=refs,
                at="2026-03-30",
            ),
        )
    for day, silent in (
        ("2026-04-19", False),
        ("2026-04-20", True),
        ("2026-06-28", True),
        ("2026-06-29", False),
    ):
        set_clock(f"{day}T09:00")
        with unit_of_work(engine) as uow:
            assert ("U08" in shown(uow, number)) is silent, day


def test_notes_lapse_with_their_window_and_calls_are_counted(engine: Engine, set_clock: Clock) -> None:
    assert merged({"U16": ["police_call"]}, [])[0] == {"U16": ["police_call"]}
    assert merged({"U16": ["police_call"] * 2}, [])[0]["U16"][-1] == "order_or_two_calls"
    with unit_of_work(engine) as uow:
        number = (
            take(uow, PETITION, episode("X1", "PETITION", "OPEN", opened_on="2026-03-30")).disputes[0].number
        )
        note_indicator(uow, number, "U05", "words", "扬言报复", "police")
        note_indicator(uow, number, "U13", "injury", "一人轻伤", "police")
        assert find_disputes(uow).rows[0]["grade"] == "ORANGE"
    set_clock("2026-06-30T08:00")  # the ninetieth day
    with unit_of_work(engine) as uow:
        watch_deadlines(uow)
        found = dispute(uow, number)
        assert found is not None and {i["id"] for i in found["factor"]["indicators"]} == {"U05", "U13"}
    for day in ("2026-07-01T09:00", "2026-07-16T09:00"):
        set_clock(day)
        with unit_of_work(engine) as uow:
            watch_deadlines(uow)
    with unit_of_work(engine) as uow:
        found = dispute(uow, number)
        assert found is not None and {i["id"] for i in found["factor"]["indicators"]} == {"U13"}
        assert found["grade"] == "YELLOW", "one step down after fourteen days"
        assert [(line["was"], line["now"]) for line in found["factor"]["log"]] == [
            ("NONE", "ORANGE"),
            ("ORANGE", "YELLOW"),
        ]


def test_overrides_are_logged_and_expire(engine: Engine, set_clock: Clock) -> None:
    """Also on a dispute that no indicator ever put on the list."""
    with unit_of_work(engine) as uow:
        number = (
            take(uow, PETITION, episode("X1", "PETITION", "OPEN", opened_on="2026-03-30")).disputes[0].number
        )
        override_grade(
            uow,
            number,
            "YELLOW",
            "LOCAL_KNOWLEDGE",
            "村干部反映当事人情绪激动，需持续关注两周以上",
            date(2026, 4, 10),
        )
        assert find_disputes(uow).rows[0]["grade"] == "YELLOW"
    set_clock("2026-04-11T00:00:01")
    with unit_of_work(engine) as uow:
        watch_deadlines(uow)
        assert find_disputes(uow).rows[0]["grade"] == "NONE"
        log = uow.all("SELECT was, now, cause FROM registry.factor_log ORDER BY id")
        assert [(row["was"], row["now"]) for row in log] == [("NONE", "YELLOW"), ("YELLOW", "NONE")]
        assert "until 2026-04-10" in log[0]["cause"] and "ended on 2026-04-10" in log[1]["cause"]
