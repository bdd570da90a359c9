"""The registry made again from the stored messages alone, in an empty database, page by page.

Every message that had its effect is read again from its raw bytes, whose hash must be the one in the journal, and told
to an empty registry in the order in which it came; the state hash must then be the live one. What the office told of its
own matters has no message and is not told again: `own` counts such statements.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

import case_registry
from case_registry import NotRecorded, Source, Spoken
from connectors import Connector, connector
from connectors.open_contract import mapping as open_mapping
from connectors.open_contract.stored import message_in
from foundation.database import make_engine
from foundation.envelope import content_of
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub.known import known_for
from hub.message_batch import source_of
from hub.pipeline import Hub
from schemas.exchange import Known, RawMessage

PAGE = 1_000
"""Messages that are held in memory at once, and told in one transaction."""


class ReplayFailed(Exception):
    """A stored message is not what the journal says it was, or it cannot be told again."""


@dataclass
class Replayed:
    """What a replay came to. `live`, `again`: the state hashes of the registry and of the one made from its messages."""

    messages: int = 0
    own: int = 0
    live: str = ""
    again: str = ""


@dataclass(frozen=True)
class _Gone:
    """Not something told, but the taking back of what an earlier message told."""

    original: UUID
    reason: str


def replay(hub: Hub, empty_database_url: str) -> Replayed:
    """Tell every message of this hub that had its effect to the registry of a migrated, empty database.

    Raises ReplayFailed; ValueError when that database's registry is not empty.
    """
    target = make_engine(empty_database_url, pool_size=1, timeout_ms=0)
    found = Replayed()
    known: dict[str, Known] = {}
    with unit_of_work(target) as uow:
        if uow.scalar("SELECT EXISTS (SELECT 1 FROM registry.source_case)"):
            raise ValueError("the registry that messages are told again to must be empty")
    after: int | None = 0
    while after is not None:
        with unit_of_work(hub.engine) as uow:
            rows = uow.all(_ROWS, after=after, page=PAGE)
            told = [part for row in rows for part in _told(uow, hub, row, known)]
        with unit_of_work(target) as uow:
            _tell(uow, told)
        found.messages += len(rows)
        after = rows[-1]["seq"] if rows else None
    with unit_of_work(hub.engine) as uow:
        found.own = uow.scalar(_OWN)
        found.live = case_registry.state_hash(uow)
    with unit_of_work(target) as uow:
        found.again = case_registry.state_hash(uow)
    target.dispose()
    return found


# A message of the open contract that waited for an earlier number of its case is told in the order of arrival; the registry is the same.
_ROWS = """
SELECT i.id, i.seq, i.partner, i.channel, i.operation, i.filename, i.content, i.data_key, i.headers, i.content_hash, i.received_at,
    i.receipt IS NOT NULL AS open, p.institution, p.agency
FROM exchange.inbox i LEFT JOIN exchange.partner p ON p.id = i.partner
WHERE i.seq > :after AND i.state IN ('APPLIED', 'PARKED') ORDER BY i.seq LIMIT :page
"""
_OWN = """
SELECT count(*) FROM registry.statement s WHERE s.kind <> 'decision'
    AND NOT EXISTS (SELECT 1 FROM exchange.inbox i WHERE i.id = s.message)
"""


def _told(uow: UnitOfWork, hub: Hub, row: RowMapping, known: dict[str, Known]) -> Iterator[Spoken | _Gone]:
    content = content_of(uow, row)
    if hashlib.sha256(content).digest() != bytes(row["content_hash"]):
        raise ReplayFailed(f"message {row['id']}: its bytes are not those that were stored")
    if row["open"]:
        yield from _open(uow, row, content)
        return
    adapter = connector(row["partner"])
    if adapter.id not in known:
        known[adapter.id] = _as_then(known_for(uow, adapter, hub.keys, hub.settings), adapter)
    raw = RawMessage(
        row["partner"],
        row["channel"],
        row["operation"],
        content,
        row["received_at"],
        row["headers"],
        row["filename"],
    )
    reading = adapter.mapping.read(raw, known[adapter.id])
    yield Spoken(Source(adapter.id, adapter.institution, adapter.agency), row["id"], reading.records)


def _as_then(known: Known, adapter: Connector) -> Known:
    """What a mapping may look up while a message is told again: it was found genuine and new when it came."""

    def fact(kind: str, key: str) -> Any:
        return 0 if kind == "last_sequence" else None

    return replace(
        known, seen_nonce=lambda _: False, first_digest=lambda _: None, fact=fact, check_authenticity=False
    )


def _open(uow: UnitOfWork, row: RowMapping, content: bytes) -> Iterator[Spoken | _Gone]:
    message = message_in(content)
    if message.kind != "record":
        original = uow.scalar(
            "SELECT id FROM exchange.inbox WHERE partner = :p AND message_id = :m AND receipt IS NOT NULL",
            p=row["partner"],
            m=message.corrects,
        )
        yield _Gone(original, message.reason or message.kind)
    if message.kind != "withdrawal":
        yield Spoken(source_of(row), row["id"], open_mapping.records_of(message))


def _tell(uow: UnitOfWork, told: Sequence[Spoken | _Gone]) -> None:
    run: list[Spoken] = []
    for part in told:
        if isinstance(part, Spoken):
            run.append(part)
            continue
        _record(uow, run)
        run = []
        case_registry.retract_message(uow, part.original, part.reason)
    _record(uow, run)


def _record(uow: UnitOfWork, run: Sequence[Spoken]) -> None:
    for spoken, result in zip(run, case_registry.record_many(uow, run), strict=True):
        if isinstance(result, NotRecorded):
            raise ReplayFailed(f"message {spoken.message} cannot be told again") from result.error
