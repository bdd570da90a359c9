"""Bring a database to the current release, and its state tables to the Python ones."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, text

import case_registry
from foundation.database import make_engine
from schemas.state_machine import StateMachine

# Rooms that own state machines; each lists them as MACHINES.
ROOMS_WITH_MACHINES = ("case_registry", "mediation", "escrow")


def upgrade(url: str, *, movable_clock: bool) -> None:
    """Migrate the database at ``url``. ``movable_clock`` is true for sandbox and test databases only."""
    engine = make_engine(url, timeout_ms=600_000)
    try:
        with engine.begin() as conn:
            # Two processes may start at once: the second waits and finds nothing to do.
            conn.execute(text("SELECT pg_advisory_xact_lock(330399)"))
            upgrade_connection(conn, movable_clock=movable_clock)
    finally:
        engine.dispose()


def upgrade_connection(conn: Connection, *, movable_clock: bool) -> None:
    """Migrate over an open connection, in its transaction."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")
    conn.execute(text("UPDATE exchange.clock SET movable = :movable"), {"movable": movable_clock})
    sync_state_moves(conn, all_machines())
    sync_access(conn)


def all_machines() -> list[StateMachine]:
    """Every state machine of the rooms."""
    machines: list[StateMachine] = []
    for room in ROOMS_WITH_MACHINES:
        if importlib.util.find_spec(room) is None:
            continue
        machines.extend(getattr(importlib.import_module(room), "MACHINES", ()))
    return machines


def sync_state_moves(conn: Connection, machines: list[StateMachine]) -> None:
    """Fill ``exchange.state_move`` from the Python tables, the only source of legal moves."""
    conn.execute(text("DELETE FROM exchange.state_move"))
    # Two moves that differ only by their guard are one pair of states to the trigger.
    moves = {
        (machine.name, move.state, move.event, move.next) for machine in machines for move in machine.moves
    }
    rows = [
        {"machine": machine, "from_state": before, "event": event, "to_state": after}
        for machine, before, event, after in sorted(moves)
    ]
    if rows:
        conn.execute(
            text("INSERT INTO exchange.state_move VALUES (:machine, :from_state, :event, :to_state)"), rows
        )


def sync_access(conn: Connection) -> None:
    """Fill the tables by which PostgreSQL decides who sees what from the registry's rule, the only source."""
    for table, rows in case_registry.access_rows().items():
        conn.execute(text(f"DELETE FROM {table}"))
        if rows:
            names = ", ".join(rows[0])
            values = ", ".join(f":{name}" for name in rows[0])
            conn.execute(text(f"INSERT INTO {table} ({names}) VALUES ({values})"), rows)


def current(engine: Engine) -> str | None:
    """The release the database is at, or None when it was never migrated."""
    with engine.connect() as conn:
        if conn.execute(text("SELECT to_regclass('schema_version')")).scalar() is None:
            return None
        version: str | None = conn.execute(text("SELECT version_num FROM schema_version")).scalar()
        return version
