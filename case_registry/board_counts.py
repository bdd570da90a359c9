"""The board of a county or the city: how many disputes stand where, and what nobody's list shows."""

from __future__ import annotations

from typing import Any

from case_registry.access import county_filter
from foundation.unit_of_work import UnitOfWork

CHANGED = "concord_board"
"""Where a change of the board is told (NOTIFY), when it is committed."""
FOLD_ABOVE = 20_000
"""Lines of counts above which the watch folds them together."""


def board(uow: UnitOfWork, county: str = "") -> dict[str, Any]:
    """Counts for the board of a county (or the whole city): by stage, holder, lamp, grade and town;
    gaps, proposals, conflicts.

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
    return {**found, **_beside(uow, county)}


def _beside(uow: UnitOfWork, county: str) -> dict[str, int]:
    """Gaps, proposals and conflicts of the same disputes; a proposal counts in the county of each of its sides, a gap that
    is of no dispute in the city's board alone."""
    seen, params = county_filter(county, "d.")
    of_case = "FROM registry.source_case c JOIN registry.dispute d ON d.id = c.dispute WHERE c.id"
    sealed = f"EXISTS (SELECT 1 {of_case} IN (p.a, p.b) AND d.sealed)"
    placed = f"EXISTS (SELECT 1 {of_case} IN (p.a, p.b) AND {seen})" if county else "true"
    unplaced = "true" if not county else "false"
    row = uow.one(
        "SELECT (SELECT count(*) FROM registry.gap_alarm g LEFT JOIN registry.source_case c ON c.id = g.source_case"
        "   LEFT JOIN registry.dispute d ON d.id = c.dispute WHERE g.ended_at IS NULL AND g.kind <> 'NO_RECEIPT'"
        f"   AND (d.id IS NULL AND {unplaced} OR {seen})) AS gaps,"
        " (SELECT count(*) FROM registry.proposal p"
        f"   WHERE p.state = 'OPEN' AND NOT {sealed} AND {placed}) AS proposals,"
        " (SELECT count(*) FROM registry.conflict c JOIN registry.dispute d ON d.id = c.dispute"
        f"   WHERE c.state = 'OPEN' AND {seen}) AS conflicts",
        **params,
    )
    assert row is not None
    return {name: int(n) for name, n in row.items()}


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
