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
_OF_ACCOUNT = "SELECT l.* FROM escrow.statement_line l WHERE l.rail = :rail AND l.account = :account AND l.direction = :direction"


def recognise(
    uow: UnitOfWork, rail_id: str, line: StatementLine, references: set[str], day_statement: bool
) -> tuple[UUID | None, list[Event]]:
    """The known line that this one shows again, and what is to be told about it. `references`: those of its statement."""
    like = {
        "rail": rail_id, "account": line.account, "direction": placing.DIRECTION[line.direction], "day": line.booking_date,
        "fen": int(line.amount), "ref": line.bank_ref, "number": line.our_number or "",
    }  # fmt: skip
    row = uow.one(
        f"{_OF_ACCOUNT} AND l.booked_on = :day AND l.bank_ref = :ref ORDER BY l.fen <> :fen, l.known_at, l.id LIMIT 1",
        **like,
    )
    if row is not None:
        return row["id"], [] if row["fen"] == line.amount else _other_sum(uow, rail_id, line, row)
    if not day_statement:
        return None, []
    # The same item under another reference: the day's statement holds all, so it must be this one.
    row = uow.one(
        f"{_OF_ACCOUNT} AND l.booked_on = :day AND l.fen = :fen AND l.our_number = :number AND l.bank_ref <> ALL(:references)"
        f" AND {UNHELD} ORDER BY l.known_at, l.id LIMIT 1",
        references=sorted(references), **like,
    )  # fmt: skip
    if row is not None:
        return row["id"], []
    row = uow.one(
        f"{_OF_ACCOUNT} AND l.booked_on >= :early AND l.booked_on < :day AND l.fen = :fen AND (l.bank_ref = :ref"
        f" OR :number <> '' AND l.our_number = :number) AND {UNHELD} ORDER BY l.known_at, l.id LIMIT 1",
        early=line.booking_date - timedelta(days=CUT_OFF_DAYS), **like,
    )  # fmt: skip
    return (None, []) if row is None else (row["id"], _cut_off(uow, rail_id, line, row))


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
