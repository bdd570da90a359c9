"""Statements, notices and bills: checked as a whole, then line by line; the same file twice changes nothing.

A booked line is posted from the first message that shows it and recognised in every later one by account, day,
holder's reference, sum and direction. The day's statement must hold every line of its day: one that it lacks is a
break (escrow.md, "What proves what").
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from escrow import breaks, ledger, placing, recognising
from escrow.desk import RailDesk, day_taken, known_account
from escrow.rails import StatementInfo, StatementLine
from escrow.results import Event, Result, beijing_day
from escrow.statement_checks import check, refuse_statements
from escrow.statement_sets import take_items
from escrow.statement_stage import KINDS, body_digest
from foundation.unit_of_work import UnitOfWork

SET_FROM = 20  # lines of a message from which they are taken in sets; fewer cost less one by one


@dataclass(frozen=True)
class Taking:
    """One message's statements on their way into the books."""

    desk: RailDesk
    rail: str
    source: str = ""


def take_statements(
    uow: UnitOfWork, desk: RailDesk, rail_id: str, infos: Sequence[StatementInfo], lines: Sequence[StatementLine],
    *, source: str = "",
) -> Result:  # fmt: skip
    """Take all statements of one message, or none: with a finding nothing is posted and a break is opened.

    `source`: where the raw message lies. Findings: SAME_ID_OTHER_BYTES, BALANCE_MISMATCH, STATEMENT_GAP,
    BALANCE_NOT_CHAINED.
    """
    by_statement: dict[str, list[StatementLine]] = defaultdict(list)
    for line in lines:
        by_statement[line.statement_id].append(line)
    if len(lines) >= SET_FROM and len({info.statement_id for info in infos}) == len(infos):
        return take_items(uow, desk, rail_id, _in_order(infos, by_statement), source=source)
    taking = Taking(desk, rail_id, source)
    accounts = {line.account for line in lines} | {info.account for info in infos}
    for number in sorted(accounts):
        known_account(uow, desk, rail_id, number)
    ledger.lock_cases(uow, placing.cases_of(uow, rail_id, lines))
    fresh = [info for info in infos if not _taken(uow, rail_id, info, by_statement[info.statement_id])]
    findings = [f for info in fresh for f in check(uow, rail_id, info, by_statement[info.statement_id])]
    if findings:
        return refuse_statements(uow, rail_id, infos, findings)
    result = Result()
    for info in fresh:
        result.events += _take_one(uow, taking, info, by_statement[info.statement_id])
    for number in sorted(accounts):
        result.events += placing.retry_unposted(uow, desk, rail_id, number)
    return result


def _in_order(
    infos: Sequence[StatementInfo], by_statement: dict[str, list[StatementLine]]
) -> Iterator[StatementInfo | StatementLine]:
    for info in infos:
        yield info
        yield from by_statement[info.statement_id]


def _taken(uow: UnitOfWork, rail_id: str, info: StatementInfo, lines: Sequence[StatementLine]) -> bool:
    return bool(
        uow.scalar(
            "SELECT EXISTS (SELECT 1 FROM escrow.statement WHERE rail = :rail AND account = :account AND kind = :kind"
            " AND native_id = :id AND body_digest = :digest)",
            rail=rail_id, account=info.account, kind=KINDS[info.kind], id=info.statement_id, digest=body_digest(info, lines),
        )
    )  # fmt: skip


def _take_one(
    uow: UnitOfWork, taking: Taking, info: StatementInfo, lines: Sequence[StatementLine]
) -> list[Event]:
    statement = _store(uow, taking, info, lines)
    account = known_account(uow, taking.desk, taking.rail, info.account)
    events = _check_start(uow, taking, info, account)
    day_statement = KINDS[info.kind] == "DAY"
    references = {line.bank_ref for line in lines}
    for line in lines:
        if not line.booked:
            _show_pending(uow, taking.rail, line)
            continue
        known, more = recognising.recognise(uow, taking.rail, line, references, day_statement)
        events += more
        if known is None:
            events += placing.take_line(uow, taking.desk, taking.rail, statement, line)
            events += [] if day_statement else _after_the_day(uow, taking, line)
        else:
            _sight(uow, known, statement, line)
            if day_statement:  # whatever day it is of: the holder has stated it now
                breaks.close_by_rule(uow, "MISSING_LINE", f"line/{known}", f"对账单 {line.statement_id}")
    if day_statement:
        events += _missing_lines(uow, taking, info, statement)
        _close_day(uow, taking.rail, info)
    _note_balance(uow, taking.rail, info)
    return events


def _store(uow: UnitOfWork, taking: Taking, info: StatementInfo, lines: Sequence[StatementLine]) -> UUID:
    statement = uow.new_id()
    uow.execute(
        "INSERT INTO escrow.statement (id, rail, account, kind, native_id, page, seq, day, opening_fen, closing_fen, lines,"
        " complete, body_digest, received_at, source) SELECT :id, :rail, :account, :kind, :native_id, count(*) + 1, :seq, :day,"
        " :opening, :closing, :lines, :complete, :digest, :at, :source FROM escrow.statement WHERE rail = :rail"
        " AND account = :account AND kind = :kind AND native_id = :native_id",
        id=statement, rail=taking.rail, account=info.account, kind=KINDS[info.kind], native_id=info.statement_id,
        seq=info.sequence, day=info.day or beijing_day(uow.now), opening=info.opening, closing=info.closing,
        lines=len(lines), complete=info.complete, digest=body_digest(info, lines), at=uow.now, source=taking.source,
    )  # fmt: skip
    return statement


