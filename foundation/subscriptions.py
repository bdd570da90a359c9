"""Subscriptions: who wants to be told of which events, and each telling until it is taken (exchange rules 5 and 6).

An event becomes deliveries in one transaction that marks it told; a delivery keeps its bytes. Order holds per
(subscription, dispute); a failing one waits alone, and a subscriber's failures open its own breaker only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from foundation.outbox import BREAKER_AFTER, BREAKER_OPEN, MAX_ATTEMPTS, back_off_s
from foundation.unit_of_work import UnitOfWork

LEASE_S = 60
MOST_PER_PARTNER = 20


def add(uow: UnitOfWork, partner: str, kind: str, topics: Sequence[str], address: str, state: str) -> UUID:
    """A new subscription; for a queue ``address`` may be empty, it is then named after the subscription."""
    made = uow.new_id()
    uow.execute(
        "INSERT INTO exchange.subscription (id, partner, kind, topics, address, state, created_at, created_by,"
        " changed_at, changed_by) VALUES (:id, :partner, :kind, :topics, :address, :state, :now, :by, :now, :by)",
        id=made,
        partner=partner,
        kind=kind,
        topics=sorted(set(topics)),
        address=address or f"concord.subscription.{partner}.{made.hex[-8:]}",
        state=state,
        now=uow.now,
        by=uow.actor.id,
    )
    return made


def live_count(uow: UnitOfWork, partner: str) -> int:
    """How many subscriptions of a partner have not ended."""
    return int(
        uow.scalar(
            "SELECT count(*) FROM exchange.subscription WHERE partner = :p AND state <> 'ENDED'", p=partner
        )
    )


def move(uow: UnitOfWork, subscription: UUID, state: str, reason: str) -> bool:
    """Set the state by a person's word or a subscriber's answer; what has ended stays ended."""
    moved = uow.execute(
        "UPDATE exchange.subscription SET state = :state, reason = :reason, changed_at = :now, changed_by = :by,"
        " failures = 0, open_until = NULL WHERE id = :id AND state <> 'ENDED' AND state <> :state",
        id=subscription,
        state=state,
        reason=reason[:500],
        now=uow.now,
        by=uow.actor.id,
    )
    uow.wake()
    return moved.rowcount == 1


def listed(
    uow: UnitOfWork, partner: str = "", limit: int = 200, only: UUID | None = None
) -> Sequence[RowMapping]:
    """Subscriptions (of a partner, or only one) with the counts of what waits and what is dead, newest first."""
    return uow.all(
        "SELECT s.*, (SELECT count(*) FROM exchange.subscription_delivery d WHERE d.subscription = s.id"
        " AND d.state IN ('WAITING', 'SENDING')) AS waiting, (SELECT count(*) FROM exchange.subscription_delivery d"
        " WHERE d.subscription = s.id AND d.state = 'DEAD') AS dead FROM exchange.subscription s"
        " WHERE (:p = '' OR s.partner = :p) AND (CAST(:only AS uuid) IS NULL OR s.id = :only)"
        " ORDER BY s.created_at DESC, s.id DESC LIMIT :n",
        p=partner,
        n=limit,
        only=only,
    )


def one(uow: UnitOfWork, subscription: UUID) -> RowMapping | None:
    """A subscription, or None."""
    return uow.one("SELECT * FROM exchange.subscription WHERE id = :id", id=subscription)


def untold(uow: UnitOfWork, limit: int) -> Sequence[RowMapping]:
    """Events that have not become deliveries, in order; empty while another worker is at it.

    One whose elders may still commit waits, so that a dispute's events do not overtake each other.
    """
    if not uow.scalar("SELECT pg_try_advisory_xact_lock(hashtext('exchange.subscription'))"):
        return []
    return uow.all(
        "SELECT id, topic, payload, at FROM exchange.event WHERE NOT told"
        " AND xid < pg_snapshot_xmin(pg_current_snapshot()) ORDER BY id LIMIT :n",
        n=limit,
    )


def active(uow: UnitOfWork) -> Sequence[RowMapping]:
    """Subscriptions that are to be told."""
    return uow.all(
        "SELECT id, partner, kind, topics FROM exchange.subscription WHERE state = 'ACTIVE' ORDER BY id"
    )


def tell(uow: UnitOfWork, events: Sequence[int], deliveries: Sequence[dict[str, Any]]) -> None:
    """Write the deliveries (subscription, event, subject, body) of these events, and that they are told."""
    uow.execute_many(
        "INSERT INTO exchange.subscription_delivery (subscription, event, subject, body, due)"
        " VALUES (:subscription, :event, :subject, :body, :due) ON CONFLICT DO NOTHING",
        [{"due": uow.now, **each} for each in deliveries],
    )
    uow.execute("UPDATE exchange.event SET told = true WHERE id = ANY(:ids)", ids=list(events))


def with_work(uow: UnitOfWork) -> Sequence[RowMapping]:
    """Active subscriptions that something is due for, their breaker closed and their partner not paused."""
    return uow.all(
        "SELECT s.id, s.partner, s.kind, s.address FROM exchange.subscription s"
        " LEFT JOIN exchange.partner_state p ON p.partner = s.partner"
        " WHERE s.state = 'ACTIVE' AND NOT COALESCE(p.paused, false) AND COALESCE(s.open_until, '-infinity') <= :now"
        " AND EXISTS (SELECT 1 FROM exchange.subscription_delivery d WHERE d.subscription = s.id"
        "  AND (d.state = 'WAITING' AND d.due <= :now OR d.state = 'SENDING' AND d.lease_until < clock_timestamp()))",
        now=uow.now,
    )


def lease_due(uow: UnitOfWork, subscription: UUID, limit: int) -> Sequence[RowMapping]:
    """Take due deliveries of one subscription, in order, at most one of each dispute."""
    rows = uow.all(
        """
        UPDATE exchange.subscription_delivery SET state = 'SENDING', attempts = attempts + 1,
            lease_until = clock_timestamp() + make_interval(secs => :lease)
        WHERE subscription = :id AND event IN (
            SELECT d.event FROM exchange.subscription_delivery d WHERE d.subscription = :id
              AND (d.state = 'WAITING' AND d.due <= :now OR d.state = 'SENDING' AND d.lease_until < clock_timestamp())
              AND NOT EXISTS (SELECT 1 FROM exchange.subscription_delivery e WHERE e.subscription = :id
                AND e.subject = d.subject AND e.event < d.event AND e.state IN ('WAITING', 'SENDING'))
            ORDER BY d.event LIMIT :limit FOR UPDATE OF d SKIP LOCKED)
        RETURNING *
        """,
        id=subscription,
        now=uow.now,
        lease=LEASE_S,
        limit=limit,
    )
    return sorted(rows, key=lambda row: int(row["event"]))


def taken(uow: UnitOfWork, row: RowMapping) -> None:
    """The subscriber has it."""
    uow.execute(
        "UPDATE exchange.subscription_delivery SET state = 'DELIVERED', lease_until = NULL, delivered_at = :now,"
        " last_error = NULL WHERE subscription = :s AND event = :e",
        s=row["subscription"],
        e=row["event"],
        now=uow.now,
    )
    uow.execute(
        "UPDATE exchange.subscription SET failures = 0, open_until = NULL, last_ok = :now WHERE id = :s",
        s=row["subscription"],
        now=uow.now,
    )


def not_taken(
    uow: UnitOfWork, row: RowMapping, error: str, *, for_good: bool, wait_s: float | None = None
) -> str:
    """It was refused or did not arrive: again later, or dead; returns the new state.

    ``wait_s``: how long the subscriber asked to be left alone; then nothing of the subscription goes before.
    """
    dead = for_good or row["attempts"] >= MAX_ATTEMPTS
    state = "DEAD" if dead else "WAITING"
    wait = max(wait_s or 0.0, back_off_s(row["attempts"]))
    uow.execute(
        "UPDATE exchange.subscription_delivery SET state = :state, lease_until = NULL, due = :due, last_error = :error"
        " WHERE subscription = :s AND event = :e AND state = 'SENDING' AND attempts = :attempt",
        s=row["subscription"],
        e=row["event"],
        state=state,
        due=uow.now + timedelta(seconds=wait),
        error=error[:500],
        attempt=row["attempts"],
    )
    uow.execute(
        "UPDATE exchange.subscription SET failures = failures + 1, last_error = :error, open_until ="
        " CASE WHEN CAST(:asked AS timestamptz) IS NOT NULL THEN CAST(:asked AS timestamptz)"
        " WHEN failures + 1 >= :most THEN CAST(:open_until AS timestamptz) END WHERE id = :s AND NOT :for_good",
        s=row["subscription"],
        error=error[:500],
        most=BREAKER_AFTER,
        open_until=uow.now + BREAKER_OPEN,
        asked=uow.now + timedelta(seconds=wait_s) if wait_s is not None else None,
        for_good=for_good,
    )
    return state


def release(uow: UnitOfWork, rows: Sequence[RowMapping]) -> None:
    """Give back leased deliveries that were not tried."""
    if rows:
        uow.execute(
            "UPDATE exchange.subscription_delivery SET state = 'WAITING', lease_until = NULL, attempts = attempts - 1"
            " WHERE subscription = :s AND event = ANY(:events) AND state = 'SENDING'",
            s=rows[0]["subscription"],
            events=[row["event"] for row in rows],
        )


def again(uow: UnitOfWork, subscription: UUID, events: Sequence[int] | None) -> int:
    """Tell dead deliveries again (all, or these events); returns how many."""
    changed = uow.execute(
        "UPDATE exchange.subscription_delivery SET state = 'WAITING', attempts = 0, due = :now WHERE subscription = :s"
        " AND state = 'DEAD' AND (CAST(:events AS bigint[]) IS NULL OR event = ANY(CAST(:events AS bigint[])))",
        s=subscription,
        now=uow.now,
        events=list(events) if events is not None else None,
    )
    uow.wake()
    return int(changed.rowcount)
