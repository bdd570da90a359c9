"""Lists, search, the board, finding by others' numbers, flags by hand, what other rooms tell."""

from __future__ import annotations

from uuid import UUID

import pytest

from case_registry import (
    Filters,
    NotAllowed,
    Unknown,
    board,
    clear_flag,
    dispute,
    dispute_ref,
    disputes_of,
    escrow_summary,
    find_disputes,
    my_work,
    parked_count,
    set_flag,
    set_notices_owed,
    timeline,
    whereabouts_of,
    word,
)  # fmt: skip
from foundation.unit_of_work import UnitOfWork
from tests.case_registry.make import COURT, MEDIATION, PETITION, episode, person, resident, take, withdrawal


def some(uow: UnitOfWork, count: int = 7) -> list[str]:
    numbers = []
    for n in range(count):
        people = [
            person(f"周{'忠孝仁义礼智信'[n % 7]}{'甲乙'[n % 2]}", id_number=resident(n)),
            person("欧阳敏海", "respondent"),
        ]
        told = episode(f"X{n}", "PETITION", "OPEN", opened_on="2026-03-20", parties=people, cause=("民间借贷纠纷", "相邻关系纠纷")[n % 2],
                       place_code=f"33039900{1 + n % 2}", claimed_fen=1000 + n)  # fmt: skip
        numbers.append(take(uow, PETITION, told).disputes[0].number)
    return numbers


def numbers(uow: UnitOfWork, **filters: object) -> list[str]:
    return [row["number"] for row in find_disputes(uow, Filters(**filters)).rows]  # type: ignore[arg-type]


def test_filters_and_search(uow: UnitOfWork) -> None:
    made = some(uow)
    assert sorted(numbers(uow)) == sorted(made)
    assert len(numbers(uow, town="330399001")) == 4 and len(numbers(uow, county="330399")) == 7
    assert (
        numbers(uow, stage="IN_COURT") == []
        and len(numbers(uow, stage="IN_PETITION", holder="petition")) == 7
    )
    assert numbers(uow, text="周忠甲") == [made[0]] and len(numbers(uow, text="欧阳")) == 7
    assert numbers(uow, text="周忠 借贷") == [made[0]] and numbers(uow, text="忠周") == []
    assert numbers(uow, text="X3") == [made[3]] and numbers(uow, agency="court") == []
    with pytest.raises(NotAllowed):
        numbers(uow, text="周")
    set_flag(uow, UUID(str(dispute_ref(uow, made[2]).id)), "HOLD:5", "法院文书")
    assert (
        numbers(uow, flag="HOLD") == numbers(uow, flag="HOLD:5") == [made[2]]
        and numbers(uow, flag="HOLD:6") == []
    )


def test_pages_neither_repeat_nor_miss(uow: UnitOfWork) -> None:
    made = some(uow)
    seen, after = [], None
    while True:
        page = find_disputes(uow, after=after, limit=3)
        seen += [row["number"] for row in page.rows]
        after = page.next
        if after is None:
            break
    assert sorted(seen) == sorted(made) and len(seen) == len(set(seen))


def test_sealed_disputes_stay_out_of_lists_and_work(uow: UnitOfWork) -> None:
    secret = take(uow, PETITION, episode("X1", "PETITION", "REGISTERED", opened_on="2026-01-05", sealed=True,
                                         parties=[person("周忠", id_number=resident(1))])).disputes[0].number  # fmt: skip
    assert numbers(uow) == [] and numbers(uow, sealed=True) == [secret]
    assert my_work(uow, {"mediator"}) == [] and my_work(uow, {"supervision_officer"}) != []
    assert uow.scalar("SELECT count(*) FROM registry.disputes_v1") == 0


def test_board_counts(uow: UnitOfWork) -> None:
    some(uow)
    found = board(uow)
    assert (found["all"], found["stage"], found["holder"]) == (7, {"IN_PETITION": 7}, {"petition": 7})
    assert found["town"] == {"330399001": 4, "330399002": 3} and board(uow, "330302")["all"] == 0


def test_any_number_leads_to_the_dispute(uow: UnitOfWork) -> None:
    people = [person("周忠", id_number=resident(1))]
    made = take(
        uow, COURT, episode("3399001", "TRIAL", sub_id="(2026)浙0399民初1号", version=("1",), parties=people)
    ).disputes[0]
    for name in (made.number, "3399001", "(2026)浙0399民初1号", "（2026）浙0399民初1号", str(made.id)):
        assert dispute_ref(uow, name) == made
    assert disputes_of(uow, "3399001", "court") == [made] and disputes_of(uow, "3399001", "petition") == []
    with pytest.raises(Unknown):
        dispute_ref(uow, "没有")


def test_parked_statements_are_seen_by_their_key(uow: UnitOfWork) -> None:
    take(uow, COURT, withdrawal("C1", ("1",)))
    assert parked_count(uow, "C1") == parked_count(uow, ["C1", "C2"]) == 1 and parked_count(uow, "C2") == 0
    spot = whereabouts_of(uow, [("court", "C1"), ("petition", "X1")])
    assert (spot.dispute, spot.stage, spot.holder, spot.flags) == (None, "NONE", "-", ["PARKED:1"])


def test_flags_by_hand_need_reasons_and_can_be_cleared(uow: UnitOfWork) -> None:
    ident = dispute_ref(uow, some(uow, 1)[0]).id
    with pytest.raises(NotAllowed):
        set_flag(uow, ident, "MEDIA", "")
    raised = set_flag(uow, ident, "MEDIA", "记者来电")
    assert [e["flag"] for e in raised if e["event"] == "flag_raised"] == ["MEDIA"]
    assert set_flag(uow, ident, "MEDIA", "又一次") == []
    cleared = clear_flag(uow, ident, "MEDIA", "已说明")
    assert [e["flag"] for e in cleared if e["event"] == "flag_cleared"] == ["MEDIA"]


def test_other_rooms_tell_by_the_offices_number(uow: UnitOfWork) -> None:
    people = [person("周忠", id_number=resident(1)), person("欧阳敏海", "respondent")]
    take(uow, MEDIATION, episode("M1", "MEDIATION", "AGREED", agreed_on="2026-03-28", parties=people))
    assert set_notices_owed(uow, "M1", 1) == []
    assert (
        escrow_summary(uow, "M1", {"state": "COMPLETED", "flags": ["RETURN_ANNOUNCED"]})[0]["event"]
        == "flag_raised"
    )
    changed = set_notices_owed(uow, "M1", 0)
    assert [(e["event"], e.get("to")) for e in changed] == [("stage_changed", "CLOSED")]
    assert escrow_summary(uow, "M1", {"state": "COMPLETED", "flags": ["RETURN_ANNOUNCED"]}) == [], (
        "told before"
    )
    with pytest.raises(NotAllowed):
        set_notices_owed(uow, "M1", -1)
    lines = timeline(uow, "M1")
    assert {"told", "belongs", "escrow", "clock"} <= {line["what"] for line in lines}
    assert all(line["text"] and line["at"] for line in lines) and "托管：COMPLETED" in {
        line["text"] for line in lines
    }
    assert (dispute(uow, "M1") or {})["flags"] == ["RETURN_ANNOUNCED"]
    assert word("stage", "IN_COURT") == "诉讼中" and word("stage", "?") == "?"
