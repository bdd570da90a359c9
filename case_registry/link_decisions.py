"""Proposals: pairs that may be one dispute, for a person to decide; and taking such decisions back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from case_registry.access import PERSON, Reader, row_filter
from case_registry.disputes import anchor, dispute_ref, regroup
from case_registry.linking import lock
from case_registry.machines import PROPOSAL
from case_registry.refresh import refresh
from case_registry.source import Event, NotAllowed, Unknown
from foundation.unit_of_work import UnitOfWork

_WANTED = """
WITH mine AS (SELECT id FROM registry.source_case WHERE dispute = ANY(:disputes)),
edge AS (
    SELECT e.a, e.b, e.score, least(ca.dispute, cb.dispute) AS d1, greatest(ca.dispute, cb.dispute) AS d2
    FROM registry.link_edge e
    JOIN registry.source_case ca ON ca.id = e.a JOIN registry.source_case cb ON cb.id = e.b
    WHERE e.verdict = 'PROPOSE' AND ca.dispute <> cb.dispute
      AND (e.a IN (SELECT id FROM mine) OR e.b IN (SELECT id FROM mine))),
floor AS (SELECT version, floor FROM registry.link_floor ORDER BY version DESC LIMIT 1),
-- Above the floor in force, or asked about before it was: a question that came back is the same question.
shown AS (
    SELECT edge.*, coalesce(floor.version, 0) AS floor_version FROM edge LEFT JOIN floor ON true
    WHERE coalesce(edge.score >= floor.floor, true) OR EXISTS (
        SELECT 1 FROM registry.proposal p WHERE p.a = edge.a AND p.b = edge.b AND p.floor_version < floor.version)),
best AS (SELECT DISTINCT ON (d1, d2) * FROM shown ORDER BY d1, d2, score DESC, a, b)
SELECT a, b, score, d1, d2, floor_version FROM best
WHERE NOT EXISTS (
    SELECT 1 FROM registry.cannot_link x
    JOIN registry.source_case xa ON xa.id = x.a JOIN registry.source_case xb ON xb.id = x.b
    WHERE xa.dispute IN (d1, d2) AND xb.dispute IN (d1, d2) AND xa.dispute <> xb.dispute)
