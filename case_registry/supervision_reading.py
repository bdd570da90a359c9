"""Supervision cases as people read them: the list, one case with its file, what may be done next, times per agency."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from case_registry import clock_acts
from case_registry.access import PERSON, Reader, check_seen, row_filter
from case_registry.disputes import dispute_ref
from case_registry.lamps import lamp_at, units_used
from case_registry.source import Unknown
from case_registry.supervision_machine import SUPERVISION_CASE
from foundation.unit_of_work import UnitOfWork
from schemas.identifiers import is_uuid
from schemas.workdays import work_calendar

MOST_CLOCKS = 20_000
_LIST = """
SELECT s.id, s.number, s.level, s.state, s.agency, s.organisation, s.reason, s.why, s.rule, s.drafted_at, s.drafted_by,
    s.issued_at, s.issuer, s.handler, s.send_backs, s.closed_at, d.number AS dispute, d.title, d.sealed, k.rule AS clock_rule,
    k.due_on, k.lamp, k.red_at FROM registry.supervision_case s
JOIN registry.source_case c ON c.id = s.source_case JOIN registry.dispute d ON d.id = c.dispute
LEFT JOIN registry.clock k ON k.supervision = s.id AND k.state IN ('RUNNING', 'SUSPENDED')
"""


def supervision_cases(
    uow: UnitOfWork, *, state: str = "", level: str = "", agency: str = "", dispute: str | UUID = "", limit: int = 200,
    reader: Reader | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Supervision cases, red and high ones first. `state`: a state, "open" or "" for all; `reader`: those on disputes whose
    persons this one may see; without one, all but those on sealed disputes. Raises Unknown (no such dispute)."""
    seen, of_reader = row_filter(reader, PERSON, "d.") if reader else ("NOT d.sealed", {})
    where = [seen]
    params: dict[str, Any] = {"limit": limit, **of_reader}
    if state == "open":
        where.append("s.state NOT IN ('VOID', 'CLOSED', 'WITHDRAWN', 'ESCALATED')")
    elif state:
        where.append("s.state = :state")
        params["state"] = state
    for name, value in (("level", level), ("agency", agency)):
        if value:
            where.append(f"s.{name} = :{name}")
            params[name] = value
    if dispute:
        where.append("c.dispute = :dispute")
        params["dispute"] = dispute_ref(uow, dispute).id
    rows = uow.all(
        f"{_LIST} WHERE {' AND '.join(where)} ORDER BY s.state IN ('VOID', 'CLOSED', 'WITHDRAWN', 'ESCALATED'),"
        " k.lamp = 'RED' DESC NULLS LAST, s.level, s.drafted_at DESC, s.id LIMIT :limit",
        **params,
    )
    return [dict(row) for row in rows]


def supervision_case(uow: UnitOfWork, case: UUID | str, reader: Reader | None = None) -> dict[str, Any]:
    """One case (id, or number): all its columns, its file, its clocks with lamps, acts that its state allows.

    Raises Unknown, also where it is on a dispute whose persons the `reader` may not see.
    """
    seen, params = row_filter(reader, PERSON, "d.") if reader else ("true", {})
    by = "s.number" if isinstance(case, str) and not is_uuid(case) else "s.id"
    row = uow.one(
        "SELECT s.*, d.id AS dispute_id, d.number AS dispute, d.title, d.sealed, u.number AS takes_over_number, v.id AS taken_over_by,"
        " v.number AS taken_over_by_number FROM registry.supervision_case s JOIN registry.source_case c ON c.id = s.source_case"
        " JOIN registry.dispute d ON d.id = c.dispute LEFT JOIN registry.supervision_case u ON u.id = s.takes_over"
        f" LEFT JOIN registry.supervision_case v ON v.takes_over = s.id WHERE {by} = :case AND {seen}"
        " ORDER BY v.drafted_at LIMIT 1",
        case=case,
        **params,
    )
    if row is None or (reader is not None and not check_seen(uow, reader, [row["dispute_id"]])):
        raise Unknown("supervision case", case)
    file = uow.all(
        "SELECT event, action, from_state, to_state, at, by, org, proof FROM registry.supervision_act WHERE supervision = :s"
        " ORDER BY id LIMIT 1000",
        s=row["id"],
    )
    acts = list(
        dict.fromkeys(
            m.event for m in SUPERVISION_CASE.moves if m.state == row["state"] and m.event != "not_signed"
        )
    )
    return {
        **dict(row),
        "file": [dict(line) for line in file],
        "clocks": _clocks(uow, row["id"]),
        "acts": acts,
    }


