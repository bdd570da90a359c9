"""The journal: append-only, hash-chained per day; alarms and disclosures beside it (exchange rule 9)."""

from __future__ import annotations

import hashlib
from typing import Any
from uuid import UUID

import orjson

from foundation.unit_of_work import UnitOfWork

GENESIS = b"\0" * 32


def journal(uow: UnitOfWork, kind: str, ref: str, digest: bytes, **detail: Any) -> None:
    """Append one line to today's chain (Beijing day).

    ``digest`` is the SHA-256 of what happened (raw message, sent bytes, decision); ``ref`` names it.
    """
    uow.execute("SELECT pg_advisory_xact_lock(hashtext('exchange.journal'))")
    last = uow.one(
        "SELECT no, hash FROM exchange.journal WHERE day = (CAST(:now AS timestamptz) AT TIME ZONE 'Asia/Shanghai')::date"
        " ORDER BY no DESC LIMIT 1",
        now=uow.now,
    )
    number, prev = (last["no"] + 1, bytes(last["hash"])) if last else (1, GENESIS)
    at = uow.now.isoformat(timespec="microseconds")
    line = orjson.dumps(
        [number, at, kind, ref, digest.hex(), uow.actor.id, detail], option=orjson.OPT_SORT_KEYS
    )
    uow.execute(
        "INSERT INTO exchange.journal (day, no, at, kind, ref, digest, actor, detail, prev, hash) VALUES"
        " ((CAST(:now AS timestamptz) AT TIME ZONE 'Asia/Shanghai')::date, :no, :now, :kind, :ref, :digest, :actor,"
        " CAST(:detail AS jsonb), :prev, :hash)",
        now=uow.now,
        no=number,
        kind=kind,
        ref=ref,
        digest=digest,
        actor=uow.actor.id,
        detail=orjson.dumps(detail).decode(),
        prev=prev,
        hash=hashlib.sha256(prev + line).digest(),
    )


def verify_day(uow: UnitOfWork, day: str) -> int | None:
    """Number of the first line of that day's chain that does not verify, or None when all do."""
    prev = GENESIS
    rows = uow.conn.exec_driver_sql("SELECT * FROM exchange.journal WHERE day = %s ORDER BY no", (day,))
    for expected, row in enumerate(rows.mappings(), start=1):
        at = row["at"].isoformat(timespec="microseconds")
        line = orjson.dumps(
            [row["no"], at, row["kind"], row["ref"], bytes(row["digest"]).hex(), row["actor"], row["detail"]],
            option=orjson.OPT_SORT_KEYS,
        )
        whole = row["no"] == expected and bytes(row["prev"]) == prev
        if not whole or hashlib.sha256(prev + line).digest() != bytes(row["hash"]):
            return expected
        prev = bytes(row["hash"])
    return None


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
    uow.execute(
        "INSERT INTO exchange.disclosure VALUES (:id, :at, :actor, :recipient, :purpose, :subject,"
        " CAST(:fields AS jsonb), :basis)",
        id=uow.new_id(),
        at=uow.now,
        actor=uow.actor.id,
        recipient=recipient,
        purpose=purpose,
        subject=subject,
        fields=orjson.dumps(fields).decode(),
        basis=basis,
    )
