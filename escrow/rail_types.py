"""The shapes that pass between the escrow core and the ways to pay. No behaviour, no rail is named here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, NamedTuple

from escrow.statement_types import BalanceLook as BalanceLook
from escrow.statement_types import StatementInfo as StatementInfo
from escrow.statement_types import StatementLine as StatementLine
from schemas.exchange import Keys
from schemas.findings import Finding
from schemas.money import Fen

Outcome = Literal["NOT_SENT", "REFUSED", "ACCEPTED", "IN_PROCESS", "UNKNOWN", "DONE"]
"""Codes of the table payment_outcome."""

Operation = Literal[
    "", "order", "ask", "open_subaccount", "balance", "missed", "cancel", "bill_link", "notify", "statement"
]
AdviceKind = Literal[
    "outcome",  # what became of orders: outcomes, batch
    "statement",  # lines that are booked or expected, and balances
    "return",  # money announced to come back: returns; the ledger waits for the line
    "notice",  # a hint: nothing moves, ask for the numbers in `ask`
    "cancel_answer",  # the answer to a request to cancel
    "subaccount",  # a sub-account was opened (or not)
    "balance",  # a look at a balance
    "messages",  # a page of missed messages: feed each of `messages` to `verify` again
    "link",  # a link to the day's bill in `link`; it lives for seconds
    "own",  # a file of our own instructions, given by hand: enter what was `sent`
    "nothing",  # could not be read, or carries nothing; see findings
]


@dataclass(frozen=True)
class Instruction:
    """One payment that was approved.

    `number`: ours, unique for ever, `[A-Z0-9]{1,32}`. `debit_account`: the custody (sub-)account it leaves.
    `payee_id_kind`: "person" or "organisation". `payee_account`: card, account or wallet login; `payee_account_kind`:
    one of the manifest's payee kinds. `purpose`: plain words for the payee; `remark`: what the payee's statement
    shows (mediation number). `execute_on`: Beijing day. `batch_id`: the instruction file's id, "" = made from the
    number. `created_at`: when the instruction was made; it is written into the document, which must not change
    after approval.
    """

    number: str
    amount: Fen
    debit_account: str
    payee_name: str
    payee_account: str
    execute_on: date
    created_at: datetime
    payee_id: str = ""
    payee_id_kind: Literal["person", "organisation"] = "person"
    payee_bank_code: str = ""
    payee_bank_name: str = ""
    payee_account_kind: str = ""
    purpose: str = ""
    remark: str = ""
    batch_id: str = ""


class LastStatement(NamedTuple):
    """What we hold of an account's statements.

    `sequence`, `closing`: of the last statement taken. `stated`, `noticed`: all numbers so far of statements and of
    booked notices of this account (some hosts number both in one row). `booked_since`: (booking date, signed amount)
    of lines that notices booked and no statement held yet.
    """

    sequence: int
    closing: Fen
    stated: frozenset[int] = frozenset()
    noticed: frozenset[int] = frozenset()
    booked_since: tuple[tuple[date, Fen], ...] = ()


@dataclass(frozen=True)
class KnownOrder:
    """What the core knows of an order we sent.

    `state`: of the payment_order machine. `outcome`: the rail's word so far. `outcome_at`: time of the fact behind
    it (the rail's own time). `sent_at`: when it first left. `statement_taken`: a statement that covers the day of
    sending was taken, and the order is not in it. `told_done`: the rail said DONE by any word, a mere hint included.
    """

    number: str
    amount: Fen
    state: str = ""
    outcome: Outcome | None = None
    outcome_at: datetime | None = None
    sent_at: datetime | None = None
    statement_taken: bool = False
    told_done: bool = False


@dataclass(frozen=True)
class RailContext:
    """What the rail's pure functions are handed.

    `now`: with its zone. `request_id`: id of this request, `[A-Za-z0-9]{10,35}`, a new one for each new request and
    the same for a retry. `sequence`: our own running number towards this rail. `known_order`, `last_statement`:
    read-only lookups; None = that check is not made. `settings`: values that differ from the manifest's
    (`account` table) in this installation. `number_of_reference`: our number for which the rail told its own reference.
    """

    manifest: Mapping[str, Any]
    keys: Keys
    now: datetime
    request_id: str = ""
    sequence: int = 1
    known_order: Callable[[str], KnownOrder | None] | None = None
    last_statement: Callable[[str], LastStatement | None] | None = None
    number_of_reference: Callable[[str], str | None] | None = None
    settings: Mapping[str, str] = field(default_factory=dict)

    def account(self, name: str) -> str:
        """A value of the manifest's `account` table, unless `settings` say otherwise."""
        found = self.settings.get(name, self.manifest["account"].get(name, ""))
        return str(found)


@dataclass(frozen=True)
class OutgoingRequest:
    """Bytes to send. `path`: to be joined to the rail's base URL, with its query.

    `document`: the business content that people approve (digest of it = what is approved); "" where the request
    carries none. `body`: the wire bytes around it; a retry sends the same.
    """

    method: Literal["GET", "POST"]
    path: str
    operation: Operation
    number: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    document: bytes = b""
    request_id: str = ""


@dataclass(frozen=True)
class Incoming:
    """Bytes that came in.

    `operation` and `number`: for a reply, the request it answers. `status`: HTTP status of a reply.
    `query`: raw query string of a callback (some relays move the form there).
    """

    content: bytes
    channel: Literal["callback", "reply", "file"] = "callback"
    operation: Operation = ""
    number: str = ""
    status: int = 200
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    filename: str = ""


@dataclass(frozen=True)
class OrderOutcome:
    """What the rail says of one order.

    `rail_status`: its own word. `may_repeat`: the same number may be used again once the cause is gone.
    `at`: the rail's time of the fact.
    """

    number: str
    outcome: Outcome
    rail_status: str
    reason_code: str = ""
    reason: str = ""
    rail_reference: str = ""
    amount: Fen | None = None
    at: datetime | None = None
    may_repeat: bool = False


@dataclass(frozen=True)
class BatchOutcome:
    """What holds for orders of an instruction file that `Advice.outcomes` does not name.

    UNKNOWN = nothing was said about them, ask; it never takes back what is known already.
    """

    batch_id: str
    outcome: Outcome
    rail_status: str
    reason_code: str = ""
    reason: str = ""


@dataclass(frozen=True)
class ReturnAdvice:
    """Money announced to come back. `return_id` is its identity, however often it is told."""

    number: str
    amount: Fen
    return_id: str
    reason_code: str = ""
    reason: str = ""
    at: datetime | None = None
    original_amount: Fen | None = None
    short: bool = False  # less comes back than went out: park for a person


@dataclass(frozen=True)
class CancelAnswer:
    """The rail's answer to a request to cancel one order; CANCELLED is asked once more before it is believed."""

    number: str
    answer: Literal["CANCELLED", "REFUSED", "PENDING"]
    rail_status: str
    reason: str = ""


@dataclass(frozen=True)
class Reply:
    """The HTTP answer to a callback."""

    body: bytes
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Advice:
    """What a rail made of something that came in.

    Findings of scope "message" (`refused`): nothing is posted and no order moves; of scope "row": that row is left
    out, the rest stands. `notes` are remarks on something taken. `message_id`: the sender's id ("" = none);
    `compare_digest`: what must be equal when it comes again. `ask`: numbers of orders to query now. `reply`: the
    answer to a callback if all is well with storing it; `Rail.answer` makes one for another result.
    """

    kind: AdviceKind
    message_id: str = ""
    compare_digest: str = ""
    findings: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()
    outcomes: tuple[OrderOutcome, ...] = ()
    batch: BatchOutcome | None = None
    returns: tuple[ReturnAdvice, ...] = ()
    sent: tuple[Instruction, ...] = ()
    cancels: tuple[CancelAnswer, ...] = ()
    lines: tuple[StatementLine, ...] = ()
    statements: tuple[StatementInfo, ...] = ()
    ask: tuple[str, ...] = ()
    reply: Reply | None = None
    subaccount: str = ""
    opened_on: str = ""
    balance: BalanceLook | None = None
    messages: tuple[Incoming, ...] = ()
    last_sequence: int | None = None  # cursor of the message or the page
    message_type: str = ""
    link: str = ""
    code: str = ""  # the rail's answer code to a request that is no payment
    text: str = ""

    @property
    def refused(self) -> bool:
        """Whether a message-level finding refuses the whole of it."""
        return any(finding.scope == "message" for finding in self.findings)


@dataclass(frozen=True)
class SubaccountRequest:
    """A sub-account to be opened for one case. `case_ref` ≤ 32, `case_name` ≤ 60 characters; `expected`: the agreed sum."""

    request_id: str
    case_ref: str
    case_name: str
    expected: Fen
    payers: tuple[Mapping[str, str | None], ...] = ()  # name, idNo, account
    expires_on: date | None = None


@dataclass(frozen=True)
class CancelRequest:
    """A request to cancel orders that were sent; best effort, money gone is gone."""

    cancel_id: str
    batch_id: str
    numbers: tuple[str, ...]
    created_at: datetime
    reason: str = ""
