"""Every state table, exhaustively: each move that is not in it is refused by Python and by the database."""

from __future__ import annotations

import itertools
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from escrow.machines import ESCROW, MACHINES, PAYMENT_OUTCOME
from schemas.state_machine import IllegalMove, StateMachine
from tests.escrow.world import World, terms

# machine → table, column, column of the row's key
TABLES = {
    "escrow": ("escrow_case", "state"),
    "payment_order": ("payment_order", "state"),
    "payment_outcome": ("rail_attempt", "outcome"),
    "instalment": ("instalment", "state"),
    "judicial_confirmation": ("escrow_case", "confirmation"),
    "freeze": ("freeze", "state"),
    "decision": ("decision", "state"),
    "recon_break": ("recon_break", "state"),
    "deposit": ("deposit", "state"),
    "recovery": ("recovery", "state"),
}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name)
def test_python_refuses_what_the_table_has_not(machine: StateMachine) -> None:
    for state, event in itertools.product(machine.states, machine.events):
        moves = [m for m in machine.moves if m.state == state and m.event == event]
        if not moves:
            with pytest.raises(IllegalMove):
                machine.next(state, event)
        else:
            assert {machine.next(state, event, {m.guard} if m.guard else set()) for m in moves} <= {
                m.next for m in moves
            }


def test_escrow_table_is_that_of_the_design() -> None:
    """The moves that escrow.md names, each with its state after."""
    moves = {(m.state, m.event, m.next) for m in ESCROW.moves}
    for state in ("FUNDED", "PART_FUNDED", "RELEASING", "SUSPENDED"):
        assert (state, "dispatch", "RELEASING") in moves
    assert {("NONE", "sign", "SIGNED"), ("SIGNED", "open_account", "OPEN")} <= moves
    assert ("COMPLETED", "return", "FUNDED") in moves and ("RELEASING", "refused", "FUNDED") in moves
    assert {m.next for m in ESCROW.moves if m.event == "suspend"} == {"SUSPENDED"}
    assert {m.next for m in ESCROW.moves if m.event == "default"} == {"DEFAULTED"}
    for state in ("DEFAULTED", "ENFORCEMENT_REQUESTED", "ENFORCED"):
        assert [m.guard for m in ESCROW.moves if m.state == state and m.event == "dispatch"] == ["decided"]


def test_unknown_is_left_by_an_answer_or_a_line_only() -> None:
    assert {m.event for m in PAYMENT_OUTCOME.moves if m.state == "UNKNOWN"} == {"answer", "line"}
    assert all(
        m.next != "UNKNOWN" for m in PAYMENT_OUTCOME.moves if m.state in ("ACCEPTED", "IN_PROCESS", "REFUSED")
    )


@pytest.mark.parametrize("machine", MACHINES, ids=lambda m: m.name)
def test_the_database_refuses_what_the_table_has_not(machine: StateMachine, world: World) -> None:
    """All pairs of states: a row is put into the first by force, then moved to the second by plain SQL."""
    world.proves = False
    table, column = TABLES[machine.name]
    row = _row(world, machine.name)
    legal = set(machine.pairs())
    for before, after in itertools.permutations(machine.states, 2):
        if machine.name == "payment_outcome" and "NONE" in (before, after):
            continue  # NONE is no value: nothing was said yet
        _force(world.engine, table, column, row, before)
        refused = _move(world.engine, table, column, row, after)
        if (before, after) not in legal:
            assert refused is not None and "ILLEGAL_MOVE" in refused, (before, after, refused)
        else:
            assert refused is None or "ILLEGAL_MOVE" not in refused, (before, after, refused)


