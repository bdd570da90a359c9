"""Words about an instruction: the table of outcomes, the worker's crash, repetition, questions, replies and notices."""

from __future__ import annotations

import itertools
import json
from uuid import UUID

import pytest
from sqlalchemy import text

import escrow
from escrow.outcomes import judge
from escrow.rails import Advice, BatchOutcome, OrderOutcome
from foundation.actors import SYSTEM
from foundation.wire import WireReply
from schemas.findings import Refused
from tests.escrow.world import CASHIER, CHECKER, HOUSE, World, terms

OUTCOMES = ("NOT_SENT", "REFUSED", "ACCEPTED", "IN_PROCESS", "UNKNOWN", "DONE")


def test_unknown_survives_every_interleaving_of_words_that_are_no_answer() -> None:
    """All sequences of up to five words: without an answer or a person UNKNOWN never turns into anything."""
    words = [(said, source) for said in OUTCOMES for source in ("REPLY", "REPORT", "NOTICE", "HUB")]
    reached = {"UNKNOWN"}
    for _ in range(5):
        reached |= {judge(now, said, source).after or "" for now in reached for said, source in words}  # type: ignore[arg-type]
    assert reached == {"UNKNOWN"}


def test_what_is_known_is_not_taken_back() -> None:
    for now, said, source in itertools.product(
        (*OUTCOMES, None), OUTCOMES, ("REPLY", "QUERY", "REPORT", "NOTICE", "PERSON")
    ):
        after = judge(now, said, source).after  # type: ignore[arg-type]
        if now in ("DONE", "REFUSED"):
            assert after == now
        if now in ("ACCEPTED", "IN_PROCESS"):
            assert after not in ("UNKNOWN", "NOT_SENT")
        if source == "NOTICE":
            assert after == now


@pytest.fixture
def case(world: World) -> UUID:
    found = world.open(terms(fens=(10000,)))
    world.notice(world.line("SD1", 10000, party_name="付款人1", party_account="981"))
    return found


def asks(world: World) -> list[str]:
    return [c.number for c in world.act(SYSTEM, lambda uow: escrow.claim_asks(uow, world.desk))]


def test_unknown_is_asked_and_answered(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 10000))
    world.send(order, "UNKNOWN")
    assert (world.case(case)["flags"], world.figures(case)) == (
        ["UNKNOWN"],
        ("RELEASING", 10000, 0, 10000, 0, 0),
    )
    assert asks(world) == []
    world.at("2026-04-01T09:00:20")
    assert (asks(world), asks(world)) == (["H1I1"], [])
    world.say(order, "IN_PROCESS", "REPORT")
    assert world.case(case)["flags"] == ["UNKNOWN"]
    assert asks(world) == ["H1I1"]  # the pushed word made us ask at once
    world.say(order, "IN_PROCESS", "QUERY")
    assert world.case(case)["flags"] == ["IN_PROCESS"]
    world.say(order, "DONE", "QUERY")
    assert world.case(case)["flags"] == ["DONE_BY_RAIL"]
    world.say(order, "REFUSED", "QUERY")
    assert (world.order(order)["outcome"], world.breaks()) == ("DONE", ["STATUS"])
    world.paid(order)
    assert (world.case(case)["flags"], world.figures(case)[0]) == ([], "COMPLETED")


def test_waiting_never_turns_unknown_into_failure(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 10000))
    world.send(order, "UNKNOWN")
    for day in ("2026-04-03", "2026-04-10", "2026-05-10", "2026-09-10"):
        world.at(f"{day}T10:00")
        world.act(SYSTEM, lambda uow: escrow.watch_instalments(uow))
        world.proves = False  # breaks of reconciliation wait for an owner
        world.act(SYSTEM, lambda uow: escrow.reconcile_day(uow, escrow.last_day_over(uow)))
        assert world.order(order)["outcome"] == "UNKNOWN"
        assert world.case(case)["in_transit_fen"] == 10000


