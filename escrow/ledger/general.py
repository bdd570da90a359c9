"""The general ledger's acts: create accounts and transfers, freeze, expire (docs/ledger.md).

The engine is in the database; this hands it events and reads its answers. `through` is a unit of work, a SQLAlchemy
connection or a psycopg one; the transaction is the caller's, except in `commit_transfers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Connection

from escrow.ledger.codes import ACCOUNT_CODES, TRANSFER_CODES
from escrow.ledger.events import BATCH_MAX, Account, Id, Outcome, Transfer
from escrow.ledger.wire import account_columns, number, transfer_columns
from foundation.unit_of_work import UnitOfWork

Through = UnitOfWork | Connection | psycopg.Connection[Any]

_TYPES = (
    "uuid[]", "uuid[]", "uuid[]", "bigint[]", "uuid[]", "uuid[]", "bigint[]", "bigint[]", "bigint[]", "bigint[]",
    "int[]", "int[]", "int[]",
)  # fmt: skip
_ARGUMENTS = ", ".join(f"%s::{kind}" for kind in _TYPES)
_CREATE = f"SELECT codes, stamps FROM escrow.ledger_create_transfers({_ARGUMENTS})"
_COMMIT = f"CALL escrow.ledger_commit_transfers({_ARGUMENTS}, NULL, NULL)"
_ACCOUNTS = (
    "SELECT codes, stamps FROM escrow.ledger_create_accounts(%s::uuid[], %s::uuid[], %s::bigint[], %s::bigint[],"
    " %s::bigint[], %s::int[], %s::int[], %s::int[], %s::int[])"
)


def driver(through: Through) -> psycopg.Connection[Any]:
    """The psycopg connection below a unit of work or a SQLAlchemy connection, in the same transaction."""
    if isinstance(through, UnitOfWork):
        through = through.conn
    if isinstance(through, Connection):
        raw: psycopg.Connection[Any] = through.connection.driver_connection  # type: ignore[assignment]
        return raw
    return through


def create_accounts(through: Through, accounts: Sequence[Account]) -> list[Outcome]:
    """Create accounts, in order; one outcome each. Raises ValueError for a field out of its range, or over 8192 events."""
    _bounded(accounts)
    if not accounts:
        return []
    return _outcomes(driver(through), _ACCOUNTS, account_columns(accounts), ACCOUNT_CODES)


def create_transfers(through: Through, transfers: Sequence[Transfer]) -> list[Outcome]:
    """Create transfers, in order, in the caller's transaction; one outcome each.

    Amounts in fen, timeouts in seconds; at most 8192 a call. Raises ValueError for a field out of its range. An outcome
    holds once the caller's transaction is committed.
    """
    _bounded(transfers)
    return _outcomes(driver(through), _CREATE, transfer_columns(transfers), TRANSFER_CODES)


def commit_transfers(conn: psycopg.Connection[Any], transfers: Sequence[Transfer]) -> list[Outcome]:
    """Create transfers in a transaction of their own and wait until they are on disk: for single callers.

    Locks go before the wait, so a busy account is not held up by the disk. `conn` must be in autocommit mode and in no
    transaction; raises ValueError otherwise.
    """
    _bounded(transfers)
    if not conn.autocommit:
        raise ValueError("commit_transfers needs a connection in autocommit mode")
    return _outcomes(conn, _COMMIT, transfer_columns(transfers), TRANSFER_CODES)


def expire_due(through: Through) -> None:
    """Expire every hold whose time is over (at most 8192 a call). Every act that creates transfers does it first, too."""
    create_transfers(through, [])


def freeze_account(through: Through, account: Id, reason: str, actor: str) -> bool:
    """Freeze an account: money may come in, none may leave. False when there is no such account."""
    return _freeze(through, account, True, reason, actor)


def lift_account(through: Through, account: Id, reason: str, actor: str) -> bool:
    """Lift the freeze of an account. False when there is no such account."""
    return _freeze(through, account, False, reason, actor)


def _freeze(through: Through, account: Id, frozen: bool, reason: str, actor: str) -> bool:
    row = driver(through).execute(
        "SELECT escrow.ledger_freeze_account(%s, %s, %s, %s)",
        [UUID(int=number(account)), frozen, reason, actor],
    )
    return bool((row.fetchone() or [False])[0])


def _bounded(events: Sequence[object]) -> None:
    if len(events) > BATCH_MAX:
        raise ValueError(f"at most {BATCH_MAX} events a call, found {len(events)}")


def _outcomes(
    conn: psycopg.Connection[Any], sql: str, columns: Sequence[str | None], names: dict[int, str]
) -> list[Outcome]:
    with conn.cursor(binary=True, row_factory=psycopg.rows.tuple_row) as cursor:
        row = cursor.execute(sql, columns, prepare=True).fetchone()
    assert row is not None
    return [Outcome(names[code], stamp) for code, stamp in zip(row[0], row[1], strict=True)]
