"""Which dispute a group of cases is: numbers follow the oldest, merges and splits are kept and can be undone.

Each dispute was founded by one case (its `born`). A group bears the oldest number any of its members founded,
so taking a merge back gives every part its own number again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from case_registry.linking import CaseRow, component, groups
from case_registry.source import DisputeRef, Event, Unknown
from foundation.unit_of_work import UnitOfWork
from schemas.case_numbers import normalise_case_number
from schemas.identifiers import uuid_in


@dataclass
class Regrouped:
    """What grouping anew changed. `disputes`: all concerned; `fresh`: those founded just now by new cases; `moved`: those
    where a case left a dispute or joined one that was there; `by`: for each dispute the case, of those asked about, by
    which it is concerned; `events` for the choreography."""

    disputes: set[UUID] = field(default_factory=set)
    fresh: set[UUID] = field(default_factory=set)
    moved: set[UUID] = field(default_factory=set)
    by: dict[UUID, int] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)


def regroup(
    uow: UnitOfWork,
    seeds: Mapping[int, int] | Sequence[int],
    why: str,
    numbers: Mapping[int, list[int]] | None = None,
) -> Regrouped:
    """Group again all that hangs together with these cases and write who belongs where, since when and why.

    `seeds`: the cases, or each with the case on whose account it is looked at. `numbers`: running numbers kept for
    disputes founded on account of a case; those used are taken out.
    """
    asked = seeds if isinstance(seeds, Mapping) else {case: case for case in seeds}
    nodes = component(uow, asked)
    found = Regrouped()
    target: dict[int, UUID] = {}
    founders: list[tuple[int, list[int]]] = []
    grouped = groups(uow, nodes)
    roots = {n: root for root, part in grouped for n in part}
    account = {roots[case]: by for case, by in sorted(asked.items(), reverse=True)}
    for _, part in grouped:
        born = sorted((nodes[n].born_seq, b) for n in part if (b := nodes[n].born))
        founder = min((n for n in part if nodes[n].features is not None), default=None)
        if born:
            target.update(dict.fromkeys(part, born[0][1]))
        elif founder is not None:
            founders.append((founder, part))
    founders.sort()
    given = [(numbers or {}).get(account[roots[founder]], []) for founder, _ in founders]
    made = _found_disputes(uow, [n for n, _ in founders], given, nodes, why)
    for (founder, part), ref in zip(founders, made, strict=True):
        if all(nodes[n].dispute is None for n in part):
            found.fresh.add(ref.id)
        target.update(dict.fromkeys(part, ref.id))
        found.events.append({"event": "dispute_opened", "dispute_id": ref.id, "dispute": ref.number,
                             "agency": nodes[founder].agency})  # fmt: skip
    _move(uow, nodes, {n: d for n, d in target.items() if n not in {f for f, _ in founders}}, why, found)
    _point_merged(uow, nodes, target, found)
    found.disputes |= set(target.values()) | {row.dispute for row in nodes.values() if row.dispute}
    for n, row in nodes.items():
        for dispute in (row.dispute, row.born, target.get(n)):
            if dispute is not None:
                found.by[dispute] = account[roots[n]]
    return found


_FOUND = """
WITH made AS (
    INSERT INTO registry.dispute (id, seq, number, opened_at, stage_since, holder_since, moved_at)
    SELECT i, n, 'JF-' || to_char(CAST(:now AS timestamptz) AT TIME ZONE 'Asia/Shanghai', 'YYYY') || '-'
           || lpad(n::text, 6, '0'), :now, :now, :now, :now
    FROM unnest(CAST(:ids AS uuid[]), CAST(:seqs AS bigint[])) AS t(i, n) RETURNING id, number),
founders AS (
    UPDATE registry.source_case c SET born = t.i, dispute = t.i
    FROM unnest(CAST(:ids AS uuid[]), CAST(:founders AS bigint[])) AS t(i, f) WHERE c.id = t.f)
