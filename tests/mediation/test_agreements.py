"""Matters and agreements: what is refused, what is signed, what stays as signed."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy.exc import DBAPIError

from foundation.unit_of_work import UnitOfWork
from mediation import (
    MACHINES,
    AgreedInstalment,
    MatterParty,
    NewAgreement,
    NewMatter,
    Signature,
    accept_matter,
    agreement_html,
    draft_agreement,
    live_agreement,
    matter,
    sign_agreement,
    void_agreement,
)
from schemas.findings import Refused
from schemas.state_machine import IllegalMove

PARTIES = (
    MatterParty("A1", "applicant", "person", "夏晓", "330399195406237612"),
    MatterParty("R1", "respondent", "person", "戴超忠", "330399195707179778"),
)
SIGNED_BY = (
    Signature("A1", "夏晓"),
    Signature("R1", "戴超忠"),
    Signature("mediator", "金杰"),
    Signature("seal", "章", "seal"),
)
NEW = NewMatter(
    "瓯栖县石坦乡人民调解委员会", "金杰", "相邻关系纠纷", date(2026, 3, 6), PARTIES, claimed_fen=4812800
)
AGREED = NewAgreement(
    2887680,
    "被申请人赔偿申请人28876.80元。",
    (
        AgreedInstalment(1, date(2026, 4, 10), 1443840, "R1", "A1"),
        AgreedInstalment(2, date(2026, 5, 10), 1443840, "R1", "A1"),
    ),
)


def test_number_is_made_by_committee_and_year(uow: UnitOfWork) -> None:
    first, events = accept_matter(uow, NEW)
    second, _ = accept_matter(uow, NEW)
    assert events == [{"event": "matter_accepted", "matter": first}]
    assert matter(uow, first)["mediation_number"] == "瓯栖调〔2026〕石坦0001号"
    assert matter(uow, second)["mediation_number"] == "瓯栖调〔2026〕石坦0002号"


def test_signing_needs_everyone_and_ends_in_one_live_agreement(uow: UnitOfWork) -> None:
    matter_id, _ = accept_matter(uow, NEW)
    agreement = draft_agreement(uow, matter_id, AGREED)
    with pytest.raises(Refused) as refused:
        sign_agreement(uow, agreement, SIGNED_BY[:3])
    assert refused.value.findings[0].expected == "seal"
    events = sign_agreement(uow, agreement, SIGNED_BY)
    assert [event["event"] for event in events] == ["matter_moved", "agreement_signed"]
    assert live_agreement(uow, matter_id)["total_fen"] == 2887680
    with pytest.raises(IllegalMove):
        sign_agreement(uow, agreement, SIGNED_BY)


@pytest.mark.parametrize("total", [0, -1, 2887681])
def test_wrong_total_is_refused(uow: UnitOfWork, total: int) -> None:
    matter_id, _ = accept_matter(uow, NEW)
    with pytest.raises(Refused) as refused:
        draft_agreement(uow, matter_id, NewAgreement(total, "x", AGREED.instalments))
    assert refused.value.findings[0].code == "AMOUNT_MISMATCH"


def test_what_was_signed_cannot_be_changed_even_by_sql(uow: UnitOfWork) -> None:
    matter_id, _ = accept_matter(uow, NEW)
    agreement = draft_agreement(uow, matter_id, AGREED)
    sign_agreement(uow, agreement, SIGNED_BY)
    for attack in (
        "UPDATE mediation.agreement SET total_fen = total_fen + 1 WHERE id = :id",
        "DELETE FROM mediation.agreement WHERE id = :id",
        "UPDATE mediation.agreement SET state = 'DRAFT' WHERE id = :id",
        "DELETE FROM mediation.signature WHERE agreement = :id",
    ):
        with pytest.raises(DBAPIError), uow.conn.begin_nested():
            uow.execute(attack, id=agreement)


def test_void_and_replace(uow: UnitOfWork) -> None:
    matter_id, _ = accept_matter(uow, NEW)
    first = draft_agreement(uow, matter_id, AGREED)
    sign_agreement(uow, first, SIGNED_BY)
    second = draft_agreement(uow, matter_id, AGREED, replaces=first)
    sign_agreement(uow, second, SIGNED_BY)
    assert live_agreement(uow, matter_id)["id"] == second
    void_agreement(uow, second, "双方书面解除")
    assert live_agreement(uow, matter_id) is None
    assert matter(uow, matter_id)["state"] == "MEDIATING"
    page = agreement_html(uow, second)
    assert "贰万捌仟捌佰柒拾陆元捌角" in page and "已撤销" in page


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.name)
def test_trigger_refuses_every_move_outside_the_table(uow: UnitOfWork, machine) -> None:  # type: ignore[no-untyped-def]
    matter_id, _ = accept_matter(uow, NEW)
    agreement = draft_agreement(uow, matter_id, AGREED)
    table, column, row_id = {
        "matter": ("matter", "state", matter_id),
        "agreement": ("agreement", "state", agreement),
        "confirmation": ("agreement", "confirmation", agreement),
    }[machine.name]
    legal = set(machine.pairs())
    for start in machine.states:
        for end in machine.states:
            with uow.conn.begin_nested() as attempt:
                uow.execute("SET LOCAL session_replication_role = replica")
                uow.execute(f"UPDATE mediation.{table} SET {column} = :s WHERE id = :id", s=start, id=row_id)
                uow.execute("SET LOCAL session_replication_role = origin")
                sql = f"UPDATE mediation.{table} SET {column} = :s WHERE id = :id"
                if start == end or (start, end) in legal:
                    uow.execute(sql, s=end, id=row_id)
                else:
                    with pytest.raises(DBAPIError, match="ILLEGAL_MOVE"), uow.conn.begin_nested():
                        uow.execute(sql, s=end, id=row_id)
                attempt.rollback()
