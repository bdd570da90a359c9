"""The parts of a dispute's record that are rows of their own: edges, clocks, links, factor, hand-overs, related."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from case_registry import clock_acts
from case_registry.lamps import lamp_at
from foundation.unit_of_work import UnitOfWork


def edges(uow: UnitOfWork, cases: Sequence[RowMapping]) -> list[dict[str, Any]]:
    """The graph of whereabouts among the episodes of a dispute."""
    rows = uow.all(
        "SELECT f.agency AS from_agency, f.native_id AS from_native, e.from_sub, e.kind, t.agency AS to_agency,"
        " t.native_id AS to_native, e.to_sub, e.at, e.document FROM registry.episode_edge e"
        " JOIN registry.source_case f ON f.id = e.from_case JOIN registry.source_case t ON t.id = e.to_case"
        " WHERE e.from_case = ANY(:ids) ORDER BY e.kind, f.partner, f.native_id, e.from_sub, t.native_id, e.to_sub",
        ids=[c["id"] for c in cases],
    )
    return [dict(row) for row in rows]


def clocks(uow: UnitOfWork, cases: Sequence[RowMapping], known_on: datetime | None) -> list[dict[str, Any]]:
    """The clocks of a dispute, running and stopped, with their lamps at a moment."""
    rows = uow.all(
        "SELECT k.*, c.native_id FROM registry.clock k JOIN registry.source_case c ON c.id = k.source_case"
        " WHERE k.source_case = ANY(:ids)"
        " AND (CAST(:known AS timestamptz) IS NULL OR k.started_at <= :known) ORDER BY k.red_at, k.id",
        ids=[c["id"] for c in cases],
        known=known_on,
    )
    timings = clock_acts.timings_of(uow, [row["id"] for row in rows])
    found = []
    for row in rows:
        lamp = lamp_at(timings[row["id"]], known_on or uow.now) if row["state"] != "STOPPED" else None
        found.append(
            {"id": row["id"], "rule": row["rule"], "agency": row["agency"], "native_id": row["native_id"],
             "sub_id": row["sub_id"], "state": row["state"], "started_at": row["started_at"], "due_on": row["due_on"],
             "status": "NOT_YET_PUBLISHED" if row["provisional"] else "", "stopped_at": row["stopped_at"],
             "lamp": lamp.colour if lamp else row["lamp"], "used": lamp.used if lamp else None,
             "total": row["total"], "rim": lamp.rim if lamp else ""}
        )  # fmt: skip
    return found


def links(uow: UnitOfWork, cases: Sequence[RowMapping]) -> list[dict[str, Any]]:
    """Why these cases are one dispute: judged pairs with their reasons, and people's decisions."""
    ids = [c["id"] for c in cases]
    rows = uow.all(
        "SELECT ca.native_id AS one, cb.native_id AS other, e.verdict, e.strength, e.score, e.reasons, NULL::uuid AS decision,"
        " NULL AS by, NULL::timestamptz AS at, NULL AS reason FROM registry.link_edge e"
        " JOIN registry.source_case ca ON ca.id = e.a JOIN registry.source_case cb ON cb.id = e.b"
        " WHERE e.a = ANY(:ids) AND e.b = ANY(:ids) AND e.verdict = 'LINK'"
        " UNION ALL SELECT ca.native_id, cb.native_id, d.verdict, 0, NULL, NULL, d.id, d.by, d.at, d.reason"
        " FROM registry.link_decision d JOIN registry.source_case ca ON ca.id = d.a"
        " JOIN registry.source_case cb ON cb.id = d.b"
        " WHERE d.undone_at IS NULL AND (d.a = ANY(:ids) OR d.b = ANY(:ids)) ORDER BY 4, 5 DESC NULLS FIRST, 1, 2",
        ids=ids,
    )
    return [dict(row) for row in rows]


def factor(uow: UnitOfWork, dispute: UUID) -> dict[str, Any] | None:
    """The unstable factor of a dispute with every change of its grade, None where it was never listed."""
    row = uow.one("SELECT * FROM registry.factor WHERE dispute = :d", d=dispute)
    if row is None:
        return None
    log = uow.all(
        "SELECT at, by, was, now, score, cause FROM registry.factor_log WHERE dispute = :d ORDER BY id",
        d=dispute,
    )
    return {**dict(row), "log": [dict(entry) for entry in log]}


def referrals(uow: UnitOfWork, cases: Sequence[RowMapping]) -> list[dict[str, Any]]:
    """Hand-overs of a dispute between agencies."""
    rows = uow.all(
        "SELECT id, from_agency, to_agency, reason, state, drafted_at, sent_at, delivered_at, due_at, ended_at, ended_reason"
        " FROM registry.referral WHERE source_case = ANY(:ids) ORDER BY drafted_at",
        ids=[c["id"] for c in cases],
    )
    return [dict(row) for row in rows]


def related(uow: UnitOfWork, cases: Sequence[RowMapping], own: UUID) -> list[dict[str, Any]]:
    """Other disputes of the same incident: related, never the same for that alone."""
    rows = uow.all(
        "SELECT DISTINCT d.number, registry.shown_title(d.id) AS title FROM registry.source_case c"
        " JOIN registry.source_case o ON o.incidents && c.incidents AND o.incidents <> '{}'"
        " JOIN registry.dispute d ON d.id = o.dispute"
        " WHERE c.id = ANY(:ids) AND c.incidents <> '{}' AND d.id <> :own ORDER BY d.number LIMIT 20",
        ids=[c["id"] for c in cases],
        own=own,
    )
    return [dict(row) for row in rows]


def grade_at(uow: UnitOfWork, dispute: UUID, at: datetime) -> str:
    """The computed grade that stood at a moment, NONE before the first."""
    found = uow.scalar(
        "SELECT now FROM registry.factor_log WHERE dispute = :d AND at <= :at ORDER BY id DESC LIMIT 1",
        d=dispute,
        at=at,
    )
    return str(found or "NONE")
