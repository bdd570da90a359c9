"""Random sequences of acts: the invariants hold after each, and the holder's own book shows nobody paid twice.

The holder is honest but silent, slow and forgetful: its words may be lost or late, lines come twice, in any order.
It keeps its own book (`Holder`), and that book is the judge: not our ledger.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
)
from sqlalchemy import Engine

import escrow
from foundation.actors import SYSTEM
from foundation.unit_of_work import unit_of_work
from foundation.wire import WireReply
from schemas.findings import Refused
from tests.escrow.world import CASHIER, CHECKER, HOUSE, PARENT, RELEASER, World, terms

FENS = (6000, 4001)
SUMS = st.integers(1, 7000)
CARRIED = st.sampled_from(("ANSWERED", "UNKNOWN", "LOST", "NOT_SENT"))
DECIDED = st.sampled_from(("PAID", "PAID", "REFUSED", "LATER"))
WORDS = {"RECEIVED": "IN_PROCESS", "PAID": "DONE", "REFUSED": "REFUSED", "RETURNED": "DONE"}


@dataclass
class Holder:
    """What the holder did with an instruction: RECEIVED, PAID, REFUSED or RETURNED."""

    account: str
    fen: int
    state: str = "RECEIVED"


class Desk(RuleBasedStateMachine):
    fresh: Callable[[], Engine]

    def __init__(self) -> None:
        super().__init__()
        self.key = "1"
        self.engine = type(self).fresh()
        self.world = World(self.engine, proves=False)
        self.start = datetime(2026, 4, 1, 9)
        self.case = self.world.open(terms(self.key, FENS))
        self.account = f"SD{self.key}"
        self.holder: dict[str, Holder] = {}
        self.orders: list[UUID] = []
        self.papers: list[str] = []
        self.credits = 0
        self.lines: list[Any] = []

    def teardown(self) -> None:
        self.engine.dispose()

    @invariant()
    def time_goes_on(self) -> None:
        """Half an hour a step, so that what waits (repetition, questions) is due at the next; the workers run."""
        self.start += timedelta(minutes=31)
        self.world.at(self.start.isoformat())
        self.worker("ANSWERED")
        self.questions_are_answered()

    def attempt(self, act: Any) -> Any:
        """An act that may be refused: then nothing of it is kept."""
        try:
            return act()
        except Refused:
            return None

    def pick(self, data: Any, *states: str) -> UUID | None:
        found = [o for o in self.orders if not states or self.world.order(o)["state"] in states]
        return data.draw(st.sampled_from(found)) if found else None

    @rule(fen=SUMS)
    def credit(self, fen: int) -> None:
        line = self.world.line(
            self.account, fen, party_account=f"98{self.key}", party_name=f"付款人{self.key}"
        )
        self.lines.append(line)
        self.credits += fen
        self.world.notice(line)

    @precondition(lambda self: self.lines)
    @rule(data=st.data())
    def a_line_comes_again(self, data: Any) -> None:
        self.world.notice(data.draw(st.sampled_from(self.lines)))

    @rule(fen=SUMS)
    def credit_to_parent_is_split(self, fen: int) -> None:
        line = self.world.line(PARENT, fen, text=f"试验{self.key}号")
        self.world.notice(line, account=PARENT)
        waiting = [
            s
            for s in self.world.look(lambda uow: escrow.open_suspense(uow))
            if s["bank_ref"] == line.bank_ref
        ]
        proposal = self.world.act(
            CASHIER, lambda uow: escrow.propose_split(uow, waiting[0]["line"], [(self.case, fen)], "说明")
        )
        self.world.act(CHECKER, lambda uow: escrow.confirm_decision(uow, self.world.desk, proposal.id))
        self.credits += fen

    @rule(fen=SUMS, instalment=st.sampled_from((1, 2)), part=st.sampled_from((None, 1, 2, 3)))
    def draft(self, fen: int, instalment: int, part: int | None) -> None:
        order = self.attempt(
            lambda: self.world.draft(self.case, fen, instalment=instalment, part=part, decision="经决定")
        )
        if order is not None and order not in self.orders:
            self.orders.append(order)

    @rule(data=st.data())
    def approve_and_send(self, data: Any) -> None:
        order = self.pick(data, "DRAFTED", "CHECKED", "RELEASED")
        if order is None:
            return
        self.attempt(lambda: self.world.act(CHECKER, lambda uow: escrow.check_order(uow, order)))
        self.attempt(lambda: self.world.act(RELEASER, lambda uow: escrow.release_order(uow, order)))
        if data.draw(st.booleans()):
            self.attempt(
                lambda: self.world.act(SYSTEM, lambda uow: escrow.dispatch(uow, self.world.desk, order))
            )

    @rule(instalment=st.sampled_from((1, 2)), half=st.booleans(), outcome=CARRIED, decision=DECIDED)
    def pay(self, instalment: int, half: bool, outcome: str, decision: str) -> None:
        """The whole way at once, so that sequences reach what comes after it: money in, draft, approval, sending."""
        self.pay_sum(instalment, FENS[instalment - 1] // (2 if half else 1), outcome, decision)

    def pay_sum(self, instalment: int, fen: int, outcome: str, decision: str) -> None:
        if self.world.case(self.case)["free_fen"] < fen:
            self.credit(fen)
        order = self.attempt(
            lambda: self.world.draft(self.case, fen, instalment=instalment, decision="经决定")
        )
        if order is None or self.world.order(order)["state"] != "DRAFTED":
            return
        self.orders.append(order)
        if self.attempt(lambda: self.world.approve(order)) is None:
            return
        self.attempt(lambda: self.world.act(SYSTEM, lambda uow: escrow.dispatch(uow, self.world.desk, order)))
        self.worker(outcome)
        one = self.holder.get(self.world.number(order))
        if one is not None and decision != "LATER":
            one.state = decision

    @precondition(lambda self: self.orders)
    @rule(data=st.data(), outcome=CARRIED, decision=DECIDED)
    def pay_again(self, data: Any, outcome: str, decision: str) -> None:
        """Someone thinks that it did not go and pays once more: only what is due may go again."""
        row = self.world.order(data.draw(st.sampled_from(self.orders)))
        if row["purpose"] == "COMPENSATION":
            self.pay_sum(row["instalment"], row["amount_fen"], outcome, decision)

    def worker(self, outcome: str) -> None:
        for claim in self.world.act(SYSTEM, lambda uow: escrow.claim_to_send(uow, self.world.desk)):
            row = self.world.look(lambda uow, n=claim.number: escrow.sent_instruction(uow, n))
            if outcome != "NOT_SENT":
                self.holder.setdefault(claim.number, Holder(row["debit_account"], row["fen"]))
            if outcome == "ANSWERED":
                self.say(claim.number, "ACCEPTED", "REPLY")
            elif outcome == "LOST":  # the worker died between sending and noting it
                with self.engine.begin() as conn:
                    conn.exec_driver_sql(
                        "UPDATE escrow.rail_attempt SET lease_until = now() - interval '1 s' WHERE state = 'SENDING'"
                    )
            else:
                reply = WireReply("NOT_SENT" if outcome == "NOT_SENT" else "UNKNOWN")
                self.world.act(
                    SYSTEM, lambda uow, c=claim, r=reply: escrow.take_reply(uow, self.world.desk, c, r)
                )

    def questions_are_answered(self) -> None:
        for claim in self.world.act(SYSTEM, lambda uow: escrow.claim_asks(uow, self.world.desk)):
            one = self.holder.get(claim.number)
            self.say(claim.number, "NOT_SENT" if one is None else WORDS[one.state], "QUERY")

    def say(self, number: str, outcome: str, source: str) -> None:
        self.world.act(
            SYSTEM, lambda uow: escrow.record_outcome(uow, self.world.desk, HOUSE, number, outcome, source)
        )  # type: ignore[arg-type]

    @precondition(lambda self: self.holder)
    @rule(data=st.data(), refuse=st.booleans())
    def the_holder_decides(self, data: Any, refuse: bool) -> None:
        one = self.holder[data.draw(st.sampled_from(sorted(self.holder)))]
        if one.state == "RECEIVED":
            one.state = "REFUSED" if refuse else "PAID"

    @precondition(lambda self: self.holder)
    @rule(data=st.data(), source=st.sampled_from(("QUERY", "REPORT", "NOTICE")), silent=st.booleans())
    def the_holder_speaks(self, data: Any, source: str, silent: bool) -> None:
        number = data.draw(st.sampled_from(sorted(self.holder)))
        self.say(number, "UNKNOWN" if silent else WORDS[self.holder[number].state], source)

    @precondition(lambda self: any(h.state in ("PAID", "RETURNED") for h in self.holder.values()))
    @rule(data=st.data())
    def the_line_is_shown(self, data: Any) -> None:
        number = data.draw(
            st.sampled_from(sorted(n for n, h in self.holder.items() if h.state in ("PAID", "RETURNED")))
        )
        one = self.holder[number]
        line = self.world.line(one.account, one.fen, "DBIT", ref=f"D{number}", our_number=number)
        self.lines.append(line)
        self.world.notice(line)

    @precondition(lambda self: any(h.state == "PAID" for h in self.holder.values()))
    @rule(data=st.data())
    def it_comes_back(self, data: Any) -> None:
        number = data.draw(st.sampled_from(sorted(n for n, h in self.holder.items() if h.state == "PAID")))
        one = self.holder[number]
        one.state = "RETURNED"
        line = self.world.line(one.account, one.fen, ref=f"R{number}", our_number=number, returned="AC01")
        self.lines.append(line)
        self.world.notice(line)

    @rule(fen=st.integers(1, 1500), waiting=st.booleans())
    def freeze(self, fen: int, waiting: bool) -> None:
        no = f"(2026)浙0399执保{self.key}{len(self.papers)}号"
        self.papers.append(no)
        paper = escrow.CourtDocument(no, "FREEZE", self.account, fen, waiting=waiting)
        self.world.act(SYSTEM, lambda uow: escrow.take_court_document(uow, paper))

    @precondition(lambda self: self.papers)
    @rule(data=st.data())
    def lift(self, data: Any) -> None:
        paper = escrow.CourtDocument(
            data.draw(st.sampled_from(self.papers)) + "之一", "LIFT", self.account, 1
        )
        self.attempt(lambda: self.world.act(SYSTEM, lambda uow: escrow.take_court_document(uow, paper)))

    @rule(fen=st.one_of(st.none(), st.integers(1, 1500)), end=st.sampled_from((True, True, False)))
    def stop(self, fen: int | None, end: bool) -> None:
        if end:
            self.world.act(SYSTEM, lambda uow: escrow.end_stop_by_rule(uow, self.case, "OVERLAP", "已定"))
        else:
            self.world.act(
                SYSTEM,
                lambda uow: escrow.place_stop_by_rule(uow, self.case, "OVERLAP", "OVERLAP", "重复", fen=fen),
            )

    @rule(data=st.data())
    def cancel(self, data: Any) -> None:
        order = self.pick(data)
        if order is not None:
            self.attempt(lambda: self.world.act(CASHIER, lambda uow: escrow.cancel_order(uow, order, "撤回")))

    @rule(fen=SUMS)
    def refund(self, fen: int) -> None:
        found = self.attempt(lambda: self.world.act(CASHIER, lambda uow: escrow.draft_refund(
            uow, self.world.desk, self.case, account=f"98{self.key}", fen=fen, rail=HOUSE, decision="经决定")))  # fmt: skip
        if found is not None and found.id not in self.orders:
            self.orders.append(found.id)

    @rule()
    def the_holder_reverses_a_credit(self) -> None:
        credits = [line for line in self.lines if line.direction == "CRDT" and not line.our_number]
        if credits:
            self.world.notice(self.world.line(self.account, int(credits[-1].amount), "DBIT", reversal=True))

    @invariant()
    def the_books_are_right(self) -> None:
        with unit_of_work(self.engine) as uow:
            assert [v for v in escrow.prove(uow) if v.invariant != "I12"] == []
            case = escrow.escrow_case(uow, self.case)
        assert case["funded_fen"] == case["balance_fen"] + case["released_fen"] + case["refunded_fen"]

    @invariant()
    def nobody_is_paid_twice(self) -> None:
        """By the holder's own book: payouts less returns are within the agreement, refunds within what came."""
        paid = {n: h.fen for n, h in self.holder.items() if h.state == "PAID"}
        payouts = sum(fen for n, fen in paid.items() if "R" not in n)
        refunds = sum(fen for n, fen in paid.items() if "R" in n)
        assert payouts <= sum(FENS)
        assert payouts + refunds <= self.credits
