"""Conflicts: equally believed sources that differ, each a task for a named role; the decision is itself a claim."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from case_registry.access import PERSON, Reader, row_filter
from case_registry.authority import Chosen, as_row
from case_registry.disputes import anchor
from case_registry.source import Event, NotAllowed, Unknown
from case_registry.versions import version_key
from foundation.unit_of_work import UnitOfWork
from schemas.canonical import digest
from schemas.claims import JsonValue

ROLE_FOR = {"agreed_fen": "reviewer", "claimed_fen": "reviewer", "people_count": "supervision_officer"}
"""Whose task a conflict is; everything else is the supervision officer's."""


def sync(uow: UnitOfWork, read: Mapping[UUID, Mapping[str, Chosen]]) -> dict[UUID, list[Event]]:
    """Open a task for each undecided field of these disputes, and end those whose sources agree again.

    `read`: what each dispute's fields were chosen to be. Returns events by dispute."""
    open_rows = {
        (row["dispute"], row["field"]): row
        for row in uow.all(
            "SELECT id, dispute, field, voices FROM registry.conflict WHERE dispute = ANY(:ids) AND state = 'OPEN'"
            " ORDER BY opened_at, id",
            ids=list(read),
        )
    }
    undecided = {(d, name): c for d, chosen in read.items() for name, c in chosen.items() if c.undecided}
    gone = [row["id"] for at, row in open_rows.items() if at not in undecided]
    if gone:
        uow.execute(
            "UPDATE registry.conflict SET state = 'GONE', decided_at = :now WHERE id = ANY(:ids)",
            ids=gone,
            now=uow.now,
        )
    found: dict[UUID, list[Event]] = {dispute: [] for dispute in read}
    new: list[dict[str, Any]] = []
    for (dispute, name), choice in undecided.items():
        voices = [as_row(v) for v in choice.undecided]
        known = open_rows.get((dispute, name))
        if known is None:
            row = opening(uow.new_id(), dispute, name, voices)
            new.append({**row, "opened_at": uow.now})
            found[dispute].append(found_event(row))
        elif known["voices"] != voices:
            uow.execute(
                "UPDATE registry.conflict SET voices = CAST(:v AS jsonb) WHERE id = :id",
                v=orjson.dumps(voices).decode(),
                id=known["id"],
            )
    if new:
        uow.execute(_OPEN, rows=orjson.dumps(new).decode())
    return found


def found_event(row: Mapping[str, Any]) -> Event:
    """What is said of a new task."""
    return {"event": "conflict_found", "conflict": row["id"], "field": row["field"], "role": row["role"],
            "voices": row["voices"]}  # fmt: skip


def opening(ident: UUID, dispute: UUID, name: str, voices: list[dict[str, Any]]) -> dict[str, Any]:
    """The row of a new task."""
    role = ROLE_FOR.get(name, "supervision_officer")
    return {"id": ident, "dispute": dispute, "field": name, "voices": voices, "role": role}


_OPEN = """
INSERT INTO registry.conflict (id, dispute, field, voices, role, opened_at)
SELECT id, dispute, field, voices, role, opened_at FROM json_populate_recordset(NULL::registry.conflict, CAST(:rows AS json))
"""


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


def open_conflicts(
    uow: UnitOfWork, dispute: UUID | None = None, limit: int = 100, reader: Reader | None = None
) -> list[dict[str, Any]]:
    """Open conflicts, of one dispute or all, oldest first. `reader`: of disputes whose persons this one may see."""
    only = "" if dispute is None else " AND c.dispute = :dispute"
    seen, params = row_filter(reader, PERSON, "d.") if reader else ("true", {})
    rows = uow.all(
        "SELECT c.id, c.field, c.voices, c.role, c.opened_at, d.number AS dispute, registry.shown_title(d.id) AS title"
        " FROM registry.conflict c"
        f" JOIN registry.dispute d ON d.id = c.dispute WHERE c.state = 'OPEN'{only} AND {seen} ORDER BY c.opened_at, c.id LIMIT :limit",
        limit=limit,
        **params,
        **({} if dispute is None else {"dispute": dispute}),
    )
    return [dict(row) for row in rows]
