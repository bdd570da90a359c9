"""The general ledger's events and what comes back: accounts, transfers, flags, outcomes (docs/ledger.md)."""

from __future__ import annotations

from enum import IntFlag
from typing import NamedTuple
from uuid import UUID

AMOUNT_MAX = 2**63 - 1
"""The most fen that an amount or a balance may be; posting or balancing that much means "all there is"."""

ID_MAX = 2**128 - 1
BATCH_MAX = 8192

Id = int | UUID


class AccountFlags(IntFlag):
    """How an account behaves."""

    NONE = 0
    LINKED = 1 << 0
    DEBITS_MUST_NOT_EXCEED_CREDITS = 1 << 1
    CREDITS_MUST_NOT_EXCEED_DEBITS = 1 << 2
    HISTORY = 1 << 3
    IMPORTED = 1 << 4  # refused: imported_not_supported
    CLOSED = 1 << 5
    FROZEN = 1 << 16


class TransferFlags(IntFlag):
    """What a transfer does."""

    NONE = 0
    LINKED = 1 << 0
    PENDING = 1 << 1
    POST_PENDING_TRANSFER = 1 << 2
    VOID_PENDING_TRANSFER = 1 << 3
    BALANCING_DEBIT = 1 << 4
    BALANCING_CREDIT = 1 << 5
    CLOSING_DEBIT = 1 << 6
    CLOSING_CREDIT = 1 << 7
    IMPORTED = 1 << 8  # refused: imported_not_supported
    KEEP_REST = 1 << 16  # with POST_PENDING_TRANSFER: what is not posted stays held


class Account(NamedTuple):
    """An account: to be created (balances and timestamp 0), or as it stands. Amounts in fen, time in ns since 1970."""

    id: Id
    ledger: int
    code: int
    flags: int = 0
    user_data_128: Id = 0
    user_data_64: int = 0
    user_data_32: int = 0
    debits_pending: int = 0
    debits_posted: int = 0
    credits_pending: int = 0
    credits_posted: int = 0
    reserved: int = 0
    timestamp: int = 0


class Transfer(NamedTuple):
    """A transfer: to be created (timestamp 0), or as it is stored. `amount` in fen, `timeout` in seconds."""

    id: Id
    debit_account_id: Id = 0
    credit_account_id: Id = 0
    amount: int = 0
    pending_id: Id = 0
    user_data_128: Id = 0
    user_data_64: int = 0
    user_data_32: int = 0
    timeout: int = 0
    ledger: int = 0
    code: int = 0
    flags: int = 0
    timestamp: int = 0


class Outcome(NamedTuple):
    """What one event came to: a code of escrow/ledger/codes.py; `timestamp`: of the event, or of the one that is there for `exists`."""

    code: str
    timestamp: int

    @property
    def ok(self) -> bool:
        """True when what was asked is in the ledger, now or already."""
        return self.code in ("created", "exists")


class AccountBalance(NamedTuple):
    """What an account stood at after one of its transfers."""

    debits_pending: int
    debits_posted: int
    credits_pending: int
    credits_posted: int
    timestamp: int
