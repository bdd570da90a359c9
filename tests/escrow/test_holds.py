"""Freezes: by document, in their queue, over later credits and returns; deduction and lifting only by paper."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

import escrow
from foundation.actors import SYSTEM
from schemas.findings import Refused
from tests.escrow.world import CHECKER, World, terms

NO = "(2026)浙0399执保31号"


@pytest.fixture
def case(world: World) -> UUID:
    found = world.open(terms(fens=(10000,)))
    world.notice(world.line("SD1", 6000, party_name="付款人1", party_account="981"))
    return found


def court(
    world: World, measure: str, fen: int, no: str = NO, account: str = "SD1", **more: Any
) -> escrow.Result:
    paper = escrow.CourtDocument(no, measure, account, fen, **more)
    found: escrow.Result = world.act(SYSTEM, lambda uow: escrow.take_court_document(uow, paper))
    return found


def refused(world: World, *args: Any, **more: Any) -> str:
    with pytest.raises(Refused) as caught:
        court(world, *args, **more)
    return caught.value.findings[0].code


def test_a_freeze_for_more_than_there_is_takes_later_money(world: World, case: UUID) -> None:
    court(world, "FREEZE", 7000)
    assert world.figures(case) == ("SUSPENDED", 6000, 6000, 0, 0, 0)
    assert world.case(case)["flags"] == ["HOLD:7000"]
    world.notice(world.line("SD1", 4000, party_account="981"))
    assert world.figures(case) == ("SUSPENDED", 10000, 7000, 0, 0, 0)
    assert world.case(case)["free_fen"] == 3000


def test_queue_takes_effect_when_the_first_ends(world: World, case: UUID) -> None:
    court(world, "FREEZE", 2000)
    queued = court(world, "FREEZE", 99999999900, no="(2026)浙0399执保57号", waiting=True)
    assert [e["event"] for e in queued.events] == ["HOLD_QUEUED"]
    assert world.case(case)["held_fen"] == 2000
    lifted = court(world, "LIFT", 2000, no=NO + "之一")
    assert [e["event"] for e in lifted.events][:2] == ["HOLD_LIFTED", "HOLD_PLACED"]
    assert world.case(case)["held_fen"] == 6000
    assert court(world, "LIFT", 2000, no=NO + "之一").events == []


def test_a_waiting_freeze_with_none_before_it_is_in_force(world: World, case: UUID) -> None:
    court(world, "FREEZE", 2000, waiting=True)
    assert world.case(case)["held_fen"] == 2000


def test_money_in_transit_is_reported_not_recalled(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 4000))
    world.send(order)
    placed = court(world, "FREEZE", 5000)
    told = next(e for e in placed.events if e["event"] == "HOLD_PLACED")
    assert (told["held_fen"], told["in_transit_fen"]) == (2000, 4000)
    assert world.figures(case) == ("RELEASING", 6000, 2000, 4000, 0, 0)
    world.say(order, "REFUSED", "REPORT", "AC04")
    # The payment did not happen: the freeze takes what it still wanted.
    assert world.figures(case) == ("PART_FUNDED", 6000, 5000, 0, 0, 0)


def test_a_return_is_frozen_before_it_is_free(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 6000))
    world.send(order)
    world.paid(order)
    court(world, "FREEZE", 5000)
    world.notice(world.line("SD1", 6000, our_number="H1I1", returned="AC01"))
    assert (world.case(case)["held_fen"], world.case(case)["free_fen"]) == (5000, 1000)


def test_an_unsent_order_is_not_repeated_into_a_freeze(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 6000))
    world.send(order, None)
    court(world, "FREEZE", 6000)
    world.say(order, "NOT_SENT", "REPLY")
    assert (world.order(order)["state"], world.figures(case)) == (
        "FAILED",
        ("PART_FUNDED", 6000, 6000, 0, 0, 0),
    )


def test_an_order_that_no_worker_took_yet_does_not_leave_into_a_freeze(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 6000))
    world.act(SYSTEM, lambda uow: escrow.dispatch(uow, world.desk, order))
    court(world, "FREEZE", 6000)
    assert (world.order(order)["state"], world.figures(case)[1:4]) == ("FAILED", (6000, 6000, 0))
    assert world.act(SYSTEM, lambda uow: escrow.claim_to_send(uow, world.desk)) == []


def test_orders_are_stopped_newest_first_and_only_as_many_as_needed(world: World, case: UUID) -> None:
    first = world.approve(world.draft(case, 1000))
    second = world.approve(world.draft(case, 2000, part=2))
    third = world.draft(case, 3000, part=3)
    court(world, "FREEZE", 4000)
    assert [world.order(o)["state"] for o in (first, second, third)] == ["RELEASED", "STOPPED", "STOPPED"]
    assert (world.case(case)["held_fen"], world.case(case)["free_fen"]) == (4000, 1000)
    world.send(first)
    world.paid(first)
    assert world.figures(case) == ("RELEASING", 5000, 4000, 0, 1000, 0)


def test_deduction_needs_document_and_line(world: World, case: UUID) -> None:
    court(world, "FREEZE", 3000)
    world.notice(world.line("SD1", 3000, "DBIT", document_no="(2026)浙0399执12号"))
    assert (world.breaks(), world.case(case)["balance_fen"]) == (["UNEXPECTED_DEBIT"], 6000)
    court(world, "DEDUCT", 3000, no="(2026)浙0399执12号", refers_to=NO)
    world.notice(world.line("SD1", 1))  # the next message of the account tries again
    found = world.case(case)
    assert (world.breaks(), found["balance_fen"], found["held_fen"], found["deducted_fen"]) == (
        [],
        3001,
        0,
        3000,
    )
    assert found["funded_fen"] == 3001
    states = [f["state"] for f in world.look(lambda uow: escrow.escrow_detail(uow, case))["freezes"]]
    assert states == ["DEDUCTED"]


def test_deduction_without_a_freeze_freezes_first(world: World, case: UUID) -> None:
    court(world, "DEDUCT", 2500, no="（2026）浙0399执12号之一")
    assert world.case(case)["held_fen"] == 2500
    world.notice(world.line("SD1", 2500, "DBIT", document_no="(2026)浙0399执12号之一"))
    assert (world.breaks(), world.case(case)["balance_fen"]) == ([], 3500)


def test_extension_and_end_are_watched_but_time_frees_nothing(world: World, case: UUID) -> None:
    from datetime import date

    court(world, "FREEZE", 1000, until_on=date(2026, 5, 1))

    def watch(at: str) -> list[str]:
        world.at(at)
        world.act(SYSTEM, lambda uow: escrow.watch_instalments(uow))
        return [e["event"] for e in world.events if e["event"].startswith("FREEZE")]

    assert watch("2026-04-02T08:00") == ["FREEZE_ENDS_SOON"]
    assert watch("2026-04-03T08:00") == []
    court(world, "EXTEND", 1000, no=NO + "之二", until_on=date(2026, 6, 1))
    assert watch("2026-05-03T08:00") == ["FREEZE_ENDS_SOON"]
    assert watch("2026-06-02T08:00") == ["FREEZE_END_PASSED"]
    assert world.case(case)["held_fen"] == 1000


def test_bad_papers_are_refused_and_strange_accounts_reported(world: World, case: UUID) -> None:
    assert refused(world, "SEIZE", 1) == "CODE_UNKNOWN"
    assert refused(world, "FREEZE", -1) == "AMOUNT_UNREADABLE"
    assert refused(world, "FREEZE", 1, no=" ") == "FIELD_MISSING"
    waits = court(world, "LIFT", 1, no="(2026)浙0399执保99号之一").events
    assert [(e["event"], e["refers_to"]) for e in waits] == [("COURT_DOCUMENT_WAITS", "(2026)浙0399执保99号")]
    court(world, "FREEZE", 10)
    assert refused(world, "FREEZE", 11) == "SAME_ID_OTHER_BYTES"
    assert [e["event"] for e in court(world, "FREEZE", 10, account="OTHER").events] == [
        "COURT_DOCUMENT_UNPLACED"
    ]


def test_a_lift_that_comes_before_its_freeze_acts_when_the_freeze_comes(world: World, case: UUID) -> None:
    from datetime import date

    court(world, "LIFT", 1000, no=NO + "之二", from_on=date(2026, 4, 20))
    court(world, "EXTEND", 1000, no=NO + "之一", from_on=date(2026, 4, 10), until_on=date(2026, 8, 1))
    assert world.look(lambda uow: escrow.escrow_detail(uow, case))["freezes"] == []
    court(world, "FREEZE", 1000)
    (freeze,) = world.look(lambda uow: escrow.escrow_detail(uow, case))["freezes"]
    assert (freeze["state"], freeze["until_on"]) == ("LIFTED", date(2026, 8, 1))
    assert world.case(case)["held_fen"] == 0


def test_a_freeze_survives_refund_and_void(world: World, case: UUID) -> None:
    court(world, "FREEZE", 1000)
    world.act(SYSTEM, lambda uow: escrow.void_agreement(uow, case, "撤销", "民事判决书"))
    from tests.escrow.world import CASHIER, HOUSE

    def refund(fen: int) -> escrow.Result:
        found: escrow.Result = world.act(
            CASHIER,
            lambda uow: escrow.draft_refund(uow, world.desk, case, account="981", fen=fen, rail=HOUSE),
        )
        return found

    with pytest.raises(Refused, match="MONEY_SHORT"):
        refund(6000)
    order = refund(5000).id
    assert order is not None
    world.send(world.approve(order))
    world.paid(order)
    assert world.figures(case) == ("PART_FUNDED", 1000, 1000, 0, 0, 5000)
    court(world, "LIFT", 1000, no=NO + "之一")
    rest = refund(1000).id
    assert rest is not None
    world.send(world.approve(rest))
    world.paid(rest)
    assert (world.figures(case), world.case(case)["flags"]) == (("REFUNDED", 0, 0, 0, 0, 6000), [])


def test_stop_with_a_sum_leaves_what_fits(world: World, case: UUID) -> None:
    small = world.approve(world.draft(case, 1000))
    large = world.approve(world.draft(case, 4000, part=2))
    world.act(
        SYSTEM, lambda uow: escrow.place_stop_by_rule(uow, case, "OVERLAP", "OVERLAP", "重复给付", fen=2000)
    )
    assert [world.order(o)["state"] for o in (small, large)] == ["RELEASED", "STOPPED"]
    found = world.case(case)
    assert (found["flags"], found["held_fen"], found["free_fen"]) == (["OVERLAP:2000"], 2000, 3000)
    with pytest.raises(Refused, match="MONEY_SHORT"):
        world.draft(case, 3001, part=3)
    world.act(CHECKER, lambda uow: escrow.end_stop(uow, case, "OVERLAP", "已定"))
    world.act(CHECKER, lambda uow: escrow.resume(uow, case, "已定"))
    assert world.figures(case)[0] == "PART_FUNDED"


def test_a_stop_that_came_in_transit_suspends_when_the_payment_is_proved(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 1000))
    world.send(order)
    world.act(
        SYSTEM,
        lambda uow: escrow.place_stop_by_rule(
            uow, case, "PAYEE_DEAD", "PAYEE_DEAD", "人口库核查", payee="A1"
        ),
    )
    assert world.figures(case)[0] == "RELEASING"
    world.paid(order)
    assert world.figures(case) == ("SUSPENDED", 5000, 0, 0, 1000, 0)
