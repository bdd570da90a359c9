"""Linkage in the database: keys, candidates, judged pairs, and the disputes that follow from them.

Whatever came first, the judged pairs are the same: a pair is judged from the two cases' features alone, and
whenever a case's features change, every pair it is in is judged again. Then all that hangs together with it
is grouped anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from case_registry.clusters import Link, cluster
from case_registry.features import Features, from_json, to_json
from case_registry.keys import link_keys
from case_registry.pair_score import BY_NUMBER, BY_PERSON, PairVerdict, cannot_be_one, judge
from case_registry.statements import json_digest
from foundation.unit_of_work import UnitOfWork

MAX_JUDGED = 5_000
"""Most candidates that one case is compared with; more means that its keys are wrong, and an alarm is due."""


@dataclass(frozen=True)
class CaseRow:
    """A source case as grouping needs it."""

    id: int
    key: tuple[str, str]
    agency: str
    dispute: UUID | None
    born: UUID | None
    born_seq: int
    born_into: UUID | None
    features: Features | None


def lock(uow: UnitOfWork) -> None:
    """Wait until no other unit of work is linking: a pair must never be missed because both came at once."""
    uow.execute("SELECT pg_advisory_xact_lock(hashtext('registry.link'))")


@dataclass(frozen=True)
class Changed:
    """Cases whose features changed; `new`: those that had none before."""

    cases: set[int]
    new: set[int]


def save_features(uow: UnitOfWork, found: Mapping[int, tuple[Features | None, str]]) -> Changed:
    """Store cases' features, their keys and the digest of what is known of them; returns whose features changed.

    A case with no features (nothing but waiting or retracted statements) links with nothing.
    """
    stored = {case: to_json(f) if f is not None else None for case, (f, _) in found.items()}
    rows = uow.all(
        _SAVE,
        ids=list(found),
        fs=[orjson.dumps(plain).decode() if plain is not None else None for plain in stored.values()],
        ds=[json_digest(plain) if plain is not None else None for plain in stored.values()],
        ks=[known for _, known in found.values()],
    )
    changed = {row["id"] for row in rows if row["changed"]}
    new = {row["id"] for row in rows if row["changed"] and row["new"]}
    if changed:
        features = {case: found[case][0] for case in sorted(changed)}
        _save_keys(
            uow,
            {c: sorted(link_keys(f)) if f is not None else [] for c, f in features.items()},
            first=changed == new,
        )
    return Changed(changed, new)


_SAVE = """
WITH before AS (
    SELECT id, features IS NULL AS new, features_digest FROM registry.source_case WHERE id = ANY(:ids))
UPDATE registry.source_case c SET known = t.k, features = t.f::jsonb, features_digest = t.d,
    incidents = CASE WHEN t.f IS NULL THEN '{}' ELSE ARRAY(SELECT jsonb_array_elements_text(t.f::jsonb -> 'incidents')) END
FROM unnest(CAST(:ids AS bigint[]), CAST(:fs AS text[]), CAST(:ds AS text[]), CAST(:ks AS text[])) AS t(i, f, d, k)
JOIN before b ON b.id = t.i
WHERE c.id = t.i AND (c.known IS DISTINCT FROM t.k OR b.features_digest IS DISTINCT FROM t.d)
RETURNING c.id, b.new, b.features_digest IS DISTINCT FROM t.d AS changed
"""


def _save_keys(uow: UnitOfWork, keys: Mapping[int, Sequence[int]], *, first: bool) -> None:
    pairs = [(key, case) for case, own in keys.items() for key in own]
    if not first:
        uow.execute(
            "DELETE FROM registry.link_key k WHERE source_case = ANY(:all) AND NOT EXISTS (SELECT 1 FROM"
            " unnest(CAST(:keys AS bigint[]), CAST(:cases AS bigint[])) AS w(key, c) WHERE w.key = k.key AND w.c = k.source_case)",
            keys=[key for key, _ in pairs],
            cases=[case for _, case in pairs],
            all=list(keys),
        )
    uow.execute(
        "INSERT INTO registry.link_key SELECT * FROM unnest(CAST(:keys AS bigint[]), CAST(:cases AS bigint[]))"
        " ON CONFLICT DO NOTHING",
        keys=[key for key, _ in pairs],
        cases=[case for _, case in pairs],
    )


@dataclass(frozen=True)
class Judged:
    """What judging again touched: cases whose grouping may change, and whether proposals may."""

    cases: set[int]
    proposals: bool


def judge_again(uow: UnitOfWork, changed: Changed, known: Mapping[int, Features]) -> Judged:
    """Judge every pair that a changed case is in, anew."""
    cases = sorted(changed.cases)
    candidates = uow.all(
        "SELECT p.one, p.other, c.features FROM ("
        " SELECT DISTINCT mine.source_case AS one, theirs.source_case AS other FROM registry.link_key mine"
        " JOIN registry.link_key theirs ON theirs.key = mine.key AND theirs.source_case <> mine.source_case"
        " WHERE mine.source_case = ANY(:cases) LIMIT :most) p"
        " JOIN registry.source_case c ON c.id = p.other WHERE c.features IS NOT NULL",
        cases=cases,
        most=MAX_JUDGED * len(cases),
    )
    features = {row["other"]: from_json(row["features"]) for row in candidates if row["other"] not in known}
    features.update(known)
    pairs = {(min(row["one"], row["other"]), max(row["one"], row["other"])) for row in candidates}
    judged = [(a, b, v) for a, b in sorted(pairs) if (v := judge(features[a], features[b])).verdict != "NONE"]
    before = uow.all(
        "DELETE FROM registry.link_edge WHERE a = ANY(:cases) OR b = ANY(:cases) RETURNING a, b, verdict",
        cases=cases,
    )
    _insert_edges(uow, judged)
    touched = set(cases)
    touched |= {n for row in before if row["verdict"] != "PROPOSE" for n in (row["a"], row["b"])}
    touched |= {n for a, b, v in judged if v.verdict != "PROPOSE" for n in (a, b)}
    proposed = any(row["verdict"] == "PROPOSE" for row in before) or any(
        v.verdict == "PROPOSE" for *_, v in judged
    )
    return Judged(touched, proposed)


def _insert_edges(uow: UnitOfWork, edges: Sequence[tuple[int, int, PairVerdict]]) -> None:
    if not edges:
        return
    uow.execute(
        "INSERT INTO registry.link_edge (a, b, verdict, strength, score, reasons)"
        " SELECT a, b, v, st, sc, r::jsonb FROM unnest(CAST(:a AS bigint[]), CAST(:b AS bigint[]), CAST(:v AS text[]),"
        " CAST(:st AS int[]), CAST(:sc AS double precision[]), CAST(:r AS text[])) AS t(a, b, v, st, sc, r)",
        a=[a for a, _, _ in edges],
        b=[b for _, b, _ in edges],
        v=[v.verdict for *_, v in edges],
        st=[v.strength for *_, v in edges],
        sc=[v.score for *_, v in edges],
        r=[orjson.dumps(v.reasons).decode() for *_, v in edges],
    )


_COMPONENT = """
WITH RECURSIVE near(n) AS (
    SELECT unnest(CAST(:seeds AS bigint[]))
    UNION
    SELECT x.m FROM near, LATERAL (
        SELECT b AS m FROM registry.link_edge WHERE a = near.n AND verdict = 'LINK'
        UNION ALL SELECT a FROM registry.link_edge WHERE b = near.n AND verdict = 'LINK'
        UNION ALL SELECT b FROM registry.link_decision WHERE a = near.n AND verdict = 'SAME' AND undone_at IS NULL
        UNION ALL SELECT a FROM registry.link_decision WHERE b = near.n AND verdict = 'SAME' AND undone_at IS NULL
    ) x)
