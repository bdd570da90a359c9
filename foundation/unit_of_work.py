"""One unit of work: a request or a job opens one, services take it first, nobody commits halfway."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from operator import methodcaller
from typing import Any, cast

import uuid6
from psycopg.rows import dict_row, tuple_row
from sqlalchemy import Connection, CursorResult, Engine, RowMapping, TextClause
from sqlalchemy import text as _parse

from foundation.actors import SYSTEM, Actor
from foundation.clock import clock_now
from foundation.rows import fetch

_first, _all = methodcaller("fetchone"), methodcaller("fetchall")


@lru_cache(maxsize=4096)
def text(sql: str) -> TextClause:
    """The parsed form of an SQL text; parsed once, since the same few hundred texts run all day."""
    return _parse(sql)


class UnitOfWork:
    """A database transaction with the time and the person it acts for.

    ``now`` is read once from the clock row, so everything in one unit happens at one instant.
    """

    def __init__(self, conn: Connection, actor: Actor, now: datetime) -> None:
        self.conn = conn
        self.actor = actor
        self.now = now

    def new_id(self) -> uuid.UUID:
        """A UUIDv7; takes no part in linking or in the state hash."""
        return uuid.UUID(int=uuid6.uuid7().int)

    def execute(self, sql: str, **params: Any) -> CursorResult[Any]:
        """Run one SQL text with named parameters (``:name``)."""
        return self.conn.execute(text(sql), params)

    def execute_many(self, sql: str, rows: Sequence[dict[str, Any]]) -> None:
        """Run one SQL text for many parameter sets; nothing when there are none."""
        if rows:
            self.conn.execute(text(sql), list(rows))

    def one(self, sql: str, **params: Any) -> RowMapping | None:
        """First row as a mapping, or None."""
        return cast("RowMapping | None", fetch(self.conn, sql, params, dict_row, _first))

    def all(self, sql: str, **params: Any) -> Sequence[RowMapping]:
        """All rows as mappings; the SQL states its own LIMIT."""
        return cast("Sequence[RowMapping]", fetch(self.conn, sql, params, dict_row, _all))

    def scalar(self, sql: str, **params: Any) -> Any:
        """First column of the first row, or None."""
        row = fetch(self.conn, sql, params, tuple_row, _first)
        return row[0] if row else None

    def publish(self, topic: str, **payload: Any) -> None:
        """Write an event in this transaction; workers and subscribers are woken when it commits."""
        self.publish_many([(topic, payload)])

    def publish_many(self, events: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Write events in their order, in one statement; workers and subscribers are woken when it commits."""
        if not events:
            return
        self.execute(
            "WITH told AS (INSERT INTO exchange.event (topic, payload, at, actor) SELECT g.event ->> 0, g.event -> 1, :at, :actor"
            " FROM jsonb_array_elements(CAST(:events AS jsonb)) WITH ORDINALITY AS g (event, place) ORDER BY g.place)"
            " SELECT pg_notify('concord_work', '')",
            at=self.now,
            actor=self.actor.id,
            events=_json(events),
        )

    def wake(self) -> None:
        """Wake workers by NOTIFY when (and only when) this transaction commits."""
        self.conn.execute(text("SELECT pg_notify('concord_work', '')"))


def _json(value: Any) -> str:
    import orjson

    return orjson.dumps(value, default=str).decode()


@contextmanager
def unit_of_work(engine: Engine, actor: Actor = SYSTEM) -> Iterator[UnitOfWork]:
    """Open a transaction; commit on a clean exit, roll back on any exception."""
    with engine.begin() as conn:
        yield UnitOfWork(conn, actor, clock_now(conn))
