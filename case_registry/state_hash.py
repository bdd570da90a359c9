"""The state hash: one number for all that the registry holds to be true, whatever way it came in.

Written down in docs/state-hash.md. It covers what was told (by the tellers' own keys and order), what follows
for each episode, and which cases are one dispute. It leaves out surrogate ids, dispute numbers, times and
order of arrival, message ids and receipts, so a replay in any order gives the same.

`state_hash` is made from what is stored as worked out; `rebuilt_hash` from nothing but what was told and what
people decided, with everything worked out and linked anew. The two must be equal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from case_registry.episodes import CaseReading, Episode, read_case
from case_registry.features import Features, features_of
from case_registry.keys import link_keys
from case_registry.linking import CaseRow, group_rows
from case_registry.pair_score import judge
from case_registry.statements import fetch, json_digest
from case_registry.told import Told
from foundation.unit_of_work import UnitOfWork

PAGE = 2_000
VERSION = "registry-state/1"
Key = tuple[str, str]


def known_digest(reading: CaseReading, told: Iterable[Told]) -> str:
    """The digest of what is known of one source case: what was told of it, what waits, what follows; "" for nothing.

    A person's decisions are not told by the case's own agency and stay out.
    """
    statements = sorted([t.kind, t.sub_id, t.version, t.digest] for t in told if t.kind != "decision")
    if not statements:
        return ""
    waiting = sorted(t.digest for t in reading.parked)
    return json_digest(
        {"told": statements, "parked": waiting, "episodes": [_episode(e) for e in reading.episodes]}
    )


def _episode(episode: Episode) -> dict[str, Any]:
    return {
        "sub_id": episode.sub_id,
        "kind": episode.kind,
        "state": episode.state,
        "hidden": episode.hidden,
        "fields": {name: best.value for name, best in episode.fields.items()},
        "confirmation": episode.confirmation,
        "enforcement": episode.enforcement,
        "awards": episode.awards,
        "holes": episode.holes,
    }


def state_hash(uow: UnitOfWork) -> str:
    """SHA-256 hex over the version line and one canonical JSON line per source case, sorted by (partner, native id):
    [[partner, native id], [key of the first case of its dispute] or null, digest of what is known of it]."""
    return _hash(_stored_lines(uow))


def _hash(lines: Iterable[tuple[Key, Key | None, str]]) -> str:
    hasher = hashlib.sha256(VERSION.encode() + b"\n")
    for line in lines:
        hasher.update(orjson.dumps(line) + b"\n")
    return hasher.hexdigest()


def _stored_lines(uow: UnitOfWork) -> Iterator[tuple[Key, Key | None, str]]:
    rows = uow.execute(
        "SELECT partner, native_id, known, dispute IS NOT NULL AS linked,"
        " first_value(partner) OVER w AS first_partner, first_value(native_id) OVER w AS first_native"
        " FROM registry.source_case WHERE known <> ''"
        " WINDOW w AS (PARTITION BY dispute ORDER BY partner, native_id)"
        " ORDER BY partner, native_id"
    )
    for row in rows.mappings():
        first = (row["first_partner"], row["first_native"]) if row["linked"] else None
        yield (row["partner"], row["native_id"]), first, row["known"]


def rebuilt_hash(uow: UnitOfWork) -> str:
    """The state hash of everything worked out anew from what was told, beside what is stored."""
    keys: dict[int, Key] = {}
    known: dict[int, str] = {}
    features: dict[int, Features] = {}
    for row in _cases(uow):
        keys[row["id"]] = (row["partner"], row["native_id"])
        told = row["told"]
        reading = read_case(told)
        known[row["id"]] = known_digest(reading, told)
        if reading.episodes:
            features[row["id"]] = features_of(
                row["partner"], row["agency"], row["native_id"], reading.episodes
            )
    first = _first_of_group(uow, keys, known, features)
    lines = [(keys[case], first.get(case), digest) for case, digest in known.items() if digest]
    return _hash(sorted(lines, key=lambda line: line[0]))


def _cases(uow: UnitOfWork) -> Iterator[dict[str, Any]]:
    after = 0
    while rows := uow.all(
        "SELECT id, partner, agency, native_id FROM registry.source_case WHERE id > :after ORDER BY id LIMIT :page",
        after=after,
        page=PAGE,
    ):
        told = fetch(uow, [row["id"] for row in rows])
        for row in rows:
            yield {**row, "told": told[row["id"]]}
        after = rows[-1]["id"]


def _first_of_group(
    uow: UnitOfWork, keys: Mapping[int, Key], known: Mapping[int, str], features: Mapping[int, Features]
) -> dict[int, Key]:
    """Each case's dispute, as the key of its first case, grouped anew."""
    decisions = [
        dict(row)
        for row in uow.all("SELECT a, b, verdict FROM registry.link_decision WHERE undone_at IS NULL")
    ]
    edges = _edges(features)
    neighbours: dict[int, set[int]] = {case: set() for case in features}
    joined = [e for e in edges if e["verdict"] == "LINK"] + [d for d in decisions if d["verdict"] == "SAME"]
    for pair in joined:
        neighbours.setdefault(pair["a"], set()).add(pair["b"])
        neighbours.setdefault(pair["b"], set()).add(pair["a"])
    by_case: dict[int, list[dict[str, Any]]] = {}
    for edge in edges:
        by_case.setdefault(edge["a"], []).append(edge)
    first: dict[int, Key] = {}
    for case in neighbours:
        if case in first:
            continue
        whole = _reach(case, neighbours)
        nodes = {n: CaseRow(n, keys[n], "", None, None, 0, None, features.get(n)) for n in whole}
        inside = [e for n in whole for e in by_case.get(n, ()) if e["b"] in whole]
        for part in group_rows(nodes, inside, [d for d in decisions if d["a"] in whole and d["b"] in whole]):
            if any(n in features for n in part):
                first.update({n: min(keys[m] for m in part if known[m]) for n in part})
    return first


def _edges(features: Mapping[int, Features]) -> list[dict[str, Any]]:
    by_key: dict[int, list[int]] = {}
    for case, own in features.items():
        for key in link_keys(own):
            by_key.setdefault(key, []).append(case)
    pairs = {
        (min(a, b), max(a, b))
        for cases in by_key.values()
        for i, a in enumerate(cases)
        for b in cases[i + 1 :]
    }
    found = []
    for a, b in pairs:
        verdict = judge(features[a], features[b])
        if verdict.verdict in ("LINK", "CANNOT"):
            found.append(
                {
                    "a": a,
                    "b": b,
                    "verdict": verdict.verdict,
                    "strength": verdict.strength,
                    "score": verdict.score,
                }
            )
    return found


def _reach(start: int, neighbours: Mapping[int, set[int]]) -> set[int]:
    found, waiting = {start}, [start]
    while waiting:
        new = neighbours[waiting.pop()] - found
        found |= new
        waiting += new
    return found
