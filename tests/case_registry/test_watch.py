"""Running clocks in the database: opened by episodes, lamps by time, extensions, reminders, hand-overs that fall between."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from case_registry import (
    MACHINES,
    NotAllowed,
    Unknown,
    dispute,
    draft_referral,
    extend_clock,
    find_disputes,
    my_work,
    recall_referral,
    referral_receipt,
    resume_clock,
    return_referral,
    send_referral,
    suspend_clock,
    take_up_referral,
    watch_deadlines,
)  # fmt: skip
from case_registry.clock_acts import timing_of
from case_registry.lamps import changes
from case_registry.machines import REFERRAL
from case_registry.referrals import take_up_limit
from foundation.actors import Actor
from foundation.unit_of_work import UnitOfWork, unit_of_work
from tests.case_registry.make import (
    ARBITRATION,
    COURT,
    MEDIATION,
    PETITION,
    PROCURATORATE,
    episode,
    person,
    resident,
    take,
)  # fmt: skip

Clock = Callable[[datetime | str], None]
PEOPLE = [person("周忠", id_number=resident(1)), person("欧阳敏海", "respondent")]


def clocks(uow: UnitOfWork, number: str) -> dict[str, dict[str, Any]]:
    found = dispute(uow, number)
    assert found is not None
    return {c["rule"]: c for c in found["clocks"]}


def test_petition_clock_through_its_life(engine: Engine, set_clock: Clock) -> None:
    set_clock("2026-03-20T09:00")
    with unit_of_work(engine) as uow:
        take(uow, PETITION, episode("X1", "PETITION", "REGISTERED", opened_on="2026-03-20", parties=PEOPLE))
        found = clocks(uow, "X1")
        assert {k: v["due_on"].isoformat() for k, v in found.items()} == {
            "PT01": "2026-04-07",
            "PT02": "2026-04-07",
            "PT04": "2026-05-19",
        }
        assert {c["lamp"] for c in found.values()} == {"GREEN"}
    set_clock("2026-05-01T08:00")
    with unit_of_work(engine) as uow:
        take(uow, PETITION, episode("X1", "PETITION", "OPEN", version=(2,), opened_on="2026-03-20"))
        found = clocks(uow, "X1")
        assert [found[r]["state"] for r in ("PT01", "PT02", "PT04")] == ["STOPPED", "STOPPED", "RUNNING"]
        events = watch_deadlines(uow)
        changed = next(e for e in events if e["event"] == "lamp_changed")
        assert (changed["rule"], changed["to"], changed["at"]) == (
            "PT04",
            "YELLOW",
            datetime(2026, 4, 30, 16, tzinfo=UTC),
        )
        assert find_disputes(uow).rows[0]["lamp"] == "YELLOW"
        assert [e for e in watch_deadlines(uow) if e["event"] == "lamp_changed"] == [], "once"
        extend_clock(uow, found["PT04"]["id"], 30, "案情复杂，已告知信访人")
        assert clocks(uow, "X1")["PT04"]["lamp"] == "GREEN"
        assert find_disputes(uow).rows[0]["lamp"] == "GREEN"
        with pytest.raises(NotAllowed):
            extend_clock(uow, found["PT04"]["id"], 1, "再延一次")
    set_clock("2026-06-20T08:00")
    with unit_of_work(engine) as uow:
        changed = [e["to"] for e in watch_deadlines(uow) if e["event"] == "lamp_changed"]
        assert changed == ["YELLOW", "RED"], "each at its own instant, though the watch slept"
        clock = clocks(uow, "X1")["PT04"]
        log = uow.all(
            "SELECT at, detail FROM registry.clock_event WHERE clock = :c AND kind = 'LAMP' ORDER BY id",
            c=clock["id"],
        )
        again = changes(timing_of(uow, clock["id"]), uow.now)
        assert [(row["at"], row["detail"]["to"]) for row in log] == [
            (at, lamp.colour) for at, lamp in again[1:]
        ]
        with pytest.raises(NotAllowed):
            extend_clock(uow, clock["id"], 1, "晚了")
        assert {t["task"] for t in my_work(uow, {"supervision_officer"})} == {"lamps"}
        take(uow, PETITION, episode("X1", "PETITION", "CLOSED", version=(3,)))
        assert clocks(uow, "X1")["PT04"]["state"] == "STOPPED" and find_disputes(uow).rows[0]["lamp"] == ""


def test_confirmation_clock_reminds_and_ends_with_the_ruling(engine: Engine, set_clock: Clock) -> None:
    set_clock("2026-04-02T16:00")
    with unit_of_work(engine) as uow:
        take(
            uow,
            MEDIATION,
            episode(
                "M1", "MEDIATION", "AGREED", opened_on="2026-03-14", agreed_on="2026-04-02", parties=PEOPLE
            ),
        )
        assert clocks(uow, "M1")["PM01"]["due_on"].isoformat() == "2026-05-06"
    set_clock("2026-04-30T09:00")
    with unit_of_work(engine) as uow:
        days = [e["day"] for e in watch_deadlines(uow) if e["event"] == "deadline_reminder"]
        assert days == ["2026-04-22", "2026-04-29"]
        assert not any(e["event"] == "deadline_reminder" for e in watch_deadlines(uow))
        from schemas.claims import Record

        ruling = Record("confirmation", "C1", ("1",), "2026-04-30", sub_id="民特1号", parties=tuple(PEOPLE),
                        data={"result": "CONFIRMED", "amount_fen": None, "agreement_signed_on": "2026-04-02"})  # fmt: skip
        take(uow, COURT, ruling)
        assert clocks(uow, "M1")["PM01"]["state"] == "STOPPED"


def test_partners_own_dates_decide_and_may_move(uow: UnitOfWork) -> None:
    case = {"opened_on": "2026-03-09", "parties": PEOPLE}
    take(
        uow,
        PROCURATORATE,
        episode("J1", "CRIMINAL_RECONCILIATION", "REFERRED", limit_date="2026-04-08", **case),
    )
    assert clocks(uow, "J1")["STATED"]["due_on"].isoformat() == "2026-04-08"
    take(
        uow,
        PROCURATORATE,
        episode("J1", "CRIMINAL_RECONCILIATION", "REFERRED", version=(2,), limit_date="2026-04-20", **case),
    )
    assert clocks(uow, "J1")["STATED"]["due_on"].isoformat() == "2026-04-20"
    labour = {"cause": "劳动争议", "commission": "瓯栖县劳动人事争议仲裁委员会"}
    take(uow, ARBITRATION, episode("A1", "ARBITRATION", "OPEN", opened_on="2026-03-13", **labour))
    assert clocks(uow, "A1")["LA06"]["due_on"].isoformat() == "2026-04-27"
    take(
        uow,
        ARBITRATION,
        episode(
            "A2", "ARBITRATION", "OPEN", opened_on="2026-03-13", limit_date="2026-06-01", cause="买卖合同纠纷"
        ),
    )
    assert set(clocks(uow, "A2")) == {"AR02"}
    take(uow, ARBITRATION, episode("A3", "ARBITRATION", "OPEN", opened_on="2026-03-13", cause="买卖合同纠纷"))
    assert clocks(uow, "A3") == {}, "no number in law, none stated: no clock"


def test_suspension_stops_the_days(engine: Engine, set_clock: Clock) -> None:
    labour = {"cause": "劳动争议", "opened_on": "2026-03-13"}
    set_clock("2026-03-23T09:00")
    with unit_of_work(engine) as uow:
        take(uow, ARBITRATION, episode("A1", "ARBITRATION", "OPEN", **labour))
        take(uow, ARBITRATION, episode("A1", "ARBITRATION", "SUSPENDED", version=(2,), **labour))
        assert clocks(uow, "A1")["LA06"]["lamp"] == "GREY"
    set_clock("2026-04-02T09:00")
    with unit_of_work(engine) as uow:
        take(uow, ARBITRATION, episode("A1", "ARBITRATION", "OPEN", version=(3,), **labour))
        clock = clocks(uow, "A1")["LA06"]
        assert (clock["due_on"].isoformat(), clock["lamp"], clock["used"]) == ("2026-05-07", "GREEN", 10)
        with pytest.raises(NotAllowed):
            suspend_clock(uow, clock["id"], "holiday: 没有这一项")
        suspend_clock(uow, clock["id"], "appraisal: 送鉴定")
        with pytest.raises(NotAllowed):
            suspend_clock(uow, clock["id"], "appraisal: 再来")
        resume_clock(uow, clock["id"], "鉴定意见已出")
        assert clocks(uow, "A1")["LA06"]["state"] == "RUNNING"


def test_unpublished_years_are_marked(uow: UnitOfWork) -> None:
    take(uow, PETITION, episode("X1", "PETITION", "OPEN", opened_on="2026-11-20", parties=PEOPLE))
    clock = clocks(uow, "X1")["PT04"]
    assert (clock["due_on"].isoformat(), clock["status"]) == ("2027-01-19", "NOT_YET_PUBLISHED")
    watch_deadlines(uow)


def acting(engine: Engine, name: str) -> Any:
    return unit_of_work(engine, Actor(name, name, frozenset({"supervision_officer"}), "瓯栖县"))


def test_hand_over_and_gap(engine: Engine, set_clock: Clock) -> None:
    set_clock("2026-04-01T09:00")
    with acting(engine, "one") as uow:
        number = (
            take(uow, PETITION, episode("X1", "PETITION", "OPEN", opened_on="2026-03-20", parties=PEOPLE))
            .disputes[0]
            .number
        )
        referral = draft_referral(
            uow, number, "petition", "mediation", "双方同意调解", [{"name": "信访件", "sha256": "00"}]
        )
        with pytest.raises(NotAllowed, match="second person"):
            send_referral(uow, referral)
        with pytest.raises(NotAllowed):
            take_up_referral(uow, referral, "mediation", "M1")
    with acting(engine, "two") as uow:
        send_referral(uow, referral)
    set_clock("2026-04-02T10:00")
    with acting(engine, "two") as uow:
        assert [e["event"] for e in watch_deadlines(uow) if "alarm" in e["event"]] == ["transport_alarm"]
        assert find_disputes(uow).rows[0]["flags"] == [], "transport trouble is no officer's matter"
        delivered = referral_receipt(uow, referral, "R-1")
        assert delivered[0]["due_on"] == "2026-04-07", "2 workdays over the festival"
    set_clock("2026-04-08T00:00:01")
    with acting(engine, "two") as uow:
        events = watch_deadlines(uow)
        assert [e["kind"] for e in events if e["event"] == "gap_alarm"] == ["NOT_TAKEN_UP"]
        assert find_disputes(uow).rows[0]["flags"] == ["GAP"]
        assert [t for t in my_work(uow, {"supervision_officer"}) if t["task"] == "gaps"]
        assert not [e for e in watch_deadlines(uow) if e["event"] == "gap_alarm"], "one alarm a hand-over"
        with pytest.raises(NotAllowed, match="run out"):
            return_referral(uow, referral, "不属本单位")
        take(uow, MEDIATION, episode("M1", "MEDIATION", "OPEN", opened_on="2026-04-08", parties=PEOPLE))
        take_up_referral(uow, referral, "mediation", "M1")
        from case_registry import refresh_disputes

        refresh_disputes(uow, [number])
        found = dispute(uow, number)
        assert found is not None and found["flags"] == []
        assert {"kind": "referred_to", "to_native": "M1"}.items() <= {
            k: v for e in found["edges"] for k, v in e.items()
        }.items()


def test_returned_without_an_act_is_a_gap_too(engine: Engine, set_clock: Clock) -> None:
    set_clock("2026-04-01T09:00")
    with acting(engine, "one") as uow:
        number = (
            take(uow, PETITION, episode("X1", "PETITION", "OPEN", opened_on="2026-03-20", parties=PEOPLE))
            .disputes[0]
            .number
        )
        referral = draft_referral(uow, number, "petition", "court", "应诉讼")
    with acting(engine, "two") as uow:
        send_referral(uow, referral)
        referral_receipt(uow, referral, "R")
        with pytest.raises(NotAllowed):
            return_referral(uow, referral, " ")
        return_referral(uow, referral, "缺材料")
        watch_deadlines(uow)
    set_clock("2026-04-09T00:00:01")
    with acting(engine, "two") as uow:
        assert [e["kind"] for e in watch_deadlines(uow) if e["event"] == "gap_alarm"] == [
            "NO_ACT_AFTER_RETURN"
        ]


def test_limits_of_taking_up() -> None:
    assert take_up_limit("petition", "mediation") == 2 and take_up_limit("court", "mediation") == 3
    assert (
        take_up_limit("police", "mediation", urgent=True) == 1
        and take_up_limit("court", "mediation", urgent=True) == 1
    )


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name)
def test_the_database_refuses_every_move_outside_the_tables(uow: UnitOfWork, machine: Any) -> None:
    pairs = set(machine.pairs())
    for before in machine.states:
        for after in machine.states:
            if before == after:
                continue
            allowed = uow.scalar("SELECT EXISTS (SELECT 1 FROM exchange.state_move WHERE machine = :m"
                                 " AND from_state = :f AND to_state = :t)",
                                 m=machine.name, f=before, t=after)  # fmt: skip
            assert allowed is ((before, after) in pairs)


def test_the_trigger_guards_hand_overs(uow: UnitOfWork) -> None:
    number = take(uow, PETITION, episode("X1", "PETITION", "OPEN", parties=PEOPLE)).disputes[0].number
    referral = draft_referral(uow, number, "petition", "court", "应诉讼")
    for state in set(REFERRAL.states) - {"DRAFTED", "SENT"}:
        with pytest.raises(Exception, match="ILLEGAL_MOVE"), uow.conn.begin_nested():
            uow.execute("UPDATE registry.referral SET state = :s WHERE id = :id", s=state, id=referral)
    with pytest.raises(NotAllowed):
        recall_referral(uow, referral, "还没发")
    with pytest.raises(Unknown):
        draft_referral(uow, "JF-2000-000000", "petition", "court", "没有")
