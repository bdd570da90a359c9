"""bulk_load(): history by the hundred thousand, with the same result as record() and by set-wise means.

Each chunk is worked out in memory and written by COPY. Records of a case that is there already, and cases that
hang together with such, go the ordinary way. No events come of it: history has been told before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any
from uuid import UUID

import psycopg

from case_registry import clocks, link_decisions
from case_registry.bulk_chunk import Chunk, Ids, NewCase, group, judge_older, judge_pairs, work_out
from case_registry.bulk_rows import DisputeRows, held_of, write_told
from case_registry.collecting import no_collecting
from case_registry.disputes import regroup
from case_registry.features import Features, from_json
from case_registry.gathering import reserve
from case_registry.linking import hanging_together, lock
from case_registry.recording import record
from case_registry.refresh import refresh
from case_registry.source import Source
from case_registry.statements import Row, row_of
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
    loaded = Loaded()
    ref = message or uow.new_id()
    flat = ((source, record) for source, records in items for record in records)
    with no_collecting():
        while part := list(islice(flat, CHUNK)):
            loaded.records += len(part)
            drawn = _draw_up(uow, part, ref)
            lock(uow)
            _write(uow, drawn, ref, loaded)
    return asdict(loaded)


@dataclass
class Drawn:
    """A chunk drawn up as if nothing of it were stored yet. `found`: each group with the rows of its dispute and its clocks;
    `told`: every case's records, should they have to go the ordinary way."""

    chunk: Chunk
    episodes: list[int]
    told: dict[tuple[str, str], list[tuple[Source, Record]]]
    found: list[tuple[list[NewCase], DisputeRows, list[clocks.Wanted]]] = field(default_factory=list)


def _draw_up(uow: UnitOfWork, part: Sequence[tuple[Source, Record]], ref: UUID) -> Drawn:
    """Work a chunk out without the lock of linking: several processes load at once, and meet only while they write."""
    told: dict[tuple[str, str], list[tuple[Source, Record]]] = {}
    for source, item in part:
        told.setdefault((source.partner, item.native_id), []).append((source, item))
    rows = {key: _distinct(record for _, record in own) for key, own in told.items()}
    statements = sum(map(len, rows.values()))
    claims = sum(len(row.claims) for own in rows.values() for row in own.values())
    ids = reserve(uow, source_case=len(told), statement=statements, claim=claims, episode=statements)
    chunk = Chunk()
    for (key, own), ident in zip(told.items(), ids["source_case"], strict=True):
        chunk.cases[key] = NewCase(ident, own[0][0], key[1], rows[key])
    work_out(chunk, Ids(iter(ids["statement"]), iter(ids["claim"])), uow.now, ref)
    judge_pairs(chunk)
    group(chunk)
    drawn = Drawn(chunk, ids["episode"], told)
    for members, seq in zip(chunk.parts, reserve(uow, dispute=len(chunk.parts))["dispute"], strict=True):
        dispute = uow.new_id()
        for case in members:
            case.dispute = dispute
        min(members, key=lambda case: case.id).founder = True
        wanted = _clocks_of(members)
        made = DisputeRows(uow.now, uow.actor.id, WHY)
        made.add(members, dispute, seq, clocks.worst_lamp(wanted, uow.now), uow.new_id)
        drawn.found.append((members, made, wanted))
    return drawn


def _distinct(records: Iterable[Record]) -> dict[str, Row]:
    found: dict[str, Row] = {}
    for each in records:
        row = row_of(each)
        found.setdefault(row.digest, row)
    return found


def _write(uow: UnitOfWork, drawn: Drawn, ref: UUID, loaded: Loaded) -> None:
    """Write a chunk under the lock: what turns out to be stored, or to hang together with what is, goes the ordinary way."""
    chunk = drawn.chunk
    again = _leave_out_stored(uow, chunk)
    linked = judge_older(
        chunk, _older(uow, list(chunk.cases.values())), lambda wanted: _features(uow, wanted)
    )
    chunk.to_regroup = sorted(linked)
    standing = [
        f for f in drawn.found if all(case.key in chunk.cases and case.id not in linked for case in f[0])
    ]
    rows = DisputeRows(uow.now, uow.actor.id, WHY)
    for _, made, _ in standing:
        rows.take(made)
    for case in chunk.cases.values():
        if case.id in linked:
            case.dispute, case.founder = None, False
    connection = _driver(uow)
    rows.write_disputes(connection)
    write_told(connection, chunk, uow.now, ref, drawn.episodes)
    rows.write_rest(connection)
    wanted = [clock for *_, own in standing for clock in own]
    if wanted:
        clocks.open_clocks(uow, wanted)
    _follow(uow, chunk)
    loaded.cases += len(chunk.cases)
    loaded.disputes += len(standing)
    for key in again:
        loaded.again += len(drawn.told[key])
        source = drawn.told[key][0][0]
        record(uow, source, ref, [item for _, item in drawn.told[key]])


def _leave_out_stored(uow: UnitOfWork, chunk: Chunk) -> list[tuple[str, str]]:
    """Take out of the chunk the cases that are stored already, and what hangs together with them; returns their keys."""
    stored = _stored(uow, list(chunk.cases))
    if not stored:
        return []
    ids = [case.id for case in chunk.cases.values()]
    root = hanging_together(ids, [pair for pair, v in chunk.edges.items() if v.verdict == "LINK"])
    gone_roots = {root[chunk.cases[key].id] for key in stored}
    gone = [key for key, case in chunk.cases.items() if root[case.id] in gone_roots]
    gone_ids = {chunk.cases.pop(key).id for key in gone}
    chunk.edges = {pair: v for pair, v in chunk.edges.items() if gone_ids.isdisjoint(pair)}
    return gone


def _stored(uow: UnitOfWork, keys: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    rows = uow.all(
        "SELECT c.partner, c.native_id FROM unnest(CAST(:p AS text[]), CAST(:n AS text[])) AS t(p, n)"
        " JOIN registry.source_case c ON c.partner = t.p AND c.native_id = t.n",
        p=[p for p, _ in keys],
        n=[n for _, n in keys],
    )
    return {(row["partner"], row["native_id"]) for row in rows}


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
