"""An agreement on paper that the escrow desk has before the office: the payer can pay, nobody is paid."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy.exc import DBAPIError

import escrow
from foundation.actors import SYSTEM
from schemas.findings import Refused
from schemas.money import Fen
from tests.escrow.world import CASHIER, CHECKER, HOUSE, World, terms


def lodged(world: World) -> escrow.AgreementTerms:
    full = terms()
    bare = replace(full, dispute=full.mediation_number, agreement_no="-", title="-", prefixes={})
    made = world.act(CASHIER, lambda uow: escrow.lodge_agreement(uow, bare, "托管窗口 26-17"))
    world.act(SYSTEM, lambda uow: escrow.record_subaccount(uow, world.desk, made.id, HOUSE, "H001"))
    return full


def entered(world: World, said: escrow.AgreementTerms) -> escrow.Result:
    found: escrow.Result = world.act(SYSTEM, lambda uow: escrow.enter_agreement(uow, said))
    return found


def test_the_account_is_open_and_nothing_can_be_paid_out(world: World) -> None:
    number = lodged(world).mediation_number
    case = world.look(lambda uow: escrow.escrow_detail(uow, number))
    assert (case["state"], case["flags"]) == ("OPEN", ["AGREEMENT_NOT_ENTERED"])
    assert [party["accounts"] for party in case["parties"]] == [[], []]
    world.notice(world.line("H001", 10000, party_account="981"))
    with pytest.raises(Refused) as refused:
        world.draft(case["id"], 10000)
    assert refused.value.findings[0].code == "CONDITION_OPEN"


def test_the_database_refuses_an_order_whoever_writes_it(world: World) -> None:
    number = lodged(world).mediation_number
    case = world.case(number)
    with pytest.raises(DBAPIError, match="CONDITION_OPEN"):
        world.act(
            SYSTEM,
            lambda uow: uow.execute(
                "INSERT INTO escrow.payment_order (id, case_id, purpose, version, payee, part, ordinal, rail, number,"
                " business_key, amount_fen, debit_account, payee_name, payee_account, content, payload, digest, drafted_at,"
                " moved_at) VALUES (:id, :case, 'COMPENSATION', 1, 'A1', 1, 1, 'house', 'X1', 'k', 100, 'H001', 'n', '1',"
                " '{}', '', encode(sha256(''), 'hex'), now(), now())",
                id=uow.new_id(), case=case["id"],
            ),
        )  # fmt: skip


def test_the_same_words_entered_by_the_office_open_the_way(world: World) -> None:
    full = lodged(world)
    assert "AGREEMENT_ENTERED" in entered(world, full).names()
    case = world.look(lambda uow: escrow.escrow_detail(uow, full.mediation_number))
    assert (case["dispute"], case["agreement_no"], case["flags"]) == (full.dispute, full.agreement_no, [])
    world.notice(world.line("H001", 10000, party_account="981"))
    assert world.draft(case["id"], 10000)
    again = world.act(SYSTEM, lambda uow: escrow.open_escrow(uow, full))
    assert (again.id, again.events) == (case["id"], [])


@pytest.mark.parametrize("other", ["sum", "day", "payee", "condition"])
def test_other_words_than_the_paper_s_are_refused_and_named(world: World, other: str) -> None:
    full = lodged(world)
    first = full.instalments[0]
    changed = {
        "sum": {"instalments": (replace(first, fen=Fen(9999), payees=(("A1", Fen(9999)),)),)},
        "day": {"signed_on": date(2026, 4, 2)},
        "payee": {"parties": (replace(full.parties[0], name="另一人"), *full.parties[1:])},
        "condition": {"needs_confirmation": True},
    }[other]
    with pytest.raises(Refused) as refused:
        entered(world, replace(full, **changed))  # type: ignore[arg-type]
    finding = refused.value.findings[0]
    assert (finding.code, finding.path) == ("BUSINESS_KEY_CONFLICT", next(iter(changed)))
    assert world.look(lambda uow: escrow.awaits_entry(uow, full.mediation_number))


def test_only_a_cashier_lodges_and_only_with_a_paper(world: World) -> None:
    for actor, paper, code in ((CHECKER, "x", "NOT_AUTHORISED"), (CASHIER, " ", "DOCUMENT_REQUIRED")):
        with pytest.raises(Refused) as refused:
            world.act(actor, lambda uow, paper=paper: escrow.lodge_agreement(uow, terms(), paper))
        assert refused.value.findings[0].code == code
