"""Due dates, grace, default, acceleration, late money, confirmation's clock, enforcement."""

from __future__ import annotations

from datetime import date
from uuid import UUID

import pytest

import escrow
from foundation.actors import SYSTEM
from schemas.findings import Refused
from tests.escrow.world import CHECKER, World, terms


def watch(world: World, at: str) -> list[str]:
    world.at(at)
    world.act(SYSTEM, lambda uow: escrow.watch_instalments(uow))
    return [e["event"] for e in world.events]


def states(world: World, case: UUID) -> list[str]:
    return [i["state"] for i in world.look(lambda uow: escrow.escrow_detail(uow, case))["instalments"]]


def test_the_oldest_due_is_paid_first(world: World) -> None:
    case = world.open(terms(fens=(3000, 3000, 3001)))
    world.notice(world.line("SD1", 4500))
    assert states(world, case) == ["PAID", "PART_PAID", "DUE"]
    world.notice(world.line("SD1", 4501))
    assert states(world, case) == ["PAID", "PAID", "PAID"]
    world.notice(world.line("SD1", 4501, "DBIT", reversal=True))
    assert states(world, case) == ["PAID", "PART_PAID", "DUE"]


def test_due_day_grace_and_default_are_beijing_days(world: World) -> None:
    case = world.open(terms(fens=(3000, 3000), due=date(2026, 5, 12)))
    assert watch(world, "2026-05-08T23:59") == []
    assert watch(world, "2026-05-09T00:00") == ["INSTALMENT_DUE_SOON"]
    assert watch(world, "2026-05-12T23:59:59") == []
    assert watch(world, "2026-05-13T00:00") == ["INSTALMENT_OVERDUE"]
    assert (world.case(case)["flags"], watch(world, "2026-05-17T23:59:59")) == (["OVERDUE:1"], [])
    assert watch(world, "2026-05-18T00:00") == ["ESCROW_DEFAULTED", "STATE_CHANGED"]
    assert world.events[0]["unpaid_fen"] == 3000
    assert (world.case(case)["flags"], watch(world, "2026-08-01T00:00")) == (["DEFAULT:1"], [])


def test_a_watch_that_ran_late_says_all_in_order(world: World) -> None:
    case = world.open(terms(fens=(3000, 3000, 3000), acceleration=True))
    assert watch(world, "2026-09-01T00:00") == ["INSTALMENT_OVERDUE", "ESCROW_DEFAULTED", "STATE_CHANGED"]
    assert (world.events[1]["unpaid_fen"], states(world, case)) == (9000, ["DEFAULTED", "DUE", "DUE"])


def test_paid_in_grace_is_no_default(world: World) -> None:
    case = world.open(terms(fens=(3000,)))
    watch(world, "2026-05-13T00:00")
    world.notice(world.line("SD1", 1000))
    assert states(world, case) == ["OVERDUE"]
    world.notice(world.line("SD1", 2000))
    assert (states(world, case), world.case(case)["flags"], watch(world, "2026-06-01T00:00")) == (
        ["PAID"],
        [],
        [],
    )


def test_late_money_is_kept_until_a_person_decides(world: World) -> None:
    case = world.open(terms(fens=(3000, 2000), acceleration=True))
    watch(world, "2026-06-01T00:00")
    world.notice(world.line("SD1", 5000))
    assert [e["event"] for e in world.events] == ["CREDITED", "LATE_MONEY"]
    assert (world.figures(case)[:2], world.case(case)["flags"]) == (
        ("DEFAULTED", 5000),
        ["DEFAULT:1", "LATE_MONEY"],
    )
    with pytest.raises(Refused, match="CONDITION_OPEN"):
        world.draft(case, 3000)
    order = world.approve(world.draft(case, 3000, decision="双方同意仍按协议付款"))
    world.send(order)
    assert world.figures(case)[0] == "DEFAULTED"
    world.paid(order)
    world.act(CHECKER, lambda uow: escrow.resume(uow, case, "违约已消除"))
    assert (world.figures(case), states(world, case)) == (
        ("RELEASING", 2000, 0, 0, 3000, 0),
        ["PAID", "PAID"],
    )


