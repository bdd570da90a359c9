"""Conflicts: equally believed sources that differ, each a task for a named role; the decision is itself a claim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from case_registry.authority import Chosen, as_row
from case_registry.disputes import anchor
from case_registry.source import Event, NotAllowed, Unknown
from case_registry.versions import version_key
from foundation.unit_of_work import UnitOfWork
from schemas.canonical import digest
from schemas.claims import JsonValue

ROLE_FOR = {"agreed_fen": "reviewer", "claimed_fen": "reviewer", "people_count": "supervision_officer"}
"""Whose task a conflict is; everything else is the supervision officer's."""


def sync(uow: UnitOfWork, dispute: UUID, chosen: Mapping[str, Chosen]) -> list[Event]:
    """Open a task for each undecided field, and end those whose sources agree again."""
    open_rows = {
        row["field"]: row
        for row in uow.all(
            "SELECT id, field, voices FROM registry.conflict WHERE dispute = :d AND state = 'OPEN'", d=dispute
        )
    }
    undecided = {name: c for name, c in chosen.items() if c.undecided}
    events: list[Event] = []
    for name, row in open_rows.items():
        if name not in undecided:
            uow.execute(
                "UPDATE registry.conflict SET state = 'GONE', decided_at = :now WHERE id = :id",
                id=row["id"],
                now=uow.now,
            )
    for name, choice in undecided.items():
        voices = [as_row(v) for v in choice.undecided]
        known = open_rows.get(name)
        if known is None:
            events.append(_open(uow, dispute, name, voices))
        elif known["voices"] != voices:
            uow.execute(
                "UPDATE registry.conflict SET voices = CAST(:v AS jsonb) WHERE id = :id",
                v=orjson.dumps(voices).decode(),
                id=known["id"],
            )
    return events


def _open(uow: UnitOfWork, dispute: UUID, name: str, voices: list[dict[str, Any]]) -> Event:
    conflict = uow.new_id()
    role = ROLE_FOR.get(name, "supervision_officer")
    uow.execute(
        "INSERT INTO registry.conflict (id, dispute, field, voices, role, opened_at)"
        " VALUES (:id, :dispute, :field, CAST(:voices AS jsonb), :role, :now)",
        id=conflict,
        dispute=dispute,
        field=name,
        voices=orjson.dumps(voices).decode(),
        role=role,
        now=uow.now,
    )
    return {"event": "conflict_found", "conflict": conflict, "field": name, "role": role, "voices": voices}


def settle(uow: UnitOfWork, conflict: UUID, value: JsonValue, reason: str) -> UUID:
    """Decide a conflict: the value becomes a claim of the deciding person, with its reason; returns the dispute.

    `value`: one of the voices' values, or a third one. Raises Unknown, NotAllowed (decided already, no reason).
    """
    row = uow.one("SELECT * FROM registry.conflict WHERE id = :id FOR UPDATE", id=conflict)
    if row is None:
        raise Unknown("conflict", conflict)
    if row["state"] != "OPEN":
        raise NotAllowed("this conflict is no longer open")
    if not reason.strip():
        raise NotAllowed("a decision needs a reason")
    case = anchor(uow, row["dispute"])
    said: list[Any] = ["decision", row["field"], value, reason, str(conflict)]
    statement = uow.scalar(
        "INSERT INTO registry.statement (source_case, sub_id, kind, version, digest, event_at, recorded_at, message, path, data)"
        " VALUES (:case, :field, 'decision', :version, :digest, :at, :now, :conflict, '', CAST(:data AS jsonb)) RETURNING id",
        case=case,
        field=row["field"],
        version=version_key((uow.now.isoformat(timespec="microseconds"),)),
        digest=digest(said),
        at=uow.now.isoformat(timespec="microseconds"),
        now=uow.now,
        conflict=conflict,
        data=orjson.dumps({"by": uow.actor.id, "reason": reason}).decode(),
    )
    uow.execute(
        "INSERT INTO registry.claim (statement, field, value) VALUES (:s, :f, CAST(:v AS jsonb))",
        s=statement,
        f=row["field"],
        v=orjson.dumps(value).decode(),
    )
    uow.execute(
        "UPDATE registry.conflict SET state = 'DECIDED', decided_at = :now, decided_by = :by, reason = :reason,"
        " value = CAST(:v AS jsonb) WHERE id = :id",
        id=conflict,
        now=uow.now,
        by=uow.actor.id,
        reason=reason,
        v=orjson.dumps(value).decode(),
    )
    return UUID(str(row["dispute"]))


def open_conflicts(uow: UnitOfWork, dispute: UUID | None = None, limit: int = 100) -> list[dict[str, Any]]:
    """Open conflicts, of one dispute or all, oldest first."""
    only = "" if dispute is None else " AND c.dispute = :dispute"
    rows = uow.all(
        "SELECT c.id, c.field, c.voices, c.role, c.opened_at, d.number AS dispute, d.title FROM registry.conflict c"
        f" JOIN registry.dispute d ON d.id = c.dispute WHERE c.state = 'OPEN'{only} ORDER BY c.opened_at, c.id LIMIT :limit",
        limit=limit,
        **({} if dispute is None else {"dispute": dispute}),
    )
    return [dict(row) for row in rows]
