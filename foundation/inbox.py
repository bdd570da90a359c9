"""The inbox: every message that came in, raw and unchanged, and what became of it (exchange rules 1 and 2).

A message is stored in its own transaction before anything looks at it. It is then read and applied in a
second one; a crash between the two leaves a row in state RECEIVED, which a worker takes up again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Engine, RowMapping

from foundation.actors import SYSTEM, Actor
from foundation.envelope import content_of, vault_of
from foundation.journal import SHARDS, journal
from foundation.unit_of_work import UnitOfWork, unit_of_work
from schemas.exchange import Outcome, RawMessage
from schemas.findings import Finding

# How long the one who stored a message may take before a worker takes it up.
TAKE_UP_AFTER = timedelta(seconds=10)
MAX_TRIES = 12
# The journal line of decided rows (``decided``: rows of the inbox). One statement with the decision, so that no
# message has a fate without a line; the detail's hashes are over the text that evidence hands out.
JOURNAL_DECIDED = (
    "INSERT INTO exchange.journal (at, actor, shard, kind, ref, digest, detail)"
    f" SELECT :at, :actor, get_byte(content_hash, 0) % {SHARDS}, lower(state),"
    " partner || '/' || COALESCE(message_id, id::text), content_hash, jsonb_build_object('inbox', id, 'received_at',"
    " to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24\\:MI\\:SS.US\"Z\"'),"
    " 'headers', encode(sha256(convert_to(headers::text, 'UTF8')), 'hex'),"
    " 'outcome', encode(sha256(convert_to((result -> 'outcome')::text, 'UTF8')), 'hex'),"
    " 'receipt', encode(sha256(COALESCE(receipt, '')), 'hex')) FROM decided"
)


@dataclass(frozen=True)
class Stored:
    """A message in the inbox: its row id and the message."""

    id: UUID
    raw: RawMessage


def store(engine: Engine, raw: RawMessage, actor: Actor = SYSTEM) -> Stored:
    """Commit the raw message; after this returns, nothing that was sent can be lost."""
    with unit_of_work(engine, actor) as uow:
        return store_in(uow, raw)


def store_in(uow: UnitOfWork, raw: RawMessage) -> Stored:
    """Store a raw message in an open unit of work (pulls: many files and the cursor in one commit)."""
    row_id = uow.new_id()
    data_key, locked = vault_of(uow).lock(raw.content, row_id)
    uow.execute(
        "INSERT INTO exchange.inbox (id, partner, channel, operation, filename, content, data_key, size, headers,"
        " content_hash, received_at, next_try) VALUES (:id, :partner, :channel, :operation, :filename, :content,"
        " :data_key, :size, CAST(:headers AS jsonb), :hash, :at, :next_try)",
        id=row_id,
        partner=raw.partner,
        channel=raw.channel,
        operation=raw.operation,
        filename=raw.filename,
        content=locked,
        data_key=data_key,
        size=len(raw.content),
        headers=orjson.dumps(dict(raw.headers)).decode(),
        hash=hashlib.sha256(raw.content).digest(),
        at=raw.received_at,
        next_try=uow.now + TAKE_UP_AFTER,
    )
    return Stored(row_id, raw)


def raw_of(uow: UnitOfWork, row: RowMapping) -> RawMessage:
    """The raw message of an inbox row. Raises what ``envelope.content_of`` raises."""
    received = row["received_at"]
    assert isinstance(received, datetime)
    return RawMessage(
        partner=row["partner"],
        channel=row["channel"],
        operation=row["operation"],
        content=content_of(uow, row),
        received_at=received,
        headers=row["headers"],
        filename=row["filename"],
    )


def lock_message_id(uow: UnitOfWork, partner: str, message_id: str) -> None:
    """Let only one transaction at a time decide about a sender's id."""
    uow.execute("SELECT pg_advisory_xact_lock(hashtextextended(:key, 7))", key=f"{partner}\n{message_id}")


def in_force(uow: UnitOfWork, partner: str, message_id: str) -> RowMapping | None:
    """The message with this sender's id that had its effect, or None."""
    return uow.one(
        "SELECT id, compare_digest, receipt_no, received_at, result FROM exchange.inbox"
        " WHERE partner = :partner AND message_id = :message_id AND state IN ('APPLIED', 'PARKED')",
        partner=partner,
        message_id=message_id,
    )


