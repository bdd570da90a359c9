"""What a booked line is taken for: a credit, a payout's proof, a return, a reversal, a deduction, a move, or unknown.

A line that cannot be posted stays UNPOSTED with a break, is listed between ledger and holder, and is tried again
when something new is known; nothing is ever posted below zero.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from escrow import breaks, credits, deductions, payouts, returns
from escrow.desk import RailDesk
from escrow.line_rows import PLACE, Placed
from escrow.rails import StatementLine
from escrow.results import Event
from foundation.unit_of_work import UnitOfWork

DIRECTION = {"CRDT": "CREDIT", "DBIT": "DEBIT"}
FEE_WORDS = re.compile("手续费|服务费|工本费|邮电费|账户管理费")


def cases_of(uow: UnitOfWork, rail_id: str, lines: Sequence[StatementLine]) -> set[UUID]:
    """Every case that a message's lines, or lines waiting on the same accounts, may touch: all are locked first, in
    one order."""
    rows = uow.all(
        "WITH number AS (SELECT unnest(CAST(:numbers AS text[])) AS n UNION SELECT l.our_number FROM escrow.line_placing p"
        " JOIN escrow.statement_line l ON l.id = p.line WHERE p.placed = 'UNPOSTED' AND l.rail = :rail"
        " AND l.account = ANY(:accounts))"
        " SELECT case_id FROM escrow.bank_account WHERE rail = :rail AND number = ANY(:accounts) AND case_id IS NOT NULL"
        " UNION SELECT case_id FROM escrow.rail_attempt WHERE number IN (SELECT n FROM number) AND case_id IS NOT NULL"
        " UNION SELECT case_id FROM escrow.place_move WHERE rail = :rail AND (debit IS NULL OR credit IS NULL)"
        " AND (from_account = ANY(:accounts) OR to_account = ANY(:accounts))",
        rail=rail_id, accounts=[line.account for line in lines],
        numbers=[line.our_number for line in lines if line.our_number],
    )  # fmt: skip
    return {row["case_id"] for row in rows}


def take_line(
    uow: UnitOfWork, desk: RailDesk, rail_id: str, statement: UUID, line: StatementLine
) -> list[Event]:
    """Store a booked line that was not known and place it."""
    line_id = uow.new_id()
    uow.execute(
        "INSERT INTO escrow.statement_line (id, rail, account, statement, bank_ref, booked_on, valued_on, fen, direction,"
        " our_number, other_name, other_account, text, document_no, is_return, is_reversal, return_code, known_at)"
        " VALUES (:id, :rail, :account, :statement, :ref, :booked, :valued, :fen, :direction, :number, :name, :other, :text,"
        " :document, :is_return, :reversal, :code, :at)",
        id=line_id, rail=rail_id, account=line.account, statement=statement, ref=line.bank_ref, booked=line.booking_date,
        valued=line.value_date, fen=int(line.amount), direction=DIRECTION[line.direction], number=line.our_number or "",
        name=line.party_name, other=line.party_account, text=line.text, document=line.document_no,
        is_return=bool(line.returned), reversal=line.reversal, code=line.returned, at=uow.now,
    )  # fmt: skip
    uow.execute(
        "INSERT INTO escrow.line_sighting VALUES (:line, :statement, :ref, :day)",
        line=line_id, statement=statement, ref=line.bank_ref, day=line.booking_date,
    )  # fmt: skip
    uow.execute(
        "DELETE FROM escrow.pending_line WHERE rail = :rail AND account = :account AND bank_ref = :ref AND direction = :direction",
        rail=rail_id, account=line.account, ref=line.bank_ref, direction=DIRECTION[line.direction],
    )  # fmt: skip
    row = uow.one(f"SELECT {PLACE} WHERE l.id = :id", id=line_id)
    assert row is not None
    placed = place(uow, desk, row)
    _note(uow, "INSERT", line_id, placed)
    return placed.events


def retry_unposted(uow: UnitOfWork, desk: RailDesk, rail_id: str, account: str) -> list[Event]:
    """Try again the lines of an account that could not be posted; what they waited for may have come."""
    events: list[Event] = []
    rows = uow.all(
        f"SELECT {PLACE} JOIN escrow.line_placing p ON p.line = l.id WHERE l.rail = :rail AND l.account = :account"
        " AND p.placed = 'UNPOSTED' ORDER BY l.booked_on, l.known_at, l.id LIMIT 1000",
        rail=rail_id,
        account=account,
    )
    for row in rows:
        placed = place(uow, desk, row)
        if placed.how != "UNPOSTED":
            _note(uow, "UPDATE", row["id"], placed)
            _close_breaks(uow, row["id"])
            events += placed.events
    return events


def _close_breaks(uow: UnitOfWork, line: UUID) -> None:
    for row in uow.all(
        "SELECT kind, subject FROM escrow.recon_break WHERE line = :line AND state <> 'CLOSED'", line=line
    ):
        breaks.close_by_rule(uow, row["kind"], row["subject"], "已按后续资料入账")


def _note(uow: UnitOfWork, verb: str, line: UUID, placed: Placed) -> None:
    sql = {
        "INSERT": "INSERT INTO escrow.line_placing VALUES (:line, :how, :meaning, :case_id, :order_id, :at)",
        "UPDATE": "UPDATE escrow.line_placing SET placed = :how, meaning = :meaning, case_id = :case_id, order_id = :order_id,"
        " at = :at WHERE line = :line",
    }[verb]
    uow.execute(
        sql,
        line=line,
        how=placed.how,
        meaning=placed.meaning,
        case_id=placed.case_id,
        order_id=placed.order_id,
        at=uow.now,
    )


def place(uow: UnitOfWork, desk: RailDesk, line: RowMapping) -> Placed:
    """Decide what a line is, and post it where it can be posted."""
    attempt = _attempt(uow, line)
    if line["direction"] == "CREDIT":
        return _credit(uow, desk, line, attempt)
    return _debit(uow, desk, line, attempt)


def _attempt(uow: UnitOfWork, line: RowMapping) -> RowMapping | None:
    """The instruction that the line names. A move between custody accounts names it on the other rail."""
    if not line["our_number"]:
        return None
    return uow.one(
        "SELECT a.*, o.purpose, o.payee FROM escrow.rail_attempt a LEFT JOIN escrow.payment_order o ON o.id = a.order_id"
        " WHERE a.number = :number AND (a.rail = :rail OR o.purpose = 'TOP_UP' AND o.payee = :rail)",
        number=line["our_number"], rail=line["rail"],
    )  # fmt: skip


def _credit(uow: UnitOfWork, desk: RailDesk, line: RowMapping, attempt: RowMapping | None) -> Placed:
    if attempt is not None and attempt["purpose"] == "TOP_UP" and attempt["payee"] == line["rail"]:
        return payouts.top_up_arrived(uow, line, attempt)
    if attempt is not None and (line["is_return"] or line["is_reversal"] or attempt["proved_by"] is not None):
        return returns.take_return(uow, line, attempt)
    if line["is_reversal"]:
        undone = deductions.undo_unposted(uow, line)
        if undone is not None:
            return undone
    moved = credits.place_move(uow, line)
    if moved is not None:
        return moved
    if line["case_id"] is not None and not line["is_return"]:
        return credits.to_case(uow, line)
    placed = credits.to_suspense(uow, line)
    if line["is_return"]:
        placed.events += _break(uow, line, "RETURN", {"why": "a return of a payment that is not ours"})
    return placed


def _debit(uow: UnitOfWork, desk: RailDesk, line: RowMapping, attempt: RowMapping | None) -> Placed:
    if attempt is not None and not line["is_reversal"]:
        return payouts.prove(uow, desk, line, attempt)
    if line["is_reversal"]:
        return deductions.reverse_credit(uow, line)
    if line["document_no"]:
        deducted = deductions.by_document(uow, line)
        if deducted is not None:
            return deducted
    moved = credits.place_move(uow, line)
    if moved is not None:
        return moved
    kind = "FEE" if FEE_WORDS.search(line["text"]) else "UNEXPECTED_DEBIT"
    return Placed("UNPOSTED", kind, line["case_id"], events=_break(uow, line, kind, {"text": line["text"]}))


def _break(uow: UnitOfWork, line: RowMapping, kind: str, detail: dict[str, Any]) -> list[Event]:
    return breaks.found(
        uow, kind, f"line/{line['id']}", line["booked_on"], rail=line["rail"], account=line["account"], line=line["id"],
        case_id=line["case_id"], fen=int(line["fen"]), detail=detail,
    )  # fmt: skip
