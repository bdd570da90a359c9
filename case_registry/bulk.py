"""bulk_load(): history by the hundred thousand, with the same result as record() and by set-wise means.

Each chunk is worked out in memory and written by COPY. Records of a case that is there already, and cases that
hang together with such, go the ordinary way. No events come of it: history has been told before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any
from uuid import UUID

import psycopg

from case_registry import clocks, link_decisions
from case_registry.bulk_chunk import Chunk, Ids, NewCase, group, judge_pairs, work_out
from case_registry.bulk_rows import DisputeRows, held_of, write_told
from case_registry.collecting import no_collecting
from case_registry.disputes import regroup
from case_registry.features import Features, from_json
from case_registry.linking import lock
from case_registry.recording import record
from case_registry.refresh import refresh
from case_registry.source import Source
from case_registry.statements import row_of
from case_registry.whereabouts import confirmation_result
from foundation.unit_of_work import UnitOfWork
from schemas.claims import Record

CHUNK = 10_000
WHY = "bulk load"


@dataclass
class Loaded:
    """How much was loaded. `again`: records of cases that were there before, taken the ordinary way."""

    records: int = 0
    cases: int = 0
    disputes: int = 0
    again: int = 0


def bulk_load(
    uow: UnitOfWork, items: Iterable[tuple[Source, Sequence[Record]]], *, message: UUID | None = None
) -> dict[str, int]:
    """Load many records: (source, records) as `record` takes them, a dispute's own best close together.

    `message`: what the claims name as their message; one made for the load where none is given. The caller
    commits, and may do so after each call with a part of the history. Returns counts: records, cases, disputes
    founded, and records of cases that were there before, taken the ordinary way (`again`).
    """
    lock(uow)
    loaded = Loaded()
    ref = message or uow.new_id()
    flat = ((source, record) for source, records in items for record in records)
    with no_collecting():
        while part := list(islice(flat, CHUNK)):
            loaded.records += len(part)
            _load_chunk(uow, part, ref, loaded)
    return asdict(loaded)


def _load_chunk(uow: UnitOfWork, part: Sequence[tuple[Source, Record]], ref: UUID, loaded: Loaded) -> None:
    stored = _stored(uow, part)
    chunk = Chunk()
    again: dict[Source, list[Record]] = {}
    first = _reserve(uow, "source_case", len(part))
    for source, item in part:
        key = (source.partner, item.native_id)
        if key in stored:
            again.setdefault(source, []).append(item)
            continue
        case = chunk.cases.get(key)
        if case is None:
            case = chunk.cases[key] = NewCase(first + len(chunk.cases), source, item.native_id)
        row = row_of(item)
        case.rows.setdefault(row.digest, row)
    if chunk.cases:
        _write_chunk(uow, chunk, ref, loaded)
    for source, records in again.items():
        loaded.again += len(records)
        record(uow, source, ref, records)


def _stored(uow: UnitOfWork, part: Sequence[tuple[Source, Record]]) -> set[tuple[str, str]]:
    keys = sorted({(source.partner, item.native_id) for source, item in part})
    rows = uow.all(
        "SELECT c.partner, c.native_id FROM unnest(CAST(:p AS text[]), CAST(:n AS text[])) AS t(p, n)"
        " JOIN registry.source_case c ON c.partner = t.p AND c.native_id = t.n",
        p=[p for p, _ in keys],
        n=[n for _, n in keys],
    )
    return {(row["partner"], row["native_id"]) for row in rows}


def _reserve(uow: UnitOfWork, table: str, count: int, column: str = "id") -> int:
    """Reserve `count` running numbers; returns the first. Nobody else writes these tables while we hold the lock."""
    last = uow.scalar(
        "SELECT setval(s, nextval(s) + :count - 1) FROM pg_get_serial_sequence(:table, :column) AS s",
        table=f"registry.{table}",
        column=column,
        count=count,
    )
    return int(last) - count + 1


def _write_chunk(uow: UnitOfWork, chunk: Chunk, ref: UUID, loaded: Loaded) -> None:
    cases = list(chunk.cases.values())
    statements = sum(len(case.rows) for case in cases)
    ids = Ids(
        _reserve(uow, "statement", statements),
        _reserve(uow, "claim", sum(len(row.claims) for case in cases for row in case.rows.values()) or 1),
        _reserve(uow, "episode", statements),
    )
    work_out(chunk, ids, uow.now, ref)
    judge_pairs(chunk, _older(uow, cases), lambda wanted: _features(uow, wanted))
    group(chunk)
    rows = DisputeRows(uow.now, uow.actor.id, WHY)
    seq = _reserve(uow, "dispute", len(chunk.parts) or 1, "seq")
    lamps: dict[int, list[clocks.Wanted]] = {}
    for i, part in enumerate(chunk.parts):
        ident = uow.new_id()
        for case in part:
            case.dispute = ident
        min(part, key=lambda case: case.id).founder = True
        lamps[i] = _clocks_of(part)
        rows.add(part, ident, seq + i, clocks.worst_lamp(lamps[i], uow.now), uow.new_id)
    connection = _driver(uow)
    rows.write_disputes(connection)
    write_told(connection, chunk, uow.now, ref, ids.episode)
    rows.write_rest(connection)
    wanted = [clock for own in lamps.values() for clock in own]
    if wanted:
        clocks.open_clocks(uow, wanted)
    _follow(uow, chunk)
    loaded.cases += len(cases)
    loaded.disputes += len(chunk.parts)


def _driver(uow: UnitOfWork) -> psycopg.Connection[Any]:
    connection = uow.conn.connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    return connection


def _older(uow: UnitOfWork, cases: Sequence[NewCase]) -> dict[int, list[int]]:
    """Stored cases by key, for the keys of these cases."""
    keys = sorted({key for case in cases for key in case.keys})
    found: dict[int, list[int]] = {}
    for row in uow.all("SELECT key, source_case FROM registry.link_key WHERE key = ANY(:keys)", keys=keys):
        found.setdefault(row["key"], []).append(row["source_case"])
    return found


def _features(uow: UnitOfWork, wanted: set[int]) -> Mapping[int, Features]:
    rows = uow.all(
        "SELECT id, features FROM registry.source_case WHERE id = ANY(:ids) AND features IS NOT NULL",
        ids=sorted(wanted),
    )
    return {row["id"]: from_json(row["features"]) for row in rows}


def _clocks_of(part: Sequence[NewCase]) -> list[clocks.Wanted]:
    held = held_of(part)
    decided = confirmation_result([h for _, h in held]) in ("CONFIRMED", "REFUSED")
    return [
        clock
        for case, h in held
        for clock in clocks.wanted_clocks(case, h.agency, h.episode, decided)
        if clock.running
    ]


def _follow(uow: UnitOfWork, chunk: Chunk) -> None:
    """What the chunk's cases do to disputes that were there: joined, and proposals between all of them."""
    concerned: set[UUID] = set()
    if chunk.to_regroup:
        regrouped = regroup(uow, chunk.to_regroup, WHY)
        concerned |= regrouped.disputes
        refresh(uow, concerned)
    if any(v.verdict != "LINK" for v in chunk.edges.values()):
        ends = {n for pair, v in chunk.edges.items() if v.verdict != "LINK" for n in pair}
        rows = uow.all(
            "SELECT DISTINCT dispute FROM registry.source_case WHERE id = ANY(:ids) AND dispute IS NOT NULL",
            ids=sorted(ends),
        )
        concerned |= {row["dispute"] for row in rows}
    if concerned:
        link_decisions.sync(uow, concerned)
