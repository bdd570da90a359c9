"""What other rooms and people tell the registry of a dispute: escrow summaries, notices owed, flags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from case_registry.disputes import anchor, dispute_ref
from case_registry.refresh import refresh
from case_registry.source import Event, NotAllowed
from foundation.unit_of_work import UnitOfWork


def escrow_summary(uow: UnitOfWork, dispute: str | UUID, summary: Mapping[str, Any]) -> list[Event]:
    """Take the escrow's summary of a dispute: `state`, fen figures ending in `_fen`, `flags`. Latest holds.

    Raises Unknown. Returns what changed in the registry (stage, flags).
    """
    return _tell(uow, dispute, "escrow", dict(summary))


def set_notices_owed(uow: UnitOfWork, dispute: str | UUID, number: int) -> list[Event]:
    """Take how many notices about a dispute partners have not acknowledged yet. Raises Unknown, NotAllowed."""
    if number < 0:
        raise NotAllowed("notices owed are counted from 0")
    return _tell(uow, dispute, "notices", number)


def _tell(uow: UnitOfWork, dispute: str | UUID, kind: str, value: Any) -> list[Event]:
    case = anchor(uow, dispute)
    same = uow.scalar(
        "SELECT value = CAST(:v AS jsonb) FROM registry.outside_fact WHERE source_case = :c AND kind = :k ORDER BY id DESC LIMIT 1",
        v=orjson.dumps(value).decode(),
        c=case,
        k=kind,
    )
    if same:
        return []
    uow.execute(
        "INSERT INTO registry.outside_fact (source_case, kind, at, value) VALUES (:c, :k, :now, CAST(:v AS jsonb))",
        c=case,
        k=kind,
        now=uow.now,
        v=orjson.dumps(value).decode(),
    )
    return refresh(uow, [dispute_ref(uow, dispute).id])


def set_flag(uow: UnitOfWork, dispute: str | UUID, flag: str, reason: str) -> list[Event]:
    """Set a flag by hand or by the choreography; twice is once. Raises Unknown, NotAllowed (no reason)."""
    if not reason.strip() or not flag.strip():
        raise NotAllowed("a flag needs a reason")
    uow.execute(
        "INSERT INTO registry.flag (source_case, flag, set_at, set_by, reason) VALUES (:c, :f, :now, :by, :reason)"
        " ON CONFLICT DO NOTHING",
        c=anchor(uow, dispute),
        f=flag,
        now=uow.now,
        by=uow.actor.id,
        reason=reason,
    )
    return refresh(uow, [dispute_ref(uow, dispute).id])


def clear_flag(uow: UnitOfWork, dispute: str | UUID, flag: str, reason: str) -> list[Event]:
    """Clear a flag that was set by hand. Raises Unknown, NotAllowed (no reason)."""
    if not reason.strip():
        raise NotAllowed("clearing a flag needs a reason")
    ref = dispute_ref(uow, dispute)
    uow.execute(
        "UPDATE registry.flag SET cleared_at = :now, cleared_by = :by, cleared_reason = :reason WHERE cleared_at IS NULL"
        " AND flag = :f AND source_case IN (SELECT id FROM registry.source_case WHERE dispute = :d)",
        now=uow.now,
        by=uow.actor.id,
        reason=reason,
        f=flag,
        d=ref.id,
    )
    return refresh(uow, [ref.id])
