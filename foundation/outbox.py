"""The outbox: what we owe partners, written with its reason, sent in order, the same bytes at each try.

Order holds per (partner, case): a row is due only when no earlier row of its case is still on its way.
A stuck case never holds up another. A row is leased while it is sent, so that a killed worker's row comes
back by itself (exchange rules 3, 5 and 6).
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from foundation.envelope import content_of, vault_of
from foundation.unit_of_work import UnitOfWork
from schemas.exchange import SendResult

MAX_ATTEMPTS = 20
MAX_REPLY_KEPT = 1_000_000  # bytes
FIRST_BACK_OFF_S = 1.0
LONGEST_BACK_OFF_S = 3600.0
BREAKER_AFTER = 5
BREAKER_OPEN = timedelta(seconds=20)
LONGEST_OPEN_S = 600.0


class SameIdOtherBody(Exception):
    """A message id was used again with another body; ``message_id`` names it."""


def enqueue(
    uow: UnitOfWork,
    *,
    partner: str,
    operation: str,
    message_id: str,
    case_key: str,
    body: dict[str, Any],
    due: datetime | None = None,
    agreement: str = "",
) -> UUID:
    """Owe a partner a message, made under a sharing ``agreement``. Same id and body → the row that is there.

    Raises SameIdOtherBody.
    """
    text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS, default=str).decode()
    made = uow.one(
        "INSERT INTO exchange.outbox (id, partner, operation, message_id, case_key, body, created_at, due, actor, agreement)"
        " VALUES (:id, :partner, :operation, :message_id, :case_key, CAST(:body AS jsonb), :now, :due, :actor, :agreement)"
        " ON CONFLICT (partner, message_id) DO NOTHING RETURNING id",
        id=uow.new_id(),
        partner=partner,
        operation=operation,
        message_id=message_id,
        case_key=case_key,
        body=text,
        now=uow.now,
        due=due or uow.now,
        actor=uow.actor.id,
        agreement=agreement,
    )
    if made is not None:
        uow.wake()
        return UUID(str(made["id"]))
    there = uow.one(
        "SELECT id, body = CAST(:body AS jsonb) AS same FROM exchange.outbox"
        " WHERE partner = :partner AND message_id = :message_id",
        partner=partner,
        message_id=message_id,
        body=text,
    )
    if there is None or not there["same"]:
        raise SameIdOtherBody(message_id)
    return UUID(str(there["id"]))


def keep_bytes(uow: UnitOfWork, row_id: UUID, content: bytes) -> None:
    """Keep the wire bytes before the first try, locked; later tries send these."""
    data_key, locked = vault_of(uow).lock(content, row_id)
    uow.execute(
        "UPDATE exchange.outbox SET content = :content, data_key = :data_key, content_hash = sha256(:plain) WHERE id = :id",
        id=row_id,
        plain=content,
        content=locked,
        data_key=data_key,
    )


def kept_bytes(uow: UnitOfWork, row: RowMapping) -> bytes | None:
    """The wire bytes kept for a row, or None before its first try."""
    return content_of(uow, row) if row["content"] is not None else None


def record_attempt(uow: UnitOfWork, row: RowMapping, result: SendResult) -> str:
    """Write a try's result and decide what follows; returns the row's new state."""
    data_key, reply = vault_of(uow).lock(result.raw[:MAX_REPLY_KEPT], row["id"])
    uow.execute(
        "INSERT INTO exchange.outbox_attempt VALUES (:id, :attempt, :at, :outcome, :code, :text, :reply, :data_key)"
        " ON CONFLICT DO NOTHING",
        id=row["id"],
        attempt=row["attempts"],
        at=uow.now,
        outcome=result.outcome,
        code=result.code,
        text=result.text[:2000],
        reply=reply,
        data_key=data_key,
    )
    if result.outcome == "DELIVERED":
        state = "DELIVERED"
    elif result.outcome == "PERMANENT" or row["attempts"] >= MAX_ATTEMPTS:
        state = "DEAD"
    else:
        state = "WAITING"
    uow.execute(
        "UPDATE exchange.outbox SET state = :state, lease_until = NULL, due = :due, last_error = :error,"
        " delivered_at = CASE WHEN :state = 'DELIVERED' THEN CAST(:now AS timestamptz) END WHERE id = :id"
        # A later try is under way or has settled it: only that it was delivered still counts.
        " AND (:state = 'DELIVERED' OR attempts = :attempt AND state = 'SENDING')",
        attempt=row["attempts"],
        id=row["id"],
        state=state,
        due=uow.now + timedelta(seconds=back_off_s(row["attempts"])),
        error=None if state == "DELIVERED" else f"{result.code} {result.text}".strip()[:2000],
        now=uow.now,
    )
    note_partner(uow, row["partner"], ok=result.outcome in ("DELIVERED", "PERMANENT"), error=result.text)
    return state


def back_off_s(attempt: int) -> float:
    """Seconds before try ``attempt + 1``: doubling, with jitter of a quarter, bounded."""
    plain = min(LONGEST_BACK_OFF_S, FIRST_BACK_OFF_S * 2 ** min(attempt - 1, 30))
    return float(plain * random.uniform(0.75, 1.25))


def note_partner(uow: UnitOfWork, partner: str, *, ok: bool, error: str = "") -> None:
    """Health of a partner: a run of failures opens its breaker, one success closes it.

    It stays open for 20 s, twice as long after each failed probe, at most 10 minutes, with a tenth of jitter.
    """
    uow.execute(
        """
        INSERT INTO exchange.partner_state (partner, failures, last_ok, last_error, last_failed)
        VALUES (:partner, CASE WHEN :ok THEN 0 ELSE 1 END, CASE WHEN :ok THEN CAST(:now AS timestamptz) END,
                CASE WHEN :ok THEN NULL ELSE :error END, CASE WHEN :ok THEN NULL ELSE CAST(:now AS timestamptz) END)
        ON CONFLICT (partner) DO UPDATE SET
            failures = CASE WHEN :ok THEN 0 ELSE partner_state.failures + 1 END,
            open_until = CASE WHEN NOT :ok AND partner_state.failures + 1 >= :most
                              THEN CAST(:now AS timestamptz) + make_interval(secs =>
                                   least(:longest, :open * 2 ^ least(partner_state.failures + 1 - :most, 10)) * :jitter) END,
            last_ok = COALESCE(excluded.last_ok, partner_state.last_ok),
            last_error = CASE WHEN :ok THEN partner_state.last_error ELSE excluded.last_error END,
            last_failed = COALESCE(excluded.last_failed, partner_state.last_failed)
        """,
        partner=partner,
        ok=ok,
        now=uow.now,
        error=error[:1000],
        most=BREAKER_AFTER,
        open=BREAKER_OPEN.total_seconds(),
        longest=LONGEST_OPEN_S,
        jitter=random.uniform(0.9, 1.1),
    )


def replay(uow: UnitOfWork, row_id: UUID, reason: str) -> bool:
    """Send a dead message again, by a person's word; False when it is not dead."""
    changed = uow.execute(
        "UPDATE exchange.outbox SET state = 'WAITING', due = :now, attempts = 0, last_error = :reason"
        " WHERE id = :id AND state = 'DEAD'",
        id=row_id,
        now=uow.now,
        reason=f"replayed by {uow.actor.id}: {reason}"[:500],
    )
    uow.wake()
    return changed.rowcount == 1


def send_again(uow: UnitOfWork, partner: str, message_ids: list[str], reason: str) -> list[str]:
    """Owe messages again that the partner does not have, the same bytes; returns the ids of those that were settled before."""
    rows = uow.all(
        "UPDATE exchange.outbox SET state = 'WAITING', due = :now, attempts = 0, delivered_at = NULL, last_error = :reason"
        " WHERE partner = :p AND message_id = ANY(:ids) AND state IN ('DELIVERED', 'DEAD') RETURNING message_id",
        now=uow.now,
        p=partner,
        ids=message_ids,
        reason=reason[:500],
    )
    uow.wake()
    return sorted(row["message_id"] for row in rows)
