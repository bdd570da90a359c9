"""New lines of one message placed together: the many plain debits in sets, every other line by `placing.place`.

A plain debit names an instruction of ours, or names none and is nobody's. What decides about it is what decides in
`payouts.prove` and `placing`: the same contradictions in the same order, the same entries, the same breaks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from escrow import ledger, placing, proof_sets
from escrow.break_sets import Difference, found_many
from escrow.desk import RailDesk
from escrow.line_rows import PLACE
from escrow.results import Event
from foundation.unit_of_work import UnitOfWork

# The first that holds decides. "" = not plain: the whole of `placing` looks at it.
_JUDGED = """
SELECT l.id, l.rail, l.account, l.booked_on, l.fen, l.direction, l.our_number, l.other_account, l.text,
       b.case_id AS account_case, b.custody, c.ledger AS custody_ledger, a.id AS attempt, a.fen AS sent_fen,
       a.case_id, a.order_id, a.payee_account, o.state AS order_state, o.payee_name, o.instalment, o.amount_fen,
       CASE WHEN l.direction <> 'DEBIT' OR l.is_reversal OR a.twice THEN ''
            WHEN a.id IS NULL AND (l.document_no <> '' OR m.id IS NOT NULL) THEN ''
            WHEN a.id IS NULL THEN CASE WHEN l.text ~ :fee THEN 'FEE' ELSE 'UNEXPECTED_DEBIT' END
            WHEN a.source <> 'HUB' OR o.purpose <> 'COMPENSATION' OR o.state = 'FAILED' THEN ''
            WHEN a.proved_by IS NOT NULL THEN 'DUPLICATE'
            WHEN l.fen <> a.fen THEN 'AMOUNT'
            WHEN :own AND a.debit_account <> '' AND l.account <> a.debit_account THEN 'OTHER_ACCOUNT'
            WHEN l.other_account <> '' AND a.payee_account <> '' AND l.other_account NOT LIKE '%*%'
                 AND l.other_account <> a.payee_account THEN 'UNKNOWN_PAYEE'
            WHEN o.state NOT IN ('DISPATCHING', 'SENT') THEN 'STATUS'
            WHEN k.void_at IS NOT NULL OR EXISTS (SELECT 1 FROM escrow.deposit d WHERE d.case_id = a.case_id) THEN ''
            ELSE 'PAYOUT' END AS judged
  FROM escrow.statement_line l
  JOIN escrow.bank_account b ON b.rail = l.rail AND b.number = l.account
  JOIN escrow.custody c ON c.id = b.custody
  LEFT JOIN LATERAL (
    SELECT a.*, (SELECT count(*) > 1 FROM escrow.statement_line s WHERE s.rail = l.rail AND s.our_number = l.our_number
                 AND s.id = ANY(:ids)) OR a.rail <> l.rail AS twice
      FROM escrow.rail_attempt a LEFT JOIN escrow.payment_order p ON p.id = a.order_id
     WHERE l.our_number <> '' AND a.number = l.our_number AND (a.rail = l.rail OR p.purpose = 'TOP_UP' AND p.payee = l.rail)
     ORDER BY a.rail = l.rail DESC LIMIT 1) a ON true
  LEFT JOIN escrow.payment_order o ON o.id = a.order_id
  LEFT JOIN escrow.escrow_case k ON k.id = a.case_id
  LEFT JOIN LATERAL (
    SELECT m.id FROM escrow.place_move m WHERE m.rail = l.rail AND m.from_account = l.account AND m.fen = l.fen
       AND m.debit IS NULL LIMIT 1) m ON true
 WHERE l.id = ANY(:ids)
"""


def place_new(uow: UnitOfWork, desk: RailDesk, rail_id: str, ids: Sequence[UUID]) -> list[Event]:
    """Place the stored lines `ids`, in the message's order; their cases are locked. Returns what is to be told."""
    if not ids:
        return []
    rows = uow.all(
        _JUDGED, ids=list(ids), fee=placing.FEE_WORDS.pattern, own=desk.rail(rail_id).has("opens_subaccounts")
    )
    judged = {row["id"]: row for row in rows}
    plain = [judged[each] for each in ids if judged[each]["judged"]]
    short = proof_sets.short_of_money(uow, [row for row in plain if row["judged"] == "PAYOUT"])
    plain = [row for row in plain if row["judged"] != "PAYOUT" or row["case_id"] not in short]
    proved = [row for row in plain if row["judged"] == "PAYOUT"]
    unposted = [row for row in plain if row["judged"] != "PAYOUT"]
    events = proof_sets.prove_many(uow, rail_id, proved)
    events += found_many(uow, [_difference(row) for row in unposted])
    note_many(uow, [(row["id"], "POSTED", "PAYOUT", row["case_id"], row["order_id"]) for row in proved])
    note_many(uow, [_unposted(row) for row in unposted])
    done = {row["id"] for row in plain}
    return events + _one_by_one(uow, desk, [each for each in ids if each not in done])


