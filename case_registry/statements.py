"""Keeping and fetching what was told. Nothing here is ever changed, only said again, waited with, or retracted."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from case_registry.told import PARTIES, Told, ToldClaim
from case_registry.versions import version_key
from foundation.unit_of_work import UnitOfWork
from schemas.claims import Record


@dataclass(frozen=True)
class Row:
    """A record as it is stored: its columns, and its claims as (field, value JSON, raw, from, to)."""

    native_id: str
    sub_id: str
    kind: str
    version: str
    digest: str
    event_at: str
    path: str
    refs: str
    data: str
    claims: tuple[tuple[str, str, str | None, str | None, str | None], ...]
    record: Record


def row_of(record: Record) -> Row:
    """A record as columns. The digest covers what is said, not where in a message it stood."""
    claims = [(c.field, _json(c.value), c.text, c.valid_from, c.valid_to) for c in record.claims]
    if record.parties is not None:
        claims.append((PARTIES, _json([p.__dict__ for p in record.parties]), None, None, None))
    refs = [r.__dict__ for r in record.references]
    said = [
        record.kind,
        record.native_id,
        record.sub_id,
        record.version,
        record.event_at,
        claims,
        refs,
        record.data,
    ]
    return Row(
        native_id=record.native_id,
        sub_id=record.sub_id,
        kind=record.kind,
        version=version_key(record.version),
        digest=json_digest(said),
        event_at=record.event_at,
        path=record.path,
        refs=_json(refs),
        data=_json(record.data),
        claims=tuple(claims),
        record=record,
    )


def json_digest(value: Any) -> str:
    """SHA-256 hex of the canonical JSON (as schemas.canonical, by the faster writer); no floats are handed in."""
    return hashlib.sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def told_of(row: Row, ident: int, claims: Iterator[int], recorded_at: datetime, message: UUID) -> Told:
    """A row as `fetch` would give it once it is stored under these ids."""
    return Told(
        id=ident,
        sub_id=row.sub_id,
        kind=row.kind,
        version=row.version,
        digest=row.digest,
        event_at=row.event_at,
        recorded_at=recorded_at,
        message=message,
        claims=tuple(
            ToldClaim(claim, name, orjson.loads(value), raw, valid_from, valid_to)
            for (name, value, raw, valid_from, valid_to), claim in zip(row.claims, claims, strict=False)
        ),
        references=tuple(orjson.loads(row.refs)),
        data=orjson.loads(row.data),
    )


STATEMENT = (
    "id, source_case, sub_id, kind, version, digest, event_at, recorded_at, message, path, refs, data, parked"
)
CLAIM = "id, statement, field, value, raw, valid_from, valid_to"
# A claim's JSON null (told to be blank) comes out of a row of JSON as no value.
CLAIM_VALUES = CLAIM.replace("value,", "COALESCE(value, 'null'::jsonb),")
_STORE = f"""
WITH made AS (
    INSERT INTO registry.statement ({STATEMENT})
    SELECT {STATEMENT} FROM json_populate_recordset(NULL::registry.statement, CAST(:statements AS json)))
INSERT INTO registry.claim ({CLAIM})
SELECT {CLAIM_VALUES} FROM json_populate_recordset(NULL::registry.claim, CAST(:claims AS json))
"""


def statement_row(case: int, row: Row, told: Told, *, waits: bool) -> dict[str, Any]:
    """A statement's columns."""
    return {"id": told.id, "source_case": case, "sub_id": row.sub_id, "kind": row.kind, "version": row.version,
            "digest": row.digest, "event_at": row.event_at, "recorded_at": told.recorded_at, "message": told.message,
            "path": row.path, "refs": orjson.Fragment(row.refs), "data": orjson.Fragment(row.data), "parked": waits}  # fmt: skip


def claim_rows(row: Row, told: Told) -> Iterator[dict[str, Any]]:
    """The columns of a statement's claims."""
    for claim, (name, value, raw, valid_from, valid_to) in zip(told.claims, row.claims, strict=True):
        yield {"id": claim.id, "statement": told.id, "field": name, "value": orjson.Fragment(value), "raw": raw,
               "valid_from": valid_from, "valid_to": valid_to}  # fmt: skip


def store(uow: UnitOfWork, said: Sequence[tuple[int, Row, Told]], waiting: Container[int]) -> None:
    """Store statements and their claims: (case, row, the same as told). `waiting`: ids of those that wait."""
    if said:
        statements = [statement_row(case, row, told, waits=told.id in waiting) for case, row, told in said]
        claims = [claim for _, row, told in said for claim in claim_rows(row, told)]
        uow.execute(
            _STORE, statements=orjson.dumps(statements).decode(), claims=orjson.dumps(claims).decode()
        )


_FETCH = """
SELECT s.id, s.source_case, s.sub_id, s.kind, s.version, s.digest, s.event_at, s.recorded_at, s.message, s.refs, s.data, s.parked,
       (SELECT jsonb_agg(jsonb_build_array(k.id, k.field, k.value, k.raw, k.valid_from, k.valid_to) ORDER BY k.id)
        FROM registry.claim k WHERE k.statement = s.id) AS claims
FROM registry.statement s WHERE s.source_case = ANY(:cases)
"""


def fetch(
    uow: UnitOfWork, cases: Iterable[int], as_known_on: datetime | None = None
) -> dict[int, list[Told]]:
    """What was told of these source cases. `as_known_on`: as far as it was recorded, and not yet retracted, then."""
    wanted = list(cases)
    if as_known_on is None:
        rows = uow.all(_FETCH + " AND s.retracted_at IS NULL ORDER BY s.id", cases=wanted)
    else:
        rows = uow.all(
            _FETCH
            + " AND s.recorded_at <= :at AND (s.retracted_at IS NULL OR s.retracted_at > :at) ORDER BY s.id",
            cases=wanted,
            at=as_known_on,
        )
    found: dict[int, list[Told]] = {case: [] for case in wanted}
    for row in rows:
        found[row["source_case"]].append(_told(row))
    return found


def _told(row: Any) -> Told:
    return Told(
        id=row["id"],
        sub_id=row["sub_id"],
        kind=row["kind"],
        version=row["version"],
        digest=row["digest"],
        event_at=row["event_at"],
        recorded_at=row["recorded_at"],
        message=row["message"],
        claims=tuple(ToldClaim(*claim) for claim in row["claims"] or ()),
        references=tuple(row["refs"]),
        data=row["data"],
        parked=row["parked"],
    )


def mark_parked(uow: UnitOfWork, out: Sequence[int], back: Sequence[int]) -> None:
    """Note which statements came `out` of waiting for what they speak of, and which went `back` to it."""
    if out:
        uow.execute(
            "UPDATE registry.statement SET parked = false, applied_at = :now WHERE id = ANY(:ids) AND parked",
            ids=list(out),
            now=uow.now,
        )
    if back:
        uow.execute(
            "UPDATE registry.statement SET parked = true WHERE id = ANY(:ids) AND NOT parked", ids=list(back)
        )


def retract(uow: UnitOfWork, message: UUID, reason: str) -> list[int]:
    """Take back all that a message said, without deleting it; returns the source cases concerned."""
    rows = uow.all(
        "UPDATE registry.statement SET retracted_at = :now, retracted_by = :by, retracted_reason = :reason"
        " WHERE message = :message AND retracted_at IS NULL RETURNING source_case",
        message=message,
        now=uow.now,
        by=uow.actor.id,
        reason=reason,
    )
    return sorted({row["source_case"] for row in rows})