SELECT id, number FROM made
"""


def _found_disputes(
    uow: UnitOfWork,
    founders: Sequence[int],
    given: Sequence[list[int]],
    nodes: Mapping[int, CaseRow],
    why: str,
) -> list[DisputeRef]:
    """Found a dispute by each of these cases; a founder that was in another dispute until now leaves it.

    `given`: running numbers to take, for each founder; where there is none, the next."""
    if not founders:
        return []
    seqs = [numbers.pop(0) if numbers else None for numbers in given]
    lacking = iter(
        row["n"]
        for row in uow.all(
            "SELECT nextval('registry.dispute_seq_seq') AS n FROM generate_series(1, :count)", count=seqs.count(None)
        )
    ) if None in seqs else iter(())  # fmt: skip
    taken = [next(lacking) if seq is None else seq for seq in seqs]
    ids = [uow.new_id() for _ in founders]
    rows = uow.all(_FOUND, ids=ids, seqs=taken, now=uow.now, founders=list(founders))
    numbers = {row["id"]: row["number"] for row in rows}
    leaves = any(nodes[founder].dispute is not None for founder in founders)
    _enter(uow, list(zip(founders, ids, strict=True)), why, leaves=leaves)
    return [DisputeRef(ident, numbers[ident]) for ident in ids]


def _enter(uow: UnitOfWork, moved: Sequence[tuple[int, UUID]], why: str, *, leaves: bool) -> None:
    """Write membership: what a case leaves ends now, what it joins begins now."""
    if leaves:
        uow.execute(
            "UPDATE registry.membership SET to_at = :now WHERE to_at IS NULL AND source_case = ANY(:cases)",
            cases=[n for n, _ in moved],
            now=uow.now,
        )
    uow.execute(
        "INSERT INTO registry.membership (source_case, dispute, from_at, by, why)"
        " SELECT c, d, :now, :by, :why FROM unnest(CAST(:cases AS bigint[]), CAST(:disputes AS uuid[])) AS t(c, d)",
        cases=[n for n, _ in moved],
        disputes=[d for _, d in moved],
        now=uow.now,
        by=uow.actor.id,
        why=why,
    )


def _move(
    uow: UnitOfWork, nodes: Mapping[int, CaseRow], target: Mapping[int, UUID], why: str, found: Regrouped
) -> None:
    moved = [(n, d) for n, d in target.items() if nodes[n].dispute != d]
    if not moved:
        return
    left = [n for n, _ in moved if nodes[n].dispute is not None]
    found.moved |= {d for n in left for d in (nodes[n].dispute, target[n]) if d is not None}
    uow.execute(
        "UPDATE registry.source_case s SET dispute = t.d"
        " FROM unnest(CAST(:cases AS bigint[]), CAST(:disputes AS uuid[])) AS t(c, d) WHERE s.id = t.c",
        cases=[n for n, _ in moved],
        disputes=[d for _, d in moved],
    )
    _enter(uow, moved, why, leaves=bool(left))
    for n, d in moved:
        if nodes[n].dispute is None:
            found.events.append({"event": "linked", "dispute_id": d, "partner": nodes[n].key[0],
                                 "native_id": nodes[n].key[1], "agency": nodes[n].agency, "why": why})  # fmt: skip


def _point_merged(
    uow: UnitOfWork, nodes: Mapping[int, CaseRow], target: Mapping[int, UUID], found: Regrouped
) -> None:
    """A dispute whose founder belongs to another one now points there; one whose founder came back stands alone."""
    into = {
        row.born: target[n]
        for n, row in nodes.items()
        if row.born and n in target and (row.born_into or row.born) != target[n]
    }
    if not into:
        return
    rows = uow.all(
        "UPDATE registry.dispute d SET merged_into = NULLIF(t.target, t.id)"
        " FROM unnest(CAST(:ids AS uuid[]), CAST(:targets AS uuid[])) AS t(id, target)"
        " WHERE d.id = t.id AND d.merged_into IS DISTINCT FROM NULLIF(t.target, t.id)"
        " RETURNING d.id, d.number, d.merged_into",
        ids=list(into),
        targets=list(into.values()),
    )
    for row in rows:
        name = "disputes_merged" if row["merged_into"] else "dispute_split"
        found.events.append({"event": name, "dispute_id": row["id"], "dispute": row["number"],
                             "into": row["merged_into"]})  # fmt: skip
        found.disputes.add(row["id"])


def dispute_ref(uow: UnitOfWork, name: str | UUID) -> DisputeRef:
    """The dispute of that name: our number or id, or any agency's own number for one of its cases.

    One that was merged away leads to the dispute it became part of; where a number is borne by several
    disputes, the oldest is taken. Raises Unknown.
    """
    folded = normalise_case_number(str(name))
    row = uow.one(
        "WITH RECURSIVE named AS ("
        " SELECT id, number, merged_into, seq FROM registry.dispute WHERE number = :name OR id = CAST(:id AS uuid)"
        " UNION (SELECT id, number, merged_into, seq FROM registry.dispute WHERE numbers && CAST(:numbers AS text[])"
        "   AND merged_into IS NULL)),"
        " way AS (SELECT * FROM named"
        " UNION ALL SELECT d.* FROM way CROSS JOIN LATERAL"
        # OFFSET 0: one by one through the key; a plan that hashed every dispute took a quarter of a second among 380,000.
        " (SELECT id, number, merged_into, seq FROM registry.dispute WHERE id = way.merged_into OFFSET 0) d)"
        " SELECT id, number FROM way WHERE merged_into IS NULL ORDER BY seq LIMIT 1",
        name=str(name),
        id=uuid_in(str(name)),
        numbers=sorted({str(name), folded}),
    )
    if row is None:
        raise Unknown("dispute", name)
    return DisputeRef(row["id"], row["number"])


def anchor(uow: UnitOfWork, dispute: str | UUID) -> int:
    """The case on which facts about the whole dispute hang: the mediation office's own where there is one, else the
    one that founded it. So they follow merges and splits. Raises Unknown."""
    ref = dispute_ref(uow, dispute)
    row = uow.one(
        "SELECT id FROM registry.source_case WHERE dispute = :d"
        " ORDER BY agency <> 'mediation', born IS DISTINCT FROM :d, partner, native_id LIMIT 1",
        d=ref.id,
    )
    if row is None:
        raise Unknown("dispute with cases", ref.number)
    return int(row["id"])
