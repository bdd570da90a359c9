"""Rows straight from the driver: what a unit of work reads, without SQLAlchemy's result machinery.

A hub reads some dozens of small rows a message. SQLAlchemy describes every column of every result anew; for rows that are
only read by name that took more time than the database did. Transaction, pool, events and kinds of error stay its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import psycopg
from sqlalchemy import Connection, Dialect, text
from sqlalchemy.exc import DBAPIError

Fetched = TypeVar("Fetched")


@lru_cache(maxsize=4096)
def _driver_form(sql: str, dialect: Dialect) -> str:
    """The SQL text as the driver takes it (``:name`` as ``%(name)s``), by SQLAlchemy's own rules."""
    return str(text(sql).compile(dialect=dialect))


def fetch(
    conn: Connection, sql: str, params: Mapping[str, Any], kind: Any, take: Callable[[Any], Fetched]
) -> Fetched:
    """Run one SQL text with named parameters in the connection's transaction, and take its rows.

    Args:
        kind: the driver's row factory (``psycopg.rows``).
        take: what is taken of the driver's cursor.

    Raises:
        sqlalchemy.exc.DBAPIError: as SQLAlchemy wraps the driver's errors; a lost connection is given up.
    """
    statement, values = _driver_form(sql, conn.dialect), params
    raw: Any = conn.connection.dbapi_connection
    cursor = raw.cursor(row_factory=kind)
    for listener in conn.dispatch.before_cursor_execute:
        statement, values = listener(conn, cursor, statement, values, None, False)
    try:
        cursor.execute(statement, values)
        return take(cursor)
    except psycopg.Error as error:
        lost = conn.dialect.is_disconnect(error, raw, None)  # type: ignore[arg-type]
        wrapped = DBAPIError.instance(
            statement, dict(values), error, psycopg.Error, conn.engine.hide_parameters, lost, conn.dialect
        )
        if lost:
            conn.invalidate(error)
        raise wrapped from error
