"""The board of a county or the city: how many disputes stand where, and what nobody's list shows."""

from __future__ import annotations

from typing import Any

from foundation.unit_of_work import UnitOfWork

CHANGED = "concord_board"
"""Where a change of the board is told (NOTIFY), when it is committed."""
FOLD_ABOVE = 20_000
"""Lines of counts above which the watch folds them together."""


def board(uow: UnitOfWork, county: str = "") -> dict[str, Any]:
    """Counts for the board of a county (or the whole city): by stage, holder, lamp, grade and town; gaps; oldest wait.

    Sealed disputes are in no count: a number that moves would tell of them.
    """
    only = " WHERE county = :county" if county else ""
    params = {"county": county} if county else {}
    rows = uow.all(
        f"SELECT stage, holder, town, lamp, grade, sum(n) AS n FROM ({_BY_PLACE}{only} GROUP BY 1, 2, 3, 4, 5) AS place"
        " GROUP BY GROUPING SETS ((stage), (holder), (town), (lamp), (grade), ()) HAVING sum(n) <> 0",
        **params,
    )
    found: dict[str, Any] = {"stage": {}, "holder": {}, "town": {}, "lamp": {}, "grade": {}, "all": 0}
    for row in rows:
        named = [name for name in ("stage", "holder", "town", "lamp", "grade") if row[name] is not None]
        if named:
            found[named[0]][row[named[0]]] = int(row["n"])
        else:
            found["all"] = int(row["n"] or 0)
    beside = uow.one(
        "SELECT (SELECT count(*) FROM registry.gap_alarm g WHERE g.ended_at IS NULL AND g.kind <> 'NO_RECEIPT'"
        "   AND NOT EXISTS (SELECT 1 FROM registry.source_case c JOIN registry.dispute d ON d.id = c.dispute"
        "     WHERE c.id = g.source_case AND d.sealed)) AS gaps,"
        " (SELECT count(*) FROM registry.proposal p WHERE p.state = 'OPEN' AND NOT EXISTS (SELECT 1 FROM registry.source_case c"
        "   JOIN registry.dispute d ON d.id = c.dispute WHERE c.id IN (p.a, p.b) AND d.sealed)) AS proposals,"
        " (SELECT count(*) FROM registry.conflict c JOIN registry.dispute d ON d.id = c.dispute"
        "   WHERE c.state = 'OPEN' AND NOT d.sealed) AS conflicts"
    )
    return {**found, **dict(beside or {})}


_BY_PLACE = "SELECT stage, holder, town, lamp, grade, sum(n) AS n FROM registry.board_count"


def fold_counts(uow: UnitOfWork) -> bool:
    """Fold the lines of counts together where they are many; False where there was nothing to do or another does it.

    A line written meanwhile by an open transaction stays beside the folded ones, and counts as before.
    """
    if not uow.scalar("SELECT pg_try_advisory_xact_lock(hashtext('registry.board'))"):
        return False
    if uow.scalar("SELECT count(*) FROM registry.board_count") <= FOLD_ABOVE:
        return False
    uow.execute(
        "WITH gone AS (DELETE FROM registry.board_count RETURNING *)"
        " INSERT INTO registry.board_count SELECT county, stage, holder, town, lamp, grade, sum(n) FROM gone"
        " GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(n) <> 0"
    )
    return True
