"""Linkage in the database: keys, candidates, judged pairs, and the disputes that follow from them.

Whatever came first, the judged pairs are the same: a pair is judged from the two cases' features alone, and
whenever a case's features change, every pair it is in is judged again. Then all that hangs together with it
is grouped anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from case_registry.clusters import Link, cluster
from case_registry.features import Features, from_json
from case_registry.pair_score import BY_NUMBER, BY_PERSON, PairVerdict, cannot_be_one, judge
from foundation.unit_of_work import UnitOfWork

if TYPE_CHECKING:
    from case_registry.gathering import CaseAfter

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


def lock_for_messages(uow: UnitOfWork) -> None:
    """`lock`, and to the end of the transaction no table is read whole where an index serves: a plan that was made while
    a table was small, and kept, would go on reading all of it."""
    uow.execute(
        "SELECT pg_advisory_xact_lock(hashtext('registry.link')), set_config('enable_seqscan', 'off', true)"
    )


def save_cases(uow: UnitOfWork, cases: Sequence[CaseAfter]) -> None:
    """Store cases with their features, keys and the digest of what is known of them; new ones are made.

    A case with no features (nothing but waiting or retracted statements) links with nothing.
    """
    new = [case for case in cases if not case.stored.there]
    if new:
        uow.execute(_NEW, rows=orjson.dumps([case_row(case, uow.now) for case in new]).decode())
    old = [case for case in cases if case.stored.there]
    if old:
        uow.execute(
            _SAVE,
            rows=orjson.dumps([case_row(case, uow.now) for case in old]).decode(),
            ids=[case.id for case in old],
        )
    changed = [case for case in cases if case.changed]
    if changed:
        _save_keys(uow, changed)


def case_row(case: CaseAfter, now: datetime) -> dict[str, Any]:
    """A source case's columns, its dispute left out."""
    stored = case.stored
    return {"id": case.id, "partner": stored.partner, "institution": stored.institution, "agency": stored.agency,
            "native_id": stored.native_id, "first_seen": now, "features_digest": case.digest, "known": case.known,
            "features": None if case.plain is None else orjson.Fragment(case.plain),
            "incidents": list(case.features.incidents) if case.features else []}  # fmt: skip


CASE = "id, partner, institution, agency, native_id, first_seen, features, features_digest, known, incidents"
_ROWS = "json_populate_recordset(NULL::registry.source_case, CAST(:rows AS json))"
_NEW = f"INSERT INTO registry.source_case ({CASE}) SELECT {CASE} FROM {_ROWS}"
_SAVE = f"""
UPDATE registry.source_case c SET known = t.known, features = t.features, features_digest = t.features_digest,
    incidents = t.incidents
FROM {_ROWS} AS t
WHERE c.id = t.id AND c.id = ANY(:ids) AND (c.known IS DISTINCT FROM t.known OR c.features_digest IS DISTINCT FROM t.features_digest)
"""


def _save_keys(uow: UnitOfWork, changed: Sequence[CaseAfter]) -> None:
    had = [case.id for case in changed if case.stored.digest is not None]
    rows = orjson.dumps(key_rows(changed)).decode()
    if had:
        uow.execute(
            "DELETE FROM registry.link_key k WHERE source_case = ANY(:had) AND NOT EXISTS (SELECT 1 FROM"
            " json_populate_recordset(NULL::registry.link_key, CAST(:rows AS json)) w"
            " WHERE w.key = k.key AND w.source_case = k.source_case)",
            rows=rows,
            had=had,
        )
    uow.execute(
        "INSERT INTO registry.link_key SELECT * FROM json_populate_recordset(NULL::registry.link_key, CAST(:rows AS json))"
        " ON CONFLICT DO NOTHING",
        rows=rows,
    )


def key_rows(cases: Iterable[CaseAfter]) -> list[dict[str, int]]:
    """The keys under which cases are looked for."""
    return [{"key": key, "source_case": case.id} for case in cases for key in sorted(case.keys)]


@dataclass(frozen=True)
class Judged:
    """What judging again touched. `cases`: those whose grouping may change, each with the changed case by which;
    `proposals`: the changed cases by which proposals may change."""

    cases: dict[int, int]
    proposals: set[int]


