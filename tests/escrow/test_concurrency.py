"""Several people and processes at once on a real server: nothing is paid twice, nothing is frozen that left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

import escrow
from escrow.rails import Advice, StatementInfo
from foundation.actors import SYSTEM, Actor
from foundation.unit_of_work import UnitOfWork, unit_of_work
from schemas.findings import Refused
from tests.escrow.world import CASHIER, CASHIER_2, CHECKER, HOUSE, PARENT, World, person, terms


@pytest.fixture
def case(world: World) -> UUID:
    found = world.open(terms(fens=(10000,)))
    world.notice(world.line("SD1", 10000, party_name="付款人1", party_account="981"))
    return found


def at_once(world: World, *acts: tuple[Actor, Callable[[UnitOfWork], Any]]) -> list[Any]:
    """Run acts in threads that start together; gives each one's result or the Refused that it met."""
    gate = threading.Barrier(len(acts))

    def one(actor: Actor, work: Callable[[UnitOfWork], Any]) -> Any:
        gate.wait()
        try:
            with unit_of_work(world.engine, actor) as uow:
                return work(uow)
        except Refused as refused:
            return refused

    with ThreadPoolExecutor(len(acts)) as pool:
        found = [task.result() for task in [pool.submit(one, *act) for act in acts]]
    world.prove()
    return found


def test_two_cashiers_draft_the_same_payment(world: World, case: UUID) -> None:
    def draft(uow: UnitOfWork) -> escrow.Result:
        return escrow.draft_order(uow, world.desk, case, instalment=1, payee="A1", fen=10000, rail=HOUSE)

    one, two = at_once(world, (CASHIER, draft), (CASHIER_2, draft))
    assert one.id == two.id
    assert world.look(lambda uow: uow.scalar("SELECT count(*) FROM escrow.payment_order")) == 1


def test_two_cashiers_draft_different_parts_of_too_much(world: World, case: UUID) -> None:
    def draft(part: int) -> Callable[[UnitOfWork], Any]:
        return lambda uow: escrow.draft_order(
            uow, world.desk, case, instalment=1, payee="A1", fen=6000, rail=HOUSE, part=part
        )

    found = at_once(world, (CASHIER, draft(1)), (CASHIER_2, draft(2)))
    refused = [each for each in found if isinstance(each, Refused)]
    assert [r.findings[0].code for r in refused] == ["OVER_AUTHORISED"]


def test_two_workers_and_two_dispatchers_send_once(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 10000))

    def send(uow: UnitOfWork) -> Any:
        return escrow.dispatch(uow, world.desk, order)

    found = at_once(world, *[(SYSTEM, send)] * 4)
    assert sum(isinstance(each, Refused) for each in found) == 3
    claims = at_once(world, *[(SYSTEM, lambda uow: escrow.claim_to_send(uow, world.desk))] * 4)
    assert sorted(len(each) for each in claims) == [0, 0, 0, 1]


@pytest.mark.parametrize("round_", range(4))
def test_a_freeze_racing_a_release(world: World, case: UUID, round_: int) -> None:
    order = world.approve(world.draft(case, 10000))
    paper = escrow.CourtDocument("(2026)浙0399执保1号", "FREEZE", "SD1", 4000)

    def send(uow: UnitOfWork) -> Any:
        return escrow.dispatch(uow, world.desk, order)

    def freeze(uow: UnitOfWork) -> Any:
        return escrow.take_court_document(uow, paper)

    if round_ % 2:
        sent, placed = at_once(world, (SYSTEM, send), (SYSTEM, freeze))
    else:
        placed, sent = at_once(world, (SYSTEM, freeze), (SYSTEM, send))
    held, transit = world.case(case)["held_fen"], world.case(case)["in_transit_fen"]
    told = next(e for e in placed.events if e["event"] == "HOLD_PLACED")
    # Whoever was first, nothing had left yet: the freeze has its money.
    assert (held, transit, told["held_fen"]) == (4000, 0, 4000)
    assert world.order(order)["state"] == ("STOPPED" if isinstance(sent, Refused) else "FAILED")


@pytest.mark.parametrize("round_", range(4))
def test_a_freeze_racing_the_worker(world: World, case: UUID, round_: int) -> None:
    order = world.approve(world.draft(case, 10000))
    world.act(SYSTEM, lambda uow: escrow.dispatch(uow, world.desk, order))
    paper = escrow.CourtDocument("(2026)浙0399执保1号", "FREEZE", "SD1", 4000)
    claims, placed = at_once(
        world,
        (SYSTEM, lambda uow: escrow.claim_to_send(uow, world.desk)),
        (SYSTEM, lambda uow: escrow.take_court_document(uow, paper)),
    )
    told = next(e for e in placed.events if e["event"] == "HOLD_PLACED")
    held, transit = world.case(case)["held_fen"], world.case(case)["in_transit_fen"]
    if claims:  # it may have left: the court is told what is in transit, nothing is recalled or below zero
        assert (held, transit, told["in_transit_fen"]) == (0, 10000, 10000)
    else:
        assert (held, transit, world.order(order)["state"]) == (4000, 0, "FAILED")


def test_one_person_in_two_windows_signs_once(world: World, case: UUID) -> None:
    order = world.draft(case, 10000)
    check = (CHECKER, lambda uow: escrow.check_order(uow, order))
    found = at_once(
        world, check, check, (person("fu2", "checker"), lambda uow: escrow.check_order(uow, order))
    )
    assert sum(isinstance(each, Refused) for each in found) == 2


def test_the_same_statement_from_two_sides(world: World, case: UUID) -> None:
    line = replace(world.line("SD1", 777, ref="X"), statement_id="N")
    advice = Advice(
        "statement",
        statements=(StatementInfo("SD1", "N", "notice", day=line.booking_date, lines=1),),
        lines=(line,),
    )
    at_once(world, *[(SYSTEM, lambda uow: escrow.take_advice(uow, world.desk, HOUSE, advice))] * 4)
    assert world.case(case)["balance_fen"] == 10777


def test_many_cases_on_one_custody_account_do_not_wait_in_a_ring(world: World) -> None:
    """Proofs, credits and splits over eight cases at once: all share one custody account."""
    cases = [world.open(terms(str(n), (10000,))) for n in range(10, 18)]
    world.proves = False
    orders = []
    for n, case in zip(range(10, 18), cases, strict=True):
        world.notice(world.line(f"SD{n}", 10000))
        order = world.approve(world.draft(case, 4000))
        world.send(order)
        orders.append(order)

    def line(n: int, order: UUID) -> Callable[[UnitOfWork], Any]:
        there = f"SD{10 + (n + 1) % 8}"
        lines = (
            replace(
                world.line(f"SD{10 + n}", 4000, "DBIT", our_number=world.number(order)), statement_id=f"M{n}"
            ),
            replace(world.line(there, 5), statement_id=f"M{n}"),
            replace(world.line(PARENT, 7), statement_id=f"M{n}"),
        )
        info = StatementInfo(PARENT, f"M{n}", "notice", day=lines[0].booking_date, lines=3)
        return lambda uow: escrow.take_advice(
            uow, world.desk, HOUSE, Advice("statement", statements=(info,), lines=lines)
        )

    acts = [(SYSTEM, line(n, order)) for n, order in enumerate(orders)]
    at_once(world, *acts)
    assert [world.case(c)["released_fen"] for c in cases] == [4000] * 8
    assert world.look(lambda uow: escrow.suspense_fen(uow)) == 56
