"""Supervision by the clock: signed late, urged, stood still, extended, sent up; what drafts a case; times per agency."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from case_registry import (
    NotAllowed,
    draft_at_once,
    find_disputes,
    supervision_case,
    supervision_cases,
    supervision_times,
    watch_deadlines,
)  # fmt: skip
from case_registry.deadlines import over_after
from case_registry.supervision_rules import level_for_red
from case_registry.supervision_watch import red_workdays
from foundation.unit_of_work import UnitOfWork, unit_of_work
from tests.case_registry.make import PETITION, episode, take
from tests.case_registry.supervision_world import brought, do, drafted, state

Clock = Callable[[datetime | str], None]


def clock(uow: UnitOfWork, case: object) -> tuple[str, str, str, str]:
    """The clock that goes on: rule, state, lamp, last day."""
    found = supervision_case(uow, case)["clocks"]  # type: ignore[arg-type]
    (last,) = [k for k in found if k["state"] != "STOPPED"]
    return last["rule"], last["state"], last["lamp"], last["due_on"].isoformat()


def test_not_signed_then_one_level_up(engine: Engine, set_clock: Clock) -> None:
    with unit_of_work(engine) as uow:  # 2026-04-01 09:00, a Wednesday
        case = brought(uow, "ISSUED")
        assert clock(uow, case) == ("SV02", "RUNNING", "YELLOW", "2026-04-02"), (
            "a limit of one day is yellow at once"
        )
    set_clock("2026-04-03T00:00")
    with unit_of_work(engine) as uow:
        acts = [e["act"] for e in watch_deadlines(uow) if e["event"] == "supervision_moved"]
        assert acts == ["not_signed"] and state(uow, case) == "ISSUED" and clock(uow, case)[2] == "RED"
        assert find_disputes(uow).rows[0]["lamp"] == "RED"
        assert not [e for e in watch_deadlines(uow) if e["event"] == "supervision_moved"], "once"
    set_clock("2026-04-09T23:59:59")  # 3 and 7, 8, 9 April are workdays, 4 to 6 the festival
    with unit_of_work(engine) as uow:
        watch_deadlines(uow)
        assert state(uow, case) == "ISSUED"
    set_clock("2026-04-11T00:00")
    with unit_of_work(engine) as uow:
        watch_deadlines(uow)
        assert state(uow, case) == "ESCALATED"
        (new,) = supervision_cases(uow, state="open")
        assert (new["level"], new["state"], new["reason"], new["rule"]) == (
            "L2",
            "DRAFT",
            "UNANSWERED",
            "from 督〔2026〕L3-0001",
        )


def test_answer_limit_extended_and_urged(engine: Engine, set_clock: Clock) -> None:
    """The worked example of the rules: 15 workdays, yellow at 10; extended by 10 on day 12: green until 17, red on 26."""
    with unit_of_work(engine) as uow:
        case = brought(uow, "HANDLING")
        start = uow.now
        assert clock(uow, case)[0] == "SV03"
    day = {
        n: over_after(start, n) - timedelta(days=1) for n in range(1, 27)
    }  # the first instant of workday n
    set_clock(day[10] - timedelta(seconds=1))
    with unit_of_work(engine) as uow:
        watch_deadlines(uow)
        assert clock(uow, case)[2] == "GREEN"
    set_clock(day[10])
    with unit_of_work(engine) as uow:
        assert [e["act"] for e in watch_deadlines(uow) if e["event"] == "supervision_moved"] == ["urge"]
        assert clock(uow, case)[2] == "YELLOW"
        with pytest.raises(NotAllowed, match="urged"):
            do(uow, case, "urge")
    set_clock(day[12] + timedelta(hours=9))
    with unit_of_work(engine) as uow:
        do(uow, case, "urge")
        do(uow, case, "ask_extension")
        do(uow, case, "grant")
        assert clock(uow, case)[2] == "GREEN"
        with pytest.raises(NotAllowed, match="once"):
            do(uow, case, "ask_extension")
    for n, lamp in ((16, "GREEN"), (17, "YELLOW"), (25, "YELLOW"), (26, "RED")):
        set_clock(day[n])
        with unit_of_work(engine) as uow:
            watch_deadlines(uow)
            assert clock(uow, case)[2] == lamp, n
    with unit_of_work(engine) as uow, pytest.raises(NotAllowed, match="run out"):
        uow.execute("UPDATE registry.supervision_case SET extended_days = 0 WHERE id = :id", id=case)
        do(uow, case, "ask_extension")


def test_objecting_and_suspension_do_not_count(engine: Engine, set_clock: Clock) -> None:
    with unit_of_work(engine) as uow:
        case = brought(uow, "SIGNED")
        due = clock(uow, case)[3]
        late = brought(uow, "SIGNED", native_id="X2")
        do(uow, case, "object")
        assert clock(uow, case)[1:3] == ("SUSPENDED", "GREY")
    set_clock("2026-04-10T09:00")
    with unit_of_work(engine) as uow:
        do(uow, case, "uphold")
        assert state(uow, case) == "SIGNED" and clock(uow, case)[1:3] == ("RUNNING", "GREEN")
        assert due == "2026-04-23" and clock(uow, case)[3] == "2026-04-30", (
            "1 to 9 April are made good: 5 workdays, then the weekend"
        )
        with pytest.raises(NotAllowed, match="2 workdays"):
            do(uow, late, "object")
        do(uow, case, "assign_handler")
        do(uow, case, "suspend", until="2026-04-20")
        assert state(uow, case) == "SUSPENDED"
    set_clock("2026-04-19T23:00")
    with unit_of_work(engine) as uow:
        watch_deadlines(uow)
        assert state(uow, case) == "SUSPENDED" and clock(uow, case)[2] == "GREY"
    set_clock("2026-04-20T00:00")
    with unit_of_work(engine) as uow:
        watch_deadlines(uow)
        assert state(uow, case) == "HANDLING" and clock(uow, case)[1] == "RUNNING"


def test_reassigned_before_signing(uow: UnitOfWork) -> None:
    case = brought(uow, "ISSUED")
    do(uow, case, "object")
    uow.execute(
        "UPDATE registry.clock SET started_at = started_at - interval '1 second' WHERE supervision = :id",
        id=case,
    )
    do(uow, case, "reassign")
    found = supervision_case(uow, case)
    assert (found["state"], found["agency"], found["signed_at"]) == ("ISSUED", "court", None) and clock(
        uow, case
    )[0] == "SV02"
    do(uow, case, "sign_for", agency="court")
    assert [k["agency"] for k in supervision_case(uow, case)["clocks"]] == ["petition", "court", "court"]


def test_red_lamps_draft_cases_by_rule(engine: Engine, set_clock: Clock) -> None:
    assert [level_for_red(n) for n in (2, 3, 4, 5, 9, 10, 30)] == ["", "L3", "L3", "L2", "L2", "L1", "L1"]
    assert [level_for_red(n, skip=True) for n in (0, 2, 3, 4, 5, 10)] == ["L3", "L3", "L2", "L2", "L1", "L1"]
    with unit_of_work(engine) as uow:
        number = (
            take(uow, PETITION, episode("X1", "PETITION", "REGISTERED", opened_on="2026-04-01"))
            .disputes[0]
            .number
        )
    last = datetime.fromisoformat("2026-04-16T12:00+08:00")  # PT01 and PT02: fifteen days
    for workdays, drafts in ((2, 0), (3, 1)):
        set_clock(over_after(last, workdays))
        with unit_of_work(engine) as uow:
            watch_deadlines(uow)
            found = supervision_cases(uow, dispute=number)
            assert len(found) == drafts
    assert (found[0]["level"], found[0]["agency"], found[0]["reason"], found[0]["drafted_by"]) == (
        "L3",
        "petition",
        "RED_LAMP",
        "system",
    )
    with unit_of_work(engine) as uow:
        watch_deadlines(uow)
        assert len(supervision_cases(uow)) == 1, "once"
        assert (
            draft_at_once(uow, uow.scalar("SELECT id FROM registry.dispute"), "petition", "GAP", "脱管") == []
        )
        do(uow, found[0]["id"], "discard", reason="已口头督促")
        watch_deadlines(uow)
        assert supervision_cases(uow, state="open") == [], (
            "what a person set aside does not come back for the same lamp"
        )
        assert [
            e["level"]
            for e in draft_at_once(
                uow, uow.scalar("SELECT id FROM registry.dispute"), "petition", "FACTOR_RED", "红色"
            )
        ] == ["L1"]


def test_workdays_that_a_lamp_is_red() -> None:
    red = datetime.fromisoformat("2026-04-03T00:00+08:00")
    told = [red_workdays(red, red + timedelta(days=n)) for n in range(9)]
    assert told == [0, 1, 1, 1, 1, 2, 3, 4, 5], "4 to 6 April are a festival"


def test_times_per_agency(engine: Engine, set_clock: Clock) -> None:
    with unit_of_work(engine) as uow:
        first, second = brought(uow, "HANDLING"), drafted(uow, native_id="X2")
        do(uow, second, "issue")
    set_clock("2026-04-09T09:00")
    with unit_of_work(engine) as uow:
        for event in ("report_result", "start_verify"):
            do(uow, first, event)
        do(uow, second, "sign_for")  # late: the limit was 2 April
    set_clock("2026-04-10T09:00")
    with unit_of_work(engine) as uow:
        do(uow, first, "send_back")
        rows = {
            (r["agency"], r["step"]): r
            for r in supervision_times(uow, uow.now - timedelta(days=30), uow.now + timedelta(days=1))
        }
    sign, answer, verify = rows["petition", "sign"], rows["petition", "answer"], rows["supervision", "verify"]
    assert (sign["n"], sign["ended"], sign["in_time"], sign["median"], sign["most"]) == (2, 2, 1, 5, 5)
    # One answered after 5 workdays (2, 3, 7, 8, 9 April), one running since the 9th, one anew since the 10th.
    assert (answer["n"], answer["running"], answer["median"], answer["send_backs"]) == (3, 2, 5, 1)
    assert (verify["ended"], verify["median"], verify["late_now"]) == (1, 1, 0)
