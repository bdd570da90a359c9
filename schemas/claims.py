"""What a partner's message says, in words that no partner invented: the language of mappings and registry.

A mapping turns raw bytes into `Record`s; the registry stores them as claims. A claim that is absent
means "not told"; a claim with value None means "told to be blank".
"""

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

JsonValue: TypeAlias = "bool | int | str | list[JsonValue] | dict[str, JsonValue] | None"

RecordKind = Literal[
    "episode", "withdrawal", "confirmation", "hold", "enforcement", "award", "result_ack", "person_check"
]
PartyRole = Literal["applicant", "respondent", "third_party", "representative"]
ReferenceKind = Literal["mediation_number", "case_number", "episode", "agreement", "incident"]

PROCEEDING_KINDS = (
    "PETITION",
    "MEDIATION",
    "PRE_LITIGATION_MEDIATION",
    "TRIAL",
    "CONFIRMATION",
    "PRESERVATION",
    "ENFORCEMENT",
    "ARBITRATION",
    "CRIMINAL_RECONCILIATION",
    "SUPPORT_PROSECUTION",
    "CIVIL_SUPERVISION",
    "JUDICIAL_RELIEF",
    "PUBLIC_INTEREST",
    "OTHER",
)
EPISODE_STATES = (
    "REGISTERED",
    "REFERRED",
    "OPEN",
    "SUSPENDED",
    "AGREED",
    "FAILED",
    "AWARDED",
    "CLOSED",
    "WITHDRAWN",
)
EPISODE_FIELDS = (
    "proceeding_kind",
    "state",
    "outcome",
    "case_number",
    "cause",
    "cause_code",
    "claimed_fen",
    "claimed_text",
    "opened_on",
    "closed_on",
    "occurred_on",
    "place_code",
    "place_text",
    "narrative",
    "organisation",
    "mediator",
    "holder",
    "people_count",
    "repeat_flag",
    "repeats",
    "group_flag",
    "limit_date",
    "sealed",
    "sequence",
    "commission",
    "court",
)
HOLD_MEASURES = ("FREEZE", "EXTEND", "LIFT", "DEDUCT")
CONFIRMATION_RESULTS = ("CONFIRMED", "REFUSED", "WITHDRAWN", "REVOKED")


@dataclass(frozen=True)
class Claim:
    """One field's value as the partner states it.

    `field`: one of EPISODE_FIELDS. `value`: JSON value; None = told to be blank. `valid_from`,
    `valid_to`: ISO dates or times between which it was true, None = open. `text`: the raw wire text
    where it differs from the value.
    """

    field: str
    value: JsonValue
    valid_from: str | None = None
    valid_to: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class PartyClaim:
    """A party in a role. `key` is stable inside the episode: its own number, or role and ordinal."""

    role: PartyRole
    kind: Literal["person", "organisation"]
    name: str
    key: str
    id_number: str | None = None
    masked_id: str | None = None
    phone: str | None = None
    address: str | None = None
    gender: str | None = None
    credit_code: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Reference:
    """A pointer to something else: "explicit" is a number written as such, "hint" one found in free text."""

    kind: ReferenceKind
    value: str
    agency: str | None = None
    strength: Literal["explicit", "hint"] = "explicit"


@dataclass(frozen=True)
class Record:
    """One row of a partner's message.

    `native_id`: the partner's key of the episode; `sub_id`: the proceeding's number where one key has
    several. `version`: orders claims of the same subject inside this partner, later wins, arrival never
    decides. `event_at`: ISO time of the fact. `parties` None = not told. `data`: kind-specific, JSON-able:

    - hold: document_no, measure (HOLD_MEASURES), account, amount_fen, from, until, waiting, refers_to
    - confirmation: result (CONFIRMATION_RESULTS), amount_fen, agreement_signed_on, document_no
    - award: total_fen, items, final, corrects
    - withdrawal: reason, hide
    - enforcement: basis_no, basis_kind, amount_fen
    """

    kind: RecordKind
    native_id: str
    version: tuple[str | int, ...]
    event_at: str
    sub_id: str = ""
    claims: tuple[Claim, ...] = ()
    parties: tuple[PartyClaim, ...] | None = None
    references: tuple[Reference, ...] = ()
    path: str = ""
    data: dict[str, Any] = field(default_factory=dict)