def receipt_number(uow: UnitOfWork, row_id: UUID) -> str:
    """The receipt's number: from the row's own sequence, so a repeat finds the same."""
    seq = uow.scalar("SELECT seq FROM exchange.inbox WHERE id = :id", id=row_id)
    return f"R{seq:010d}"


def decide(
    uow: UnitOfWork,
    row_id: UUID,
    state: str,
    outcome: Outcome,
    *,
    compare_digest: str = "",
    case_key: str = "",
    sequence: int | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write what became of a message, and a journal line of it, which binds content, headers and receipt.

    ``detail`` is kept in ``result`` for screens and for repeats.
    """
    result = {**(detail or {}), "outcome": outcome_as_dict(outcome)}
    uow.execute(
        "WITH decided AS (UPDATE exchange.inbox SET state = :state, message_id = :message_id, compare_digest = :digest,"
        " case_key = :case_key, sequence = :sequence, receipt_no = :receipt, result = CAST(:result AS jsonb),"
        " decided_at = :at, attempts = attempts + 1, last_error = NULL WHERE id = :id RETURNING *)"
        f" {JOURNAL_DECIDED}",
        id=row_id,
        state=state,
        message_id=outcome.message_id.replace("\x00", "\ufffd") or None,
        digest=compare_digest or None,
        case_key=case_key,
        sequence=sequence,
        receipt=outcome.receipt_no or None,
        result=orjson.dumps(result, default=str).decode(),
        at=uow.now,
        actor=uow.actor.id,
    )


def erase(uow: UnitOfWork, row_id: UUID, reason: str) -> bool:
    """Destroy a message's data key: its content is gone, its hash and its journal lines stay. False when it was gone, or is not decided.

    Old versions of the row go with the next vacuum; back-ups hold the key until they are thrown away.
    """
    erased = uow.one(
        "UPDATE exchange.inbox SET data_key = NULL, erased_at = :now WHERE id = :id AND erased_at IS NULL"
        " AND state <> 'RECEIVED' RETURNING partner, COALESCE(message_id, id::text) AS name, content_hash",
        now=uow.now,
        id=row_id,
    )
    if erased is None:
        return False
    ref = f"{erased['partner']}/{erased['name']}"
    journal(uow, "erased", ref, bytes(erased["content_hash"]), inbox=str(row_id), reason=reason)
    return True


def failed(uow: UnitOfWork, row_id: UUID, error: str) -> None:
    """A fault of ours while applying: the message stays, is tried again later, and people see it."""
    uow.execute(
        "UPDATE exchange.inbox SET attempts = attempts + 1, last_error = :error,"
        " next_try = :now + make_interval(secs => LEAST(3600, 2 ^ LEAST(attempts + 1, 12)))"
        " WHERE id = :id AND state = 'RECEIVED'",
        id=row_id,
        error=error[:2000],
        now=uow.now,
    )


def waiting(uow: UnitOfWork, limit: int = 50) -> Sequence[UUID]:
    """Rows that nobody has decided in time, oldest first. Receipted ones are applied in batches (``hub.applying``)."""
    rows = uow.all(
        "SELECT id FROM exchange.inbox WHERE state = 'RECEIVED' AND receipt IS NULL AND next_try <= :now AND attempts < :most"
        " ORDER BY seq LIMIT :limit",
        now=uow.now,
        most=MAX_TRIES,
        limit=limit,
    )
    return [row["id"] for row in rows]


def outcome_as_dict(outcome: Outcome) -> dict[str, Any]:
    """An outcome as JSON-able dict, so that a repeat gets the same answer."""
    made = asdict(outcome)
    made["received_at"] = outcome.received_at.isoformat() if outcome.received_at else None
    return made


def outcome_from_dict(stored: dict[str, Any]) -> Outcome:
    """The outcome that ``outcome_as_dict`` wrote."""
    at = stored.get("received_at")
    return Outcome(
        message_id=stored["message_id"],
        result=stored["result"],
        findings=tuple(Finding(**each) for each in stored["findings"]),
        receipt_no=stored["receipt_no"],
        received_at=datetime.fromisoformat(at) if at else None,
        reply_hint=stored["reply_hint"],
    )
