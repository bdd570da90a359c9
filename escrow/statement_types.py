"""What a statement, notice or look at a balance says, the same for every way to pay."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from schemas.money import Fen


@dataclass(frozen=True)
class StatementLine:
    """One line of a statement, notice or bill. Only a line with `booked` proves anything.

    `account`: the (sub-)account that moved. `amount`: positive; `direction` says which way. `our_number`: our order's
    number where the line names one. `bank_ref`: unique per account and booking date, not for ever. `document_no`:
    a court's document in a debit that is none of our orders (扣划). `reversal`: the holder undoes an earlier line.
    `returned`: the reason code of a payment that came back ("" = it is none).
    """

    account: str
    booked: bool
    direction: Literal["CRDT", "DBIT"]
    amount: Fen
    bank_ref: str
    booking_date: date
    value_date: date
    our_number: str | None = None
    party_name: str = ""
    party_account: str = ""
    text: str = ""
    reversal: bool = False
    returned: str = ""
    return_reason: str = ""
    document_no: str = ""
    own_account: bool = True  # False: it came to the parent account and names no sub-account (suspense)
    statement_id: str = ""
    at: datetime | None = None

    @property
    def signed(self) -> Fen:
        """The amount with its sign: credit positive."""
        return self.amount if self.direction == "CRDT" else -self.amount

    @property
    def key(self) -> tuple[str, str, str]:
        """The line's identity: account, booking date, the holder's reference."""
        return self.account, self.booking_date.isoformat(), self.bank_ref


@dataclass(frozen=True)
class StatementInfo:
    """One statement, report or notice. `kind`: statement (proof of the day), report (during the day), notice, bill.

    `sequence` None = not numbered. Balances are None where not told; `available` is after court holds.
    `complete`: False for one page of several.
    """

    account: str
    statement_id: str
    kind: Literal["statement", "report", "notice", "bill"]
    sequence: int | None = None
    opening: Fen | None = None
    closing: Fen | None = None
    interim: Fen | None = None
    available: Fen | None = None
    day: date | None = None
    created_at: datetime | None = None
    lines: int = 0
    complete: bool = True


@dataclass(frozen=True)
class BalanceLook:
    """An answer to a look at a balance; it may lag the statement."""

    account: str
    ledger: Fen
    available: Fen
    held: Fen
    as_of: str
