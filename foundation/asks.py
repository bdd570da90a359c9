"""What partners are to be asked for because a message of theirs calls for it: noted with the message, asked by a worker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from foundation.unit_of_work import UnitOfWork

MOST_TRIES = 12


def note(uow: UnitOfWork, partner: str, ask: Mapping[str, Any] | None, because: UUID) -> None:
    """Note what a message calls for (``meta["ask"]``: kind and cursor); asked before, it is asked again."""
    if not ask:
        return
    uow.execute(
        "INSERT INTO exchange.ask (partner, kind, cursor, because, since, next_try) VALUES (:p, :kind, :cursor, :id, :now, :now)"
        " ON CONFLICT (partner, kind, cursor) DO UPDATE SET because = excluded.because, since = excluded.since,"
        " tries = 0, next_try = excluded.next_try, done_at = NULL",
        p=partner, kind=str(ask["kind"]), cursor=str(ask["cursor"]), id=because, now=uow.now,
    )  # fmt: skip
    uow.wake()


def lease_due(uow: UnitOfWork, limit: int, busy: Sequence[str] = ()) -> Sequence[RowMapping]:
    """Take what is due, but of no partner that is ``busy``, paused or whose breaker is open.

    Each comes again after 30 s, doubling to an hour, until it is done or was tried often enough.
    """
    return uow.all(
        "UPDATE exchange.ask SET tries = tries + 1,"
        " next_try = :now + make_interval(secs => least(3600, 30 * 2 ^ least(tries, 12))) WHERE (partner, kind, cursor) IN"
        " (SELECT a.partner, a.kind, a.cursor FROM exchange.ask a LEFT JOIN exchange.partner_state s USING (partner)"
        "  WHERE a.done_at IS NULL AND a.next_try <= :now AND a.tries < :most AND a.partner <> ALL(CAST(:busy AS text[]))"
        "  AND NOT coalesce(s.paused, false) AND coalesce(s.open_until, '-infinity') <= :now"
        "  ORDER BY a.next_try LIMIT :limit FOR UPDATE OF a SKIP LOCKED) RETURNING *",
        now=uow.now, most=MOST_TRIES, limit=limit, busy=list(busy),
    )  # fmt: skip


def done(uow: UnitOfWork, row: RowMapping) -> None:
    """It was answered."""
    uow.execute(
        "UPDATE exchange.ask SET done_at = :now WHERE partner = :p AND kind = :kind AND cursor = :cursor",
        now=uow.now, p=row["partner"], kind=row["kind"], cursor=row["cursor"],
    )  # fmt: skip
