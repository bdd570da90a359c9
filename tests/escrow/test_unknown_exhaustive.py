"""UNKNOWN never resolves by itself: all interleavings of up to five events that are no answer, tried on the real code.

The events run in one transaction, each behind a savepoint. Two sequences that leave the same rows have the same
future, so each state of the rows is gone into once with the most events that are left: nothing is left out. (What a
word does to each outcome, for every word there is, is a pure function and is tried in test_words.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

import escrow
from escrow.machines import PAYMENT_ORDER, PAYMENT_OUTCOME
from escrow.rails import Advice, OrderOutcome
from foundation.actors import SYSTEM, Actor
from foundation.unit_of_work import UnitOfWork, unit_of_work
from schemas.findings import Refused
from tests.escrow.world import CASHIER, CHECKER, HOUSE, World, terms

DEPTH = 5
# What must not change: order, outcome, attempts, sends, money in transit.
FIXED = (
    "SELECT o.state, o.outcome, (SELECT count(*) FROM escrow.rail_attempt a WHERE a.order_id = o.id) AS attempts, a.sends,"
    " a.state AS attempt, a.proved_by IS NULL AS unproved, f.in_transit_fen FROM escrow.payment_order o"
    " JOIN escrow.rail_attempt a ON a.order_id = o.id JOIN escrow.v_figures f ON f.case_id = o.case_id WHERE o.id = :id"
)
ROWS = (
    "SELECT a.asks, a.next_ask, a.lease_until IS NULL AS free, c.state, (SELECT count(*) FROM escrow.freeze f WHERE f.case_id = c.id)"
    " AS freezes, (SELECT count(*) FROM escrow.stop s WHERE s.case_id = c.id AND s.ended_at IS NULL) AS stops,"
    " (SELECT count(*) FROM escrow.recon_break) AS breaks FROM escrow.rail_attempt a JOIN escrow.escrow_case c ON c.id = a.case_id"
    " WHERE a.order_id = :id"
)


@dataclass
class Search:
    """One order whose outcome is unknown, and everything that may happen to it."""

    world: World
    case: UUID
    order: UUID
    number: str
    conn: Any = None
    begun: datetime = datetime.max
    gone: dict[tuple[Any, ...], int] = field(
        default_factory=dict
    )  # rows → with how many events left they were gone into
    tried: int = 0

    def uow(self, now: datetime, actor: Actor = SYSTEM) -> UnitOfWork:
        return UnitOfWork(self.conn, actor, now)

    def word(self, said: str, source: str) -> Callable[[datetime], None]:
        def event(now: datetime) -> None:
            escrow.record_outcome(self.uow(now), self.world.desk, HOUSE, self.number, said, source)  # type: ignore[arg-type]

        return event

    def pushed(self, said: str, kind: str) -> Callable[[datetime], None]:
        """The same by the door that a rail's message takes."""

        def event(now: datetime) -> None:
            advice = Advice(kind, outcomes=(OrderOutcome(self.number, said, said),))  # type: ignore[arg-type]
            escrow.take_advice(self.uow(now), self.world.desk, HOUSE, advice)

        return event

    def worker(self, now: datetime) -> None:
        """A worker's turn in which nobody answers."""
        assert escrow.claim_to_send(self.uow(now), self.world.desk) == []
        escrow.claim_asks(self.uow(now), self.world.desk)

    def person(self, actor: Actor, work: Callable[[UnitOfWork], Any]) -> Callable[[datetime], None]:
        """A person tries what is not for a person to do: refused."""

        def event(now: datetime) -> None:
            with pytest.raises(Refused):
                work(self.uow(now, actor))

        return event

    def freeze(self, now: datetime) -> None:
        paper = escrow.CourtDocument("（2026）浙0399执保1号", "FREEZE", "SD1", 10000)
        escrow.take_court_document(self.uow(now), paper)

    def night(self, now: datetime) -> None:
        escrow.reconcile_day(self.uow(now), now.date())

    def events(self) -> dict[str, tuple[Callable[[datetime], None], timedelta]]:
        """All that is no answer: words of any source but a query or a person, time, workers, freezes, persons."""
        soon, order, desk = timedelta(seconds=30), self.order, self.world.desk
        words = {
            f"{source} says {said}": (self.word(said, source), soon)
            for source in ("REPLY", "REPORT", "NOTICE", "HUB")
            for said in ("NOT_SENT", "REFUSED", "DONE")
        }
        return {
            **words,
            "a pushed refusal": (self.pushed("REFUSED", "outcome"), soon),
            "a notice of success": (self.pushed("DONE", "notice"), soon),
            "a worker's turn": (self.worker, timedelta(hours=1)),
            "sixteen days": (self.worker, timedelta(days=16)),
            "a freeze": (self.freeze, soon),
            "the night": (self.night, timedelta(days=2)),
            "give up": (self.person(CASHIER, lambda uow: escrow.give_up(uow, order, "不等了")), soon),
            "cancel": (self.person(CASHIER, lambda uow: escrow.cancel_order(uow, order, "撤回")), soon),
            "send again": (self.person(SYSTEM, lambda uow: escrow.dispatch(uow, desk, order)), soon),
            "pay again": (self.person(CASHIER, lambda uow: escrow.draft_order(
                uow, desk, self.case, instalment=1, payee="A1", fen=1, rail=HOUSE, part=2)), soon),
            "approve again": (self.person(CHECKER, lambda uow: escrow.release_order(uow, order)), soon),
        }  # fmt: skip

    def fixed(self, now: datetime) -> dict[str, Any]:
        row = self.uow(now).one(FIXED, id=self.order)
        assert row is not None
        return dict(row)

    def go(self, now: datetime, left: int, path: tuple[str, ...], wanted: dict[str, Any]) -> None:
        """Try every event from here."""
        row = self.uow(now).one(ROWS, id=self.order)
        assert row is not None
        # Time matters as the distance to the next question, and whether the ceiling of questions is over.
        told = dict(row)
        ask = told.pop("next_ask")
        here = (ask and ask - now, now - self.begun > timedelta(days=15), *told.values())
        if left == 0 or self.gone.get(here, 0) >= left:
            return
        self.gone[here] = left
        for name, (event, passes) in self.events().items():
            behind = self.conn.begin_nested()
            event(now + passes)
            self.tried += 1
            assert self.fixed(now) == wanted, (*path, name)
            self.go(now if passes < timedelta(minutes=1) else now + passes, left - 1, (*path, name), wanted)
            behind.rollback()


