"""Everything that is worked out, worked out anew from what was told, and what differs brought to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from case_registry import factor_log, watch
from case_registry.collecting import no_collecting
from case_registry.outside import Facts, facts_of
from case_registry.refresh import Whole, load, refresh, row_of_dispute, see
from case_registry.tables import episode_row, save_episodes
from foundation.unit_of_work import UnitOfWork

PAGE = 2_000
_ROW = (
    "stage", "holder", "stage_why", "flags", "flag_names", "title", "cause", "claimed_fen", "agreed_fen", "occurred_on", "begun_on",
    "county", "town", "agencies", "numbers", "search", "grams", "sealed", "lamp",
)  # fmt: skip
_EPISODE = (
    "kind", "state", "outcome", "hidden", "sealed", "open", "opened_on", "closed_on", "case_number", "last_event_at",
)  # fmt: skip


@dataclass(frozen=True)
class Rebuilt:
    """A page worked out anew. `after`: where the next begins, None at the end; `differing`: rows that were otherwise."""

    disputes: int
    differing: int
    after: int | None


def rebuild_page(uow: UnitOfWork, after: int = 0, page: int = PAGE) -> Rebuilt:
    """Work out the next disputes anew (their episodes, stage, holder, flags, fields, lamp) and write what differs.

    `after`: running number of the last dispute of the page before. Grades are left as they stand: they remember how
    they came about.
    """
    rows = uow.all(
        "SELECT id, seq FROM registry.dispute WHERE merged_into IS NULL AND seq > :after ORDER BY seq LIMIT :page",
        after=after,
        page=page,
    )
    if not rows:
        return Rebuilt(0, 0, None)
    ids = [row["id"] for row in rows]
    with no_collecting():
        wholes = load(uow, ids, {})
        differing = _episodes(uow, wholes) + _disputes(uow, wholes)
    return Rebuilt(len(rows), differing, rows[-1]["seq"])


def _disputes(uow: UnitOfWork, wholes: Sequence[Whole]) -> int:
    ids = [whole.row["id"] for whole in wholes]
    facts = facts_of(uow, [case["id"] for whole in wholes for case in whole.cases])
    lamps = watch.lamp_of_dispute(uow, ids)
    stored = {
        row["id"]: dict(row)
        for row in uow.all(
            f"SELECT id, {', '.join(_ROW)} FROM registry.dispute WHERE id = ANY(:ids)", ids=ids
        )
    }
    other: list[UUID] = []
    for whole in wholes:
        own = Facts.together(facts, [case["id"] for case in whole.cases])
        made = row_of_dispute(
            see(uow, whole, own, factor_log.Kept()), lamps.get(whole.row["id"], ""), uow.now
        )
        if not _same(made, stored[whole.row["id"]], _ROW):
            other.append(whole.row["id"])
    if other:
        refresh(uow, other)
    return len(other)


def _episodes(uow: UnitOfWork, wholes: Sequence[Whole]) -> int:
    cases = {case["id"]: whole.by_case[case["id"]].episodes for whole in wholes for case in whole.cases}
    rows = uow.all(
        f"SELECT source_case, sub_id, {', '.join(_EPISODE)} FROM registry.episode WHERE source_case = ANY(:cases)",
        cases=list(cases),
    )
    stored: dict[int, dict[str, Any]] = {case: {} for case in cases}
    for row in rows:
        stored[row["source_case"]][row["sub_id"]] = row
    other = {
        case: episodes
        for case, episodes in cases.items()
        if stored[case].keys() != {e.sub_id for e in episodes}
        or not all(_same(episode_row(case, e), stored[case][e.sub_id], _EPISODE) for e in episodes)
    }
    if other:
        save_episodes(uow, other, ())
    return len(other)


def _same(made: Mapping[str, Any], stored: Mapping[str, Any], names: Sequence[str]) -> bool:
    return all(made[name] == stored[name] for name in names)
