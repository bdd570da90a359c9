"""The open contract's message: what an agency tells that connects by Concord's contract, not by an adapter for its own.

One model for both protocols: REST carries it as JSON, SOAP as XML of the same names (connectors/open_contract/contract).
A value that is absent is "not told"; in `fields`, one that is null (`xsi:nil` in XML) is "told to be blank", elsewhere null
is the same as absent. There is no number with a fraction in it: money is integer fen.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.claims import PartyRole, ReferenceKind

NAMESPACE = "urn:concord:exchange:1"
MOST_BODY_BYTES = 1024 * 1024
MOST_FEN = 10**15
_ID = r"^[A-Za-z0-9._:-]{1,100}$"
_MOMENT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$"
_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_LINE = r"^[^\x00-\x1f\x7f]*$"

MessageId = Annotated[str, Field(pattern=_ID, description="the sender's own, never used for anything else")]
Line = Annotated[str, Field(min_length=1, max_length=200, pattern=_LINE)]
Key = Annotated[str, Field(min_length=1, max_length=100, pattern=_LINE)]
Text = Annotated[str, Field(max_length=20_000)]
Moment = Annotated[str, Field(pattern=_MOMENT, description="time with its zone")]
Day = Annotated[str, Field(pattern=_DAY, description="calendar day, Beijing")]
FenAmount = Annotated[int, Field(ge=0, le=MOST_FEN, description="money in fen")]
Count = Annotated[int, Field(ge=0, le=1_000_000)]

MessageKind = Literal["record", "correction", "withdrawal"]
Kind = Literal["episode", "withdrawal", "confirmation", "hold", "enforcement", "award"]
Proceeding = Literal[
    "PETITION", "MEDIATION", "PRE_LITIGATION_MEDIATION", "TRIAL", "CONFIRMATION", "PRESERVATION", "ENFORCEMENT",
    "ARBITRATION", "CRIMINAL_RECONCILIATION", "SUPPORT_PROSECUTION", "CIVIL_SUPERVISION", "JUDICIAL_RELIEF",
    "PUBLIC_INTEREST", "OTHER",
]  # fmt: skip
State = Literal[
    "REGISTERED", "REFERRED", "OPEN", "SUSPENDED", "AGREED", "FAILED", "AWARDED", "CLOSED", "WITHDRAWN"
]


class Part(BaseModel):
    """A part of the message. Unknown names are refused: a misspelt field would be lost in silence."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CauseCode(Part):
    """A cause of action by its code in a named code table."""

    system: Key
    code: Key


class Fields(Part):
    """What is told of the proceeding. The names are those of the registry (schemas.claims.EPISODE_FIELDS)."""

    proceeding_kind: Proceeding | None = None
    state: State | None = None
    outcome: Line | None = None
    case_number: Line | None = None
    cause: Line | None = None
    cause_code: CauseCode | None = None
    claimed_fen: FenAmount | None = None
    opened_on: Day | None = None
    closed_on: Day | None = None
    occurred_on: Day | None = None
    place_code: Key | None = None
    place_text: Line | None = None
    narrative: Text | None = None
    organisation: Line | None = None
    mediator: Line | None = None
    holder: Line | None = None
    people_count: Count | None = None
    repeat_flag: bool | None = None
    group_flag: bool | None = None
    limit_date: Day | None = None
    sealed: bool | None = None
    court: Line | None = None


class Party(Part):
    """A person or organisation in a role; `key` is the sender's and stays the same for the same party of the case."""

    key: Key
    role: PartyRole
    kind: Literal["person", "organisation"]
    name: Line
    id_number: Key | None = None
    masked_id: Key | None = None
    credit_code: Key | None = None
    phone: Key | None = None
    address: Line | None = None
    gender: Literal["M", "F"] | None = None


class Reference(Part):
    """A number of something else: `explicit` where the sender holds it for certain, `hint` where a person typed it."""

    kind: ReferenceKind
    value: Key
    agency: Key | None = None
    strength: Literal["explicit", "hint"] = "explicit"


class Confirmation(Part):
    """A court's word on a mediation agreement (People's Mediation Law, art. 33)."""

    result: Literal["CONFIRMED", "REFUSED", "WITHDRAWN", "REVOKED"]
    amount_fen: FenAmount | None = None
    agreement_signed_on: Day | None = None
    document_no: Key | None = None


class Hold(Part):
    """A court's order about an escrow account."""

    document_no: Key
    measure: Literal["FREEZE", "EXTEND", "LIFT", "DEDUCT"]
    account: Key | None = None
    amount_fen: FenAmount | None = None
    from_on: Day | None = None
    until_on: Day | None = None
    waiting: bool | None = None
    refers_to: Key | None = None


class Item(Part):
    """One sum that an award orders."""

    no: Count
    text: Line
    payer: Line
    payee: Line
    amount_fen: FenAmount
    due_date: Day | None = None


class Award(Part):
    """An arbitral award; `corrects` names the award that it replaces."""

    award_id: Key
    total_fen: FenAmount
    final: bool
    issued_on: Day
    corrects: Key | None = None
    items: Annotated[tuple[Item, ...], Field(min_length=1, max_length=100, strict=False)] = ()


class Enforcement(Part):
    """An enforcement case opened on a title."""

    basis_no: Key
    basis_kind: Key
    amount_fen: FenAmount | None = None


class CaseWithdrawal(Part):
    """The applicant took the case back; `hide` where the agency's law says that it is no longer to be shown."""

    reason: Line
    hide: bool = False


class ContractRecord(Part):
    """One record of the message's case. What `kind` names beside `fields` stands under that name."""

    kind: Kind
    proceeding: Key | None = None
    event_time: Moment | None = None
    fields: Fields | None = None
    parties: Annotated[tuple[Party, ...], Field(min_length=1, max_length=200, strict=False)] = ()
    references: Annotated[tuple[Reference, ...], Field(min_length=1, max_length=50, strict=False)] = ()
    confirmation: Confirmation | None = None
    hold: Hold | None = None
    award: Award | None = None
    enforcement: Enforcement | None = None
    withdrawal: CaseWithdrawal | None = None


class Message(Part):
    """One message about one case. `sequence` counts the sender's messages of this case from 1 without a hole."""

    message_id: MessageId
    case_key: Key
    sequence: Annotated[int, Field(ge=1, le=10**12)] | None = None
    event_time: Moment
    kind: MessageKind
    corrects: MessageId | None = None
    reason: Line | None = None
    records: Annotated[tuple[ContractRecord, ...], Field(min_length=1, max_length=50, strict=False)] = ()
