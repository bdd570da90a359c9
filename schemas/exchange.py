"""The shapes that pass between connectors, the hub and the exchange API. No behaviour, no partner."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol
from uuid import UUID

from schemas.claims import Record
from schemas.findings import Finding

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.x509 import Certificate

Channel = Literal["push", "pull", "file", "reply", "hook"]
Result = Literal["ACCEPTED", "DUPLICATE", "QUARANTINED", "REFUSED", "PARKED"]
SendOutcome = Literal["DELIVERED", "RETRY", "PERMANENT", "UNKNOWN"]


@dataclass(frozen=True)
class RawMessage:
    """What came in, before anyone looks at it. `operation` is "" for a bare file: sniff the content."""

    partner: str
    channel: Channel
    operation: str
    content: bytes
    received_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    filename: str | None = None


def _nothing_seen(_: str) -> bool:
    return False


def _no_digest(_: str) -> str | None:
    return None


def _no_fact(_kind: str, _key: str) -> Any:
    return None


@dataclass(frozen=True)
class Known:
    """What a mapping may look up; the caller fills it, the mapping never touches a database.

    `secrets`: shared secrets by name. `certificates`: trusted certificates by name. `seen_nonce`: was
    this nonce used before. `first_digest(message_id)`: digest of the business content first taken under
    that id. `fact(kind, key)`: any other stored fact the connector's own docs name. `profile`: which
    ranges of identifiers are right here ("test" or "production"). `check_authenticity`: False for a bare
    file from the operator's desk, which carries no transport proof.
    """

    secrets: Mapping[str, str] = field(default_factory=dict)
    certificates: Mapping[str, "tuple[Certificate, ...]"] = field(default_factory=dict)
    seen_nonce: Callable[[str], bool] = _nothing_seen
    first_digest: Callable[[str], str | None] = _no_digest
    fact: Callable[[str, str], Any] = _no_fact
    profile: Literal["test", "production"] = "test"
    check_authenticity: bool = True


@dataclass(frozen=True)
class Reading:
    """What a mapping made of one message.

    `message_id`: the sender's id. `compare_digest`: hex digest of the business content that decides
    "same" or "other" when the id comes again. `findings` with scope "message" refuse the whole message,
    with scope "row" only that row; `notes` are taken with care and refuse nothing. `case_key` and
    `sequence`: order per case. `reply_hint`: what the answer needs. `parts`: rows in the message,
    refused ones too. `meta`: cursor, gap list, action and the like.
    """

    message_id: str
    compare_digest: str
    records: tuple[Record, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()
    case_key: str = ""
    sequence: int | None = None
    reply_hint: dict[str, Any] = field(default_factory=dict)
    parts: int = 0
    meta: dict[str, Any] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Whether a message-level finding refuses the whole message."""
        return any(finding.scope == "message" for finding in self.findings)


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came over the wire. Header names are lower case; `path` is below the mount point."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    query: Mapping[str, str] = field(default_factory=dict)
    path_params: Mapping[str, str] = field(default_factory=dict)
    client_address: str = ""
    client_certificate: bytes | None = None


@dataclass(frozen=True)
class HttpAnswer:
    """The answer to a request: status, body bytes, headers."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """What became of one message; `result` QUARANTINED = same id with other content."""

    message_id: str
    result: Result
    findings: tuple[Finding, ...] = ()
    receipt_no: str = ""
    received_at: datetime | None = None
    reply_hint: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Endpoint:
    """One door that a partner may knock at, mounted by the exchange API under /partners/<id>.

    `unpack` raises findings.Refused when it cannot take the request apart; `answer` and `refuse` write
    the reply in the partner's own manner. `wsdl`: served at `?wsdl` where given.
    """

    method: str
    path: str
    operation: str
    max_bytes: int
    unpack: Callable[[HttpRequest, Known], list[RawMessage]]
    answer: Callable[[list[Outcome], HttpRequest], HttpAnswer]
    refuse: Callable[[tuple[Finding, ...], HttpRequest], HttpAnswer]
    wsdl: bytes | None = None


@dataclass(frozen=True)
class Pulled:
    """One page of a pull. `next_cursor` is stored with the rows; `more` = ask again at once."""

    messages: tuple[RawMessage, ...]
    next_cursor: str
    more: bool = False


@dataclass(frozen=True)
class SendResult:
    """What became of one sending. RETRY and UNKNOWN send the same bytes again; PERMANENT never."""

    outcome: SendOutcome
    code: str = ""
    text: str = ""
    raw: bytes = b""


class Keys(Protocol):
    """The key store as a connector or rail sees it (foundation.keys.KeyStore)."""

    def private_key(self, name: str) -> "RSAPrivateKey": ...

    def certificate(self, name: str) -> "Certificate": ...

    def trusted(self, name: str) -> "list[Certificate]": ...

    def secret(self, name: str) -> str: ...


@dataclass(frozen=True)
class ConnectorContext:
    """What a connector's client is handed. `state`: small facts kept per partner (tickets, tokens)."""

    base_url: str
    manifest: Mapping[str, Any]
    keys: Keys
    now: datetime
    new_id: Callable[[], UUID]
    state: dict[str, Any] = field(default_factory=dict)