def _check_start(uow: UnitOfWork, taking: Taking, info: StatementInfo, account: RowMapping) -> list[Event]:
    """The first day's statement of an account: what it held before our first line is named, not guessed away."""
    if (
        KINDS[info.kind] != "DAY"
        or info.opening is None
        or account["last_day"] is not None
        or info.day is None
    ):
        return []
    before = int(
        uow.scalar(
            "SELECT coalesce(sum(CASE direction WHEN 'CREDIT' THEN fen ELSE -fen END), 0) FROM escrow.statement_line"
            " WHERE rail = :rail AND account = :account AND booked_on < :day",
            rail=taking.rail, account=info.account, day=info.day,
        )
    )  # fmt: skip
    difference = int(info.opening) - before
    if difference == 0:
        return []
    uow.execute(
        "UPDATE escrow.bank_account SET first_opening = :fen, mirror_fen = mirror_fen + :fen WHERE rail = :rail AND number = :n",
        fen=difference, rail=taking.rail, n=info.account,
    )  # fmt: skip
    kind = "EXCESS" if difference > 0 else "SHORT"
    return breaks.found(uow, kind, f"opening/{taking.rail}/{info.account}", info.day, rail=taking.rail,
                        account=info.account, fen=difference, case_id=account["case_id"])  # fmt: skip


def _show_pending(uow: UnitOfWork, rail_id: str, line: StatementLine) -> None:
    uow.execute(
        "INSERT INTO escrow.pending_line VALUES (:rail, :account, :ref, :day, :fen, :direction, :name, :text, :at)"
        " ON CONFLICT (rail, account, booked_on, bank_ref, direction) DO UPDATE SET fen = excluded.fen, seen_at = excluded.seen_at",
        rail=rail_id, account=line.account, ref=line.bank_ref, day=line.booking_date, fen=int(line.amount),
        direction=placing.DIRECTION[line.direction], name=line.party_name, text=line.text, at=uow.now,
    )  # fmt: skip


def _sight(uow: UnitOfWork, known: UUID, statement: UUID, line: StatementLine) -> None:
    uow.execute(
        "INSERT INTO escrow.line_sighting VALUES (:line, :statement, :ref, :day) ON CONFLICT DO NOTHING",
        line=known, statement=statement, ref=line.bank_ref, day=line.booking_date,
    )  # fmt: skip


def _missing_lines(uow: UnitOfWork, taking: Taking, info: StatementInfo, statement: UUID) -> list[Event]:
    """Booked lines of that day which the day's statement lacks."""
    if not info.complete or info.day is None or not day_taken(uow, taking.rail, info.account, info.day):
        return []
    rows = uow.all(
        "SELECT l.* FROM escrow.statement_line l WHERE l.rail = :rail AND l.account = :account AND l.booked_on = :day"
        f" AND {recognising.UNHELD}",
        rail=taking.rail,
        account=info.account,
        day=info.day,
    )
    events: list[Event] = []
    for row in rows:
        events += breaks.found(uow, "MISSING_LINE", f"line/{row['id']}", info.day, rail=taking.rail, account=info.account,
                               line=row["id"], fen=int(row["fen"]), detail=_shown(row, info.day))  # fmt: skip
    return events


def _after_the_day(uow: UnitOfWork, taking: Taking, line: StatementLine) -> list[Event]:
    """A new line of a day whose statement was taken already: that statement lacks it."""
    if not day_taken(uow, taking.rail, line.account, line.booking_date):
        return []
    row = uow.one(
        "SELECT * FROM escrow.statement_line WHERE rail = :rail AND account = :account AND booked_on = :day"
        " AND bank_ref = :ref AND fen = :fen ORDER BY known_at DESC LIMIT 1",
        rail=taking.rail, account=line.account, day=line.booking_date, ref=line.bank_ref, fen=int(line.amount),
    )  # fmt: skip
    assert row is not None
    return breaks.found(uow, "MISSING_LINE", f"line/{row['id']}", line.booking_date, rail=taking.rail, account=line.account,
                        line=row["id"], fen=int(line.amount), detail=_shown(row, line.booking_date))  # fmt: skip


def _shown(row: Any, day: date) -> dict[str, str]:
    return {"reference": row["bank_ref"], "direction": row["direction"], "statement_day": day.isoformat()}


def _close_day(uow: UnitOfWork, rail_id: str, info: StatementInfo) -> None:
    uow.execute(
        "UPDATE escrow.bank_account SET last_day = :day, last_seq = :seq, last_closing = :closing WHERE rail = :rail"
        " AND number = :number AND (last_day IS NULL OR last_day <= :day)",
        day=info.day or beijing_day(uow.now), seq=info.sequence, closing=info.closing, rail=rail_id, number=info.account,
    )  # fmt: skip


def _note_balance(uow: UnitOfWork, rail_id: str, info: StatementInfo) -> None:
    booked = info.interim if info.interim is not None else info.closing
    if booked is not None or info.available is not None:
        uow.execute(
            "UPDATE escrow.bank_account SET booked_fen = coalesce(:booked, booked_fen), available_fen = :available,"
            " told_at = :at WHERE rail = :rail AND number = :number",
            booked=booked, available=info.available, at=uow.now, rail=rail_id, number=info.account,
        )  # fmt: skip
