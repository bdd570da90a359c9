"""Quarantine repair: a person sends a mended copy of a message that was refused or quarantined, or many again.

The message that came stays as it came. The copy is a message of its own, which names the first, who mended it
and why; it is read and applied like any other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from connectors import all_connectors
from foundation import inbox
from foundation.actors import Actor
from foundation.journal import close_alarm, journal
from foundation.unit_of_work import unit_of_work
from hub.filing import OWN_TIME
from hub.pipeline import Hub
from hub.replaying import replay_inbox, take_up
from schemas.exchange import RawMessage
from schemas.findings import Finding, Refused

MOST_BYTES = 1_000_000
MOST_AT_ONCE = 100
REPAIRS = "x-concord-repairs"


def repair(hub: Hub, inbox_id: UUID, content: bytes, reason: str, actor: Actor) -> dict[str, Any]:
    """Store a mended copy and process it; the result as of an ingested file, with ``inbox``: the copy's id.

    Raises Refused: UNKNOWN_ORIGINAL when the message had its effect or is a rail's, TOO_LARGE above 1 MB,
    SCHEMA_VIOLATION when nothing was changed.
    """
    with unit_of_work(hub.engine, actor) as uow:
        row = uow.one("SELECT * FROM exchange.inbox WHERE id = :id FOR UPDATE", id=inbox_id)
        if (
            row is None
            or row["state"] not in ("REFUSED", "QUARANTINED")
            or row["partner"] not in all_connectors()
        ):
            raise Refused(
                Finding(
                    "UNKNOWN_ORIGINAL",
                    "id",
                    str(inbox_id),
                    "an agency's message that was refused or quarantined",
                )
            )
        if len(content) > MOST_BYTES:
            raise Refused(
                Finding("TOO_LARGE", "content", f"{len(content)} bytes", f"at most {MOST_BYTES} bytes")
            )
        if hashlib.sha256(content).digest() == bytes(row["content_hash"]):
            raise Refused(Finding("SCHEMA_VIOLATION", "content", "the same bytes", "a mended copy"))
        headers = {**row["headers"], REPAIRS: str(inbox_id), OWN_TIME: "1"}
        # As a file: what came over the wire was signed by its sender, and a mended copy is not.
        copy = RawMessage(
            row["partner"], "file", row["operation"], content, uow.now, headers, row["filename"] or "repaired"
        )
        stored = inbox.store_in(uow, copy)
        journal(
            uow,
            "repaired",
            str(inbox_id),
            hashlib.sha256(content).digest(),
            reason=reason,
            copy=str(stored.id),
        )
        for alarm in uow.all(
            "SELECT id FROM exchange.alarm WHERE closed_at IS NULL AND detail->>'inbox' = :id LIMIT 10",
            id=str(inbox_id),
        ):
            close_alarm(uow, alarm["id"], reason)
    return {**take_up(hub, stored.id, actor), "inbox": str(stored.id), "repairs": str(inbox_id)}


def replay_many(hub: Hub, ids: Sequence[UUID], reason: str, actor: Actor) -> dict[str, int]:
    """Apply several messages again, in the order they came; counts by result, ``failed`` for a fault of ours.

    Raises Refused MEMBER_LIMIT above 100 at once.
    """
    if len(ids) > MOST_AT_ONCE:
        raise Refused(Finding("MEMBER_LIMIT", "ids", str(len(ids)), f"at most {MOST_AT_ONCE} at once"))
    with unit_of_work(hub.engine, actor) as uow:
        rows = uow.all("SELECT id FROM exchange.inbox WHERE id = ANY(:ids) ORDER BY seq", ids=list(ids))
    counts: dict[str, int] = {}
    for row in rows:
        try:
            result = str(replay_inbox(hub, row["id"], reason, actor)["result"])
        except Refused:
            result = "left"  # it had its effect meanwhile
        except Exception:
            result = "failed"  # it is written on the row, with an alarm; the others must not wait for it
        counts[result] = counts.get(result, 0) + 1
    return counts
