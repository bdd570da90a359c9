"""One chunk of a bulk load worked out in memory: cases, links among them, disputes. Pure but for the ids handed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from case_registry.episodes import CaseReading, read_case
from case_registry.features import Features, features_of
from case_registry.keys import link_keys
from case_registry.linking import CaseRow, group_rows, hanging_together
from case_registry.pair_score import PairVerdict, judge
from case_registry.source import Source
from case_registry.statements import Row, told_of
from case_registry.told import Told
from case_registry.whereabouts import Held


@dataclass
class NewCase:
    """A source case first told in this chunk, with all that the chunk tells of it."""

    id: int
    source: Source
    native_id: str
    rows: dict[str, Row] = field(default_factory=dict)
    told: list[Told] = field(default_factory=list)
    reading: CaseReading = field(default_factory=lambda: CaseReading((), ()))
    features: Features | None = None
    keys: frozenset[int] = frozenset()
    dispute: UUID | None = None
    founder: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """The source key: partner and native id."""
        return self.source.partner, self.native_id

    def held(self) -> list[Held]:
        """Its episodes, with the agency."""
        return [Held(self.source.agency, self.key, e) for e in self.reading.episodes]


@dataclass
class Ids:
    """Running numbers reserved in the database for this chunk."""

    statement: Iterator[int]
    claim: Iterator[int]


@dataclass
class Chunk:
    """New cases of a chunk by key, and what linking found. `edges`: judged pairs of case ids, lower first."""

    cases: dict[tuple[str, str], NewCase] = field(default_factory=dict)
    edges: dict[tuple[int, int], PairVerdict] = field(default_factory=dict)
    parts: list[list[NewCase]] = field(default_factory=list)
    to_regroup: list[int] = field(default_factory=list)


def work_out(chunk: Chunk, ids: Ids, now: datetime, message: UUID) -> None:
    """Make statements, episodes, features and keys of every case of the chunk."""
    for case in chunk.cases.values():
        for row in case.rows.values():
            case.told.append(told_of(row, next(ids.statement), ids.claim, now, message))
        case.reading = read_case(case.told)
        if case.reading.episodes:
            case.features = features_of(
                *case.key[:1], case.source.agency, case.native_id, case.reading.episodes
            )
            case.keys = link_keys(case.features)


def judge_pairs(chunk: Chunk) -> None:
    """Judge every pair of the chunk's cases that shares a key."""
    known = {case.id: case.features for case in chunk.cases.values() if case.features is not None}
    by_key: dict[int, list[int]] = {}
    for case in chunk.cases.values():
        for key in case.keys:
            by_key.setdefault(key, []).append(case.id)
    pairs = {
        (min(one, other), max(one, other))
        for own in by_key.values()
        for i, one in enumerate(own)
        for other in own[i + 1 :]
    }
    for a, b in sorted(pairs):
        _judge(chunk, a, b, known[a], known[b])


def judge_older(
    chunk: Chunk, older: Mapping[int, Sequence[int]], features: Callable[[set[int]], Mapping[int, Features]]
) -> set[int]:
    """Judge the chunk's cases with stored ones under the same keys; returns those that hang together with such.

    `older`: stored cases by key; `features`: fetches those cases' features.
    """
    known = {case.id: case.features for case in chunk.cases.values() if case.features is not None}
    pairs = {(case.id, o) for case in chunk.cases.values() for key in case.keys for o in older.get(key, ())}
    stored = features({o for _, o in pairs})
    to_older = [
        own
        for own, other in sorted(pairs)
        if other in stored and _judge(chunk, other, own, stored[other], known[own]) == "LINK"
    ]
    if not to_older:
        return set()
    inside = [
        pair
        for pair, v in chunk.edges.items()
        if v.verdict == "LINK" and pair[0] in known and pair[1] in known
    ]
    root = hanging_together(known, inside)
    linked = {root[own] for own in to_older}
    return {case for case, top in root.items() if top in linked}


def _judge(chunk: Chunk, a: int, b: int, one: Features, other: Features) -> str:
    verdict = judge(one, other)
    if verdict.verdict != "NONE":
        chunk.edges[(min(a, b), max(a, b))] = verdict
    return verdict.verdict


def group(chunk: Chunk) -> None:
    """Group the cases of the chunk that hang together."""
    by_id = {case.id: case for case in chunk.cases.values() if case.features is not None}
    neighbours: dict[int, list[int]] = {}
    for (a, b), verdict in chunk.edges.items():
        if verdict.verdict == "LINK":
            neighbours.setdefault(a, []).append(b)
            neighbours.setdefault(b, []).append(a)
    seen: set[int] = set()
    for ident in by_id:
        if ident not in seen:
            whole = _component(ident, neighbours)
            seen |= whole
            chunk.parts += [[by_id[n] for n in part] for part in _split(whole, by_id, chunk.edges)]


def _component(start: int, neighbours: Mapping[int, Iterable[int]]) -> set[int]:
    found, waiting = {start}, [start]
    while waiting:
        for n in neighbours.get(waiting.pop(), ()):
            if n not in found:
                found.add(n)
                waiting.append(n)
    return found


def _split(
    whole: set[int], by_id: Mapping[int, NewCase], edges: Mapping[tuple[int, int], PairVerdict]
) -> list[list[int]]:
    if len(whole) == 1:
        return [list(whole)]
    nodes = {
        n: CaseRow(n, by_id[n].key, by_id[n].source.agency, None, None, 0, None, by_id[n].features)
        for n in whole
    }
    ordered = sorted(whole)
    rows = [
        {"a": a, "b": b, "verdict": v.verdict, "strength": v.strength, "score": v.score}
        for i, a in enumerate(ordered)
        for b in ordered[i + 1 :]
        if (v := edges.get((a, b))) is not None and v.verdict != "PROPOSE"
    ]
    return group_rows(nodes, rows, [])
