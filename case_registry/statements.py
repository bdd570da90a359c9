"""Keeping and fetching what was told. Nothing here is ever changed, only said again, waited with, or retracted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from case_registry.source import Source
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


@dataclass(frozen=True)
class CaseKey:
    """A source case: whose, under which key, and of which dispute it is (None = of none yet)."""

    id: int
    partner: str
    agency: str
    native_id: str
    dispute: UUID | None


def ensure_cases(uow: UnitOfWork, source: Source, native_ids: Iterable[str]) -> dict[str, CaseKey]:
    """This partner's source cases, made where they are new. The caller holds the lock of linking."""
    wanted = sorted(set(native_ids))
    rows = uow.all(
        "SELECT id, native_id, agency, dispute FROM registry.source_case WHERE partner = :partner AND native_id = ANY(:natives)",
        partner=source.partner,
        natives=wanted,
    )
    found = {
        r["native_id"]: CaseKey(r["id"], source.partner, r["agency"], r["native_id"], r["dispute"])
        for r in rows
    }
    missing = [native for native in wanted if native not in found]
    if missing:
        made = uow.all(
            "INSERT INTO registry.source_case (partner, institution, agency, native_id, first_seen)"
            " SELECT :partner, :institution, :agency, n, :now FROM unnest(CAST(:natives AS text[])) AS n"
            " RETURNING id, native_id",
            partner=source.partner,
            institution=source.institution,
            agency=source.agency,
            natives=missing,
            now=uow.now,
        )
        for row in made:
            found[row["native_id"]] = CaseKey(
                row["id"], source.partner, source.agency, row["native_id"], None
            )
    return found


_STORE = """
WITH made AS (
    INSERT INTO registry.statement
        (source_case, sub_id, kind, version, digest, event_at, recorded_at, message, path, refs, data)
    SELECT c, sub, kind, version, digest, event_at, :now, :message, path, refs::jsonb, data::jsonb
    FROM unnest(CAST(:c AS bigint[]), CAST(:sub AS text[]), CAST(:kind AS text[]), CAST(:version AS text[]),
                CAST(:digest AS text[]), CAST(:event_at AS text[]), CAST(:path AS text[]),
                CAST(:refs AS text[]), CAST(:data AS text[]))
         AS t(c, sub, kind, version, digest, event_at, path, refs, data)
    ON CONFLICT (source_case, digest) DO NOTHING RETURNING id, source_case, digest),
claims AS (
    INSERT INTO registry.claim (statement, field, value, raw, valid_from, valid_to)
    SELECT m.id, f, v::jsonb, r, vf, vt
    FROM unnest(CAST(:d AS text[]), CAST(:f AS text[]), CAST(:v AS text[]), CAST(:r AS text[]),
                CAST(:vf AS text[]), CAST(:vt AS text[])) WITH ORDINALITY AS t(d, f, v, r, vf, vt, place)
    JOIN made m ON m.digest = d ORDER BY place)
SELECT id, source_case, digest FROM made
"""


def store(uow: UnitOfWork, cases: dict[str, CaseKey], message: UUID, rows: Sequence[Row]) -> dict[int, int]:
    """Store statements and their claims; what was said before word for word is left alone.

    Returns the ids of the new statements by the position of their row.
    """
    unique = {(cases[row.native_id].id, row.digest): i for i, row in reversed(list(enumerate(rows)))}
    kept = [rows[i] for i in unique.values()]
    claims = [(row.digest, *claim) for row in kept for claim in row.claims]
    made = uow.all(
        _STORE,
        now=uow.now,
        message=message,
        c=[case for case, _ in unique],
        sub=[row.sub_id for row in kept],
        kind=[row.kind for row in kept],
        version=[row.version for row in kept],
        digest=[row.digest for row in kept],
        event_at=[row.event_at for row in kept],
        path=[row.path for row in kept],
        refs=[row.refs for row in kept],
        data=[row.data for row in kept],
        **{
            name: [claim[place] for claim in claims]
            for place, name in enumerate(("d", "f", "v", "r", "vf", "vt"))
        },
    )
    return {unique[(row["source_case"], row["digest"])]: row["id"] for row in made}


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
            _FETCH + " AND s.recorded_at <= :at AND (s.retracted_at IS NULL OR s.retracted_at > :at) ORDER BY s.id",
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


def mark_parked(uow: UnitOfWork, cases: Iterable[int], parked: Iterable[int]) -> set[int]:
    """Note which statements of these cases wait for what they speak of; returns those that came out of waiting."""
    waiting = list(parked)
    applied = uow.all(
        "UPDATE registry.statement SET parked = false, applied_at = :now"
        " WHERE source_case = ANY(:cases) AND parked AND id <> ALL(:waiting) RETURNING id",
        cases=list(cases),
        waiting=waiting,
        now=uow.now,
    )
    if waiting:
        uow.execute(
            "UPDATE registry.statement SET parked = true WHERE id = ANY(:ids) AND NOT parked", ids=waiting
        )
    return {row["id"] for row in applied}


def retract(uow: UnitOfWork, message: UUID, reason: str) -> list[CaseKey]:
    """Take back all that a message said, without deleting it; returns the source cases concerned."""
    rows = uow.all(
        "WITH gone AS (UPDATE registry.statement SET retracted_at = :now, retracted_by = :by, retracted_reason = :reason"
        " WHERE message = :message AND retracted_at IS NULL RETURNING source_case)"
        " SELECT id, partner, agency, native_id, dispute FROM registry.source_case WHERE id IN (SELECT source_case FROM gone)",
        message=message,
        now=uow.now,
        by=uow.actor.id,
        reason=reason,
    )
    return [CaseKey(r["id"], r["partner"], r["agency"], r["native_id"], r["dispute"]) for r in rows]
