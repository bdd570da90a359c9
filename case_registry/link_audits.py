"""The audit: pairs drawn at random into the review, above what links by itself and under what is proposed.

What people decide of the rule's own proposals says nothing of the pairs that it does not show. So a few are drawn, each
with the same chance within its kind, and put among the others; only the data says which they are. The question is put
in every draw anew, of all pairs there are, whatever was decided before; a pair that has an answer brings it along.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from case_registry.features import from_json
from case_registry.link_floor import in_force, rules
from case_registry.link_learning import band_of
from case_registry.linking import MAX_JUDGED, lock
from case_registry.pair_score import PairVerdict, cannot_be_one, explain
from case_registry.source import NotAllowed
from foundation.unit_of_work import UnitOfWork

_OPEN_TO_SEE = "NOT da.sealed AND NOT db.sealed"
_PAIR = (
    " JOIN registry.source_case ca ON ca.id = e.a JOIN registry.source_case cb ON cb.id = e.b"
    " JOIN registry.dispute da ON da.id = ca.dispute JOIN registry.dispute db ON db.id = cb.dispute"
)
# Judged pairs by kind: linked by the rule; proposed but under the floor and asked nobody; proposed.
_KIND = (
    "CASE WHEN e.verdict = 'LINK' THEN 'LINK' WHEN e.score < coalesce(CAST(:floor AS float8), '-infinity') AND ca.dispute <> cb.dispute"
    " AND NOT EXISTS (SELECT 1 FROM registry.proposal p WHERE p.a = e.a AND p.b = e.b) THEN 'BELOW' ELSE 'SHOWN' END"
)
_EDGES = f"""
SELECT e.a, e.b, e.score, e.verdict AS held, e.reasons, {_KIND} AS kind
FROM registry.link_edge e {_PAIR} WHERE e.verdict IN ('LINK', 'PROPOSE') AND {_OPEN_TO_SEE}
"""


@dataclass(frozen=True)
class Drawn:
    """One pair that was drawn: of which kind, and what the rule holds of it."""

    stratum: str
    a: int
    b: int
    held: str
    score: float
    reasons: Any


def draw(uow: UnitOfWork, pairs: int, seed: int) -> dict[str, Any]:
    """Draw `pairs` of each kind (LINK, BELOW the floor, NONE) into the review.

    `seed`: any number, given at the edge; the same over the same rows draws the same. Counts what there is of each kind
    (NONE is estimated from `draw_cases` source cases drawn alike). Sealed disputes are in no draw. Returns counts. Raises
    NotAllowed.
    """
    most, left = rules()["draw_most"], rules()["draw_open_most"]
    if not 0 < pairs <= most:
        raise NotAllowed(f"pairs of a draw: 1 to {most}")
    if int(uow.scalar("SELECT count(*) FROM registry.link_audit WHERE answer IS NULL")) > left:
        raise NotAllowed("too many drawn pairs are still open: decide them first")
    lock(uow)
    version, floor = in_force(uow)
    population = _population(uow, floor)
    found = [d for kind in ("LINK", "BELOW") for d in _of_edges(uow, kind, floor, pairs, seed)]
    none, estimated = _of_candidates(uow, pairs, seed)
    population["NONE"] = estimated
    ident = uow.new_id()
    uow.execute(
        "INSERT INTO registry.link_draw (id, at, by, seed, floor_version, population)"
        " VALUES (:id, :now, :by, :seed, :version, CAST(:population AS jsonb))",
        id=ident,
        now=uow.now,
        by=uow.actor.id,
        seed=seed,
        version=version,
        population=orjson.dumps(population).decode(),
    )
    _open(uow, ident, [*found, *none], seed)
    return {"draw": ident, "drawn": len(found) + len(none), "population": population}


def _population(uow: UnitOfWork, floor: float | None) -> dict[str, Any]:
    rows = uow.all(f"SELECT kind, score, count(*) AS n FROM ({_EDGES}) x GROUP BY 1, 2", floor=floor)
    bands = rules()["bands"]
    shown = [0] * (len(bands) + 1)
    found: dict[str, Any] = {"LINK": 0, "BELOW": 0}
    for row in rows:
        if row["kind"] == "SHOWN":
            shown[band_of(row["score"], bands)] += row["n"]
        else:
            found[row["kind"]] += row["n"]
    return {**found, "SHOWN": shown}


def _of_edges(uow: UnitOfWork, kind: str, floor: float | None, pairs: int, seed: int) -> list[Drawn]:
    rows = uow.all(
        f"SELECT * FROM ({_EDGES}) x WHERE kind = :kind ORDER BY hashtextextended(a || '/' || b, :seed), a, b LIMIT :pairs",
        floor=floor,
        kind=kind,
        seed=seed,
        pairs=pairs,
    )
    return [Drawn(kind, r["a"], r["b"], r["held"], r["score"], r["reasons"]) for r in rows]


# Candidates of cases drawn alike that the rule neither links nor proposes, and that nothing else shows: not of one dispute
# already, not proposed between the two disputes, not decided. In the multiset of all of them each pair stands as often as
# its two cases were drawn, so every pair has the same chance.
_CANDIDATES = """
WITH drawn AS MATERIALIZED (
    SELECT c.id FROM registry.source_case c JOIN registry.dispute d ON d.id = c.dispute
    WHERE c.features IS NOT NULL AND NOT d.sealed ORDER BY hashint8extended(c.id, :seed), c.id LIMIT :cases)
