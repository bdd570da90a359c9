"""The day's reconciliation, three ways: ledger × rail replies × holder's statements. Run again, it changes nothing."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any

import orjson

from escrow import breaks
from escrow.desk import day_taken
from escrow.results import BEIJING, Event, Result, beijing_day
from foundation.unit_of_work import UnitOfWork

RAIL_WORD_DAYS = 1  # a payment done by the rail's word must stand in a statement by the next day


def reconcile_day(uow: UnitOfWork, day: date) -> Result:
    """Compare the books of one Beijing day and open a break for each difference that has none yet.

    `data`: counts by check, and open breaks of the day by kind.
    """
    checks = {
        "missing_statements": _missing_statements,
        "balances": _balances,
        "done_without_line": _done_without_line,
        "unknown_too_long": _unknown_too_long,
        "suspense": _suspense,
        "holds": _holds,
    }
    result = Result()
    counts: dict[str, Any] = {}
    for name, check in checks.items():
        events = check(uow, day)
        counts[name] = len(events)
        result.events += events
    counts["lines"] = _count(uow, "SELECT count(*) FROM escrow.statement_line WHERE booked_on = :day", day)
    counts["matched"] = _count(
        uow, "SELECT count(*) FROM escrow.statement_line l JOIN escrow.line_placing p ON p.line = l.id WHERE l.booked_on = :day"
        " AND p.placed <> 'UNPOSTED'", day,
    )  # fmt: skip
    counts["open_breaks"] = {
        row["kind"]: row["n"]
        for row in uow.all(
            "SELECT kind, count(*) AS n FROM escrow.recon_break WHERE state <> 'CLOSED' GROUP BY kind ORDER BY kind"
        )
    }
    uow.execute(
        "INSERT INTO escrow.recon_run VALUES (:id, :day, :at, :by, CAST(:result AS jsonb))",
        id=uow.new_id(), day=day, at=uow.now, by=uow.actor.id, result=orjson.dumps(counts).decode(),
    )  # fmt: skip
    result.data = counts
    return result


def _count(uow: UnitOfWork, sql: str, day: date) -> int:
    return int(uow.scalar(sql, day=day))


def _missing_statements(uow: UnitOfWork, day: date) -> list[Event]:
    """An account that moved on the day, or whose ledger expects a movement, has no statement for it."""
    rows = uow.all(
        "SELECT DISTINCT l.rail, l.account FROM escrow.statement_line l WHERE l.booked_on = :day ORDER BY 1, 2 LIMIT 5000",
        day=day,
    )
    events: list[Event] = []
    for row in rows:
        if not day_taken(uow, row["rail"], row["account"], day):
            events += breaks.found(uow, "SEQUENCE", f"day/{row['rail']}/{row['account']}/{day}", day, rail=row["rail"],
                                   account=row["account"], detail={"why": "no statement of the day"})  # fmt: skip
        else:
            breaks.close_by_rule(
                uow, "SEQUENCE", f"day/{row['rail']}/{row['account']}/{day}", "已收到当日对账单"
            )
    return events


def _balances(uow: UnitOfWork, day: date) -> list[Event]:
    """Each account's closing balance against its own lines: more is money in excess, less is money short."""
    rows = uow.all(
        "SELECT b.rail, b.number, b.last_closing, b.first_opening + coalesce((SELECT sum(CASE l.direction WHEN 'CREDIT' THEN l.fen"
        " ELSE -l.fen END) FROM escrow.statement_line l WHERE l.rail = b.rail AND l.account = b.number AND l.booked_on <= b.last_day"
        " AND NOT EXISTS (SELECT 1 FROM escrow.recon_break k WHERE k.line = l.id AND k.kind = 'MISSING_LINE' AND k.state <> 'CLOSED')"
        "), 0) AS own FROM escrow.bank_account b WHERE b.last_day = :day AND b.last_closing IS NOT NULL ORDER BY 1, 2 LIMIT 20000",
        day=day,
    )
    events: list[Event] = []
    for row in rows:
        difference = int(row["last_closing"]) - int(row["own"])
        if difference:
            kind = "EXCESS" if difference > 0 else "SHORT"
            events += breaks.found(uow, kind, f"closing/{row['rail']}/{row['number']}/{day}", day, rail=row["rail"],
                                   account=row["number"], fen=difference,
                                   detail={"holder": row["last_closing"], "ours": int(row["own"])})  # fmt: skip
    return events


