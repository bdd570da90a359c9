"""What officers entered of indicators: listed, withdrawn with a reason, and ended on their last day (supervision.md 5)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from case_registry.disputes import dispute_ref
from case_registry.factor_table import table, window_of
from case_registry.source import NotAllowed, Unknown
from case_registry.told import BEIJING
from foundation.unit_of_work import UnitOfWork

ENDED_BY_DAY = "end date"


def notes_of(uow: UnitOfWork, dispute: str | UUID, limit: int = 200) -> list[dict[str, Any]]:
    """Every note on a dispute, newest first: `id`, indicator with its name, step, reason, source, by whom and when, last day,
    how it ended, and whether it counts now. Raises Unknown."""
    rows = uow.all(
        "SELECT n.id, n.indicator, n.step, n.reason, n.source, n.at, n.by, n.until, n.ended_at, n.ended_by, n.ended_reason"
        " FROM registry.indicator_note n JOIN registry.source_case c ON c.id = n.source_case WHERE c.dispute = :d"
        " ORDER BY n.at DESC, n.id DESC LIMIT :limit",
        d=dispute_ref(uow, dispute).id,
        limit=limit,
    )
    today = uow.now.astimezone(BEIJING).date()
    found = []
    for row in rows:
        known, window = table()["by_id"].get(row["indicator"], {}), window_of(row["indicator"])
        lapsed = bool(window) and (uow.now - row["at"]).days >= window
        counts = row["ended_at"] is None and not lapsed and (row["until"] is None or row["until"] >= today)
        found.append({**row, "zh": known.get("zh", ""), "en": known.get("en", ""), "counts": counts})
    return found


def withdraw(uow: UnitOfWork, note: int, reason: str) -> UUID:
    """Take a note back: from now on it does not count; what it did stays in the log. Returns its dispute's id.

    Raises Unknown, NotAllowed (no reason, ended already).
    """
    if not reason.strip():
        raise NotAllowed("withdrawing a note needs a reason")
    row = uow.one(
        "SELECT n.ended_at, c.dispute FROM registry.indicator_note n JOIN registry.source_case c ON c.id = n.source_case"
        " WHERE n.id = :id FOR UPDATE OF n",
        id=note,
    )
    if row is None:
        raise Unknown("note", note)
    if row["ended_at"] is not None:
        raise NotAllowed("this note no longer counts")
    uow.execute(
        "UPDATE registry.indicator_note SET ended_at = :now, ended_by = :by, ended_reason = :reason WHERE id = :id",
        now=uow.now,
        by=uow.actor.id,
        reason=reason.strip(),
        id=note,
    )
    return UUID(str(row["dispute"]))


def end_lapsed(uow: UnitOfWork, limit: int) -> set[UUID]:
    """End the notes whose last day is over, at most `limit`; returns their disputes, which are to be graded anew."""
    rows = uow.all(
        "UPDATE registry.indicator_note n SET ended_at = :now, ended_by = 'system', ended_reason = :why FROM registry.source_case c"
        " WHERE c.id = n.source_case AND n.id IN (SELECT id FROM registry.indicator_note WHERE ended_at IS NULL"
        " AND until < :today ORDER BY until, id LIMIT :limit) RETURNING c.dispute",
        now=uow.now,
        why=ENDED_BY_DAY,
        today=uow.now.astimezone(BEIJING).date(),
        limit=limit,
    )
    return {row["dispute"] for row in rows if row["dispute"] is not None}
