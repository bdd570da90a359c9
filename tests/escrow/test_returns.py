"""Returned payments: announced, proved, smaller, larger, early, twice; debits that contradict their order."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

import escrow
from escrow.rails import Advice, ReturnAdvice
from foundation.actors import SYSTEM
from schemas.findings import Refused
from schemas.money import Fen
from tests.escrow.world import CASHIER, CHECKER, HOUSE, World, terms


@pytest.fixture
def case(world: World) -> UUID:
    found = world.open(terms(fens=(10000,)))
    world.notice(world.line("SD1", 10000, party_name="付款人1", party_account="981"))
    return found


def returned(world: World, number: str, fen: int, return_id: str = "R1") -> escrow.Result:
    advice = Advice("return", returns=(ReturnAdvice(number, Fen(fen), return_id, "AC01", "户名不符"),))
    found: escrow.Result = world.act(SYSTEM, lambda uow: escrow.take_advice(uow, world.desk, HOUSE, advice))
    return found


def paid_order(world: World, case: UUID, fen: int = 10000) -> UUID:
    order = world.approve(world.draft(case, fen))
    world.send(order)
    world.paid(order)
    return order


def test_returns_are_announced_proved_and_paid_again(world: World, case: UUID) -> None:
    order = paid_order(world, case)
    assert [f.code for f in returned(world, "H9I9", 5).findings] == ["UNKNOWN_ORIGINAL"]
    assert [f.code for f in returned(world, "H1I1", 10001).findings] == ["AMOUNT_MISMATCH"]
    returned(world, "H1I1", 10000)
    assert returned(world, "H1I1", 10000).events == []
    assert (world.case(case)["flags"], world.figures(case)[0]) == (["RETURN_ANNOUNCED"], "COMPLETED")
    world.notice(world.line("SD1", 10000, our_number="H1I1", returned="AC01"))
    assert (world.case(case)["flags"], world.figures(case)) == (["RETURNED"], ("FUNDED", 10000, 0, 0, 0, 0))
    failed = world.approve(world.draft(case, 10000))
    world.send(failed, "REFUSED")
    assert (world.order(order)["state"], world.case(case)["flags"]) == ("REISSUED", ["RETURNED"])
    paid_order(world, case)
    assert (world.case(case)["flags"], world.figures(case)) == ([], ("COMPLETED", 0, 0, 0, 10000, 0))


def test_an_announcement_after_its_credit_announces_nothing(world: World, case: UUID) -> None:
    """Messages of one bank may overtake each other: what was credited is not awaited again."""
    paid_order(world, case)
    world.notice(world.line("SD1", 10000, our_number="H1I1", returned="AC01"))
    assert returned(world, "H1I1", 10000).events == []
    assert (world.case(case)["flags"], world.figures(case)[0]) == (["RETURNED"], "FUNDED")


def test_a_smaller_return_is_parked_until_two_persons_take_it(world: World, case: UUID) -> None:
    order = paid_order(world, case)
    world.notice(world.line("SD1", 9990, our_number="H1I1", returned="AC04"))
    assert (world.breaks(), world.figures(case)) == (["RETURN"], ("RELEASING", 9990, 0, 0, 10, 0))
    with pytest.raises(Refused, match="MONEY_SHORT"):
        world.draft(case, 9990)
    proposal = world.act(CASHIER, lambda uow: escrow.propose_short_return(uow, order, "对方行扣手续费"))
    world.act(CHECKER, lambda uow: escrow.confirm_decision(uow, world.desk, proposal.id))
    assert (world.breaks(), world.order(order)["state"], world.case(case)["flags"]) == (
        [],
        "RETURNED",
        ["RETURNED"],
    )
    paid_order(world, case, 9990)
    assert world.figures(case) == ("COMPLETED", 0, 0, 0, 10000, 0)


def test_a_larger_second_or_early_return_never_goes_to_the_case(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 10000))
    world.send(order)
    world.notice(world.line("SD1", 10000, our_number="H1I1", returned="AC01"))
    assert (world.breaks(), world.figures(case)[3]) == (["RETURN"], 10000)
    world.paid(order)
    assert (world.breaks(), world.figures(case)) == ([], ("FUNDED", 10000, 0, 0, 0, 0))
    world.notice(world.line("SD1", 10000, our_number="H1I1", returned="AC01"))
    world.notice(world.line("SD1", 10001, our_number="H1I1", returned="AC01"))
    assert (sorted(world.breaks()), world.case(case)["balance_fen"]) == (["AMOUNT", "DUPLICATE"], 10000)
    assert world.look(lambda uow: escrow.suspense_fen(uow)) == 20001


def test_debits_that_contradict_the_order_are_not_posted(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 10000))
    world.send(order)
    number: Any = world.number(order)
    world.notice(world.line("SD1", 9999, "DBIT", our_number=number))
    world.notice(world.line("SD1", 10000, "DBIT", our_number=number, party_account="OTHER"))
    world.notice(world.line("S-X", 10000, "DBIT", our_number=number))
    assert sorted(world.breaks()) == ["AMOUNT", "UNEXPECTED_DEBIT", "UNKNOWN_PAYEE"]
    assert world.figures(case)[3] == 10000
    world.paid(order, party_account="99**1")
    world.paid(order)
    assert (sorted(world.breaks())[1], world.figures(case)[4]) == ("DUPLICATE", 10000)