def _one_by_one(uow: UnitOfWork, desk: RailDesk, ids: Sequence[UUID]) -> list[Event]:
    events: list[Event] = []
    rows = (
        {row["id"]: row for row in uow.all(f"SELECT {PLACE} WHERE l.id = ANY(:ids)", ids=list(ids))}
        if ids
        else {}
    )
    for each in ids:
        placed = placing.place(uow, desk, rows[each])
        note_many(uow, [(each, placed.how, placed.meaning, placed.case_id, placed.order_id)])
        events += placed.events
    return events


def note_many(uow: UnitOfWork, placed: Sequence[tuple[UUID, str, str, UUID | None, UUID | None]]) -> None:
    """Write what lines were placed as: (line, how, meaning, case, order)."""
    if placed:
        uow.execute(
            "INSERT INTO escrow.line_placing SELECT *, :at FROM unnest(CAST(:lines AS uuid[]), CAST(:hows AS text[]),"
            " CAST(:meanings AS text[]), CAST(:cases AS uuid[]), CAST(:orders AS uuid[]))",
            at=uow.now, lines=[row[0] for row in placed], hows=[row[1] for row in placed],
            meanings=[row[2] for row in placed], cases=[row[3] for row in placed], orders=[row[4] for row in placed],
        )  # fmt: skip


def _unposted(row: RowMapping) -> tuple[UUID, str, str, UUID | None, UUID | None]:
    kind = row["judged"]
    meaning = kind if row["attempt"] is None else "PAYOUT"
    return row["id"], "UNPOSTED", meaning, row["case_id"] or row["account_case"], row["order_id"]


def _difference(row: RowMapping) -> Difference:
    kind, fen = row["judged"], int(row["fen"])
    detail: dict[str, Any] = {"number": row["our_number"]}
    if row["attempt"] is None:
        detail = {"text": row["text"]}
    elif kind == "AMOUNT":
        fen -= int(row["sent_fen"])
    elif kind == "UNKNOWN_PAYEE":
        detail = {"found": row["other_account"]}
    elif kind == "STATUS":
        detail = {"order_state": row["order_state"]}
    return Difference(
        "UNEXPECTED_DEBIT" if kind == "OTHER_ACCOUNT" else kind, f"line/{row['id']}", row["booked_on"], row["rail"],
        row["account"], row["case_id"] or row["account_case"], row["order_id"], row["id"], fen, detail,
    )  # fmt: skip


def retry_waiting(uow: UnitOfWork, desk: RailDesk, rail_id: str, new: Sequence[UUID]) -> list[Event]:
    """Try again what waits unposted on the message's accounts: all that was there before it, and all of an account on
    which something was posted now."""
    accounts = uow.all(
        "SELECT DISTINCT l.account FROM escrow.line_placing p JOIN escrow.statement_line l ON l.id = p.line"
        " WHERE p.placed = 'UNPOSTED' AND l.rail = :rail AND l.account IN (SELECT account FROM stage_statement WHERE fresh"
        " UNION SELECT account FROM stage_line) AND (p.line <> ALL(CAST(:new AS uuid[])) OR EXISTS (SELECT 1 FROM"
        " escrow.line_placing q JOIN escrow.statement_line w ON w.id = q.line WHERE q.line = ANY(CAST(:new AS uuid[]))"
        " AND q.placed <> 'UNPOSTED' AND w.rail = l.rail AND w.account = l.account)) ORDER BY 1 LIMIT 20000",
        rail=rail_id, new=list(new),
    )  # fmt: skip
    return [event for row in accounts for event in placing.retry_unposted(uow, desk, rail_id, row["account"])]


def lock_cases(uow: UnitOfWork, rail_id: str) -> None:
    """Lock every case that the message's new lines, or lines waiting on its accounts, may touch, in one order."""
    rows = uow.all(
        "WITH account AS (SELECT account FROM stage_statement UNION SELECT account FROM stage_rest WHERE known IS NULL),"
        " number AS (SELECT our_number AS n FROM stage_rest WHERE our_number <> '' AND known IS NULL"
        " UNION SELECT l.our_number FROM escrow.line_placing p JOIN escrow.statement_line l ON l.id = p.line"
        " WHERE p.placed = 'UNPOSTED' AND l.rail = :rail AND l.our_number <> '' AND l.account IN (SELECT account FROM account))"
        " SELECT case_id FROM escrow.bank_account WHERE rail = :rail AND number IN (SELECT account FROM account)"
        " AND case_id IS NOT NULL"
        " UNION SELECT case_id FROM escrow.rail_attempt WHERE number IN (SELECT n FROM number) AND case_id IS NOT NULL"
        " UNION SELECT case_id FROM escrow.place_move WHERE rail = :rail AND (debit IS NULL OR credit IS NULL)"
        " AND (from_account IN (SELECT account FROM account) OR to_account IN (SELECT account FROM account))",
        rail=rail_id,
    )
    ledger.lock_cases(uow, (row["case_id"] for row in rows))