ORDER BY a, b
"""


def sync(uow: UnitOfWork, disputes: Iterable[UUID]) -> list[Event]:
    """Bring the open proposals of these disputes to what the judged pairs say: one a pair of disputes, the best."""
    concerned = sorted(disputes)
    wanted = {(row["a"], row["b"]): row for row in uow.all(_WANTED, disputes=concerned)}
    open_rows = uow.all(
        "SELECT p.id, p.a, p.b FROM registry.proposal p JOIN registry.source_case c ON c.id IN (p.a, p.b)"
        " WHERE p.state = 'OPEN' AND c.dispute = ANY(:disputes)",
        disputes=concerned,
    )
    stale = {row["id"] for row in open_rows if (row["a"], row["b"]) not in wanted}
    if stale:
        uow.execute(
            "UPDATE registry.proposal SET state = 'SUPERSEDED', decided_at = :now WHERE id = ANY(:ids)",
            ids=list(stale),
            now=uow.now,
        )
    present = {(row["a"], row["b"]) for row in open_rows}
    new = [row for pair, row in wanted.items() if pair not in present]
    return _open(uow, new) if new else []


def _open(uow: UnitOfWork, rows: Sequence[RowMapping]) -> list[Event]:
    ids = [uow.new_id() for _ in rows]
    uow.execute(
        "INSERT INTO registry.proposal (id, a, b, score, floor_version, opened_at) SELECT i, a, b, s, f,"
        # As old as it was when it was first asked: taking an answer back does not put it behind all others.
        " coalesce((SELECT min(p.opened_at) FROM registry.proposal p WHERE p.a = t.a AND p.b = t.b), :now)"
        " FROM unnest(CAST(:i AS uuid[]), CAST(:a AS bigint[]), CAST(:b AS bigint[]), CAST(:s AS double precision[]),"
        " CAST(:f AS int[])) AS t(i, a, b, s, f) ON CONFLICT DO NOTHING",
        now=uow.now,
        i=ids,
        a=[row["a"] for row in rows],
        b=[row["b"] for row in rows],
        s=[row["score"] for row in rows],
        f=[row["floor_version"] for row in rows],
    )
    return [
        {
            "event": "proposal_made",
            "proposal": ident,
            "score": row["score"],
            "disputes": [row["d1"], row["d2"]],
        }
        for ident, row in zip(ids, rows, strict=True)
    ]


def proposals(
    uow: UnitOfWork, *, dispute: UUID | None = None, after: tuple[float, UUID] | None = None, limit: int = 50,
    reader: Reader | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Open proposals, best score first, with both sides and the reasons field by field.

    `after`: score and id of the last row of the page before. `reader`: only those of which this person may see both
    sides.
    """
    clauses = ""
    params: dict[str, Any] = {"limit": limit}
    if reader is not None:
        for side in ("da.", "db."):
            seen, more = row_filter(reader, PERSON, side)
            clauses += f" AND {seen}"
            params |= more
    if dispute is not None:
        clauses += " AND :dispute IN (ca.dispute, cb.dispute)"
        params["dispute"] = dispute
    if after is not None:
        clauses += " AND (p.score, p.id) < (:score, :after)"
        params |= {"score": after[0], "after": after[1]}
    rows = uow.all(
        "SELECT p.id, p.score, p.opened_at, e.reasons, ca.partner AS a_partner, ca.agency AS a_agency, ca.native_id AS a_native,"
        " da.number AS a_dispute, registry.shown_title(da.id) AS a_title, cb.partner AS b_partner, cb.agency AS b_agency,"
        " cb.native_id AS b_native, db.number AS b_dispute, registry.shown_title(db.id) AS b_title FROM registry.proposal p"
        " JOIN registry.link_edge e ON e.a = p.a AND e.b = p.b"
        " JOIN registry.source_case ca ON ca.id = p.a JOIN registry.source_case cb ON cb.id = p.b"
        " JOIN registry.dispute da ON da.id = ca.dispute JOIN registry.dispute db ON db.id = cb.dispute"
        f" WHERE p.state = 'OPEN'{clauses} ORDER BY p.score DESC, p.id DESC LIMIT :limit",
        **params,
    )
    return [
        {"id": r["id"], "score": r["score"], "opened_at": r["opened_at"], "reasons": r["reasons"],
         "one": {"partner": r["a_partner"], "agency": r["a_agency"], "native_id": r["a_native"],
                 "dispute": r["a_dispute"], "title": r["a_title"]},
         "other": {"partner": r["b_partner"], "agency": r["b_agency"], "native_id": r["b_native"],
                   "dispute": r["b_dispute"], "title": r["b_title"]}}
        for r in rows
    ]  # fmt: skip


def settle(uow: UnitOfWork, proposal: UUID, accept: bool, reason: str) -> list[Event]:
    """Decide a proposal. Raises Unknown, NotAllowed (decided already, no reason)."""
    lock(uow)
    row = uow.one("SELECT * FROM registry.proposal WHERE id = :id FOR UPDATE", id=proposal)
    if row is None:
        raise Unknown("proposal", proposal)
    if row["state"] != "OPEN":
        raise NotAllowed("this proposal is no longer open")
    state = PROPOSAL.next(row["state"], "accept" if accept else "reject")
    decision = decide(
        uow, row["a"], row["b"], "SAME" if accept else "DIFFERENT", reason, proposal, "PROPOSAL"
    )
    uow.execute(
        "UPDATE registry.proposal SET state = :state, decided_at = :now, decided_by = :by, reason = :reason WHERE id = :id",
        state=state,
        now=uow.now,
        by=uow.actor.id,
        reason=reason,
        id=proposal,
    )
    decided: Event = {"event": "link_decided", "proposal": proposal, "decision": decision, "accepted": accept}
    return [decided, *follow(uow, [row["a"], row["b"]], reason)]


def decide(
    uow: UnitOfWork, one: int, other: int, verdict: str, reason: str, proposal: UUID | None = None, asked: str = ""
) -> UUID:  # fmt: skip
    """Write a person's word about a pair of cases; an earlier word about the same pair is taken back by it.

    `proposal`: the proposal or audit that it answers; `asked`: PROPOSAL, AUDIT, "" = of the person's own accord. With it
    stays what the rule held of the pair, its score and the floor in force. Audits of the pair that are open are answered
    by it.
    """
    if not reason.strip():
        raise NotAllowed("a decision needs a reason")
    a, b = min(one, other), max(one, other)
    _undo(uow, "a = :a AND b = :b", {"a": a, "b": b}, "replaced by a later decision")
    decision = uow.new_id()
    uow.execute(
        _DECIDE,
        id=decision,
        a=a,
        b=b,
        verdict=verdict,
        now=uow.now,
        by=uow.actor.id,
        reason=reason,
        proposal=proposal,
        asked=asked,
    )
    return decision


