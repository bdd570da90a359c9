"""The record that people read: authority, conflicts, both time axes, hidden values, retraction."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from case_registry import (
    NotAllowed,
    conflicts,
    decide_conflict,
    dispute,
    rebuilt_hash,
    record,
    retract_message,
    state_hash,
    timeline,
)  # fmt: skip
from case_registry.authority import Voice, choose, matrix
from foundation.unit_of_work import UnitOfWork
from schemas.claims import Record
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
    withdrawal,
)  # fmt: skip

PEOPLE = [person("周忠", id_number=resident(1), phone="10057700037"), person("欧阳敏海", "respondent")]


def voice(agency: str, value: Any, at: str = "2026-03-01", native: str = "N") -> Voice:
    return Voice(agency, (agency, native), "", value, 0, at, "v")


@pytest.mark.parametrize(("name", "stage", "voices", "value", "undecided"), [
    ("cause", "IN_COURT", [voice("petition", "a", "2026-04-01"), voice("court", "b")], "b", 0),
    ("claimed_fen", "MEDIATING", [voice("court", 1), voice("mediation", 2)], 2, 0),
    ("claimed_fen", "IN_COURT", [voice("court", 1), voice("mediation", 2)], 1, 0),
    ("claimed_fen", "IN_COURT", [voice("court", 1), voice("arbitration", 2, "2026-03-02")], 2, 2),
    ("claimed_fen", "IN_COURT", [voice("petition", 1, "2026-03-02", "b"), voice("petition", 2, native="a")], 1, 0),
    ("agreed_fen", "CONFIRMED", [voice("mediation", 5), voice("court", 5)], 5, 0),
    ("agreed_fen", "CONFIRMED", [voice("mediation", 5), voice("court", 6, "2026-03-02")], 6, 2),
    ("id_number", "NONE", [voice("court", "1", native="a"), voice("court", "2", "2026-03-02", "b")], "2", 2),
    ("id_number", "NONE", [voice("registry_check", "1"), voice("court", "2")], "1", 0),
    ("claimed_fen", "NONE", [voice("court", None), voice("petition", 7)], 7, 0),
    ("colour", "NONE", [voice("court", "x"), voice("petition", "y")], "y", 2),
    ("claimed_fen", "IN_COURT", [voice("court", 1), voice("arbitration", 2), voice("decision", 3)], 3, 0),
], ids=str)  # fmt: skip
def test_matrix(name: str, stage: str, voices: list[Voice], value: Any, undecided: int) -> None:
    chosen = choose(name, voices, stage)
    assert chosen is not None
    assert (chosen.value, len(chosen.undecided)) == (value, undecided)
    again = choose(name, voices[::-1], stage)
    assert again is not None and again.voice == chosen.voice


def test_every_rule_of_the_matrix_has_its_reason() -> None:
    for rule in matrix().rules:
        assert len(rule.reason) > 20 and rule.ranks and rule.within in ("later", "decide")
        agencies = [a for rank in rule.ranks for a in rank]
        assert len(agencies) == len(set(agencies))


def test_conflict_is_a_task_and_its_decision_a_claim(uow: UnitOfWork) -> None:
    base: dict[str, Any] = {"cause": "劳动争议", "occurred_on": "2026-01-05", "parties": PEOPLE}
    first = take(
        uow, COURT, episode("C1", "TRIAL", sub_id="民初1号", version=("1",), claimed_fen=100_00, **base)
    )
    number = first.disputes[0].number
    second = take(uow, ARBITRATION, episode("A1", "ARBITRATION", claimed_fen=90_00, **base))
    assert "conflict_found" in [e["event"] for e in second.events]
    open_one = next(c for c in conflicts(uow) if c["field"] == "claimed_fen")
    assert {v["value"] for v in open_one["voices"]} == {100_00, 90_00} and open_one["role"] == "reviewer"
    with pytest.raises(NotAllowed):
        decide_conflict(uow, open_one["id"], 90_00, "")
    decide_conflict(uow, open_one["id"], 90_00, "以仲裁请求为准，已核对原件")
    field = (dispute(uow, number) or {})["fields"]["claimed_fen"]
    assert (field["value"], field["said_by"]["agency"], field["undecided"]) == (90_00, "decision", [])
    assert len(field["others"]) == 2 and conflicts(uow) == []
    with pytest.raises(NotAllowed):
        decide_conflict(uow, open_one["id"], 1, "again")
    assert state_hash(uow) == rebuilt_hash(uow)


def test_confirmed_sum_that_differs_from_the_agreement_is_a_conflict(uow: UnitOfWork) -> None:
    take(
        uow,
        MEDIATION,
        episode("M1", "MEDIATION", "AGREED", agreed_fen=11291875, agreed_on="2026-02-01", parties=PEOPLE),
    )
    data = {"result": "CONFIRMED", "amount_fen": 11291975, "agreement_signed_on": "2026-02-01"}
    result = take(
        uow,
        COURT,
        Record(
            "confirmation", "C1", ("1",), "2026-03-01", sub_id="民特1号", parties=tuple(PEOPLE), data=data
        ),
    )
    found = next(e for e in result.events if e["event"] == "conflict_found")
    assert found["field"] == "agreed_fen" and {v["value"] for v in found["voices"]} == {11291875, 11291975}


def test_both_time_axes(uow: UnitOfWork, set_clock: Any, engine: Any) -> None:
    from foundation.unit_of_work import unit_of_work

    set_clock("2026-04-01T09:00")
    with unit_of_work(engine) as first:
        number = (
            take(
                first,
                PETITION,
                episode(
                    "X1",
                    "PETITION",
                    "OPEN",
                    at="2026-03-01",
                    opened_on="2026-03-01",
                    claimed_fen=100,
                    parties=PEOPLE,
                ),
            )
            .disputes[0]
            .number
        )
    set_clock("2026-04-10T09:00")
    with unit_of_work(engine) as second:
        take(
            second,
            PETITION,
            episode(
                "X1", "PETITION", "CLOSED", version=(2,), at="2026-03-15", claimed_fen=200, parties=PEOPLE
            ),
        )

    def seen(**axes: Any) -> tuple[str, Any]:
        found = dispute(uow, number, **axes)
        assert found is not None
        return found["stage"], found["fields"].get("claimed_fen", {}).get("value")

    assert seen() == ("CLOSED", 200)
    assert seen(as_known_on="2026-04-05") == ("IN_PETITION", 100)
    assert seen(as_true_on="2026-03-10") == ("IN_PETITION", 100)
    assert seen(as_true_on="2026-03-20") == ("CLOSED", 200)
    assert seen(as_true_on="2026-03-20", as_known_on="2026-04-05") == ("IN_PETITION", 100)
    assert seen(as_known_on="2026-03-01") == ("NONE", None)


def test_hidden_values_do_not_reach_other_partners(uow: UnitOfWork) -> None:
    take(uow, COURT, episode("C1", "TRIAL", sub_id="民初1号", version=("1",), cause="相邻关系纠纷", claimed_fen=5, opened_on="2026-01-09",
                             parties=[*PEOPLE, person("证人甲", "third_party")]))  # fmt: skip
    number = (
        take(
            uow,
            PETITION,
            episode(
                "X1", "PETITION", cause="相邻纠纷", claimed_fen=5, opened_on="2026-01-09", parties=PEOPLE
            ),
        )
        .disputes[0]
        .number
    )
    take(uow, COURT, withdrawal("C1", ("2",), hide=True))
    own = dispute(uow, number) or {}
    theirs = dispute(uow, number, viewer="petition_x") or {}
    assert (
        own["fields"]["cause"]["value"] == "相邻关系纠纷" and theirs["fields"]["cause"]["value"] == "相邻纠纷"
    )
    assert "证人甲" in str(own["people"]) and "证人甲" not in str(theirs)
    assert theirs["hidden_episodes"] == 1 and "links" not in theirs
    assert "court_x" in {e["partner"] for e in (dispute(uow, number, viewer="court_x") or {})["episodes"]}
    assert own["people"][0]["id_number"].count("*") == 8
    assert (dispute(uow, number, unmasked=True) or {})["people"][0]["id_number"] == resident(1)


def test_retraction_takes_back_without_deleting(uow: UnitOfWork) -> None:
    take(uow, PETITION, episode("X1", "PETITION", claimed_fen=5, parties=PEOPLE))
    before = state_hash(uow)
    wrong = uuid.uuid4()
    record(uow, PETITION, wrong, [episode("X1", "PETITION", "CLOSED", version=(2,), claimed_fen=6, parties=PEOPLE),
                                  episode("X2", "PETITION", claimed_fen=5, opened_on="2026-03-20", parties=PEOPLE)])  # fmt: skip
    assert (dispute(uow, "X1") or {})["claimed_fen"] == 6
    result = retract_message(uow, wrong, "错发")
    assert "episode_moved" in [e["event"] for e in result.events]
    found = dispute(uow, "X1") or {}
    assert (found["claimed_fen"], found["stage"], len(found["episodes"])) == (5, "IN_PETITION", 1)
    assert state_hash(uow) == before == rebuilt_hash(uow)
    assert uow.scalar("SELECT count(*) FROM registry.statement") == 3
    assert any(line["detail"].get("retracted") for line in timeline(uow, "X1") if line["what"] == "told")


def test_what_was_told_cannot_be_changed(uow: UnitOfWork) -> None:
    take(uow, PROCURATORATE, episode("P1", "SUPPORT_PROSECUTION", parties=PEOPLE))
    for sql in (
        "UPDATE registry.claim SET value = '1'", "DELETE FROM registry.claim", "DELETE FROM registry.statement",
        "UPDATE registry.statement SET version = 'x'", "UPDATE registry.statement SET data = '{}', refs = '[1]'",
    ):  # fmt: skip
        with pytest.raises(Exception, match="APPEND_ONLY"), uow.conn.begin_nested():
            uow.execute(sql)


def test_unknown_numbers_find_nothing(uow: UnitOfWork) -> None:
    assert dispute(uow, "JF-2026-999999") is None and timeline(uow, "没有") == []
