"""Lists: disputes by filters, page by page; a person's work."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from case_registry.listing_text import bigrams
from case_registry.source import NotAllowed
from case_registry.told import BEIJING
from foundation.unit_of_work import UnitOfWork
from schemas.identifiers import normalise_name

PAGE = 50
_COLUMNS = (
    "id, seq, number, title, stage, stage_since, holder, holder_since, flags, cause, claimed_fen, agreed_fen, county,"
    " town, agencies, lamp, grade, begun_on, moved_at, sealed"
)


@dataclass(frozen=True)
class Filters:
    """What to list. `flag`: a flag's name, with or without its number. `text`: names, causes or case numbers, at
    least two characters. `lamp`: YELLOW or RED. "" = any."""

    stage: str = ""
    holder: str = ""
    town: str = ""
    county: str = ""
    flag: str = ""
    lamp: str = ""
    grade: str = ""
    agency: str = ""
    text: str = ""
    sealed: bool = False


@dataclass(frozen=True)
class Page:
    """One page of a list; `next` is handed to the next call, None at the end."""

    rows: list[dict[str, Any]]
    next: tuple[datetime, int] | None


def find_disputes(
    uow: UnitOfWork, filters: Filters = Filters(), *, after: tuple[datetime, int] | None = None, limit: int = PAGE
) -> Page:  # fmt: skip
    """Disputes that moved last first. `filters.sealed`: sealed ones too, for those named to see them.

    Raises NotAllowed when the text has fewer than two characters.
    """
    where, params = ["merged_into IS NULL"], {}
    for name in ("stage", "holder", "town", "county", "lamp", "grade"):
        if getattr(filters, name):
            where.append(f"{name} = :{name}")
            params[name] = getattr(filters, name)
    if not filters.sealed:
        where.append("NOT sealed")
    if filters.agency:
        where.append(":agency = ANY(agencies)")
        params["agency"] = filters.agency
    if filters.flag:
        where.append("flag_names @> ARRAY[CAST(:flag_name AS text)]")
        params["flag_name"] = filters.flag.split(":", 1)[0]
        if ":" in filters.flag:
            where.append(":flag = ANY(flags)")
            params["flag"] = filters.flag
    if filters.text.strip():
        where.append(_text_clause(filters.text, params))
    if after is not None:
        where.append("(moved_at, seq) < (:moved, :seq)")
        params |= {"moved": after[0], "seq": after[1]}
    rows = uow.all(
        f"SELECT {_COLUMNS} FROM registry.dispute WHERE {' AND '.join(where)} ORDER BY moved_at DESC, seq DESC LIMIT :limit",
        limit=limit + 1,
        **params,
    )
    page = [dict(row) for row in rows[:limit]]
    more = len(rows) > limit
    return Page(page, (page[-1]["moved_at"], page[-1]["seq"]) if more else None)


def _text_clause(text: str, params: dict[str, Any]) -> str:
    """Every word must stand in the search text; the pairs of characters find candidates by index."""
    words = [normalise_name(word) for word in text.split()]
    if any(len(word) < 2 for word in words):
        raise NotAllowed("搜索词至少两个字 (at least two characters)")
    params["grams"] = sorted({gram for word in words for gram in bigrams(word)})
    clauses = ["grams @> CAST(:grams AS text[])"]
    for i, word in enumerate(words):
        params[f"word{i}"] = word
        clauses.append(f"position(:word{i} IN search) > 0")
    return "(" + " AND ".join(clauses) + ")"


_WORK = {
    "proposals": "SELECT p.id::text AS ref, d.number AS dispute, d.title, p.opened_at AS since, 'proposal' AS what,"
    " round(p.score::numeric, 1)::text AS detail FROM registry.proposal p JOIN registry.source_case c ON c.id = p.a"
    " JOIN registry.dispute d ON d.id = c.dispute WHERE p.state = 'OPEN' AND (:sealed OR NOT d.sealed)"
    " ORDER BY p.score DESC, p.id LIMIT :limit",
    "conflicts": "SELECT c.id::text AS ref, d.number AS dispute, d.title, c.opened_at AS since, 'conflict' AS what,"
    " c.field AS detail FROM registry.conflict c JOIN registry.dispute d ON d.id = c.dispute"
    " WHERE c.state = 'OPEN' AND (:sealed OR NOT d.sealed) AND (c.role = ANY(:roles) OR 'administrator' = ANY(:roles))"
    " ORDER BY c.opened_at, c.id LIMIT :limit",
    "lamps": "SELECT k.id::text AS ref, d.number AS dispute, d.title, k.red_at AS since, 'lamp ' || k.lamp AS what,"
    " k.rule AS detail FROM registry.clock k JOIN registry.source_case c ON c.id = k.source_case"
    " JOIN registry.dispute d ON d.id = c.dispute WHERE k.state = 'RUNNING' AND k.lamp IN ('YELLOW', 'RED')"
    " AND (:sealed OR NOT d.sealed)"
    " ORDER BY k.lamp, k.red_at LIMIT :limit",
    "gaps": "SELECT g.id::text AS ref, d.number AS dispute, d.title, g.raised_at AS since, 'gap' AS what,"
    " g.from_agency || ' → ' || g.to_agency AS detail FROM registry.gap_alarm g"
    " JOIN registry.source_case c ON c.id = g.source_case JOIN registry.dispute d ON d.id = c.dispute"
    " WHERE g.ended_at IS NULL AND g.kind <> 'NO_RECEIPT' AND (:sealed OR NOT d.sealed)"
    " ORDER BY g.raised_at LIMIT :limit",
    "supervision": "SELECT s.id::text AS ref, d.number AS dispute, d.title, s.drafted_at AS since, 'case ' || s.state AS what,"
    " s.level AS detail FROM registry.supervision_case s JOIN registry.source_case c ON c.id = s.source_case"
    " JOIN registry.dispute d ON d.id = c.dispute WHERE (:sealed OR NOT d.sealed)"
    " AND s.state IN ('DRAFT', 'OBJECTED', 'EXTENSION_ASKED', 'REPORTED', 'VERIFYING', 'VERIFIED')"
    " ORDER BY s.level, s.drafted_at LIMIT :limit",
    "factors": "SELECT d.id::text AS ref, d.number AS dispute, d.title, f.changed_at AS since, 'grade ' || d.grade AS what,"
    " f.review_on::text AS detail FROM registry.factor f JOIN registry.dispute d ON d.id = f.dispute"
    " WHERE d.grade <> 'NONE' AND d.merged_into IS NULL AND (:sealed OR NOT d.sealed) AND (f.review_on IS NULL OR f.review_on <= :today)"
    " ORDER BY f.score DESC LIMIT :limit",
}
SEES_SEALED = frozenset({"supervision_officer", "auditor"})
WORK_OF = {
    "reviewer": ("proposals", "conflicts"),
    "intake_clerk": ("proposals",),
    "supervision_officer": ("gaps", "supervision", "factors", "lamps", "conflicts"),
    "administrator": ("proposals", "conflicts"),
    "mediator": ("lamps",),
}
"""Which tasks of the registry are whose, by role."""


def my_work(uow: UnitOfWork, roles: Collection[str], limit: int = 50) -> list[dict[str, Any]]:
    """The registry's open tasks for someone with these roles: what, which dispute, since when, a reference to act on.

    Tasks about sealed disputes are shown to those alone who may see them.
    """
    kinds = dict.fromkeys(kind for role in sorted(roles) for kind in WORK_OF.get(role, ()))
    found: list[dict[str, Any]] = []
    for kind in kinds:
        params: dict[str, Any] = {"limit": limit, "sealed": bool(SEES_SEALED & set(roles))}
        if ":roles" in _WORK[kind]:
            params["roles"] = sorted(roles)
        if ":today" in _WORK[kind]:
            params["today"] = uow.now.astimezone(BEIJING).date()
        found += [{"task": kind, **dict(row)} for row in uow.all(_WORK[kind], **params)]
    return found


def factor_list(uow: UnitOfWork, *, grade: str = "", limit: int = 100) -> list[dict[str, Any]]:
    """Listed unstable factors, gravest first, with score and indicators."""
    only = " AND d.grade = :grade" if grade else ""
    rows = uow.all(
        "SELECT d.id, d.number, d.title, d.town, d.stage, d.holder, d.grade, f.computed, f.score, f.indicators, f.changed_at,"
        " f.review_on, f.rule_version FROM registry.factor f JOIN registry.dispute d ON d.id = f.dispute"
        f" WHERE d.grade <> 'NONE' AND d.merged_into IS NULL{only} ORDER BY f.score DESC, d.seq LIMIT :limit",
        limit=limit,
        **({"grade": grade} if grade else {}),
    )
    return [dict(row) for row in rows]