_DECIDE = """
WITH made AS (
    INSERT INTO registry.link_decision (id, a, b, verdict, at, by, reason, proposal, asked, held, score, floor_version)
    SELECT :id, t.a, t.b, :verdict, :now, :by, :reason, :proposal, :asked, coalesce(e.verdict, 'NONE'),
        coalesce(e.score, (SELECT max(score) FROM registry.link_audit u WHERE u.a = t.a AND u.b = t.b)),
        coalesce((SELECT max(version) FROM registry.link_floor), 0)
    FROM (VALUES (CAST(:a AS bigint), CAST(:b AS bigint))) AS t (a, b)
    LEFT JOIN registry.link_edge e ON e.a = t.a AND e.b = t.b RETURNING id)
UPDATE registry.link_audit SET answer = :verdict, answered_at = :now, decision = made.id FROM made
WHERE a = :a AND b = :b AND answer IS NULL
"""


def _undo(uow: UnitOfWork, where: str, params: dict[str, Any], reason: str) -> list[tuple[int, int]]:
    rows = uow.all(
        "UPDATE registry.link_decision SET undone_at = :now, undone_by = :by, undone_reason = :reason"
        f" WHERE {where} AND undone_at IS NULL RETURNING id, a, b",
        now=uow.now,
        by=uow.actor.id,
        reason=reason,
        **params,
    )
    if rows:  # a question that was drawn at random is open again
        uow.execute(
            "UPDATE registry.link_audit SET answer = NULL, answered_at = NULL, decision = NULL WHERE decision = ANY(:ids)",
            ids=[row["id"] for row in rows],
        )
    return [(row["a"], row["b"]) for row in rows]


def follow(uow: UnitOfWork, cases: list[int], why: str) -> list[Event]:
    """What follows from a word about these cases: grouped anew, brought to what is known, proposals too."""
    regrouped = regroup(uow, sorted(set(cases)), why)
    return [*regrouped.events, *refresh(uow, regrouped.disputes), *sync(uow, regrouped.disputes)]


def undo(uow: UnitOfWork, decision: UUID, reason: str) -> list[Event]:
    """Take a decision back: both disputes stand again as before it. Raises Unknown, NotAllowed."""
    if not reason.strip():
        raise NotAllowed("taking a decision back needs a reason")
    lock(uow)
    pairs = _undo(uow, "id = :id", {"id": decision}, reason)
    if not pairs:
        raise Unknown("decision in force", decision)
    return follow(uow, list(pairs[0]), reason)


def split_off(uow: UnitOfWork, partner: str, native_id: str, reason: str) -> list[Event]:
    """Keep one case apart from all others of its dispute, whatever the signs. Raises Unknown, NotAllowed."""
    lock(uow)
    case = uow.one(
        "SELECT id, dispute FROM registry.source_case WHERE partner = :p AND native_id = :n",
        p=partner,
        n=native_id,
    )
    if case is None:
        raise Unknown("case", native_id)
    others = uow.all(
        "SELECT id FROM registry.source_case WHERE dispute = :d AND id <> :id ORDER BY id",
        d=case["dispute"],
        id=case["id"],
    )
    if not others:
        raise NotAllowed("the case is alone in its dispute")
    for other in others:
        decide(uow, case["id"], other["id"], "DIFFERENT", reason)
    return follow(uow, [case["id"], *(o["id"] for o in others)], reason)


def attach(uow: UnitOfWork, dispute: str | UUID, partner: str, native_id: str, reason: str) -> list[Event]:
    """Say that a case belongs to a dispute (a court's hold found by the account it names). Raises Unknown."""
    lock(uow)
    case = uow.one(
        "SELECT id, dispute FROM registry.source_case WHERE partner = :p AND native_id = :n",
        p=partner,
        n=native_id,
    )
    if case is None:
        raise Unknown("case", native_id)
    if case["dispute"] == dispute_ref(uow, dispute).id:
        return []
    target = anchor(uow, dispute)
    decide(uow, target, case["id"], "SAME", reason)
    return follow(uow, [target, case["id"]], reason)
