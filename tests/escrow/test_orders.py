"""Orders: persons, tiers, conditions, keys, numbers; what may not be drafted, checked, released or sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

import escrow
from escrow.numbers import instruction_number
from foundation.actors import SYSTEM
from schemas.findings import Refused
from tests.escrow.world import (
    ALL_ROLES,
    CASHIER,
    CASHIER_2,
    CHECKER,
    HOUSE,
    PURSE,
    RELEASER,
    World,
    person,
    terms,
)

TIER = 5_000_000


@pytest.fixture
def case(world: World) -> UUID:
    found = world.open(terms(fens=(TIER, TIER + 1), payees=1))
    world.notice(world.line("SD1", 2 * TIER + 1, party_name="付款人1", party_account="981"))
    return found


def refused(act: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value.findings[0].code, caught.value.findings[0].path


def test_numbers_are_a_function_of_prefix_purpose_and_ordinal() -> None:
    assert [instruction_number("OQ27000011I", "COMPENSATION", n) for n in (1, 2)] == [
        "OQ27000011I1",
        "OQ27000011I2",
    ]
    assert [instruction_number("OQAL202700000009", "COMPENSATION", n) for n in (1, 2)] == [
        "OQAL202700000009",
        "OQAL202700000009N2",
    ]
    assert [instruction_number("OQ27000012I", "REFUND", n) for n in (1, 2)] == [
        "OQ27000012IR",
        "OQ27000012IR2",
    ]
    assert instruction_number("OQ27000012I", "TOP_UP", 1) == "OQ27000012IT1"
    for prefix, ordinal in (("a", 1), ("A" * 40, 1), ("A", 0), ("", 1)):
        if prefix or ordinal < 1:
            with pytest.raises(ValueError):
                instruction_number(prefix, "COMPENSATION", ordinal)


def test_two_persons_up_to_the_tier_three_above(world: World, case: UUID) -> None:
    low = world.draft(case, TIER, by=ALL_ROLES)
    assert refused(lambda: world.act(ALL_ROLES, lambda uow: escrow.check_order(uow, low))) == (
        "SAME_PERSON",
        "actor",
    )
    both = person("both", "checker", "releaser")
    world.act(both, lambda uow: escrow.check_order(uow, low))
    assert refused(lambda: world.act(ALL_ROLES, lambda uow: escrow.release_order(uow, low))) == (
        "SAME_PERSON",
        "actor",
    )
    world.act(both, lambda uow: escrow.release_order(uow, low))
    high = world.draft(case, TIER + 1, instalment=2, by=ALL_ROLES)
    world.act(both, lambda uow: escrow.check_order(uow, high))
    assert refused(lambda: world.act(both, lambda uow: escrow.release_order(uow, high))) == (
        "SAME_PERSON",
        "actor",
    )
    assert refused(lambda: world.act(ALL_ROLES, lambda uow: escrow.release_order(uow, high))) == (
        "SAME_PERSON",
        "actor",
    )
    assert (
        refused(lambda: world.act(CASHIER_2, lambda uow: escrow.release_order(uow, high)))[0]
        == "NOT_AUTHORISED"
    )
    world.act(RELEASER, lambda uow: escrow.release_order(uow, high))
    signed = world.look(lambda uow: escrow.order_detail(uow, high))
    assert signed is not None
    assert {a["person"] for a in signed["approvals"]} == {"all", "both", "sh"}
    assert {a["digest"] for a in signed["approvals"]} == {signed["digest"]}


def test_to_sign_lists_only_what_the_person_may_sign(world: World, case: UUID) -> None:
    order = world.draft(case, TIER)
    from foundation.unit_of_work import unit_of_work

    def waiting(who: Any) -> list[UUID]:
        with unit_of_work(world.engine, who) as uow:
            return [row["id"] for row in escrow.orders_to_sign(uow)]

    assert (waiting(CASHIER), waiting(CHECKER)) == ([], [order])


def test_drafts_are_refused_with_field_and_reason(world: World, case: UUID) -> None:
    draft = world.draft
    assert refused(lambda: draft(case, TIER + 1)) == ("OVER_AUTHORISED", "fen")
    assert refused(lambda: draft(case, 100, payee="A9")) == ("PAYEE_NOT_AGREED", "payee")
    assert refused(lambda: draft(case, 100, instalment=3)) == ("OVER_AUTHORISED", "fen")
    for bad in (0, -1, True, 1.5):
        assert refused(lambda bad=bad: draft(case, bad))[0] == "AMOUNT_UNREADABLE"  # type: ignore[misc]
    assert refused(lambda: draft(case, 100, rail="none")) in [
        ("NOT_FOUND", "rail"),
        ("PAYEE_NOT_AGREED", "payee"),
    ]
    assert refused(lambda: draft(case, 100, by=CHECKER)) == ("NOT_AUTHORISED", "actor.roles")
    assert refused(lambda: draft(uuid4(), 100)) == ("NOT_FOUND", "case_id")
    empty = world.open(terms("2"))
    assert refused(lambda: draft(empty, 100)) == ("ILLEGAL_STATE", "escrow.state")


def test_the_same_request_gets_the_same_order(world: World, case: UUID) -> None:
    first = world.draft(case, 1000)
    assert world.draft(case, 1000, by=CASHIER_2) == first
    assert refused(lambda: world.draft(case, 1001, by=CASHIER_2)) == ("BUSINESS_KEY_CONFLICT", "amount_fen")
    assert refused(lambda: world.draft(case, 1000, rail=PURSE)) == ("BUSINESS_KEY_CONFLICT", "rail")
    other = world.draft(case, 500, part=2, request_key="form-1")
    assert world.draft(case, 500, part=2, request_key="form-1") == other
    assert refused(lambda: world.draft(case, 501, part=3, request_key="form-1")) == (
        "BUSINESS_KEY_CONFLICT",
        "amount_fen",
    )
    assert (world.number(first), world.number(other)) == ("H1I1", "H1I2")


def test_a_number_is_free_again_only_when_it_never_left(world: World, case: UUID) -> None:
    first = world.approve(world.draft(case, 1000))
    world.act(CASHIER, lambda uow: escrow.cancel_order(uow, first, "写错"))
    assert world.case(case)["free_fen"] == 2 * TIER + 1
    second = world.approve(world.draft(case, 900))
    assert world.number(second) == "H1I1"
    world.send(second, "REFUSED", "AC04")
    assert (world.order(second)["state"], world.case(case)["state"]) == ("FAILED", "FUNDED")
    third = world.draft(case, 900)
    assert world.number(third) == "H1I2"
    assert refused(lambda: world.act(CASHIER, lambda uow: escrow.cancel_order(uow, second, "x"))) == (
        "ILLEGAL_STATE",
        "order.state",
    )


def test_a_number_of_the_time_before_is_never_given_again(world: World, case: UUID) -> None:
    world.act(SYSTEM, lambda uow: escrow.import_sent_instruction(uow, PURSE, "P10", 500, case=case))
    assert world.number(world.draft(case, 1000, rail=PURSE)) == "P10N2"
    assert refused(lambda: world.act(SYSTEM, lambda uow: escrow.import_sent_instruction(uow, PURSE, "P10", 501))) == (
        "BUSINESS_KEY_CONFLICT", "fen",
    )  # fmt: skip
    known = world.look(lambda uow: escrow.known_order(uow, PURSE, "P10"))
    assert known is not None and known.amount == 500


def test_released_money_is_set_aside(world: World, case: UUID) -> None:
    world.approve(world.draft(case, TIER))
    world.draft(case, TIER + 1, instalment=2)
    assert world.case(case)["free_fen"] == TIER + 1
    world.notice(world.line("SD1", 2 * TIER + 1, "DBIT", reversal=True))
    assert world.breaks() == ["REVERSAL"]


def test_checker_sees_what_he_signs(world: World, case: UUID) -> None:
    order = world.draft(case, 1000)
    assert refused(lambda: world.act(CHECKER, lambda uow: escrow.check_order(uow, order, "0" * 64))) == (
        "DIGEST_CHANGED",
        "digest",
    )
    world.act(CHECKER, lambda uow: escrow.check_order(uow, order, world.order(order)["digest"]))


def test_a_changed_payee_voids_the_order(world: World, case: UUID) -> None:
    order = world.draft(case, 1000)
    ready = world.approve(world.draft(case, 900, part=2))
    new = escrow.PartyTerms(
        "A1", "PAYEE", "继承人", accounts=(escrow.PayAccount(HOUSE, "99H", "继承人", kind="card"),)
    )
    proposal = world.act(CASHIER, lambda uow: escrow.propose_payee(uow, case, "A1", new, "继承", "公证书"))
    assert (
        refused(lambda: world.act(ALL_ROLES, lambda uow: escrow.confirm_decision(uow, world.desk, uuid4())))[
            0
        ]
        == "NOT_FOUND"
    )
    world.act(CHECKER, lambda uow: escrow.confirm_decision(uow, world.desk, proposal.id))
    assert {world.order(o)["state"] for o in (order, ready)} == {"STOPPED"}
    again = world.order(world.draft(case, 1000))
    assert (again["payee_name"], again["payee_account"], again["part"]) == ("继承人", "99H", 3)


def test_conditions_of_release(world: World) -> None:
    case = world.open(terms("7", (1000,), needs_confirmation=True))
    world.notice(world.line("SD7", 1000))
    assert refused(lambda: world.draft(case, 1000)) == ("CONDITION_OPEN", "judicial_confirmation")
    world.act(SYSTEM, lambda uow: escrow.confirmation_result(uow, case, "CONFIRMED", amount_fen=1001))
    assert refused(lambda: world.draft(case, 1000)) == ("RELEASES_STOPPED", "stop")
    world.act(CHECKER, lambda uow: escrow.end_stop(uow, case, "CONFIRMED_SUM", "已核对裁定书"))
    order = world.draft(case, 1000)
    world.act(CASHIER, lambda uow: escrow.place_stop(uow, case, "PERSON", "当事人来访反映"))
    assert world.order(order)["state"] == "STOPPED"
    assert world.case(case)["flags"] == ["RELEASES_HELD"]


def test_excess_goes_back_to_its_source_only(world: World) -> None:
    case = world.open(terms("5", (1000,)))
    world.notice(world.line("SD5", 1300, party_name="付款人5", party_account="985"))

    def refund(account: str, fen: int, **more: Any) -> escrow.Result:
        found: escrow.Result = world.act(
            CASHIER,
            lambda uow: escrow.draft_refund(
                uow, world.desk, case, account=account, fen=fen, rail=HOUSE, **more
            ),
        )
        return found

    assert refused(lambda: refund("980", 300)) == ("REFUND_NOT_TO_SOURCE", "payee")
    assert refused(lambda: refund("985", 301)) == ("CONDITION_OPEN", "decision")
    order = refund("985", 300).id
    assert order is not None
    world.send(world.approve(order))
    assert (world.number(order), world.figures(case)) == ("H5IR", ("REFUNDING", 1300, 0, 300, 0, 0))
    world.paid(order)
    assert world.figures(case) == ("FUNDED", 1000, 0, 0, 0, 300)
    payout = world.approve(world.draft(case, 1000))
    world.send(payout)
    world.paid(payout)
    assert world.figures(case)[0] == "COMPLETED"


def test_several_payees_share_an_instalment(world: World) -> None:
    case = world.open(terms("9", (1001,), payees=2))
    world.notice(world.line("SD9", 1001))
    assert refused(lambda: world.draft(case, 501)) == ("OVER_AUTHORISED", "fen")
    for seat, fen in (("A1", 500), ("A2", 501)):
        order = world.approve(world.draft(case, fen, payee=seat))
        world.send(order)
        world.paid(order)
    assert world.figures(case) == ("COMPLETED", 0, 0, 0, 1001, 0)


def test_replaced_terms_and_waiver(world: World) -> None:
    case = world.open(terms("6", (1000, 1000)))
    world.notice(world.line("SD6", 1000))
    world.act(SYSTEM, lambda uow: escrow.replace_agreement(uow, case, terms("6", (1000, 500))))
    found = world.case(case)
    assert (found["version"], found["agreed_fen"], found["state"]) == (2, 1500, "PART_FUNDED")
    assert refused(lambda: world.act(CHECKER, lambda uow: escrow.waive_instalment(uow, case, 2, " "))) == (
        "DOCUMENT_REQUIRED",
        "document",
    )
    world.act(CHECKER, lambda uow: escrow.waive_instalment(uow, case, 2, "书面放弃"))
    states = [i["state"] for i in world.look(lambda uow: escrow.escrow_detail(uow, case))["instalments"]]
    assert states == ["PAID", "WAIVED"]
    assert refused(lambda: world.open(terms("6", (1,)))) == ("BUSINESS_KEY_CONFLICT", "terms")


def test_terms_that_contradict_themselves_are_refused_whole(world: World) -> None:
    from dataclasses import replace

    good = terms("8", (1000, 500))
    wrong = replace(
        good, dispute=" ", grace_days=31,
        instalments=(replace(good.instalments[0], payees=(("A1", 999),), payer="A1"), replace(good.instalments[1], number=3)),  # type: ignore[arg-type]
    )  # fmt: skip
    with pytest.raises(Refused) as caught:
        world.act(SYSTEM, lambda uow: escrow.open_escrow(uow, wrong))
    assert {f.path for f in caught.value.findings} == {
        "dispute",
        "grace_days",
        "instalments",
        "instalments[0].payees",
        "instalments[0].payer",
    }
