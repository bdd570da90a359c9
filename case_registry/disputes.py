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


@dataclass
class Regrouped:
    """What grouping anew changed. `disputes`: all concerned; `fresh`: those founded just now by new cases; `moved`: whether any
    case left a dispute or joined one that was there; `events` for the choreography."""

    disputes: set[UUID] = field(default_factory=set)
    fresh: set[UUID] = field(default_factory=set)
    moved: bool = False
    events: list[Event] = field(default_factory=list)


def regroup(uow: UnitOfWork, seeds: Sequence[int], why: str) -> Regrouped:
    """Group again all that hangs together with these cases and write who belongs where, since when and why."""
    nodes = component(uow, seeds)
    found = Regrouped()
    target: dict[int, UUID] = {}
    for part in groups(uow, nodes):
        born = sorted((nodes[n].born_seq, b) for n in part if (b := nodes[n].born))
        founder = min((n for n in part if nodes[n].features is not None), default=None)
        if born:
            target.update(dict.fromkeys(part, born[0][1]))
        elif founder is not None:
            ref = _found_dispute(uow, founder, why, leaves=nodes[founder].dispute is not None)
            if all(nodes[n].dispute is None for n in part):
                found.fresh.add(ref.id)
            found.disputes.add(ref.id)
            target.update({n: ref.id for n in part if n != founder})
            found.events.append({"event": "dispute_opened", "dispute_id": ref.id, "dispute": ref.number,
                                 "agency": nodes[founder].agency})  # fmt: skip
    _move(uow, nodes, target, why, found)
    _point_merged(uow, nodes, target, found)
    found.disputes |= set(target.values()) | {row.dispute for row in nodes.values() if row.dispute}
    return found


_FOUND = """
WITH made AS (
    INSERT INTO registry.dispute (id, seq, number, opened_at, stage_since, holder_since, moved_at)
    SELECT :id, n, 'JF-' || to_char(CAST(:now AS timestamptz) AT TIME ZONE 'Asia/Shanghai', 'YYYY') || '-'
           || lpad(n::text, 6, '0'), :now, :now, :now, :now
    FROM (SELECT nextval(pg_get_serial_sequence('registry.dispute', 'seq')) AS n) s RETURNING id, number),
founder AS (UPDATE registry.source_case SET born = :id, dispute = :id WHERE id = :founder)
SELECT id, number FROM made
"""


def _found_dispute(uow: UnitOfWork, founder: int, why: str, *, leaves: bool) -> DisputeRef:
    """Found a dispute by one of its cases; a founder that was in another dispute until now leaves it."""
    row = uow.one(_FOUND, id=uow.new_id(), now=uow.now, founder=founder)
    assert row is not None
    _enter(uow, [(founder, row["id"])], why, leaves=leaves)
    return DisputeRef(row["id"], row["number"])


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
    leaves = any(nodes[n].dispute is not None for n, _ in moved)
    found.moved = leaves
    uow.execute(
        "UPDATE registry.source_case s SET dispute = t.d"
        " FROM unnest(CAST(:cases AS bigint[]), CAST(:disputes AS uuid[])) AS t(c, d) WHERE s.id = t.c",
        cases=[n for n, _ in moved],
        disputes=[d for _, d in moved],
    )
    _enter(uow, moved, why, leaves=leaves)
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
        " SELECT id, number, merged_into, seq FROM registry.dispute WHERE number = :name OR id::text = :name"
        " UNION (SELECT id, number, merged_into, seq FROM registry.dispute WHERE numbers && CAST(:numbers AS text[])"
        "   AND merged_into IS NULL)),"
        " way AS (SELECT * FROM named"
        " UNION ALL SELECT d.id, d.number, d.merged_into, d.seq FROM way JOIN registry.dispute d ON d.id = way.merged_into)"
        " SELECT id, number FROM way WHERE merged_into IS NULL ORDER BY seq LIMIT 1",
        name=str(name),
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
