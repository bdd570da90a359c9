"""The journal: append-only lines, sealed in batches soon after (exchange rule 9); alarms and disclosures beside it.

A line is written in the transaction that makes it true and waits for nobody: ``foundation.sealing`` chains
what has been committed, per day and shard, makes a Merkle tree of it and has its root time-stamped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from foundation.unit_of_work import UnitOfWork

# Chains a day: two sealers can work at once, each on its own chains. Part of what is hashed: never changed for old days.
SHARDS = 4
# Lines of one call of journal_many.
MOST_LINES = 20_000


@dataclass(frozen=True)
class Line:
    """One thing that happened. ``digest`` is the SHA-256 of it (raw message, sent bytes, decision); ``ref`` names it."""

    kind: str
    ref: str
    digest: bytes
    detail: Mapping[str, Any] = field(default_factory=dict)


def shard_of(digest: bytes) -> int:
    """The chain of all lines about one thing. Raises ValueError when ``digest`` is no SHA-256."""
    if len(digest) != 32:
        raise ValueError(f"a journal line's digest has 32 bytes, not {len(digest)}")
    return digest[0] % SHARDS


def journal(uow: UnitOfWork, kind: str, ref: str, digest: bytes, **detail: Any) -> None:
    """Append one line (see ``Line``) in this transaction."""
    journal_many(uow, [Line(kind, ref, digest, detail)])


def journal_many(uow: UnitOfWork, lines: Sequence[Line]) -> None:
    """Append lines in their order, in one statement. At most MOST_LINES; raises ValueError beyond."""
    if len(lines) > MOST_LINES:
        raise ValueError(f"{len(lines)} journal lines at once; at most {MOST_LINES}")
    if not lines:
        return
    uow.execute(
        "INSERT INTO exchange.journal (at, actor, shard, kind, ref, digest, detail)"
        " SELECT :at, :actor, given.shard, given.kind, given.ref, given.digest, given.detail::jsonb"
        " FROM unnest(CAST(:shards AS smallint[]), CAST(:kinds AS text[]), CAST(:refs AS text[]),"
        " CAST(:digests AS bytea[]), CAST(:details AS text[])) WITH ORDINALITY"
        " AS given (shard, kind, ref, digest, detail, place) ORDER BY given.place",
        at=uow.now,
        actor=uow.actor.id,
        shards=[shard_of(line.digest) for line in lines],
        kinds=[line.kind for line in lines],
        refs=[line.ref for line in lines],
        digests=[line.digest for line in lines],
        details=[orjson.dumps(line.detail).decode() for line in lines],
    )


def raise_alarm(
    uow: UnitOfWork, kind: str, subject: str, *, role: str = "operator", **detail: Any
) -> UUID | None:
    """Open an alarm for people of ``role`` unless the same one is open; returns its id when new."""
    made = uow.one(
        "INSERT INTO exchange.alarm (id, at, kind, subject, detail, role) VALUES"
        " (:id, :at, :kind, :subject, CAST(:detail AS jsonb), :role)"
        " ON CONFLICT (kind, subject) WHERE closed_at IS NULL DO NOTHING RETURNING id",
        id=uow.new_id(),
        at=uow.now,
        kind=kind,
        subject=subject,
        detail=orjson.dumps(detail, default=str).decode(),
        role=role,
    )
    return made["id"] if made else None


def close_alarm(uow: UnitOfWork, alarm_id: UUID, reason: str) -> bool:
    """Close an open alarm with a reason; False when there is none open of that id."""
    closed = uow.execute(
        "UPDATE exchange.alarm SET closed_at = :at, closed_by = :by, reason = :reason"
        " WHERE id = :id AND closed_at IS NULL",
        at=uow.now,
        by=uow.actor.id,
        reason=reason,
        id=alarm_id,
    )
    return closed.rowcount == 1


def disclose(
    uow: UnitOfWork, *, recipient: str, purpose: str, subject: str, fields: list[str], basis: str
) -> None:
    """Write down that ``recipient`` was shown ``fields`` of ``subject`` (exchange rule 8)."""
    disclose_many(uow, recipient=recipient, purpose=purpose, subjects=[subject], fields=fields, basis=basis)


def disclose_many(
    uow: UnitOfWork, *, recipient: str, purpose: str, subjects: Sequence[str], fields: list[str], basis: str
) -> None:
    """Write down that ``recipient`` was shown ``fields`` of each of ``subjects``, such as the rows of an export."""
    uow.execute_many(
        "INSERT INTO exchange.disclosure VALUES (:id, :at, :actor, :recipient, :purpose, :subject,"
        " CAST(:fields AS jsonb), :basis)",
        [
            {
                "id": uow.new_id(), "at": uow.now, "actor": uow.actor.id, "recipient": recipient, "purpose": purpose,
                "subject": subject, "fields": orjson.dumps(fields).decode(), "basis": basis,
            }
            for subject in subjects
        ],
    )  # fmt: skip
