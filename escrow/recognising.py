"""Which known line a statement shows again: by reference, by completeness of the day, or over the cut-off."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import RowMapping

from escrow import breaks, placing
from escrow.rails import StatementLine
from escrow.results import Event
from foundation.unit_of_work import UnitOfWork

CUT_OFF_DAYS = 3  # a line booked near the cut-off may stand in the next day's statement, over a weekend too
# No day's statement held the line yet.
UNHELD = (
    " NOT EXISTS (SELECT 1 FROM escrow.line_sighting s JOIN escrow.statement t ON t.id = s.statement"
    " WHERE s.line = l.id AND t.kind = 'DAY')"
)


def recognise(
    uow: UnitOfWork, rail_id: str, line: StatementLine, references: set[str], day_statement: bool
) -> tuple[UUID | None, list[Event]]:
    """The known line that this one shows again, and what is to be told about it."""
    rows = uow.all(
        f"SELECT l.*, {UNHELD} AS unheld FROM escrow.statement_line l WHERE l.rail = :rail AND l.account = :account"
        " AND l.direction = :direction AND l.booked_on BETWEEN :early AND :day ORDER BY l.known_at",
        rail=rail_id, account=line.account, direction=placing.DIRECTION[line.direction], day=line.booking_date,
        early=line.booking_date - timedelta(days=CUT_OFF_DAYS),
    )  # fmt: skip
    same_day = [row for row in rows if row["booked_on"] == line.booking_date]
    for row in same_day:
        if row["bank_ref"] == line.bank_ref and row["fen"] == line.amount:
            return row["id"], []
    for row in same_day:
        if row["bank_ref"] == line.bank_ref:
            return row["id"], _other_sum(uow, rail_id, line, row)
    if not day_statement:
        return None, []
    number = line.our_number or ""
    for row in (
        same_day
    ):  # the same item under another reference: the day's statement holds all, so it must be this one
        if (
            row["unheld"]
            and row["bank_ref"] not in references
            and (row["fen"], row["our_number"]) == (line.amount, number)
        ):
            return row["id"], []
    for row in rows:
        same = row["bank_ref"] == line.bank_ref or (number and row["our_number"] == number)
        if row["unheld"] and row["booked_on"] < line.booking_date and same and row["fen"] == line.amount:
            return row["id"], _cut_off(uow, rail_id, line, row)
    return None, []


def _other_sum(uow: UnitOfWork, rail_id: str, line: StatementLine, row: RowMapping) -> list[Event]:
    return breaks.found(
        uow, "AMOUNT", f"line/{row['id']}/{int(line.amount)}", line.booking_date, rail=rail_id, account=line.account,
        line=row["id"], fen=int(line.amount) - int(row["fen"]), detail={"first": row["fen"], "now": int(line.amount)},
    )  # fmt: skip


def _cut_off(uow: UnitOfWork, rail_id: str, line: StatementLine, row: RowMapping) -> list[Event]:
    """The item stands in a later day's statement: named, and closed by that statement."""
    subject = f"line/{row['id']}"
    days = {"booked": row["booked_on"].isoformat(), "stated": line.booking_date.isoformat()}
    events = breaks.found(
        uow,
        "CUTOFF",
        subject,
        row["booked_on"],
        rail=rail_id,
        account=line.account,
        line=row["id"],
        fen=int(row["fen"]),
        detail=days,
    )
    for kind in ("CUTOFF", "MISSING_LINE"):
        breaks.close_by_rule(uow, kind, subject, f"对账单 {line.statement_id}")
    return events