def test_a_person_settles_unknown_on_paper(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 10000))
    world.send(order, "UNKNOWN")
    with pytest.raises(Refused, match="UNKNOWN_STAYS"):
        world.act(CASHIER, lambda uow: escrow.propose_settlement(uow, order, "DONE", "柜面查询", "回单1"))
    with pytest.raises(Refused, match="DOCUMENT_REQUIRED"):
        world.act(CASHIER, lambda uow: escrow.propose_settlement(uow, order, "REFUSED", "柜面查询", ""))
    proposal = world.act(
        CASHIER, lambda uow: escrow.propose_settlement(uow, order, "REFUSED", "柜面查询", "银行证明1")
    )
    world.act(CHECKER, lambda uow: escrow.confirm_decision(uow, world.desk, proposal.id))
    assert (world.order(order)["state"], world.figures(case)) == ("FAILED", ("FUNDED", 10000, 0, 0, 0, 0))


def test_refused_but_the_statement_shows_it_paid(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 10000))
    world.send(order, "REFUSED", "AC01")
    world.paid(order)
    assert (world.order(order)["state"], world.figures(case)[0], world.breaks()) == (
        "PAID",
        "COMPLETED",
        ["STATUS"],
    )


def test_not_sent_repeats_the_same_bytes_under_the_same_number(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 10000))
    world.act(SYSTEM, lambda uow: escrow.dispatch(uow, world.desk, order))
    (first,) = world.act(SYSTEM, lambda uow: escrow.claim_to_send(uow, world.desk))
    assert world.act(SYSTEM, lambda uow: escrow.claim_to_send(uow, world.desk)) == []
    world.act(
        SYSTEM,
        lambda uow: escrow.take_reply(uow, world.desk, first, WireReply("NOT_SENT", error="ConnectError")),
    )
    assert (
        world.order(order)["state"],
        world.act(SYSTEM, lambda uow: escrow.claim_to_send(uow, world.desk)),
    ) == ("DISPATCHING", [])
    world.at("2026-04-01T09:01")
    (second,) = world.act(SYSTEM, lambda uow: escrow.claim_to_send(uow, world.desk))
    assert second.request.body == first.request.body and second.request.request_id == first.request.request_id
    world.act(
        SYSTEM,
        lambda uow: escrow.take_reply(uow, world.desk, second, WireReply("UNKNOWN", error="ReadTimeout")),
    )
    assert world.case(case)["flags"] == ["UNKNOWN"]
    assert world.act(SYSTEM, lambda uow: escrow.claim_to_send(uow, world.desk)) == []
    world.say(order, "NOT_SENT", "QUERY")
    world.at("2026-04-01T09:10")
    (third,) = world.act(SYSTEM, lambda uow: escrow.claim_to_send(uow, world.desk))
    assert third.request.body == first.request.body
    reply = json.dumps({"number": "H1I1", "outcome": "ACCEPTED"}).encode()
    world.act(
        SYSTEM, lambda uow: escrow.take_reply(uow, world.desk, third, WireReply("ANSWERED", 200, {}, reply))
    )
    assert (world.order(order)["state"], world.order(order)["outcome"]) == ("SENT", "ACCEPTED")


def test_an_order_that_never_left_may_be_given_up(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 10000))
    world.send(order, "NOT_SENT")
    world.act(CASHIER, lambda uow: escrow.give_up(uow, order, "银行停业"))
    assert (world.order(order)["state"], world.figures(case)) == ("FAILED", ("FUNDED", 10000, 0, 0, 0, 0))
    unknown = world.approve(world.draft(case, 10000))
    world.send(unknown, "UNKNOWN")
    with pytest.raises(Refused, match="UNKNOWN_STAYS"):
        world.act(CASHIER, lambda uow: escrow.give_up(uow, unknown, "等太久"))


def test_a_worker_that_dies_leaves_unknown_and_a_question(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 10000))
    world.send(order, None)
    with world.engine.begin() as conn:
        conn.execute(
            text("UPDATE escrow.rail_attempt SET lease_until = clock_timestamp() - interval '1 second'")
        )
    assert world.act(SYSTEM, lambda uow: escrow.claim_to_send(uow, world.desk)) == []
    assert world.order(order)["outcome"] == "UNKNOWN"
    world.at("2026-04-01T09:01")
    assert asks(world) == ["H1I1"]


