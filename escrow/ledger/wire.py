"""Events as column arrays for the engine: one text per column, left out where it is all zero.

A driver that adapts lists element by element costs more than the engine; one joined text a column does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from escrow.ledger.events import AMOUNT_MAX, ID_MAX, Account, Id, Transfer

U64, U32, U16 = 2**64 - 1, 2**32 - 1, 2**16 - 1
_IMPORTED, _TIMESTAMP = 202, 3


def number(value: Id) -> int:
    """An id as a number; raises ValueError when it has more than 128 bits or is negative."""
    found = value.int if isinstance(value, UUID) else value
    if not 0 <= found <= ID_MAX:
        raise ValueError(f"an id has 128 bits, found {found}")
    return found


def _ids(values: Iterable[Id]) -> str:
    numbers = [v if type(v) is int else number(v) for v in values]
    if numbers and (min(numbers) < 0 or max(numbers) > ID_MAX):
        raise ValueError(f"an id has 128 bits, found {min(numbers)} to {max(numbers)}")
    return "{" + ",".join([f"{v:032x}" for v in numbers]) + "}"


def _ints(values: Iterable[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _in_range(name: str, values: Sequence[int], most: int) -> None:
    if min(values) < 0 or max(values) > most:
        wrong = next(v for v in values if not 0 <= v <= most)
        raise ValueError(f"{name} is a whole number from 0 to {most}, found {wrong}")


def signed(value: int) -> int:
    """64 bits without a sign as the signed number of the same bits (so PostgreSQL keeps them)."""
    return value - 2**64 if value >= 2**63 else value


def unsigned(value: int) -> int:
    """The other way round."""
    return value + 2**64 if value < 0 else value


def _amounts(values: Sequence[int]) -> str:
    if max(values) <= AMOUNT_MAX:
        if min(values) < 0:
            raise ValueError("an amount is 0 or more fen")
        return _ints(values)
    # The other engine's "all there is", 2^128-1, is ours too; anything else above is more than the ledger holds.
    return _ints(AMOUNT_MAX if v == ID_MAX else v if v <= AMOUNT_MAX else -1 for v in values)


def transfer_columns(events: Sequence[Transfer]) -> list[str | None]:
    """The parameters of `escrow.ledger_create_transfers`. Raises ValueError naming a field out of its range."""
    if not events:
        return ["{}", "{}", "{}", "{}", None, None, None, None, None, "{}", "{}", "{}", None]
    ids, debits, credits, amounts, pending, d128, d64, d32, waits, books, marks, asks, stamps = zip(
        *events, strict=True
    )
    for name, values, most in (
        ("user_data_64", d64, U64), ("user_data_32", d32, U32), ("timeout", waits, U32),
        ("ledger", books, U32), ("code", marks, U16), ("flags", asks, 2**31 - 1),
    ):  # fmt: skip
        _in_range(name, values, most)
    refused = [_IMPORTED if f & 256 else _TIMESTAMP if at else 0 for f, at in zip(asks, stamps, strict=True)]
    return [
        _ids(ids), _ids(debits), _ids(credits), _amounts(amounts), _ids(pending) if any(map(_some, pending)) else None,
        _ids(d128) if any(map(_some, d128)) else None, _ints(map(signed, d64)) if any(d64) else None,
        _ints(d32) if any(d32) else None, _ints(waits) if any(waits) else None, _ints(books), _ints(marks),
        _ints(map(int, asks)), _ints(refused) if any(refused) else None,
    ]  # fmt: skip


def _some(value: Id) -> bool:
    return value != 0 and number(value) != 0


def account_columns(events: Sequence[Account]) -> list[str]:
    """The parameters of `escrow.ledger_create_accounts`. Raises ValueError naming a field out of its range."""
    for name, most in (
        ("user_data_64", U64),
        ("user_data_32", U32),
        ("ledger", U32),
        ("code", U16),
        ("flags", 2**31 - 1),
    ):
        _in_range(name, [getattr(e, name) for e in events] or [0], most)
    return [
        _ids(e.id for e in events), _ids(e.user_data_128 for e in events), _ints(signed(e.user_data_64) for e in events),
        _ints(e.user_data_32 for e in events), _ints(e.ledger for e in events), _ints(e.code for e in events),
        _ints(int(e.flags) for e in events),
        _ints(_IMPORTED if e.flags & 16 else _TIMESTAMP if e.timestamp else 4 if e.reserved else 0 for e in events),
        _ints(_opening(e) for e in events),
    ]  # fmt: skip


def _opening(event: Account) -> int:
    balances = (event.debits_pending, event.debits_posted, event.credits_pending, event.credits_posted)
    return next((number for number, fen in enumerate(balances, 9) if fen), 0)
