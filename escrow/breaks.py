"""Differences: each typed, owned, dated, and closed only with an entry or a document (escrow.md, "Reconciliation")."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import orjson

from escrow import case_state
from escrow.results import Event, Result, beijing_day, need_role, refuse, said
from foundation.unit_of_work import UnitOfWork
from schemas.workdays import work_calendar


def found(
    uow: UnitOfWork, kind: str, subject: str, day: date, *, case_id: UUID | None = None, order_id: UUID | None = None,
    line: UUID | None = None, rail: str = "", account: str = "", fen: int = 0, detail: dict[str, Any] | None = None,
) -> list[Event]:  # fmt: skip
    """Open a break of a kind (code table break_type) unless the same difference is open; returns [BREAK_OPENED]."""
    limit = uow.one("SELECT * FROM escrow.break_limit WHERE kind = :kind", kind=kind)
    assert limit is not None, kind
    if case_id is None and rail and account:
        case_id = uow.scalar(
            "SELECT case_id FROM escrow.bank_account WHERE rail = :rail AND number = :n", rail=rail, n=account
        )
    close_by, _ = work_calendar().provisional(beijing_day(uow.now), int(limit["close_workdays"]))
    break_id = uow.scalar(
        "INSERT INTO escrow.recon_break (id, kind, subject, case_id, order_id, line, rail, account, day, fen, detail, found_at,"
        " own_by, close_by) VALUES (:id, :kind, :subject, :case_id, :order_id, :line, :rail, :account, :day, :fen,"
        " CAST(:detail AS jsonb), :at, :own_by, :close_by)"
        " ON CONFLICT (kind, subject) WHERE state <> 'CLOSED' DO NOTHING RETURNING id",
        id=uow.new_id(), kind=kind, subject=subject, case_id=case_id, order_id=order_id, line=line, rail=rail,
        account=account, day=day, fen=fen, detail=orjson.dumps(detail or {}, default=str).decode(), at=uow.now,
        own_by=uow.now + timedelta(hours=int(limit["own_hours"])), close_by=close_by,
    )  # fmt: skip
    if break_id is None:
        return []
    opened = case_state.event(uow, case_id, "BREAK_OPENED", break_id=break_id, kind=kind, fen=fen, role=limit["role"],
                              subject=subject)  # fmt: skip
    return [opened]


def own_break(uow: UnitOfWork, break_id: UUID, owner: str = "") -> Result:
    """Give a break to a person: the acting one unless `owner` names another. Raises Refused."""
    need_role(uow, "break")
    changed = uow.execute(
        "UPDATE escrow.recon_break SET owner = :owner, state = 'OWNED' WHERE id = :id AND state <> 'CLOSED'",
        owner=owner or uow.actor.id, id=break_id,
    )  # fmt: skip
    if changed.rowcount != 1:
        raise refuse("NOT_FOUND", "break", break_id, "an open break")
    return Result(id=break_id)


def close_break(uow: UnitOfWork, break_id: UUID, *, entry: UUID | None = None, document: str = "") -> Result:
    """Close a break with the entry or the document that explains it. Raises Refused DOCUMENT_REQUIRED, NOT_FOUND,
    ILLEGAL_STATE while its statement line is still unposted and no document speaks for it."""
    need_role(uow, "break")
    row = uow.one(
        "SELECT * FROM escrow.recon_break WHERE id = :id AND state <> 'CLOSED' FOR UPDATE", id=break_id
    )
    if row is None:
        raise refuse("NOT_FOUND", "break", break_id, "an open break")
    if entry is None:
        said(document, "document", "DOCUMENT_REQUIRED", "the entry or the paper that explains it")
    elif uow.scalar("SELECT 1 FROM escrow.entry WHERE id = :id", id=entry) is None:
        raise refuse("NOT_FOUND", "entry", entry)
    uow.execute(
        "UPDATE escrow.recon_break SET state = 'CLOSED', closed_at = :at, closed_by = :by, close_entry = :entry,"
        " close_document = :document, owner = coalesce(owner, :by) WHERE id = :id",
        at=uow.now, by=uow.actor.id, entry=entry, document=document or None, id=break_id,
    )  # fmt: skip
    return Result(
        [case_state.event(uow, row["case_id"], "BREAK_CLOSED", break_id=break_id, kind=row["kind"])], break_id
    )


def close_by_rule(uow: UnitOfWork, kind: str, subject: str, document: str, entry: UUID | None = None) -> None:
    """Close an open break of that kind and subject because what it missed has come."""
    uow.execute(
        "UPDATE escrow.recon_break SET state = 'CLOSED', closed_at = :at, closed_by = :by, close_document = :document,"
        " close_entry = :entry, owner = coalesce(owner, :by) WHERE kind = :kind AND subject = :subject AND state <> 'CLOSED'",
        at=uow.now, by=uow.actor.id, document=document, entry=entry, kind=kind, subject=subject,
    )  # fmt: skip