def _done_without_line(uow: UnitOfWork, day: date) -> list[Event]:
    """Done by the rail's word for more than a day, and no statement line shows it."""
    rows = uow.all(
        "SELECT o.id, o.case_id, o.amount_fen, o.number, o.rail, o.debit_account FROM escrow.payment_order o"
        " JOIN escrow.rail_attempt a ON a.order_id = o.id WHERE o.state = 'SENT' AND o.outcome = 'DONE' AND a.proved_by IS NULL"
        " AND a.first_sent_at < :limit ORDER BY o.id LIMIT 20000",
        limit=_end_of(day) - timedelta(days=RAIL_WORD_DAYS),
    )
    events: list[Event] = []
    for row in rows:
        events += breaks.found(uow, "STATUS", f"order/{row['id']}", day, case_id=row["case_id"], order_id=row["id"], rail=row["rail"],
                               account=row["debit_account"], fen=int(row["amount_fen"]),
                               detail={"reply": "DONE", "statement": "nothing", "number": row["number"]})  # fmt: skip
    return events


def _unknown_too_long(uow: UnitOfWork, day: date) -> list[Event]:
    """Nobody answers what became of it: a person must look (deadlines ES04). It stays UNKNOWN."""
    rows = uow.all(
        "SELECT o.id, o.case_id, o.amount_fen, o.number FROM escrow.payment_order o JOIN escrow.rail_attempt a ON a.order_id = o.id"
        " WHERE o.state = 'SENT' AND o.outcome = 'UNKNOWN' AND a.first_sent_at < :limit ORDER BY o.id LIMIT 20000",
        limit=_end_of(day) - timedelta(days=RAIL_WORD_DAYS),
    )
    events: list[Event] = []
    for row in rows:
        events += breaks.found(uow, "STATUS", f"order/{row['id']}", day, case_id=row["case_id"], order_id=row["id"],
                               fen=int(row["amount_fen"]), detail={"reply": "UNKNOWN", "number": row["number"]})  # fmt: skip
    return events


def _suspense(uow: UnitOfWork, day: date) -> list[Event]:
    """Credits still in suspense at the end of the day."""
    events: list[Event] = []
    for row in uow.all(
        "SELECT * FROM escrow.v_suspense WHERE booked_on <= :day ORDER BY known_at LIMIT 20000", day=day
    ):
        events += breaks.found(uow, "UNKNOWN_PAYER", f"line/{row['line']}", day, rail=row["rail"], account=row["account"],
                               line=row["line"], fen=int(row["open_fen"]), detail={"text": row["text"]})  # fmt: skip
    return events


def _holds(uow: UnitOfWork, day: date) -> list[Event]:
    """Where a holder says what is free of court holds: the same as our freezes, or someone must look."""
    rows = uow.all(
        "SELECT b.rail, b.number, b.case_id, b.booked_fen - b.available_fen AS held, coalesce((SELECT sum(a.balance) FROM escrow.freeze f"
        " JOIN escrow.account a ON a.id = f.ledger WHERE f.case_id = b.case_id AND f.state = 'ACTIVE'), 0)::bigint AS ours"
        " FROM escrow.bank_account b WHERE b.available_fen IS NOT NULL AND b.booked_fen IS NOT NULL AND b.case_id IS NOT NULL"
        " AND b.told_at >= :start AND b.told_at < :stop ORDER BY 1, 2 LIMIT 20000",
        start=_end_of(day) - timedelta(days=1), stop=_end_of(day),
    )  # fmt: skip
    events: list[Event] = []
    for row in rows:
        if int(row["held"]) != int(row["ours"]):
            events += breaks.found(uow, "STATUS", f"hold/{row['rail']}/{row['number']}/{day}", day, rail=row["rail"],
                                   account=row["number"], case_id=row["case_id"], fen=int(row["held"]) - int(row["ours"]),
                                   detail={"holder": int(row["held"]), "ours": int(row["ours"])})  # fmt: skip
    return events


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), BEIJING)


def last_day_over(uow: UnitOfWork) -> date:
    """The last Beijing day that is over."""
    return beijing_day(uow.now) - timedelta(days=1)
