"""Lists for desks and screens: what waits for whom. Every list has a limit and a stable order.

`seen`: which rows the person who looks may see, by the mediation number of their case (`foundation.conditions`); rows of
no case are tested with no number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from foundation.conditions import Condition, every_row
from foundation.unit_of_work import UnitOfWork

PAGE = 50
_NUMBER_OF = "(SELECT mediation_number FROM escrow.escrow_case WHERE id = {case})"


def list_cases(
    uow: UnitOfWork, *, state: str | None = None, text: str = "", limit: int = PAGE, offset: int = 0,
    seen: Condition = every_row,
) -> list[dict[str, Any]]:  # fmt: skip
    """Cases with their figures, newest first; `text` looks into numbers and title."""
    clause, params = seen("v_case.mediation_number")
    rows = uow.all(
        f"SELECT * FROM escrow.v_case WHERE {clause} AND (CAST(:state AS text) IS NULL OR state = :state) AND (:text = '' OR"
        " mediation_number LIKE '%' || :text || '%' OR dispute LIKE '%' || :text || '%' OR title LIKE '%' || :text || '%')"
        " ORDER BY created_at DESC, id LIMIT :limit OFFSET :offset",
        state=state, text=text, limit=limit, offset=offset, **params,
    )  # fmt: skip
    return [dict(row) for row in rows]


def list_orders(
    uow: UnitOfWork,
    *,
    states: list[str] | None = None,
    case_id: UUID | None = None,
    limit: int = PAGE,
    offset: int = 0,
    seen: Condition = every_row,
) -> list[dict[str, Any]]:
    """Orders, those that waited longest first; of some states, of one case, or all."""
    clause, params = seen("o.mediation_number")
    rows = uow.all(
        "SELECT o.*, escrow.persons_needed(o.amount_fen, (o.drafted_at AT TIME ZONE 'Asia/Shanghai')::date) AS persons"
        f" FROM escrow.v_order o WHERE {clause} AND (CAST(:states AS text[]) IS NULL OR o.state = ANY(:states))"
        " AND (CAST(:case AS uuid) IS NULL OR o.case_id = :case) ORDER BY o.moved_at, o.id LIMIT :limit OFFSET :offset",
        states=states, case=case_id, limit=limit, offset=offset, **params,
    )  # fmt: skip
    return [dict(row) for row in rows]


def orders_to_sign(uow: UnitOfWork, limit: int = PAGE, seen: Condition = every_row) -> list[dict[str, Any]]:
    """Orders that the acting person may check or release now: never those that he signed before where it forbids it."""
    rows = list_orders(uow, states=["DRAFTED", "CHECKED"], limit=500, seen=seen)
    me = uow.actor.id
    mine = [
        row
        for row in rows
        if row["maker"] != me
        and (row["state"] == "DRAFTED" or row["persons"] == 2 or row["checker"] != me)
        and (uow.actor.has("checker", "releaser"))
    ]
    return mine[:limit]


def order_detail(uow: UnitOfWork, order_id: UUID) -> dict[str, Any] | None:
    """One order with its accounts, approvals, attempts, every word that was said about it, and its exact bytes."""
    row = uow.one("SELECT * FROM escrow.v_order WHERE id = :id", id=order_id)
    if row is None:
        return None
    more = uow.one(
        "SELECT payload, part, payee_account, payee_bank, debit_account, remark, decision, replaces,"
        " escrow.persons_needed(amount_fen, (drafted_at AT TIME ZONE 'Asia/Shanghai')::date) AS persons"
        " FROM escrow.payment_order WHERE id = :id",
        id=order_id,
    )
    assert more is not None
    found = {**row, **more, "payload": bytes(more["payload"])}
    found["payload_text"] = _as_text(found["payload"])
    found["approvals"] = [
        dict(each)
        for each in uow.all(
            "SELECT a.role, a.person, a.digest, a.at, a.batch, b.name AS batch_name, b.digest AS batch_digest FROM escrow.approval a"
            " LEFT JOIN escrow.order_batch b ON b.id = a.batch WHERE a.order_id = :id ORDER BY a.at",
            id=order_id,
        )
    ]
    found["attempts"] = [
        dict(each)
        for each in uow.all(
            "SELECT id, attempt, number, state, outcome, outcome_code, was_unknown, sends, asks, intended_at, first_sent_at,"
            " send_after, next_ask, proved_by FROM escrow.rail_attempt WHERE order_id = :id ORDER BY attempt",
            id=order_id,
        )
    ]
    found["words"] = [
        dict(each)
        for each in uow.all(
            "SELECT n.at, n.source, n.outcome, n.applied, n.code, n.text, n.actor FROM escrow.outcome_note n"
            " JOIN escrow.rail_attempt a ON a.id = n.attempt WHERE a.order_id = :id ORDER BY n.id LIMIT 500",
            id=order_id,
        )
    ]
    return found


def _as_text(payload: bytes) -> str:
    """The document as people read it: UTF-8, or the GB18030 of banks' own dialects."""
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:
        return payload.decode("gb18030", "replace")