def _row(world: World, machine: str) -> UUID:
    case = world.open(terms(fens=(10000,)))
    if machine in ("escrow", "judicial_confirmation"):
        return case
    if machine == "instalment":
        return UUID(str(world.look(lambda uow: uow.scalar("SELECT id FROM escrow.instalment"))))
    world.notice(world.line("SD1", 10000, party_account="981"))
    if machine in ("payment_order", "payment_outcome"):
        order = world.approve(world.draft(case, 10000))
        world.send(order, "ACCEPTED")
        return (
            order
            if machine == "payment_order"
            else world.look(lambda uow: uow.scalar("SELECT id FROM escrow.rail_attempt"))
        )
    if machine == "freeze":
        import escrow
        from foundation.actors import SYSTEM

        paper = escrow.CourtDocument("(2026)浙0399执保1号", "FREEZE", "SD1", 5000)
        world.act(SYSTEM, lambda uow: escrow.take_court_document(uow, paper))
        return world.look(lambda uow: uow.scalar("SELECT id FROM escrow.freeze"))
    if machine == "decision":
        import escrow
        from tests.escrow.world import CASHIER, PARENT

        world.notice(world.line(PARENT, 700), account=PARENT)
        line = world.look(lambda uow: escrow.open_suspense(uow))[0]["line"]
        return world.act(CASHIER, lambda uow: escrow.propose_split(uow, line, [(case, 700)], "说明")).id
    if machine in ("deposit", "recovery"):
        return _afterwards(world, case, machine)
    world.notice(world.line("SD1", 5, "DBIT"))
    return world.look(lambda uow: uow.scalar("SELECT id FROM escrow.recon_break"))


def _afterwards(world: World, case: UUID, machine: str) -> UUID:
    """A deposit that was decided, or a recovery that was opened."""
    import escrow
    from foundation.actors import SYSTEM
    from tests.escrow.world import CASHIER, CHECKER, HOUSE

    if machine == "deposit":
        notary = escrow.PartyTerms("A1", "PAYEE", "瓯栖县公证处", kind="organisation",
                                   accounts=(escrow.PayAccount(HOUSE, "99N", "瓯栖县公证处", kind="card"),))  # fmt: skip
        made = world.act(
            CASHIER,
            lambda uow: escrow.propose_deposit(uow, case, "A1", "NOT_FOUND", notary, "x", "提存决定书"),
        )
        world.act(CHECKER, lambda uow: escrow.confirm_decision(uow, world.desk, made.id))
    else:
        order = world.approve(world.draft(case, 10000))
        world.send(order)
        world.paid(order)
        world.act(SYSTEM, lambda uow: escrow.void_agreement(uow, case, "撤销", "判决书"))
    return UUID(str(world.look(lambda uow: uow.scalar(f"SELECT id FROM escrow.{machine}"))))


def _force(engine: Engine, table: str, column: str, row: UUID, state: str) -> None:
    """Put a row into a state without the guards: only the owner of the tables can switch triggers off."""
    full = "fen" if state == "RECOVERED" else "0"
    kept = "1" if state in ("PLACED", "CLAIMED", "TAKEN_BACK") else "0"
    more = {
        "recon_break": ", close_document = 'x'",
        "recovery": f", end_document = 'x', got_fen = {full}",
        "deposit": f", end_document = 'x', fen = {kept}",
    }.get(table, "")
    with engine.begin() as conn:
        conn.execute(text("SET LOCAL session_replication_role = replica"))
        conn.execute(
            text(f"UPDATE escrow.{table} SET {column} = :state{more} WHERE id = :id"),
            {"state": state, "id": row},
        )


def _move(engine: Engine, table: str, column: str, row: UUID, state: str) -> str | None:
    try:
        with engine.begin() as conn:
            conn.execute(
                text(f"UPDATE escrow.{table} SET {column} = :state WHERE id = :id"),
                {"state": state, "id": row},
            )
    except IntegrityError as error:
        return str(error.orig)
    return None


def test_every_machine_starts_at_its_initial_state(world: World) -> None:
    """A row that starts anywhere else is refused by the database."""
    world.proves = False
    case = world.open(terms(fens=(10000,)))
    with pytest.raises(IntegrityError, match="ILLEGAL_START"), world.engine.begin() as conn:
        copy: Any = {"id": case}
        conn.execute(
            text(
                "INSERT INTO escrow.instalment (id, case_id, version, number, due_on, fen, payer, state)"
                " SELECT gen_random_uuid(), :id, 1, 9, current_date, 1, 'R1', 'PAID'"
            ),
            copy,
        )