def _clocks(uow: UnitOfWork, case: UUID) -> list[dict[str, Any]]:
    rows = uow.all("SELECT * FROM registry.clock WHERE supervision = :s ORDER BY started_at, id", s=case)
    timings = clock_acts.timings_of(uow, [row["id"] for row in rows])
    found = []
    for row in rows:
        at = row["stopped_at"] or uow.now
        lamp = lamp_at(timings[row["id"]], at)
        found.append(
            {"id": row["id"], "rule": row["rule"], "agency": row["agency"], "state": row["state"], "started_at": row["started_at"],
             "due_on": row["due_on"], "stopped_at": row["stopped_at"], "lamp": lamp.colour, "rim": lamp.rim, "used": lamp.used,
             "total": row["total"], "status": "NOT_YET_PUBLISHED" if row["provisional"] else ""}
        )  # fmt: skip
    return found


STEPS = {"SV02": "sign", "SV03": "answer", "SV04": "verify"}


def supervision_times(
    uow: UnitOfWork, since: datetime, until: datetime, reader: Reader | None = None
) -> list[dict[str, Any]]:
    """What supervision took, measured by its clocks: for each agency and step (sign, answer, verify) of clocks started in
    the period, how many, how many run still, how many ended in time, workdays used (median, nine tenths, most), without
    the days that did not count; and how often its results were sent back. At most MOST_CLOCKS clocks, newest first.
    `reader`: of disputes that this person may know of; without one, of all."""
    only, params = _of_seen(reader)
    rows = uow.all(
        "SELECT k.* FROM registry.clock k WHERE k.supervision IS NOT NULL AND k.started_at >= :since AND k.started_at < :until"
        f"{only.format(of='k')} ORDER BY k.started_at DESC LIMIT :most",
        since=since,
        until=until,
        most=MOST_CLOCKS,
        **params,
    )
    timings = clock_acts.timings_of(uow, [row["id"] for row in rows])
    groups: dict[tuple[str, str], list[tuple[int, bool, bool]]] = {}
    for row in rows:
        end = row["stopped_at"] or uow.now
        used = units_used(timings[row["id"]], end, work_calendar())
        groups.setdefault((row["agency"], STEPS[row["rule"][:4]]), []).append(
            (used, row["state"] != "STOPPED", end < row["red_at"])
        )
    back = {
        row["agency"]: row["n"]
        for row in uow.all(
            "SELECT s.agency, count(*) AS n FROM registry.supervision_act a JOIN registry.supervision_case s ON s.id = a.supervision"
            f" WHERE a.event = 'send_back' AND a.at >= :since AND a.at < :until{only.format(of='s')} GROUP BY 1",
            since=since,
            until=until,
            **params,
        )
    }
    return [
        {
            "agency": agency,
            "step": step,
            **_figures(found),
            "send_backs": back.get(agency, 0) if step == "answer" else None,
        }
        for (agency, step), found in sorted(groups.items())
    ]


def _of_seen(reader: Reader | None) -> tuple[str, dict[str, Any]]:
    """The rule on rows `of` that hang on a case."""
    if reader is None:
        return "", {}
    seen, params = row_filter(reader, alias="d.")
    case = "registry.source_case c JOIN registry.dispute d ON d.id = c.dispute WHERE c.id = {of}.source_case"
    return f" AND EXISTS (SELECT 1 FROM {case} AND {seen})", params


def _figures(found: Sequence[tuple[int, bool, bool]]) -> dict[str, Any]:
    used = sorted(u for u, running, _ in found if not running)
    ended = [in_time for _, running, in_time in found if not running]

    def pick(share: float) -> int | None:
        return used[min(len(used) - 1, int(share * len(used)))] if used else None

    return {"n": len(found), "running": len(found) - len(ended), "in_time": sum(ended), "ended": len(ended),
            "late_now": sum(running and not in_time for _, running, in_time in found),
            "median": pick(0.5), "p90": pick(0.9), "most": used[-1] if used else None}  # fmt: skip
