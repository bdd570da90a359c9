"""Statements taken in sets are taken as they are line by line: the same rows, breaks and money for the same days."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

import escrow
from escrow import statements
from escrow.rails import StatementInfo, StatementLine
from foundation.actors import SYSTEM
from foundation.database import make_engine
from foundation.embedded_postgres import Cluster
from schemas.money import Fen
from tests.conftest import fresh_database
from tests.escrow.world import HOUSE, PARENT, World, terms

LOOKED_AT = {
    "lines": "SELECT account, bank_ref, booked_on, fen, direction, our_number FROM escrow.statement_line",
    "seen": "SELECT l.account, l.bank_ref, s.bank_ref, s.booked_on, t.native_id FROM escrow.line_sighting s"
    " JOIN escrow.statement_line l ON l.id = s.line JOIN escrow.statement t ON t.id = s.statement",
    "placed": "SELECT l.account, l.bank_ref, p.placed, p.meaning, p.case_id IS NULL FROM escrow.line_placing p"
    " JOIN escrow.statement_line l ON l.id = p.line",
    "breaks": "SELECT b.kind, b.state, l.bank_ref, b.account, b.fen, b.day, b.detail::text FROM escrow.recon_break b"
    " LEFT JOIN escrow.statement_line l ON l.id = b.line",
    "orders": "SELECT number, state, outcome FROM escrow.payment_order",
    "accounts": "SELECT number, mirror_fen, last_day, last_seq, last_closing, first_opening, booked_fen FROM escrow.bank_account",
    "statements": "SELECT account, kind, native_id, page, seq, opening_fen, closing_fen, lines, body_digest FROM escrow.statement",
    "ledger": "SELECT e.kind, a.kind, p.amount, p.balance_after FROM escrow.posting p JOIN escrow.entry e ON e.id = p.entry"
    " JOIN escrow.account a ON a.id = p.account",
    "pending": "SELECT account, bank_ref, fen FROM escrow.pending_line",
    "cases": "SELECT mediation_number, state FROM escrow.escrow_case",
}


def days(world: World) -> None:
    """Two days with something of everything."""
    world.proves = False
    case = world.open(terms(fens=(10000, 20000), payees=2))
    other = world.open(terms("2"))
    world.day(PARENT, 0, seq=1, name="P0", day=date(2026, 3, 31))
    world.notice(world.line("SD1", 30000, ref="R1"), world.line("SD2", 10000, ref="R2"), account=PARENT)
    order = world.approve(world.draft(case, 5000, payee="A1"))
    second = world.approve(world.draft(case, 5000, payee="A2"))
    third = world.approve(world.draft(other, 6000))
    for each in (order, second, third):
        world.send(each)
    numbers = [world.number(each) for each in (order, second, third)]
    late = world.line("SD2", 400, ref="LATE")
    world.notice(late)
    lines = [
        world.line("SD1", 30000, ref="R1"),
        world.line("SD1", 5000, "DBIT", "D1", our_number=numbers[0]),
        world.line("SD1", 5001, "DBIT", "D2", our_number=numbers[1]),
        world.line("SD1", 5000, "DBIT", "D3", our_number=numbers[0]),
        world.line("SD1", 12, "DBIT", "F1", text="手续费"),
        world.line("SD1", 77, "DBIT", "U1", text="转账"),
        world.line("SD1", 10, "DBIT", "V1", reversal=True),
        world.line("SD1", 9, ref="PEND", booked=False),
    ]
    world.day("SD1", 0, *lines, seq=1, name="T1", closing=30000 - 5000 - 5001 - 5000 - 12 - 77 - 10)
    world.day("SD2", 0, world.line("SD2", 10000, ref="OTHER-REF"), seq=1, name="T2")
    world.day(
        PARENT,
        0,
        world.line(PARENT, 333, ref="S1"),
        world.line(PARENT, 5, ref="B1", returned="AC04"),
        seq=2,
        name="P1",
    )
    world.at("2026-04-02T20:00")
    paid = [
        world.line("SD2", 400, ref="LATE"),
        world.line("SD2", 6000, "DBIT", "D9", our_number=numbers[2], party_account="WRONG"),
    ]
    world.day("SD2", 10000, *paid, seq=2, name="T3")
    world.day("SD2", 10000, *paid, seq=2, name="T3")
    world.act(SYSTEM, lambda uow: escrow.reconcile_day(uow, date(2026, 4, 1)))
    # Nobody has owned the breaks of the first day (I12); everything else holds.
    assert {each.invariant for each in world.look(escrow.prove)} <= {"I12"}


def stored(world: World) -> dict[str, list[Any]]:
    return {
        name: sorted(
            tuple(str(each) for each in row.values()) for row in world.look(lambda uow, s=sql: uow.all(s))
        )
        for name, sql in LOOKED_AT.items()
    }


@pytest.fixture
def another_world(cluster: Cluster, template: str) -> Iterator[World]:
    with fresh_database(cluster, template) as url:
        engine = make_engine(url)
        yield World(engine)
        engine.dispose()


def test_sets_and_lines_store_the_same(
    world: World, another_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    days(world)
    monkeypatch.setattr(statements, "SET_FROM", 0)
    days(another_world)
    ours, theirs = stored(world), stored(another_world)
    for name in LOOKED_AT:
        assert theirs[name] == ours[name], name
    assert {row[0] for row in ours["breaks"]} >= {
        "AMOUNT", "DUPLICATE", "FEE", "UNEXPECTED_DEBIT", "REVERSAL", "UNKNOWN_PAYER", "UNKNOWN_PAYEE", "RETURN",
        "MISSING_LINE", "CUTOFF",
    }  # fmt: skip


def test_many_lines_of_one_reference_are_one_line(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "SET_FROM", 0)
    case = world.open(terms())
    info = StatementInfo("SD1", "N", "notice", day=world.today())
    twice = [_line(world, "SAME", 100) for _ in range(3)] + [_line(world, "SAME", 101)]
    world.take(HOUSE, [info], twice)
    assert world.case(case)["balance_fen"] == 100
    assert world.breaks() == ["AMOUNT"]


def _line(world: World, ref: str, fen: int) -> StatementLine:
    day = world.today()
    return StatementLine("SD1", True, "CRDT", Fen(fen), ref, day, day, statement_id="N")
