"""The straight path of a payment, and its figures."""

from __future__ import annotations

from tests.escrow.world import World, terms


def test_one_payment_from_agreement_to_proof(world: World) -> None:
    case = world.open(terms(fens=(10000,)))
    assert world.figures(case) == ("OPEN", 0, 0, 0, 0, 0)
    world.notice(world.line("SD1", 10000, party_name="付款人1", party_account="981"))
    assert world.figures(case) == ("FUNDED", 10000, 0, 0, 0, 0)
    order = world.approve(world.draft(case, 10000))
    assert world.figures(case) == ("FUNDED", 10000, 0, 0, 0, 0)
    assert world.number(order) == "H1I1"
    world.send(order)
    assert world.figures(case) == ("RELEASING", 10000, 0, 10000, 0, 0)
    world.paid(order)
    assert world.figures(case) == ("COMPLETED", 0, 0, 0, 10000, 0)
    assert world.case(case)["flags"] == []