def test_enforcement_stops_what_has_no_decision(world: World) -> None:
    case = world.open(terms(fens=(3000,)))
    world.notice(world.line("SD1", 3000))
    order = world.approve(world.draft(case, 3000))
    world.act(SYSTEM, lambda uow: escrow.enforcement_filed(uow, case))
    assert (world.order(order)["state"], world.figures(case)[0]) == ("STOPPED", "ENFORCEMENT_REQUESTED")
    world.act(SYSTEM, lambda uow: escrow.enforced(uow, case))
    decided = world.approve(world.draft(case, 3000, decision="执行法官同意"))
    world.send(decided)
    world.paid(decided)
    assert world.figures(case)[0] == "COMPLETED"


def test_confirmation_has_its_own_clock(world: World) -> None:
    case = world.open(terms(fens=(3000,), needs_confirmation=True))
    assert watch(world, "2026-04-20T08:00") == []
    assert watch(world, "2026-04-21T08:00") == ["CONFIRMATION_REMINDER"]
    assert watch(world, "2026-04-28T08:00") == ["CONFIRMATION_REMINDER"]
    assert watch(world, "2026-05-01T08:00") == []
    assert watch(world, "2026-05-02T08:00") == ["CONFIRMATION_LATE"]
    assert world.case(case)["confirmation"] == "LATE"
    world.act(SYSTEM, lambda uow: escrow.confirmation_result(uow, case, "CONFIRMED", amount_fen=3000))
    world.act(SYSTEM, lambda uow: escrow.confirmation_result(uow, case, "REVOKED"))
    assert (world.case(case)["confirmation"], world.case(case)["flags"]) == ("REFUSED", ["RELEASES_HELD"])
    with pytest.raises(Refused, match="CODE_UNKNOWN"):
        world.act(SYSTEM, lambda uow: escrow.confirmation_result(uow, case, "MAYBE"))


def test_a_void_agreement_defaults_no_more(world: World) -> None:
    case = world.open(terms(fens=(3000,)))
    world.act(SYSTEM, lambda uow: escrow.void_agreement(uow, case, "协商解除", "解除协议"))
    assert watch(world, "2026-07-01T00:00") == []
    assert world.case(case)["flags"] == ["RELEASES_HELD"]
    with pytest.raises(Refused, match="ILLEGAL_STATE"):
        world.act(SYSTEM, lambda uow: escrow.void_agreement(uow, case, "协商解除", "解除协议"))


def test_history_is_looked_up_and_posted_where_the_case_has_the_money(world: World) -> None:
    from tests.escrow.world import HOUSE

    case = world.open(terms(fens=(3000,)))
    world.act(
        SYSTEM,
        lambda uow: escrow.import_sent_instruction(uow, HOUSE, "OLD1", 1000, case=case, debit_account="SD1"),
    )
    world.notice(world.line("SD1", 1000, "DBIT", our_number="OLD1"))
    assert (world.breaks(), [i["item"] for i in world.look(lambda uow: escrow.list_listed_items(uow))]) == (
        [],
        ["HISTORY_LINE"],
    )
    world.act(
        SYSTEM,
        lambda uow: escrow.import_sent_instruction(uow, HOUSE, "OLD2", 1200, case=case, debit_account="SD1"),
    )
    world.notice(world.line("SD1", 3000))
    world.notice(world.line("SD1", 1200, "DBIT", our_number="OLD2"))
    assert world.figures(case)[1:5] == (1800, 0, 0, 1200)
    world.notice(world.line("SD1", 1200, our_number="OLD2", returned="AC01"))
    assert world.figures(case)[1:5] == (3000, 0, 0, 0)
