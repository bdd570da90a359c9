"""Looking into the general ledger: by id, by account, by what was asked (docs/ledger.md).

Answers are in the order of time, `reversed` ones against it; a filter that can hold for nothing gives nothing.
Holds whose time is over are expired before anything is shown, unless the transaction may only read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from escrow.ledger.events import BATCH_MAX, ID_MAX, Account, AccountBalance, AccountFlags, Id, Transfer
from escrow.ledger.general import Through, driver, expire_due
from escrow.ledger.wire import U64, number, signed, unsigned

_TRANSFER = (
    "t.id, t.debit_account, t.credit_account, t.amount, t.pending_id, t.user_data_128, t.user_data_64, t.user_data_32,"
    " t.timeout, t.ledger, t.code, t.flags, t.timestamp"
)
_ACCOUNT = (
    "a.id, a.ledger, a.code, a.flags, a.user_data_128, a.user_data_64, a.user_data_32, a.debits_pending, a.debits_posted,"
    " a.credits_pending, a.credits_posted, a.timestamp"
)


def lookup_accounts(through: Through, ids: Sequence[Id]) -> list[Account]:
    """The accounts of these ids that are there, in the order asked. At most 8192 ids."""
    rows = _rows(
        through,
        f"SELECT {_ACCOUNT} FROM unnest(%s::uuid[]) WITH ORDINALITY u(id, i)"
        " JOIN escrow.ledger_account a ON a.id = u.id ORDER BY u.i",
        [_uuids(ids)],
    )
    return [_account(row) for row in rows]


def lookup_transfers(through: Through, ids: Sequence[Id]) -> list[Transfer]:
    """The transfers of these ids that are there, in the order asked. At most 8192 ids."""
    rows = _rows(
        through,
        f"SELECT {_TRANSFER} FROM unnest(%s::uuid[]) WITH ORDINALITY u(id, i)"
        " JOIN escrow.ledger_transfer t ON t.id = u.id AND t.kind <> 'EXPIRE' ORDER BY u.i",
        [_uuids(ids)],
    )
    return [_transfer(row) for row in rows]


def account_transfers(
    through: Through,
    account: Id,
    *,
    debits: bool = True,
    credits: bool = True,
    limit: int = BATCH_MAX,
    **narrow: Any,
) -> list[Transfer]:
    """Transfers that debit or credit an account.

    Further filters: user_data_128, user_data_64, user_data_32, code (0: any); timestamp_min, timestamp_max (ns,
    inclusive, 0: open); reversed. At most `limit`, and never over 8192.
    """
    return [_transfer(row) for row in _of_account(through, account, debits, credits, limit, narrow)]


def account_balances(
    through: Through,
    account: Id,
    *,
    debits: bool = True,
    credits: bool = True,
    limit: int = BATCH_MAX,
    **narrow: Any,
) -> list[AccountBalance]:
    """What an account made with the flag HISTORY stood at after each of its transfers; the filters of `account_transfers`.

    Nothing for an account without that flag.
    """
    known = lookup_accounts(through, [account]) if 0 < number(account) < ID_MAX else []
    if not known or not known[0].flags & AccountFlags.HISTORY:
        return []
    return [
        AccountBalance(
            row["debits_pending"],
            row["debits_posted"],
            row["credits_pending"],
            row["credits_posted"],
            row["timestamp"],
        )
        for row in _of_account(through, account, debits, credits, limit, narrow)
    ]


def query_accounts(
    through: Through, *, limit: int = BATCH_MAX, ledger: int = 0, **narrow: Any
) -> list[Account]:
    """Accounts by user_data_128, user_data_64, user_data_32, ledger, code (0: any) and time; as `account_transfers`."""
    where, values, order = _narrowed("a", {**narrow, "ledger": ledger})
    if where is None or limit <= 0:
        return []
    sql = f"SELECT {_ACCOUNT} FROM escrow.ledger_account a WHERE {where} ORDER BY a.timestamp {order}, a.no {order} LIMIT %s"
    return [_account(row) for row in _rows(through, sql, [*values, min(limit, BATCH_MAX)])]


def query_transfers(
    through: Through, *, limit: int = BATCH_MAX, ledger: int = 0, **narrow: Any
) -> list[Transfer]:
    """Transfers by user_data_128, user_data_64, user_data_32, ledger, code (0: any) and time; as `account_transfers`."""
    where, values, order = _narrowed("t", {**narrow, "ledger": ledger})
    if where is None or limit <= 0:
        return []
    sql = (
        f"SELECT {_TRANSFER} FROM escrow.ledger_transfer t WHERE {where} AND t.kind <> 'EXPIRE'"
        f" ORDER BY t.timestamp {order}, t.id LIMIT %s"
    )
    return [_transfer(row) for row in _rows(through, sql, [*values, min(limit, BATCH_MAX)])]


def _of_account(
    through: Through, account: Id, debits: bool, credits: bool, limit: int, narrow: dict[str, Any]
) -> list[dict[str, Any]]:
    where, values, order = _narrowed("t", narrow)
    if where is None or limit <= 0 or not 0 < number(account) < ID_MAX or not (debits or credits):
        return []
    limit = min(limit, BATCH_MAX)
    parts, given = [], []
    for wanted, side, short in ((debits, "debit", "dr"), (credits, "credit", "cr")):
        if wanted:
            parts.append(
                f"(SELECT {_TRANSFER}, t.{side}_seq AS seq, t.{short}_debits_pending AS debits_pending,"
                f" t.{short}_debits_posted AS debits_posted, t.{short}_credits_pending AS credits_pending,"
                f" t.{short}_credits_posted AS credits_posted FROM escrow.ledger_transfer t"
                f" WHERE t.{side}_account = %s AND t.kind <> 'EXPIRE' AND {where} ORDER BY t.{side}_seq {order} LIMIT %s)"
            )
            given += [UUID(int=number(account)), *values, limit]
    return _rows(
        through,
        "SELECT * FROM (" + " UNION ALL ".join(parts) + f") p ORDER BY seq {order} LIMIT %s",
        [*given, limit],
    )


_NARROW = ("user_data_128", "user_data_64", "user_data_32", "ledger", "code")


def _narrowed(short: str, narrow: dict[str, Any]) -> tuple[str | None, list[Any], str]:
    """The WHERE of a filter, its values, its order; no WHERE when nothing can match."""
    given = dict(narrow)
    order = "DESC" if given.pop("reversed", False) else "ASC"
    low, high = given.pop("timestamp_min", 0), given.pop("timestamp_max", 0)
    if not 0 <= low < U64 or not 0 <= high < U64 or (high and low > high):
        return None, [], order
    where, values = ["true"], []
    for name in _NARROW:
        wanted = given.pop(name, 0)
        if not wanted:
            continue
        where.append(f"{short}.{name} = %s")
        values.append(UUID(int=number(wanted)) if name == "user_data_128" else signed(wanted))
    if given:
        raise TypeError(f"no such filter: {', '.join(sorted(given))}")
    for sign, bound in ((">=", low), ("<=", high)):
        if bound:
            where.append(f"{short}.timestamp {sign} %s")
            values.append(min(bound, 2**63 - 1))
    return " AND ".join(where), values, order


def _uuids(ids: Iterable[Id]) -> list[UUID]:
    found = [UUID(int=number(each)) for each in ids]
    if len(found) > BATCH_MAX:
        raise ValueError(f"at most {BATCH_MAX} ids a call, found {len(found)}")
    return found


def _rows(through: Through, sql: str, values: Sequence[Any]) -> list[dict[str, Any]]:
    conn = driver(through)
    with conn.cursor(row_factory=dict_row) as cursor:
        _expire(conn, cursor)
        return cursor.execute(sql, values).fetchall()


def _expire(conn: psycopg.Connection[Any], cursor: psycopg.Cursor[dict[str, Any]]) -> None:
    cursor.execute(
        "SELECT EXISTS (SELECT FROM escrow.ledger_due WHERE expires_at <= extract(epoch FROM exchange.now()) * 1000000000)"
        " AND current_setting('transaction_read_only') = 'off' AS due"
    )
    row = cursor.fetchone()
    if row is not None and row["due"]:
        expire_due(conn)


def _account(row: dict[str, Any]) -> Account:
    return Account(
        row["id"].int, row["ledger"], row["code"], AccountFlags(row["flags"]), row["user_data_128"].int,
        unsigned(row["user_data_64"]), row["user_data_32"], row["debits_pending"], row["debits_posted"],
        row["credits_pending"], row["credits_posted"], 0, row["timestamp"],
    )  # fmt: skip


def _transfer(row: dict[str, Any]) -> Transfer:
    return Transfer(
        row["id"].int, row["debit_account"].int, row["credit_account"].int, row["amount"],
        row["pending_id"].int if row["pending_id"] else 0, row["user_data_128"].int, unsigned(row["user_data_64"]),
        row["user_data_32"], row["timeout"], row["ledger"], row["code"], row["flags"], row["timestamp"],
    )  # fmt: skip
