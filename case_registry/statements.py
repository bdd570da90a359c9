"""Keeping and fetching what was told. Nothing here is ever changed, only said again, waited with, or retracted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from case_registry.source import Source
from case_registry.told import PARTIES, Told, ToldClaim
from case_registry.versions import version_key
from foundation.unit_of_work import UnitOfWork
from schemas.canonical import digest
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


def row_of(record: Record) -> Row:
    """A record as columns. The digest covers what is said, not where in a message it stood."""
    claims = [(c.field, _json(c.value), c.text, c.valid_from, c.valid_to) for c in record.claims]
    parties = None if record.parties is None else [asdict(p) for p in record.parties]
    if parties is not None:
        claims.append((PARTIES, _json(parties), None, None, None))
    refs = [asdict(r) for r in record.references]
    said = [record.kind, record.native_id, record.sub_id, list(record.version), record.event_at,
            [list(c) for c in claims], refs, record.data]  # fmt: skip
    return Row(
        native_id=record.native_id,
        sub_id=record.sub_id,
        kind=record.kind,
        version=version_key(record.version),
        digest=digest(said),
        event_at=record.event_at,
        path=record.path,
        refs=_json(refs),
        data=_json(record.data),
        claims=tuple(claims),
    )


def _json(value: Any) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def ensure_cases(uow: UnitOfWork, source: Source, native_ids: Iterable[str]) -> dict[str, int]:
    """The ids of this partner's source cases, made where they are new."""
    wanted = sorted(set(native_ids))
    uow.execute(
        "INSERT INTO registry.source_case (partner, institution, agency, native_id, first_seen)"
        " SELECT :partner, :institution, :agency, n, :now FROM unnest(CAST(:natives AS text[])) AS n"
        " WHERE NOT EXISTS (SELECT 1 FROM registry.source_case c WHERE c.partner = :partner AND c.native_id = n)"
        " ON CONFLICT DO NOTHING",
        partner=source.partner,
        institution=source.institution,
        agency=source.agency,
        natives=wanted,
        now=uow.now,
    )
    rows = uow.all(
        "SELECT id, native_id FROM registry.source_case WHERE partner = :partner AND native_id = ANY(:natives)",
        partner=source.partner,
        natives=wanted,
    )
    return {row["native_id"]: row["id"] for row in rows}


def store(uow: UnitOfWork, cases: dict[str, int], message: UUID, rows: Sequence[Row]) -> dict[int, int]:
    """Store statements and their claims; what was said before word for word is left alone.

    Returns the ids of the new statements by the position of their row.
    """
    unique = {(cases[row.native_id], row.digest): i for i, row in reversed(list(enumerate(rows)))}
    made = uow.all(
        """
        INSERT INTO registry.statement
            (source_case, sub_id, kind, version, digest, event_at, recorded_at, message, path, refs, data)
        SELECT c, sub, kind, version, digest, event_at, :now, :message, path, refs::jsonb, data::jsonb
        FROM unnest(CAST(:c AS bigint[]), CAST(:sub AS text[]), CAST(:kind AS text[]), CAST(:version AS text[]),
                    CAST(:digest AS text[]), CAST(:event_at AS text[]), CAST(:path AS text[]),
                    CAST(:refs AS text[]), CAST(:data AS text[]))
             AS t(c, sub, kind, version, digest, event_at, path, refs, data)
        ON CONFLICT (source_case, digest) DO NOTHING RETURNING id, source_case, digest
        """,
        now=uow.now,
        message=message,
        c=[case for case, _ in unique],
        **{
            name: [getattr(rows[i], attribute) for i in unique.values()]
            for name, attribute in (
                ("sub", "sub_id"), ("kind", "kind"), ("version", "version"), ("digest", "digest"),
                ("event_at", "event_at"), ("path", "path"), ("refs", "refs"), ("data", "data"),
            )
        },
    )  # fmt: skip
    new = {unique[(row["source_case"], row["digest"])]: row["id"] for row in made}
    _store_claims(uow, [(statement, claim) for i, statement in new.items() for claim in rows[i].claims])
    return new


def _store_claims(
    uow: UnitOfWork, claims: Sequence[tuple[int, tuple[str, str, str | None, str | None, str | None]]]
) -> None:
    if not claims:
        return
    uow.execute(
        """
        INSERT INTO registry.claim (statement, field, value, raw, valid_from, valid_to)
        SELECT s, f, v::jsonb, r, vf, vt
        FROM unnest(CAST(:s AS bigint[]), CAST(:f AS text[]), CAST(:v AS text[]), CAST(:r AS text[]),
                    CAST(:vf AS text[]), CAST(:vt AS text[])) AS t(s, f, v, r, vf, vt)
        """,
        s=[statement for statement, _ in claims],
        f=[claim[0] for _, claim in claims],
        v=[claim[1] for _, claim in claims],
        r=[claim[2] for _, claim in claims],
        vf=[claim[3] for _, claim in claims],
        vt=[claim[4] for _, claim in claims],
    )


_FETCH = """
SELECT s.id, s.source_case, s.sub_id, s.kind, s.version, s.digest, s.event_at, s.recorded_at, s.message, s.refs, s.data,
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
        rows = uow.all(_FETCH + " AND s.retracted_at IS NULL", cases=wanted)
    else:
        rows = uow.all(
            _FETCH + " AND s.recorded_at <= :at AND (s.retracted_at IS NULL OR s.retracted_at > :at)",
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