SELECT c.id, c.partner, c.native_id, c.agency, c.dispute, c.born, c.features, d.seq, d.merged_into
FROM near JOIN registry.source_case c ON c.id = near.n LEFT JOIN registry.dispute d ON d.id = c.born
"""


def component(uow: UnitOfWork, seeds: Iterable[int]) -> dict[int, CaseRow]:
    """Every case that hangs together with the seeds by links, whatever kept them apart until now."""
    return {row["id"]: _case_row(row) for row in uow.all(_COMPONENT, seeds=sorted(seeds))}


def _case_row(row: RowMapping) -> CaseRow:
    return CaseRow(
        id=row["id"],
        key=(row["partner"], row["native_id"]),
        agency=row["agency"],
        dispute=row["dispute"],
        born=row["born"],
        born_seq=row["seq"] or 0,
        born_into=row["merged_into"],
        features=from_json(row["features"]) if row["features"] is not None else None,
    )


def groups(uow: UnitOfWork, nodes: Mapping[int, CaseRow]) -> list[list[int]]:
    """Group cases into disputes: links and people's words, minus what is kept apart."""
    ids = sorted(nodes)
    if len(ids) == 1:
        return [ids]
    rows = uow.all(
        "SELECT a, b, verdict, strength, score FROM registry.link_edge WHERE a = ANY(:ids) AND b = ANY(:ids)"
        " AND verdict <> 'PROPOSE' UNION ALL"
        " SELECT a, b, verdict, 0, 0 FROM registry.link_decision WHERE a = ANY(:ids) AND b = ANY(:ids) AND undone_at IS NULL",
        ids=ids,
    )
    by_people = ("SAME", "DIFFERENT")
    return group_rows(
        nodes,
        [dict(r) for r in rows if r["verdict"] not in by_people],
        [dict(r) for r in rows if r["verdict"] in by_people],
    )


def group_rows(
    nodes: Mapping[int, CaseRow], edges: Sequence[Mapping[str, Any]], decisions: Sequence[Mapping[str, Any]]
) -> list[list[int]]:
    """The grouping itself. A person's word goes before every rule; a written number before derived cannot-links."""
    same = {(d["a"], d["b"]) for d in decisions if d["verdict"] == "SAME"}
    different = {(d["a"], d["b"]) for d in decisions if d["verdict"] == "DIFFERENT"}
    by_number = {(e["a"], e["b"]) for e in edges if e["verdict"] == "LINK" and e["strength"] == BY_NUMBER}
    links = [Link(e["a"], e["b"], e["strength"], e["score"]) for e in edges if e["verdict"] == "LINK"]
    links += [Link(a, b, BY_PERSON, 0.0) for a, b in same]
    apart = {(e["a"], e["b"]) for e in edges if e["verdict"] == "CANNOT"} | _barred(nodes)
    apart = (apart - same - by_number) | different
    return cluster(nodes, links, sorted(apart), {n: row.key for n, row in nodes.items()})


def _barred(nodes: Mapping[int, CaseRow]) -> set[tuple[int, int]]:
    """Pairs of one partner's cases that cannot be one dispute, candidates of each other or not."""
    by_partner: dict[str, list[CaseRow]] = {}
    for row in nodes.values():
        by_partner.setdefault(row.key[0], []).append(row)
    found = set()
    for rows in by_partner.values():
        for i, one in enumerate(rows):
            for other in rows[i + 1 :]:
                if one.features and other.features and cannot_be_one(one.features, other.features):
                    found.add((min(one.id, other.id), max(one.id, other.id)))
    return found
