"""Supervision: the state table act by act, proofs, persons and offices, and that nothing closes without proof."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import Engine

from case_registry import (
    SUPERVISION_PROOF,
    NotAllowed,
    Unknown,
    dispute,
    draft_supervision,
    supervise,
    supervision_case,
    supervision_cases,
    supervision_codes,
    supervision_levels,
)  # fmt: skip
from case_registry.deadlines import all_rules
from case_registry.supervision_machine import SUPERVISION_CASE
from case_registry.supervision_rules import ACTION, SIDE, office_level, table
from foundation.unit_of_work import UnitOfWork, unit_of_work
from tests.case_registry.make import PETITION, episode, take
from tests.case_registry.supervision_world import (
    AUTHOR,
    CITY,
    CITY_HEAD,
    CITY_SECOND,
    COUNTY,
    HEAD,
    PROOF,
    TOWN,
    VERIFIER,
    WAYS,
    as_,
    brought,
    dispute_of,
    do,
    drafted,
    state,
)

Clock = Callable[[datetime | str], None]


def test_the_table_is_whole() -> None:
    """Every event has its proof, every state a way to it, every limit of a level its row, half of it after a send-back."""
    assert set(SUPERVISION_PROOF) == {*SUPERVISION_CASE.events, "copy_to", "read"}
    assert set(WAYS) == set(SUPERVISION_CASE.states) and set(SIDE) | set(ACTION) <= set(SUPERVISION_PROOF)
    assert len(SUPERVISION_CASE.moves) == 23 + 8 + 7
    limits = {
        name: (all_rules()[row.answer][-1].limit, all_rules()[row.again][-1].limit)
        for name, row in supervision_levels().items()
    }
    assert limits == {"L1": (7, 4), "L2": (10, 5), "L3": (15, 8)}
    assert all(again == -(-answer // 2) for answer, again in limits.values() if answer and again)
    assert "DEATH" in supervision_codes("reason") and [office_level(o) for o in (CITY, COUNTY, TOWN)] == [
        "city",
        "county",
        "town",
    ]
    assert office_level("瑞安市司法局") == "county" and office_level("某办公室") == "county"


def test_every_other_act_is_refused_in_every_state(uow: UnitOfWork) -> None:
    for at in WAYS:
        case = brought(uow, at, native_id=f"S-{at}")
        assert state(uow, case) == at
        for event in SUPERVISION_CASE.events:
            if not SUPERVISION_CASE.allows(at, event):
                with pytest.raises(NotAllowed, match="not possible"):
                    do(uow, case, event)
        assert state(uow, case) == at
        assert set(supervision_case(uow, case)["acts"]) == {
            e for e in SUPERVISION_CASE.events if SUPERVISION_CASE.allows(at, e) and e != "not_signed"
        }


def test_every_act_needs_its_proof(uow: UnitOfWork) -> None:
    """Each required piece left out in turn is refused, in a state in which the act is possible."""
    for no, event in enumerate(SUPERVISION_CASE.events):
        at = next(s for s in WAYS if SUPERVISION_CASE.allows(s, event))
        case = brought(uow, at, native_id=f"P{no}")
        for name, kind in SUPERVISION_PROOF[event].items():
            if not kind.endswith("?"):
                with pytest.raises(NotAllowed, match=name):
                    do(uow, case, event, **{name: ""})
        assert state(uow, case) == at, event


def test_a_case_from_draft_to_close(uow: UnitOfWork) -> None:
    case = brought(uow, "CLOSED")
    found = supervision_case(uow, case)
    assert found["number"] == "督〔2026〕L3-0001" and len(found["notice_digest"]) == 64
    assert [(line["event"], line["action"]) for line in found["file"]] == [
        ("draft", ""), ("issue", "ASSIGN"), ("sign_for", ""), ("assign_handler", ""), ("report_result", ""),
        ("start_verify", "VERIFY"), ("pass", ""), ("close", "CLOSE"),
    ]  # fmt: skip
    assert found["file"][4]["proof"]["papers"] == ["办理结果报告", "调解协议"]
    assert [(k["rule"], k["state"]) for k in found["clocks"]] == [
        ("SV02", "STOPPED"),
        ("SV03", "STOPPED"),
        ("SV04", "STOPPED"),
    ]
    assert supervision_case(uow, found["number"])["id"] == case
    assert supervision_cases(uow, state="open") == [] and len(supervision_cases(uow)) == 1
    with pytest.raises(Unknown):
        supervision_case(uow, "督〔2026〕L3-9999")


UNPROVEN = (
    ("HANDLING", "state = 'CLOSED'"), ("REPORTED", "state = 'CLOSED'"), ("VERIFYING", "state = 'CLOSED'"),
    ("VERIFYING", "state = 'VERIFIED'"), ("VERIFIED", "state = 'CLOSED'"),
    ("VERIFIED", "state = 'CLOSED', closing_note = '', closed_by = 'x', closed_at = now()"),
    ("VERIFIED", "state = 'CLOSED', closing_note = 'ok', closed_by = 'x', closed_at = now(), verify_record = ''"),
    ("VERIFIED", "state = 'CLOSED', closing_note = 'ok', closed_by = 'x', closed_at = now(), verify_record = NULL"),
    ("VERIFIED", "state = 'CLOSED', closing_note = 'ok', closed_by = 'x', closed_at = now(), verifier_agency = agency"),
    ("VERIFIED", "state = 'CLOSED', closing_note = 'ok', closed_by = 'x', closed_at = now(), result_papers = '[]'"),
    ("HANDLING", "state = 'REPORTED', result_code = 'done', reported_at = now()"), ("DRAFT", "state = 'ISSUED'"),
    ("ISSUED", "state = 'SIGNED'"),
)  # fmt: skip


def test_the_database_lets_nothing_through_without_proof(uow: UnitOfWork) -> None:
    made = {at: brought(uow, at, native_id=f"S-{at}") for at in dict(UNPROVEN)}
    for at, sets in UNPROVEN:
        with (
            pytest.raises(Exception, match=r"check constraint|ILLEGAL_MOVE|NO_PROOF"),
            uow.conn.begin_nested(),
        ):
            uow.execute(f"UPDATE registry.supervision_case SET {sets} WHERE id = :id", id=made[at])
    with pytest.raises(Exception, match="APPEND"), uow.conn.begin_nested():
        uow.execute("DELETE FROM registry.supervision_act WHERE supervision = :id", id=made["VERIFIED"])


def test_a_pass_of_an_older_report_closes_nothing(uow: UnitOfWork) -> None:
    """Columns filled in by hand do not stand in for the act in the file."""
    case = brought(uow, "REPORTED")
    uow.execute("UPDATE registry.supervision_case SET verifier = 'v', verifier_agency = 'supervision', verify_record = 'r',"
                " verified_at = reported_at WHERE id = :id", id=case)  # fmt: skip
    uow.execute("UPDATE registry.supervision_case SET state = 'VERIFYING' WHERE id = :id", id=case)
    uow.execute("UPDATE registry.supervision_case SET state = 'VERIFIED' WHERE id = :id", id=case)
    with pytest.raises(NotAllowed, match="issuing office"):
        do(uow, case, "close", CITY_SECOND)
    with pytest.raises(Exception, match="NO_PROOF"), uow.conn.begin_nested():
        do(uow, case, "close")


def test_persons_and_offices(uow: UnitOfWork) -> None:
    key = drafted(uow, "L2")
    with pytest.raises(NotAllowed, match="another person"):
        do(uow, key, "issue", AUTHOR)
    with pytest.raises(NotAllowed, match="author alone"):
        do(uow, key, "discard", HEAD)
    do(uow, key, "issue", HEAD)
    with pytest.raises(NotAllowed, match="addressed to"):
        do(uow, key, "sign_for", agency="court")
    do(uow, key, "sign_for")
    with pytest.raises(NotAllowed, match="names another"):
        do(uow, key, "object", other_agency="petition")
    for event in ("assign_handler", "report_result"):
        do(uow, key, event)
    for wrong in ({"verifier_agency": "petition"}, {"verifier": "handler"}):
        with pytest.raises(NotAllowed):
            do(uow, key, "start_verify", **wrong)
    do(uow, key, "start_verify")
    with pytest.raises(NotAllowed, match="verifier verifies"):
        do(uow, key, "pass", HEAD)
    with pytest.raises(NotAllowed, match="3 tries"):
        do(uow, key, "pass", reached=False, tries="3月1日电话未接\n3月2日上门无人")
    do(uow, key, "pass", reached=False, tries=["一", "二", "三"])
    with pytest.raises(NotAllowed, match="second person"):
        do(uow, key, "close", HEAD)
    do(uow, key, "close")
    placard = drafted(uow, "L1", "X2")
    with pytest.raises(NotAllowed, match="issued by"):
        do(uow, placard, "issue", HEAD)
    for event, by in (
        ("issue", CITY_HEAD),
        ("sign_for", None),
        ("assign_handler", None),
        ("report_result", None),
        ("start_verify", None),
    ):
        do(uow, placard, event, by)
    with pytest.raises(NotAllowed, match="on the spot"):
        do(uow, placard, "pass", on_the_spot=False)
    do(uow, placard, "pass")
    do(uow, placard, "close", CITY_SECOND)


def test_one_open_case_and_the_higher_takes_over(uow: UnitOfWork) -> None:
    low = brought(uow, "HANDLING")
    number = dispute_of(uow)
    for level in ("L3",):
        with pytest.raises(NotAllowed, match="a matter has one case"):
            draft_supervision(as_(uow, AUTHOR), number, level, "petition", "RED_LAMP", "又超期")
    high = draft_supervision(as_(uow, AUTHOR), number, "L2", "petition", "RED_LAMP", "红灯五日")
    with pytest.raises(NotAllowed, match="draft is there"):
        draft_supervision(as_(uow, AUTHOR), number, "L1", "petition", "DEATH", "有人死亡")
    do(uow, high, "issue")
    assert (state(uow, low), state(uow, high)) == ("ESCALATED", "ISSUED")
    assert supervision_case(uow, high)["takes_over"] == low
    shown = supervision_case(uow, low)
    assert shown["taken_over_by"] == high and len(shown["file"]) == 5, "its file is kept"
    for wrong in (
        ("L9", "court", "RED_LAMP", "x"),
        ("L3", "court", "NOPE", "x"),
        ("L3", "court", "DEATH", " "),
    ):
        with pytest.raises(NotAllowed):
            draft_supervision(uow, number, *wrong)


def test_send_back_twice_then_one_level_up(uow: UnitOfWork, engine: Engine) -> None:
    case = brought(uow, "VERIFYING")
    for count in (1, 2):
        do(uow, case, "send_back")
        found = supervision_case(uow, case)
        assert (found["state"], found["send_backs"], found["result_code"], found["verify_record"]) == (
            "HANDLING",
            count,
            None,
            None,
        )
        running = [k for k in found["clocks"] if k["state"] == "RUNNING"]
        assert [(k["rule"], k["total"]) for k in running] == [("SV03-L3-AGAIN", 8)]
        # A virtual clock stands still, and no clock is started twice at one instant.
        uow.execute(
            "UPDATE registry.clock SET started_at = started_at - make_interval(secs => :n) WHERE supervision = :id",
            n=count,
            id=case,
        )
        do(uow, case, "report_result")
        do(uow, case, "start_verify")
    do(uow, case, "send_back")
    assert state(uow, case) == "ESCALATED"
    (new,) = supervision_cases(uow, state="DRAFT")
    assert (new["level"], new["reason"]) == ("L2", "SENT_BACK") and supervision_case(uow, new["id"])[
        "takes_over"
    ] == case


def test_copies_and_read_marks_change_nothing(uow: UnitOfWork) -> None:
    case = brought(uow, "CLOSED")
    supervise(as_(uow, HEAD), case, "copy_to", {"to": "court", "basis": "S-1"})
    supervise(as_(uow, HEAD), case, "read", {"by": "handler"})
    assert [line["event"] for line in supervision_case(uow, case)["file"][-2:]] == [
        "copy_to",
        "read",
    ] and state(uow, case) == "CLOSED"
    with pytest.raises(NotAllowed, match="no act"):
        supervise(uow, case, "burn", {})


def test_a_case_follows_its_dispute_and_shows_there(uow: UnitOfWork) -> None:
    case = brought(uow, "ISSUED")
    number = dispute_of(uow)
    found = dispute(uow, number)
    assert found is not None and [
        k["rule"] for k in found["clocks"] if k["state"] == "RUNNING" and k["rule"].startswith("SV")
    ] == ["SV02"]
    take(uow, PETITION, episode("X1", "PETITION", "CLOSED", version=(2,), closed_on="2026-04-01"))
    assert supervision_case(uow, case)["clocks"][0]["state"] == "RUNNING", (
        "episodes say nothing about this clock"
    )


def test_reopened_within_ninety_days(engine: Engine, set_clock: Clock) -> None:
    with unit_of_work(engine) as uow:
        case = brought(uow, "CLOSED")
        assert table()["limits"]["reopen_days"] == 90
    set_clock("2026-06-30T09:00")
    with unit_of_work(engine) as uow:
        do(uow, case, "reopen")
        found = supervision_case(uow, case)
        assert found["state"] == "HANDLING" and found["closed_at"] is None
        with pytest.raises(Exception, match=r"check|NO_PROOF|ILLEGAL"), uow.conn.begin_nested():
            uow.execute("UPDATE registry.supervision_case SET state = 'CLOSED' WHERE id = :id", id=case)
        for event in ("report_result", "start_verify", "pass", "close"):
            do(uow, case, event)
    set_clock("2026-09-29T09:00")
    with unit_of_work(engine) as uow, pytest.raises(NotAllowed, match="90 days"):
        do(uow, case, "reopen")


def test_the_proof_of_each_act_is_given(uow: UnitOfWork) -> None:
    made: dict[str, Any] = {**PROOF}
    assert set(made) == set(SUPERVISION_CASE.events) and VERIFIER.id == PROOF["start_verify"]["verifier"]
