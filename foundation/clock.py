"""The clock row: real time, or virtual time for stories and tests.

Each database has one row. Every process reads it at its edge and hands ``now`` in, so a virtual clock holds
for all processes at once. Virtual time goes on at real speed from the instant it was set to, so that
back-offs and lamps still move. A production database refuses to be moved (design, "Clock").
"""

from __future__ import annotations

from datetime import UTC, datetime
from operator import methodcaller

from psycopg.rows import tuple_row
from sqlalchemy import Connection, text

from foundation.rows import fetch


class ClockRefused(Exception):
    """The clock of a production database was asked to move."""


def clock_now(conn: Connection) -> datetime:
    """The database's idea of now, aware, in UTC."""
    (now,) = fetch(conn, "SELECT exchange.now()", {}, tuple_row, methodcaller("fetchone"))
    assert isinstance(now, datetime)
    return now.astimezone(UTC)


def move_clock(conn: Connection, at: datetime) -> None:
    """Set virtual time to ``at`` (aware). Raises ClockRefused in production."""
    if at.tzinfo is None:
        raise ValueError("clock time needs a zone")
    moved = conn.execute(
        text(
            "UPDATE exchange.clock SET mode = 'virtual', anchor_virtual = :at, anchor_real = clock_timestamp()"
            " WHERE movable"
        ),
        {"at": at},
    )
    if moved.rowcount != 1:
        raise ClockRefused("this database's clock may not be moved")


def release_clock(conn: Connection) -> None:
    """Go back to real time."""
    conn.execute(text("UPDATE exchange.clock SET mode = 'real' WHERE movable"))