def places_of(uow: UnitOfWork, rail: str, source: str, limit: int = 5000) -> list[dict[str, Any]]:
    """The booked lines that a message showed (`source`: where its raw bytes lie) and what each was placed as."""
    rows = uow.all(
        "SELECT l.account, l.booked_on, l.bank_ref, l.direction, l.fen, l.our_number, p.placed, p.meaning, c.mediation_number"
        " FROM escrow.statement s JOIN escrow.line_sighting v ON v.statement = s.id JOIN escrow.statement_line l ON l.id = v.line"
        " JOIN escrow.line_placing p ON p.line = l.id LEFT JOIN escrow.escrow_case c ON c.id = p.case_id"
        " WHERE s.rail = :rail AND s.source = :source ORDER BY l.known_at, l.id LIMIT :limit",
        rail=rail, source=source, limit=limit,
    )  # fmt: skip
    return [dict(row) for row in rows]


def list_breaks(
    uow: UnitOfWork,
    *,
    open_only: bool = True,
    limit: int = PAGE,
    offset: int = 0,
    seen: Condition = every_row,
) -> list[dict[str, Any]]:
    """Breaks, oldest first, with the role that owns their kind and their limits."""
    clause, params = seen(_NUMBER_OF.format(case="v_break.case_id"))
    rows = uow.all(
        f"SELECT * FROM escrow.v_break WHERE {clause} AND (NOT :open_only OR state <> 'CLOSED')"
        " ORDER BY found_at, id LIMIT :limit OFFSET :offset",
        open_only=open_only, limit=limit, offset=offset, **params,
    )  # fmt: skip
    return [dict(row) for row in rows]


def list_decisions(
    uow: UnitOfWork, *, state: str = "PROPOSED", limit: int = PAGE, seen: Condition = every_row
) -> list[dict[str, Any]]:
    """Proposals that wait for a second person, oldest first."""
    clause, params = decisions_seen(seen)
    rows = uow.all(
        "SELECT d.*, c.dispute, c.mediation_number FROM escrow.decision d LEFT JOIN escrow.escrow_case c ON c.id = d.case_id"
        f" WHERE d.state = :state AND {clause} ORDER BY d.proposed_at LIMIT :limit",
        state=state, limit=limit, **params,
    )  # fmt: skip
    return [dict(row) for row in rows]


def decisions_seen(seen: Condition) -> tuple[str, Mapping[str, Any]]:
    """`seen` on decisions `d`: a split of a credit is seen by who may see every case that it names."""
    own, params = seen(_NUMBER_OF.format(case="d.case_id"))
    part, _ = seen("pc.mediation_number")
    parts = (
        "EXISTS (SELECT 1 FROM jsonb_array_elements(d.body -> 'parts') part JOIN escrow.escrow_case pc"
        f" ON pc.id = CAST(part ->> 0 AS uuid) WHERE NOT ({part}))"
    )
    return f"CASE WHEN d.kind = 'SPLIT' THEN NOT {parts} ELSE {own} END", params


def list_listed_items(uow: UnitOfWork, limit: int = 500, seen: Condition = every_row) -> list[dict[str, Any]]:
    """Everything between a custody account in the ledger and its holder's balance, each by name."""
    clause, params = seen(_NUMBER_OF.format(case="i.case_id"))
    rows = uow.all(
        "SELECT i.*, c.rail, c.number, c.name FROM escrow.v_listed_item i JOIN escrow.custody c ON c.id = i.custody"
        f" WHERE {clause} ORDER BY i.custody, i.item, i.subject LIMIT :limit",
        limit=limit,
        **params,
    )
    return [dict(row) for row in rows]


def custody_accounts(uow: UnitOfWork) -> list[dict[str, Any]]:
    """Custody accounts: balance in the ledger, at the holder as its lines say, and what is listed between, in fen."""
    rows = uow.all(
        "SELECT c.id, c.rail, c.number, c.name, a.balance AS ledger_fen,"
        " (SELECT coalesce(sum(mirror_fen), 0)::bigint FROM escrow.bank_account b WHERE b.custody = c.id) AS holder_fen,"
        " (SELECT coalesce(sum(fen), 0)::bigint FROM escrow.v_listed_item i WHERE i.custody = c.id) AS listed_fen"
        " FROM escrow.custody c JOIN escrow.account a ON a.id = c.ledger ORDER BY c.rail"
    )
    return [dict(row) for row in rows]


def recon_runs(uow: UnitOfWork, limit: int = 30) -> list[dict[str, Any]]:
    """The last reconciliation runs, newest first."""
    rows = uow.all("SELECT * FROM escrow.recon_run ORDER BY at DESC LIMIT :limit", limit=limit)
    return [dict(row) for row in rows]