def unknown_order(world: World) -> Search:
    case = world.open(terms())
    world.notice(world.line("SD1", 10000, party_account="981"))
    order = world.approve(world.draft(case, 10000))
    world.send(order, "UNKNOWN")
    return Search(world, case, order, world.number(order))


@pytest.mark.parametrize(
    "depth", [pytest.param(3, marks=pytest.mark.slow), pytest.param(DEPTH, marks=pytest.mark.long)]
)
def test_unknown_never_resolves_by_itself(world: World, depth: int) -> None:
    search = unknown_order(world)
    with unit_of_work(world.engine) as uow:
        search.conn, now = uow.conn, uow.now
        search.begun = now
        wanted = search.fixed(now)
        assert wanted["outcome"] == "UNKNOWN" and wanted["sends"] == 1 and wanted["in_transit_fen"] == 10000
        search.go(now, depth, (), wanted)
    assert search.tried > 5 * len(search.events())


def test_tables_leave_unknown_by_answer_and_line_only() -> None:
    """By the tables alone: every path of up to five moves out of SENT and UNKNOWN begins with an answer or a line."""
    paths: list[tuple[tuple[str, str], ...]] = [()]
    state = {(): "UNKNOWN"}
    for _ in range(DEPTH):
        longer = [
            (*path, (move.event, move.next))
            for path in paths
            for move in PAYMENT_OUTCOME.moves
            if move.state == state[path]
        ]
        state = {path: path[-1][1] for path in longer}
        assert all(path[0][0] in ("answer", "line") for path in longer)
        paths = longer
    # The order itself leaves SENT by a repetition, a proof or a definite failure: each has its own ground.
    leaves = {(m.event, m.guard) for m in PAYMENT_ORDER.moves if m.state == "SENT"}
    assert leaves == {("repeat", "outcome NOT_SENT"), ("proof", ""), ("fail", "definite failure")}


def test_the_search_sees_a_resolution(world: World) -> None:
    """The search can fail: an answer to a question does change what must not change."""
    search = unknown_order(world)
    with unit_of_work(world.engine) as uow:
        search.conn = uow.conn
        before = search.fixed(uow.now)
        search.word("REFUSED", "QUERY")(uow.now)
        assert search.fixed(uow.now) != before
