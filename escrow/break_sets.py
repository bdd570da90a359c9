"""Many differences at once: the same breaks as `breaks.found` and `breaks.close_by_rule` make one by one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import orjson

from escrow.results import Event, beijing_day
from foundation.unit_of_work import UnitOfWork
from schemas.workdays import work_calendar


@dataclass(frozen=True)
class Difference:
    """What differs: see `breaks.found`."""

    kind: str
    subject: str
    day: date
    rail: str = ""
    account: str = ""
    case_id: UUID | None = None
    order_id: UUID | None = None
    line: UUID | None = None
    fen: int = 0
    detail: dict[str, Any] = field(default_factory=dict)


def found_many(uow: UnitOfWork, differences: Sequence[Difference]) -> list[Event]:
    """Open a break for each difference that has none open; returns a BREAK_OPENED for each that was opened."""
    if not differences:
        return []
    limits = {row["kind"]: row for row in uow.all("SELECT * FROM escrow.break_limit LIMIT 100")}
    today, calendar = beijing_day(uow.now), work_calendar()
    close_by = {
        kind: calendar.provisional(today, int(limits[kind]["close_workdays"]))[0]
        for kind in {each.kind for each in differences}
    }
    rows = uow.all(
        "WITH told AS (SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:kinds AS text[]), CAST(:subjects AS text[]),"
        " CAST(:cases AS uuid[]), CAST(:orders AS uuid[]), CAST(:lines AS uuid[]), CAST(:rails AS text[]),"
        " CAST(:accounts AS text[]), CAST(:days AS date[]), CAST(:fens AS bigint[]), CAST(:details AS text[]),"
        " CAST(:owns AS timestamptz[]), CAST(:closes AS date[])) AS d (id, kind, subject, case_id, order_id, line, rail,"
        " account, day, fen, detail, own_by, close_by)), opened AS ("
        "INSERT INTO escrow.recon_break (id, kind, subject, case_id, order_id, line, rail, account, day, fen, detail, found_at,"
        " own_by, close_by) SELECT d.id, d.kind, d.subject, coalesce(d.case_id, b.case_id), d.order_id, d.line, d.rail,"
        " d.account, d.day, d.fen, CAST(d.detail AS jsonb), :at, d.own_by, d.close_by FROM told d LEFT JOIN escrow.bank_account b"
        " ON b.rail = d.rail AND b.number = d.account AND d.rail <> ''"
        " ON CONFLICT (kind, subject) WHERE state <> 'CLOSED' DO NOTHING RETURNING id, kind, subject, case_id, fen)"
        " SELECT o.*, c.dispute, c.mediation_number FROM opened o LEFT JOIN escrow.escrow_case c ON c.id = o.case_id",
        ids=[uow.new_id() for _ in differences],
        kinds=[each.kind for each in differences],
        subjects=[each.subject for each in differences],
        cases=[each.case_id for each in differences],
        orders=[each.order_id for each in differences],
        lines=[each.line for each in differences],
        rails=[each.rail for each in differences],
        accounts=[each.account for each in differences],
        days=[each.day for each in differences],
        fens=[each.fen for each in differences],
        details=[orjson.dumps(each.detail, default=str).decode() for each in differences],
        owns=[uow.now + timedelta(hours=int(limits[each.kind]["own_hours"])) for each in differences],
        closes=[close_by[each.kind] for each in differences],
        at=uow.now,
    )  # fmt: skip
    opened = {(row["kind"], row["subject"]): row for row in rows}
    wanted = dict.fromkeys((each.kind, each.subject) for each in differences)
    return [_opened(opened[key], limits[key[0]]["role"]) for key in wanted if key in opened]


def _opened(row: Any, role: str) -> Event:
    return {
        "event": "BREAK_OPENED", "case_id": row["case_id"], "dispute": row["dispute"],
        "mediation_number": row["mediation_number"], "break_id": row["id"], "kind": row["kind"], "fen": int(row["fen"]),
        "role": role, "subject": row["subject"],
    }  # fmt: skip


def close_many_by_rule(uow: UnitOfWork, told: Iterable[tuple[str, str, str]]) -> None:
    """Close the open breaks of these (kind, subject, document), because what they missed has come."""
    rows = list(told)
    if rows:
        uow.execute(
            "UPDATE escrow.recon_break b SET state = 'CLOSED', closed_at = :at, closed_by = :by, close_document = d.document,"
            " owner = coalesce(b.owner, :by) FROM unnest(CAST(:kinds AS text[]), CAST(:subjects AS text[]),"
            " CAST(:documents AS text[])) AS d (kind, subject, document)"
            " WHERE b.kind = d.kind AND b.subject = d.subject AND b.state <> 'CLOSED'",
            at=uow.now, by=uow.actor.id, kinds=[row[0] for row in rows], subjects=[row[1] for row in rows],
            documents=[row[2] for row in rows],
        )  # fmt: skip