SELECT p.one, p.other, mine.features AS own, theirs.features AS their FROM (
    SELECT DISTINCT d.id AS one, k.source_case AS other
    FROM drawn d JOIN registry.link_key m ON m.source_case = d.id
    JOIN registry.link_key k ON k.key = m.key AND k.source_case <> d.id ORDER BY 1, 2 LIMIT :most) p
JOIN registry.source_case mine ON mine.id = p.one
JOIN registry.source_case theirs ON theirs.id = p.other AND theirs.features IS NOT NULL
JOIN registry.dispute dt ON dt.id = theirs.dispute AND NOT dt.sealed
WHERE mine.dispute <> theirs.dispute
  AND NOT EXISTS (SELECT 1 FROM registry.link_edge e WHERE e.a = least(p.one, p.other) AND e.b = greatest(p.one, p.other)
                  AND e.verdict <> 'CANNOT')
  AND NOT EXISTS (SELECT 1 FROM registry.link_decision x WHERE x.a = least(p.one, p.other)
                  AND x.b = greatest(p.one, p.other) AND x.undone_at IS NULL)
  AND NOT EXISTS (SELECT 1 FROM registry.source_case xa JOIN registry.proposal q ON q.a = xa.id AND q.state = 'OPEN'
                  JOIN registry.source_case xb ON xb.id = q.b
                  WHERE xa.dispute IN (mine.dispute, theirs.dispute) AND xb.dispute IN (mine.dispute, theirs.dispute))
ORDER BY p.one, p.other
"""


def _of_candidates(uow: UnitOfWork, pairs: int, seed: int) -> tuple[list[Drawn], float]:
    """Pairs of kind NONE, and how many there are by the cases looked at."""
    cases = rules()["draw_cases"]
    rows = uow.all(_CANDIDATES, seed=seed, cases=cases, most=MAX_JUDGED * 20)
    seen = int(uow.scalar(
        "SELECT count(*) FROM registry.source_case c JOIN registry.dispute d ON d.id = c.dispute"
        " WHERE c.features IS NOT NULL AND NOT d.sealed"
    ))  # fmt: skip
    there: list[tuple[int, int, PairVerdict]] = []
    for row in rows:
        one, other = from_json(row["own"]), from_json(row["their"])
        if cannot_be_one(one, other):
            continue  # two by what they are: nobody need be asked
        a, b = sorted((row["one"], row["other"]))
        there.append((a, b, explain(one, other)))
    random.Random(seed).shuffle(there)
    chosen: dict[tuple[int, int], PairVerdict] = {}
    for a, b, verdict in there:
        if len(chosen) == pairs:
            break
        chosen[a, b] = verdict
    estimated = seen / max(1, min(cases, seen)) * len(there) / 2
    return [Drawn("NONE", a, b, v.verdict, v.score, v.reasons) for (a, b), v in chosen.items()], estimated


def _open(uow: UnitOfWork, draw: UUID, drawn: Sequence[Drawn], seed: int) -> None:
    """Put drawn pairs into the review; one on which a person's word stands is answered by it.

    Each takes the age of some question that is open: those of one draw stand among the others, not in a row.
    """
    ages = [
        row["opened_at"]
        for row in uow.all(
            "SELECT opened_at FROM registry.proposal WHERE state = 'OPEN' ORDER BY opened_at, a, b LIMIT 20000"
        )
    ] or [uow.now]
    place = random.Random(seed)
    uow.execute_many(
        "INSERT INTO registry.link_audit (id, draw, stratum, a, b, held, score, reasons, opened_at, answer, answered_at, decision)"
        " SELECT :id, :draw, :stratum, :a, :b, :held, :score, CAST(:reasons AS jsonb), :opened_at, x.verdict,"
        " CASE WHEN x.id IS NULL THEN NULL ELSE CAST(:now AS timestamptz) END, x.id"
        " FROM (VALUES (1)) AS one (row) LEFT JOIN registry.link_decision x ON x.a = :a AND x.b = :b AND x.undone_at IS NULL",
        [
            {"id": uow.new_id(), "draw": draw, "stratum": each.stratum, "a": each.a, "b": each.b, "held": each.held,
             "score": each.score, "reasons": orjson.dumps(each.reasons).decode(), "now": uow.now, "opened_at": place.choice(ages)}
            for each in drawn
        ],
    )  # fmt: skip