# Here and in _COMPONENT, OFFSET 0 keeps each look-up one by index; statistics of before would have whole tables read.
_CANDIDATES = """
SELECT p.one, p.other, c.features FROM (
    SELECT DISTINCT mine.source_case AS one, theirs.source_case AS other
    FROM unnest(CAST(:cases AS bigint[])) AS given (source_case),
        LATERAL (SELECT k.key, k.source_case FROM registry.link_key k WHERE k.source_case = given.source_case OFFSET 0) mine,
        LATERAL (SELECT k.source_case FROM registry.link_key k
            WHERE k.key = mine.key AND k.source_case <> mine.source_case OFFSET 0) theirs
    LIMIT :most) p,
    LATERAL (SELECT features FROM registry.source_case WHERE id = p.other AND features IS NOT NULL OFFSET 0) c
"""


def judge_again(uow: UnitOfWork, changed: Mapping[int, Features | None], *, all_new: bool = False) -> Judged:
    """Judge every pair that a changed case is in, anew. `all_new`: none of them was ever judged."""
    cases = sorted(changed)
    candidates = uow.all(_CANDIDATES, cases=cases, most=MAX_JUDGED * len(cases))
    features = {row["other"]: from_json(row["features"]) for row in candidates if row["other"] not in changed}
    features |= {case: own for case, own in changed.items() if own is not None}
    pairs = {(min(row["one"], row["other"]), max(row["one"], row["other"])) for row in candidates}
    judged = [(a, b, v) for a, b in sorted(pairs) if (v := judge(features[a], features[b])).verdict != "NONE"]
    before: Sequence[Any] = ()
    if not all_new:
        before = uow.all(
            "DELETE FROM registry.link_edge WHERE a = ANY(:cases) OR b = ANY(:cases) RETURNING a, b, verdict",
            cases=cases,
        )
    _insert_edges(uow, judged)
    touched = {case: case for case in cases}
    proposals: set[int] = set()
    for a, b, verdict in [
        *((r["a"], r["b"], r["verdict"]) for r in before),
        *((a, b, v.verdict) for a, b, v in judged),
    ]:
        by = a if a in changed else b
        if verdict == "PROPOSE":
            proposals.add(by)
        else:
            touched.setdefault(a, by)
            touched.setdefault(b, by)
    return Judged(touched, proposals)


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
FROM near, LATERAL (SELECT * FROM registry.source_case WHERE id = near.n OFFSET 0) c
LEFT JOIN LATERAL (SELECT seq, merged_into FROM registry.dispute WHERE id = c.born OFFSET 0) d ON true
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


def groups(uow: UnitOfWork, nodes: Mapping[int, CaseRow]) -> list[tuple[int, list[int]]]:
    """Group cases into disputes: links and people's words, minus what is kept apart.

    Returns groups, each with the least id of what it hangs together with, sorted by their cases' keys.
    """
    ids = sorted(nodes)
    if len(ids) == 1:
        return [(ids[0], ids)]
    rows = uow.all(
        "SELECT a, b, verdict, strength, score FROM registry.link_edge WHERE a = ANY(:ids) AND b = ANY(:ids)"
        " AND verdict <> 'PROPOSE' UNION ALL"
        " SELECT a, b, verdict, 0, 0 FROM registry.link_decision WHERE a = ANY(:ids) AND b = ANY(:ids) AND undone_at IS NULL",
        ids=ids,
    )
    root = hanging_together(ids, [(r["a"], r["b"]) for r in rows if r["verdict"] in ("LINK", "SAME")])
    by_people = ("SAME", "DIFFERENT")
    found: list[tuple[int, list[int]]] = []
    for whole in _by_root(ids, root):
        inside = [dict(r) for r in rows if root[r["a"]] == root[r["b"]] == whole[0]]
        parts = group_rows(
            {n: nodes[n] for n in whole},
            [r for r in inside if r["verdict"] not in by_people],
            [r for r in inside if r["verdict"] in by_people],
        ) if len(whole) > 1 else [whole]  # fmt: skip
        found += [(whole[0], part) for part in parts]
    return sorted(found, key=lambda each: nodes[each[1][0]].key)


def hanging_together(nodes: Iterable[int], pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """For each node the least one that it hangs together with by these pairs."""
    root = {node: node for node in nodes}

    def top(node: int) -> int:
        while root[node] != node:
            root[node] = root[root[node]]
            node = root[node]
        return node

    for a, b in pairs:
        one, other = sorted((top(a), top(b)))
        root[other] = one
    return {node: top(node) for node in root}


def _by_root(ids: Sequence[int], root: Mapping[int, int]) -> list[list[int]]:
    found: dict[int, list[int]] = {}
    for node in ids:
        found.setdefault(root[node], []).append(node)
    return list(found.values())


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
