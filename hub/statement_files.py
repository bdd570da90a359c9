"""Statement files of any size: stored in parts before anything looks at them, then taken in one transaction.

The stored file is a message of the inbox like any other (its manifest); a worker that finds it undecided takes it up.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import IO, Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

import escrow
from foundation import inbox
from foundation.actors import SYSTEM, Actor
from foundation.file_parts import StoredFile, store_parts
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub import choreography
from hub.payments import desk_of
from hub.pipeline import Hub
from schemas.exchange import Outcome, RawMessage
from schemas.findings import Refused

OPERATION = "statement_file"
LARGE_BYTES = 4 * 1024 * 1024  # from this size on a file is not held whole
EVENTS_AT_ONCE = 400  # what follows from them is worked out in parts


def is_large(rail_id: str, path: Path) -> bool:
    """Whether a file of this rail goes this way."""
    return path.stat().st_size >= LARGE_BYTES and escrow.all_rails()[rail_id].stream is not None


def store_file(
    hub: Hub, rail_id: str, file: IO[bytes], name: str, received_at: datetime | None = None
) -> UUID:
    """Commit a file in parts; after this returns, nothing of it can be lost. Returns its row in the inbox."""
    with unit_of_work(hub.engine) as uow:
        manifest = store_parts(uow, file, name)
        raw = RawMessage(rail_id, "file", OPERATION, manifest, received_at or uow.now, {}, name)
        return inbox.store_in(uow, raw).id


def process_file(hub: Hub, inbox_id: UUID, actor: Actor = SYSTEM) -> dict[str, Any]:
    """Decide about a stored file; a second call returns what the first decided."""
    # The file is read over a connection of its own: the other one is busy taking its lines in.
    with unit_of_work(hub.engine, actor) as uow, unit_of_work(hub.engine, actor) as reading:
        row = uow.one("SELECT * FROM exchange.inbox WHERE id = :id FOR UPDATE", id=inbox_id)
        if row is None:
            raise LookupError(f"no message {inbox_id} in the inbox")
        if row["state"] != "RECEIVED":
            return dict(row["result"])
        return _decide(hub, uow, reading, row)


def _decide(hub: Hub, uow: UnitOfWork, reading: UnitOfWork, row: RowMapping) -> dict[str, Any]:
    manifest = orjson.loads(inbox.raw_of(uow, row).content)
    message_id = f"file/{manifest['sha256']}"
    inbox.lock_message_id(uow, row["partner"], message_id)
    first = inbox.in_force(uow, row["partner"], message_id)
    if first is not None:
        before = inbox.outcome_from_dict(first["result"]["outcome"])
        outcome = Outcome(message_id, "DUPLICATE", (), before.receipt_no, before.received_at)
        return _store(uow, row["id"], "DUPLICATE", outcome, manifest, dict(first["result"].get("meta", {})))
    try:
        with uow.conn.begin_nested():
            file: Any = StoredFile(reading, manifest)
            taken = escrow.take_statement_file(uow, desk_of(hub), row["partner"], file, source=str(row["id"]))
            findings, data = tuple(taken.findings), taken.data
            follow(uow, taken.events, row["id"])
    except Refused as refused:
        findings, data = tuple(refused.findings), {}
    result = "REFUSED" if findings else "ACCEPTED"
    receipt = "" if findings else inbox.receipt_number(uow, row["id"])
    outcome = Outcome(message_id, result, findings, receipt, uow.now)
    return _store(uow, row["id"], "REFUSED" if findings else "APPLIED", outcome, manifest, data)


def follow(uow: UnitOfWork, events: list[escrow.Event], inbox_id: UUID | None = None) -> None:
    """What follows from many events, a bounded number at a time."""
    for start in range(0, len(events), EVENTS_AT_ONCE):
        choreography.follow(uow, events[start : start + EVENTS_AT_ONCE], inbox_id)


def _store(
    uow: UnitOfWork,
    inbox_id: UUID,
    state: str,
    outcome: Outcome,
    manifest: dict[str, Any],
    data: dict[str, Any],
) -> dict[str, Any]:
    meta = {"kind": "statement", "size": manifest["size"], "sha256": manifest["sha256"], **data}
    inbox.decide(uow, inbox_id, state, outcome, compare_digest=manifest["sha256"], detail={"meta": meta})
    return {"outcome": inbox.outcome_as_dict(outcome), "meta": meta}


def ingest_large(hub: Hub, rail_id: str, path: Path, received_at: datetime | None) -> dict[str, Any]:
    """Take one large file given by hand: the fields of its JSON line."""
    with path.open("rb") as file:
        stored = store_file(hub, rail_id, file, path.name, received_at)
    done = process_file(hub, stored)
    outcome = done["outcome"]
    return {
        "partner": rail_id, "result": outcome["result"].lower(), "message_id": outcome["message_id"],
        "receipt_no": outcome["receipt_no"], "records": done["meta"].get("lines", 0), "findings": outcome["findings"],
        "meta": done["meta"],
    }  # fmt: skip
