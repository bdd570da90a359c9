"""A booked line with where it lies, and what it was placed as."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from escrow import breaks
from escrow.results import Event
from foundation.unit_of_work import UnitOfWork

# Columns of a line together with its account's case and custody.
PLACE = (
    "l.*, b.case_id, b.custody, b.kind AS account_kind, c.ledger AS custody_ledger FROM escrow.statement_line l"
    " JOIN escrow.bank_account b ON b.rail = l.rail AND b.number = l.account JOIN escrow.custody c ON c.id = b.custody"
)


@dataclass
class Placed:
    """`how`: POSTED, UNPOSTED, MOVE, NETTED or HISTORY; `meaning`: in a word; what follows in `events`."""

    how: str
    meaning: str
    case_id: UUID | None = None
    order_id: UUID | None = None
    events: list[Event] = field(default_factory=list)


def unposted(
    uow: UnitOfWork, line: RowMapping, meaning: str, kind: str, *, case_id: UUID | None = None,
    order_id: UUID | None = None, fen: int | None = None, **detail: Any,
) -> Placed:  # fmt: skip
    """Leave a line unposted, with a break that says why."""
    events = breaks.found(
        uow, kind, f"line/{line['id']}", line["booked_on"], rail=line["rail"], account=line["account"], line=line["id"],
        case_id=case_id or line["case_id"], order_id=order_id, fen=int(line["fen"]) if fen is None else fen, detail=detail,
    )  # fmt: skip
    return Placed("UNPOSTED", meaning, case_id or line["case_id"], order_id, events)