def test_the_line_may_come_before_the_reply(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 10000))
    world.send(order, None)
    world.paid(order)
    assert world.figures(case)[0] == "COMPLETED"
    world.say(order, "ACCEPTED", "REPLY")
    assert (world.order(order)["state"], world.order(order)["outcome"]) == ("PAID", "DONE")


def test_a_callback_may_come_before_the_reply(world: World, case: UUID) -> None:
    order = world.approve(world.draft(case, 10000))
    world.send(order, None)
    world.say(order, "DONE", "NOTICE")
    assert (world.order(order)["state"], world.order(order)["outcome"]) == ("DISPATCHING", None)
    world.say(order, "ACCEPTED", "REPLY")
    assert asks(world) == []
    world.at("2026-04-01T09:01")
    assert asks(world) == ["H1I1"]


def test_one_bad_row_keeps_no_other_back(world: World, case: UUID) -> None:
    one = world.approve(world.draft(case, 4000))
    two = world.approve(world.draft(case, 6000, part=2))
    for order in (one, two):
        world.send(order)
    rows = (
        OrderOutcome("NOSUCH", "DONE", "ACSC"),
        OrderOutcome("H1I1", "REFUSED", "RJCT", "AC04"),
        OrderOutcome("H1I2", "IN_PROCESS", "ACSP"),
    )
    advice = Advice("outcome", outcomes=rows, batch=BatchOutcome("B", "UNKNOWN", ""))
    found = world.act(SYSTEM, lambda uow: escrow.take_advice(uow, world.desk, HOUSE, advice))
    assert [(f.code, f.found) for f in found.findings] == [("UNKNOWN_ORIGINAL", "NOSUCH")]
    assert (world.order(one)["state"], world.order(two)["outcome"]) == ("FAILED", "IN_PROCESS")
    assert world.figures(case) == ("RELEASING", 10000, 0, 6000, 0, 0)


def test_a_batch_says_nothing_of_those_it_leaves_out(world: World, case: UUID) -> None:
    for n in range(3):
        world.act(
            SYSTEM, lambda uow, n=n: escrow.import_sent_instruction(uow, HOUSE, f"OLD{n}", 100, batch_no="B1")
        )  # type: ignore[misc]
    advice = Advice(
        "outcome",
        outcomes=(OrderOutcome("OLD0", "REFUSED", "RJCT"),),
        batch=BatchOutcome("B1", "UNKNOWN", "PART"),
    )
    world.act(SYSTEM, lambda uow: escrow.take_advice(uow, world.desk, HOUSE, advice))
    said = [world.look(lambda uow, n=n: escrow.sent_instruction(uow, f"OLD{n}"))["outcome"] for n in range(3)]  # type: ignore[misc]
    assert said == ["REFUSED", "UNKNOWN", "UNKNOWN"]


def test_sub_accounts_are_asked_for_until_there_is_one(world: World) -> None:
    case = world.act(SYSTEM, lambda uow: escrow.open_escrow(uow, terms("4"))).id
    world.act(SYSTEM, lambda uow: escrow.request_subaccount(uow, case, HOUSE))
    (claim,) = world.act(SYSTEM, lambda uow: escrow.claim_subaccounts(uow, world.desk))
    world.act(SYSTEM, lambda uow: escrow.take_reply(uow, world.desk, claim, WireReply("UNKNOWN")))
    assert world.act(SYSTEM, lambda uow: escrow.claim_subaccounts(uow, world.desk)) == []
    world.at("2026-04-01T09:02")
    (again,) = world.act(SYSTEM, lambda uow: escrow.claim_subaccounts(uow, world.desk))
    assert again.request.request_id == claim.request.request_id
    world.act(
        SYSTEM,
        lambda uow: escrow.take_reply(
            uow, world.desk, again, WireReply("ANSWERED", 200, {}, b'{"account": "S4"}')
        ),
    )
    assert world.figures(case)[0] == "OPEN"
    world.at("2026-04-02T09:02")
    assert world.act(SYSTEM, lambda uow: escrow.claim_subaccounts(uow, world.desk)) == []
