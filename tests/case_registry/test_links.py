"""Links in the database: proposals, decisions, merges and their undoing, splits; numbers come back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from case_registry import (
    NotAllowed,
    Unknown,
    attach,
    decide_link,
    dispute,
    escrow_summary,
    proposals,
    rebuilt_hash,
    set_flag,
    split_off,
    state_hash,
    undo_link,
)  # fmt: skip
from foundation.unit_of_work import UnitOfWork
from schemas.claims import Record
from tests.case_registry.make import COURT, MEDIATION, PETITION, episode, person, resident, take

NAMES = [person("周忠"), person("欧阳敏海", "respondent")]
MATTER: dict[str, Any] = {"cause": "相邻关系纠纷", "claimed_fen": 24_894_050}


def two_disputes(uow: UnitOfWork) -> tuple[str, str]:
    """A court's row and the office's record that share names, cause, sum and date only."""
    court = take(uow, COURT, episode("C1", "PRE_LITIGATION_MEDIATION", sub_id="诉前调1号", version=("1",),
                                     opened_on="2026-01-10", parties=NAMES, **MATTER))  # fmt: skip
    office = take(
        uow,
        MEDIATION,
        episode("瓯栖调〔2026〕云渡0961号", "MEDIATION", opened_on="2026-01-09", parties=NAMES, **MATTER),
    )
    assert "proposal_made" in [e["event"] for e in office.events]
    return court.disputes[0].number, office.disputes[0].number


def record(uow: UnitOfWork, number: str) -> dict[str, Any]:
    found = dispute(uow, number)
    assert found is not None
    return found


def test_accept_merges_and_undo_restores_byte_for_byte(uow: UnitOfWork) -> None:
    one, other = two_disputes(uow)
    escrow_summary(uow, other, {"state": "FUNDED", "flags": ["RETURNED"]})
    before = (state_hash(uow), _rows(uow), record(uow, one)["stage"], record(uow, other)["flags"])
    proposal = proposals(uow)[0]
    assert {r["field"] for r in proposal["reasons"]} >= {"party", "sum", "cause"}
    events = decide_link(uow, proposal["id"], True, "同一当事人、同一金额，已电话核实")
    merged = next(e for e in events if e["event"] == "disputes_merged")
    assert merged["dispute"] == other
    whole = record(uow, other)
    assert (whole["number"], whole["asked_for"], len(whole["episodes"])) == (one, other, 2)
    assert "RETURNED" in whole["flags"], "what hung on the merged dispute came along"
    assert proposals(uow) == []
    assert state_hash(uow) == rebuilt_hash(uow) != before[0]
    decision = next(link["decision"] for link in whole["links"] if link["decision"])
    events = undo_link(uow, decision, "核实有误")
    assert "dispute_split" in [e["event"] for e in events]
    assert (state_hash(uow), _rows(uow), record(uow, one)["stage"], record(uow, other)["flags"]) == before
    assert len(proposals(uow)) == 1, "the question is open again"


def _rows(uow: UnitOfWork) -> list[Any]:
    rows = uow.all(
        "SELECT number, merged_into, stage, holder, flags, title, search FROM registry.dispute ORDER BY number"
    )
    return [tuple(row.values()) for row in rows]


def test_reject_keeps_apart_for_good(uow: UnitOfWork) -> None:
    two_disputes(uow)
    decide_link(uow, proposals(uow)[0]["id"], False, "不是同一件事")
    assert proposals(uow) == []
    strong = [person("周忠", id_number=resident(1), phone="10057700037"), NAMES[1]]
    take(uow, COURT, episode("C1", "PRE_LITIGATION_MEDIATION", sub_id="诉前调1号", version=("2",), opened_on="2026-01-10",
                             parties=strong, **MATTER))  # fmt: skip
    take(
        uow,
        MEDIATION,
        episode(
            "瓯栖调〔2026〕云渡0961号",
            "MEDIATION",
            version=(2,),
            opened_on="2026-01-09",
            parties=strong,
            **MATTER,
        ),
    )
    assert len({row[0] for row in _rows(uow) if row[1] is None}) == 2, "a person's no outweighs every sign"


def test_decisions_are_refused_without_reason_or_twice(uow: UnitOfWork) -> None:
    two_disputes(uow)
    ident = proposals(uow)[0]["id"]
    with pytest.raises(NotAllowed):
        decide_link(uow, ident, True, " ")
    decide_link(uow, ident, True, "核实")
    with pytest.raises(NotAllowed):
        decide_link(uow, ident, True, "再来一次")
    with pytest.raises(Unknown):
        decide_link(uow, UUID(int=1), True, "没有")
    with pytest.raises(Unknown):
        undo_link(uow, UUID(int=1), "没有")


def test_split_off_and_flags_follow_their_case(uow: UnitOfWork) -> None:
    strong = [person("周忠", id_number=resident(1)), NAMES[1]]
    first = take(
        uow,
        COURT,
        episode(
            "C1", "TRIAL", sub_id="民初1号", version=("1",), opened_on="2026-01-10", parties=strong, **MATTER
        ),
    )
    second = take(uow, PETITION, episode("X1", "PETITION", opened_on="2026-01-09", parties=strong, **MATTER))
    assert first.disputes == second.disputes
    assert "linked" in [e["event"] for e in second.events]
    set_flag(uow, first.disputes[0].id, "MEDIA", "记者来电")
    split_off(uow, "petition_x", "X1", "误并")
    alone = record(uow, "X1")
    assert alone["number"] != first.disputes[0].number and alone["flags"] == []
    assert record(uow, "C1")["flags"] == ["MEDIA"]
    assert state_hash(uow) == rebuilt_hash(uow)


def test_a_hold_without_a_case_founds_nothing_and_can_be_attached(uow: UnitOfWork) -> None:
    hold = Record("hold", "C9", ("1",), "2026-04-07", sub_id="执1号",
                  data={"measure": "FREEZE", "account": "99", "document_no": "执保61号", "amount_fen": 5})  # fmt: skip
    result = take(uow, COURT, hold)
    assert result.disputes == [] and result.events[0]["event"] == "hold_ordered"
    assert result.events[0]["data"]["document_no"] == "执保61号"
    office = take(uow, MEDIATION, episode("M1", "MEDIATION", "AGREED", parties=NAMES)).disputes[0]
    attach(uow, office.id, "court_x", "C9", "账号是本案托管子账户")
    assert attach(uow, office.id, "court_x", "C9", "again") == []
    later = take(uow, COURT, Record("hold", "C9", ("2",), "2026-05-06", data={"measure": "LIFT"}))
    assert later.disputes == [office] and later.events[0]["mediation_number"] == "M1"
    assert record(uow, "M1")["stage"] == "AGREED"


def test_one_incident_is_related_and_never_the_same(uow: UnitOfWork) -> None:
    from schemas.claims import Reference
    from tests.case_registry.make import PROCURATORATE

    for n in (1, 2):
        take(uow, PROCURATORATE, episode(f"检{n}", "CRIMINAL_RECONCILIATION", parties=[person("甲乙丙", id_number=resident(n))],
                                         refs=[Reference("incident", "108", "police", "hint")]))  # fmt: skip
    assert [r["number"] for r in record(uow, "检1")["related"]] == [record(uow, "检2")["number"]]
