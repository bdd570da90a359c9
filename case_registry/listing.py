"""Lists: disputes by filters, page by page; a person's work."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from case_registry.access import PERSON, ROW, Reader, check_seen, classes_seen, reader_for, row_filter
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
    uow: UnitOfWork, filters: Filters = Filters(), *, reader: Reader | None = None,
    after: tuple[datetime, int] | None = None, limit: int = PAGE,
) -> Page:  # fmt: skip
    """Disputes that moved last first. `reader`: only those that the rule lets this person see; a search by text goes
    over names, so it finds those whose persons the reader may see. Without a reader: `filters.sealed` says.

    Raises NotAllowed when the text has fewer than two characters.
    """
    where: list[str] = ["merged_into IS NULL"]
    params: dict[str, Any] = {}
    if reader is not None:
        seen, params = row_filter(reader, PERSON if filters.text.strip() else ROW)
        where.append(seen)
    for name in ("stage", "holder", "town", "county", "lamp", "grade"):
        if getattr(filters, name):
            where.append(f"{name} = :{name}")
            params[name] = getattr(filters, name)
    if reader is None and not filters.sealed:
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
    following = (page[-1]["moved_at"], page[-1]["seq"]) if len(rows) > limit else None
    return Page(_shown(uow, reader, page) if reader is not None and page else page, following)


def _shown(uow: UnitOfWork, reader: Reader, page: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows as this reader may see them: no names where persons are not shown, and none that the database hides."""
    seen = check_seen(uow, reader, [row["id"] for row in page])
    for row in page:
        if PERSON not in classes_seen(reader, row):
            row["title"] = row["cause"]
    return [row for row in page if row["id"] in seen]


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
    " JOIN registry.dispute d ON d.id = c.dispute JOIN registry.source_case o ON o.id = p.b"
    " JOIN registry.dispute e ON e.id = o.dispute WHERE p.state = 'OPEN' AND {seen} AND {seen_other}"
    " ORDER BY p.score DESC, p.id LIMIT :limit",
    "conflicts": "SELECT c.id::text AS ref, d.number AS dispute, d.title, c.opened_at AS since, 'conflict' AS what,"
    " c.field AS detail FROM registry.conflict c JOIN registry.dispute d ON d.id = c.dispute"
    " WHERE c.state = 'OPEN' AND {seen} AND (c.role = ANY(:roles) OR 'administrator' = ANY(:roles))"
    " ORDER BY c.opened_at, c.id LIMIT :limit",
    "lamps": "SELECT k.id::text AS ref, d.number AS dispute, d.title, k.red_at AS since, 'lamp ' || k.lamp AS what,"
    " k.rule AS detail FROM registry.clock k JOIN registry.source_case c ON c.id = k.source_case"
    " JOIN registry.dispute d ON d.id = c.dispute WHERE k.state = 'RUNNING' AND k.lamp IN ('YELLOW', 'RED')"
    " AND {seen}"
    " ORDER BY k.lamp, k.red_at LIMIT :limit",
    "gaps": "SELECT g.id::text AS ref, d.number AS dispute, d.title, g.raised_at AS since, 'gap' AS what,"
    " g.from_agency || ' → ' || g.to_agency AS detail FROM registry.gap_alarm g"
    " JOIN registry.source_case c ON c.id = g.source_case JOIN registry.dispute d ON d.id = c.dispute"
    " WHERE g.ended_at IS NULL AND g.kind <> 'NO_RECEIPT' AND {seen}"
    " ORDER BY g.raised_at LIMIT :limit",
    "supervision": "SELECT s.id::text AS ref, d.number AS dispute, d.title, s.drafted_at AS since, 'case ' || s.state AS what,"
    " s.level AS detail FROM registry.supervision_case s JOIN registry.source_case c ON c.id = s.source_case"
    " JOIN registry.dispute d ON d.id = c.dispute WHERE {seen}"
    " AND s.state IN ('DRAFT', 'OBJECTED', 'EXTENSION_ASKED', 'REPORTED', 'VERIFYING', 'VERIFIED')"
    " ORDER BY s.level, s.drafted_at LIMIT :limit",
    "factors": "SELECT d.id::text AS ref, d.number AS dispute, d.title, f.changed_at AS since, 'grade ' || d.grade AS what,"
    " f.review_on::text AS detail FROM registry.factor f JOIN registry.dispute d ON d.id = f.dispute"
    " WHERE d.grade <> 'NONE' AND d.merged_into IS NULL AND {seen} AND (f.review_on IS NULL OR f.review_on <= :today)"
    " ORDER BY f.score DESC LIMIT :limit",
}
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

    Tasks about disputes that this person may not see are not shown (``access.toml``).
    """
    kinds = dict.fromkeys(kind for role in sorted(roles) for kind in WORK_OF.get(role, ()))
    found: list[dict[str, Any]] = []
    for kind in kinds:
        reader = reader_for(replace(uow.actor, roles=frozenset(roles)), "link" if kind == "proposals" else "")
        seen, params = row_filter(reader, PERSON, "d.")
        sql = _WORK[kind].format(seen=seen, seen_other=row_filter(reader, PERSON, "e.")[0])
        params["limit"] = limit
        if ":roles" in sql:
            params["roles"] = sorted(roles)
        if ":today" in sql:
            params["today"] = uow.now.astimezone(BEIJING).date()
        found += [{"task": kind, **dict(row)} for row in uow.all(sql, **params)]
    return found


def factor_list(
    uow: UnitOfWork, *, grade: str = "", limit: int = 100, reader: Reader | None = None
) -> list[dict[str, Any]]:
    """Listed unstable factors, gravest first, with score and indicators. `reader`: those that this person may see."""
    only = " AND d.grade = :grade" if grade else ""
    seen, params = row_filter(reader, PERSON, "d.") if reader else ("NOT d.sealed", {})
    rows = uow.all(
        "SELECT d.id, d.number, d.title, d.town, d.stage, d.holder, d.grade, f.computed, f.score, f.indicators, f.changed_at,"
        " f.review_on, f.rule_version FROM registry.factor f JOIN registry.dispute d ON d.id = f.dispute"
        f" WHERE d.grade <> 'NONE' AND d.merged_into IS NULL{only} AND {seen} ORDER BY f.score DESC, d.seq LIMIT :limit",
        limit=limit,
        **params,
        **({"grade": grade} if grade else {}),
    )
    return [dict(row) for row in rows]
