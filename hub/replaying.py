"""A person has a message applied again: one that waits, was refused or was quarantined, with a reason."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from connectors import all_connectors
from foundation.actors import SYSTEM, Actor
from foundation.journal import journal
from foundation.unit_of_work import unit_of_work
from hub import applying, rail_inbox, statement_files
from hub.filing import line_of
from hub.pipeline import Hub, process
from schemas.findings import Finding, Refused


def replay_inbox(hub: Hub, inbox_id: UUID, reason: str, actor: Actor) -> dict[str, Any]:
    """Put a message back to RECEIVED and process it. Raises Refused when it had its effect already."""
    with unit_of_work(hub.engine, actor) as uow:
        row = uow.one(
            "SELECT partner, state, content_hash, erased_at FROM exchange.inbox WHERE id = :id FOR UPDATE",
            id=inbox_id,
        )
        if row is None or row["state"] in ("APPLIED", "PARKED", "DUPLICATE") or row["erased_at"] is not None:
            raise Refused(
                Finding(
                    "UNKNOWN_ORIGINAL",
                    "id",
                    str(inbox_id),
                    "a message that waits or was refused, and was not erased",
                    "nothing to do",
                )
            )
        uow.execute(
            "UPDATE exchange.inbox SET state = 'RECEIVED', attempts = 0, next_try = :now WHERE id = :id",
            now=uow.now,
            id=inbox_id,
        )
        journal(uow, "replay", str(inbox_id), bytes(row["content_hash"]), reason=reason)
    return take_up(hub, inbox_id, actor)


def take_up(hub: Hub, inbox_id: UUID, actor: Actor = SYSTEM) -> dict[str, Any]:
    """Process a stored message, of an agency or of a way to pay; what was decided stays decided."""
    with unit_of_work(hub.engine, actor) as uow:
        row = uow.one(
            "SELECT partner, channel, operation, receipt IS NOT NULL AS open FROM exchange.inbox WHERE id = :id",
            id=inbox_id,
        )
    if row is not None and row["open"]:
        return applying.take_up(hub, inbox_id)
    partner = row["partner"] if row is not None else ""
    if partner in all_connectors():
        return line_of(process(hub, inbox_id, actor))
    if row is not None and (row["channel"], row["operation"]) == ("file", statement_files.OPERATION):
        return statement_files.process_file(hub, inbox_id, actor)
    return rail_inbox.process(hub, inbox_id, actor).as_line()
