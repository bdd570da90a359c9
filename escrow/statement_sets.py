"""A message's statements taken in sets, from the staging tables: what `statements` does line by line.

The rules are the same, and so is what is stored; a test compares the two. Nothing here grows with the square of the
message: each step is one statement of SQL over the staged lines, and only what is out of the ordinary is looked at
by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from escrow import line_sets, placing_sets
from escrow.break_sets import Difference, found_many
from escrow.desk import RailDesk, known_account, last_statement
from escrow.rails import StatementInfo, StatementLine
from escrow.recognising import UNHELD
from escrow.results import Event, Result
from escrow.statement_checks import check_chain, refuse_statements
from escrow.statement_stage import Staged, stage
from foundation.unit_of_work import UnitOfWork
from schemas.findings import Finding

MOST_FINDINGS = 500  # of one message


def take_items(
    uow: UnitOfWork, desk: RailDesk, rail_id: str, items: Iterable[StatementInfo | StatementLine], *, source: str = "",
    told: Sequence[Finding] = (),
) -> Result:  # fmt: skip
    """Take all statements of one message, or none; see `statements.take_statements`. `items`: each statement, followed
    by its lines; read once, never held whole. `told`: what their reader found, complete when they are at their end.
    Raises what reading them raises."""
    staged = stage(uow, items)
    _lock_accounts(uow, desk, rail_id)
    uow.execute(
        "UPDATE stage_statement t SET fresh = NOT EXISTS (SELECT 1 FROM escrow.statement k WHERE k.rail = :rail"
        " AND k.account = t.account AND k.kind = t.kind AND k.native_id = t.native_id AND k.body_digest = t.digest)",
        rail=rail_id,
    )
    findings = list(told) or _check(uow, rail_id, staged)
    if findings:
        return refuse_statements(uow, rail_id, staged.infos, findings)
    new: list[UUID] = []
    events = _store(uow, rail_id, source)
    line_sets.show_pending(uow, rail_id)
    turns = line_sets.see_known(uow, rail_id)
    assert turns <= line_sets.MOST_ROUNDS, turns
    for turn in range(1, turns + 1):
        events += line_sets.recognise_rest(uow, rail_id, turn)
        if turn == 1:
            placing_sets.lock_cases(uow, rail_id)
        stored = line_sets.store_new(uow, rail_id, turn)
        events += placing_sets.place_new(uow, desk, rail_id, stored)
        new += stored
    line_sets.close_missing(uow)
    events += _missing(uow, rail_id)
    _close_days(uow, rail_id)
    return Result(
        [*events, *placing_sets.retry_waiting(uow, desk, rail_id, new)],
        data={"lines": staged.lines, "new": len(new)},
    )


def _lock_accounts(uow: UnitOfWork, desk: RailDesk, rail_id: str) -> None:
    """Every account of the message, locked in one order; entered where a statement names it for the first time."""
    named = "SELECT account FROM stage_statement UNION SELECT account FROM stage_line"
    unknown = uow.all(
        f"SELECT n.account FROM ({named}) n WHERE NOT EXISTS (SELECT 1 FROM escrow.bank_account b WHERE b.rail = :rail"
        " AND b.number = n.account) ORDER BY 1 LIMIT 200000",
        rail=rail_id,
    )
    for row in unknown:
        known_account(uow, desk, rail_id, row["account"])
    uow.execute(
        f"SELECT 1 FROM escrow.bank_account WHERE rail = :rail AND number IN ({named}) ORDER BY number FOR NO KEY UPDATE",
        rail=rail_id,
    )


def _check(uow: UnitOfWork, rail_id: str, staged: Staged) -> list[Finding]:
    """What is wrong with any statement as a whole: the checks of `statement_checks.check`, asked for all at once."""
    rows = uow.all(
        "WITH counted AS (SELECT statement, sum(CASE direction WHEN 'CREDIT' THEN fen ELSE -fen END) FILTER (WHERE booked) AS fen"
        " FROM stage_line GROUP BY statement) SELECT t.*, t.opening + coalesce(n.fen, 0) AS counted, EXISTS (SELECT 1 FROM"
        " escrow.statement k WHERE k.rail = :rail AND k.account = t.account AND k.kind = t.kind AND k.native_id = t.native_id"
        " AND k.complete) AS other, b.last_day IS NOT NULL AND b.last_closing IS NOT NULL AND t.seq > coalesce(b.last_seq, 0)"
        " AND (t.seq > coalesce(b.last_seq, 0) + 1 OR t.opening <> b.last_closing OR (t.day_told IS NULL"
        " OR t.day_told > b.last_day + 1) AND EXISTS (SELECT 1 FROM escrow.statement_line l WHERE l.rail = :rail"
        f" AND l.account = t.account AND l.booked_on > b.last_day AND (l.booked_on < t.day_told OR t.day_told IS NULL) AND {UNHELD}))"
        " AS chain FROM stage_statement t JOIN escrow.bank_account b ON b.rail = :rail AND b.number = t.account"
        " LEFT JOIN counted n ON n.statement = t.place WHERE t.fresh ORDER BY t.place",
        rail=rail_id,
    )
    findings: list[Finding] = []
    for row in rows:
        if row["other"]:
            findings.append(
                Finding(
                    "SAME_ID_OTHER_BYTES", "statement/id", row["native_id"], "the statement that came first"
                )
            )
            continue
        if row["kind"] != "DAY" or row["opening"] is None or row["closing"] is None:
            continue
        if row["complete"] and row["counted"] != row["closing"]:
            findings.append(
                Finding(
                    "BALANCE_MISMATCH", "statement/closing", str(row["closing"]), str(int(row["counted"]))
                )
            )
        if row["chain"]:
            last = last_statement(uow, rail_id, row["account"])
            assert last is not None
            findings += check_chain(staged.infos[row["place"] - 1], last)
    return findings[:MOST_FINDINGS]


def _store(uow: UnitOfWork, rail_id: str, source: str) -> list[Event]:
    uow.execute(
        "INSERT INTO escrow.statement (id, rail, account, kind, native_id, page, seq, day, opening_fen, closing_fen, lines,"
        " complete, body_digest, received_at, source) SELECT t.id, :rail, t.account, t.kind, t.native_id, (SELECT count(*)"
        " FROM escrow.statement k WHERE k.rail = :rail AND k.account = t.account AND k.kind = t.kind AND k.native_id = t.native_id)"
        " + row_number() OVER (PARTITION BY t.account, t.kind, t.native_id ORDER BY t.place), t.seq, t.day, t.opening,"
        " t.closing, t.lines, t.complete, t.digest, :at, :source FROM stage_statement t WHERE t.fresh",
        rail=rail_id, at=uow.now, source=source,
    )  # fmt: skip
    return _first_openings(uow, rail_id)


def _first_openings(uow: UnitOfWork, rail_id: str) -> list[Event]:
    """The first day's statement of an account: what it held before our first line is named, not guessed away."""
    rows = uow.all(
        "SELECT DISTINCT ON (t.account) t.account, t.day, b.case_id, t.opening - coalesce((SELECT sum(CASE direction WHEN 'CREDIT'"
        " THEN fen ELSE -fen END) FROM escrow.statement_line l WHERE l.rail = :rail AND l.account = t.account"
        " AND l.booked_on < t.day), 0)::bigint AS fen FROM stage_statement t JOIN escrow.bank_account b ON b.rail = :rail"
        " AND b.number = t.account WHERE t.fresh AND t.kind = 'DAY' AND t.opening IS NOT NULL AND t.day_told IS NOT NULL"
        " AND b.last_day IS NULL ORDER BY t.account, t.place",
        rail=rail_id,
    )
    off = [row for row in rows if int(row["fen"])]
    if not off:
        return []
    uow.execute(
        "UPDATE escrow.bank_account b SET first_opening = d.fen, mirror_fen = b.mirror_fen + d.fen FROM unnest("
        "CAST(:accounts AS text[]), CAST(:fens AS bigint[])) AS d (account, fen) WHERE b.rail = :rail AND b.number = d.account",
        rail=rail_id, accounts=[row["account"] for row in off], fens=[int(row["fen"]) for row in off],
    )  # fmt: skip
    return found_many(
        uow,
        [
            Difference(
                "EXCESS" if int(row["fen"]) > 0 else "SHORT", f"opening/{rail_id}/{row['account']}", row["day"], rail_id,
                row["account"], row["case_id"], fen=int(row["fen"]),
            )
            for row in off
        ],
    )  # fmt: skip


def _missing(uow: UnitOfWork, rail_id: str) -> list[Event]:
    """Booked lines of a day that its statement lacks: of the days stated now, and new lines of days stated before."""
    rows = uow.all(
        "SELECT l.id, l.account, l.fen, l.bank_ref, l.direction, t.day FROM stage_statement t JOIN escrow.statement_line l"
        " ON l.rail = :rail AND l.account = t.account AND l.booked_on = t.day_told"
        f" WHERE t.fresh AND t.kind = 'DAY' AND t.complete AND {UNHELD}"
        " UNION SELECT l.id, l.account, l.fen, l.bank_ref, l.direction, l.booked_on FROM stage_rest r"
        " JOIN escrow.statement_line l ON l.id = r.line WHERE r.kind <> 'DAY' AND EXISTS (SELECT 1 FROM escrow.statement k"
        " WHERE k.rail = :rail AND k.account = l.account AND k.kind = 'DAY' AND k.day >= l.booked_on) ORDER BY 1",
        rail=rail_id,
    )
    return found_many(uow, [_missing_line(rail_id, row) for row in rows])


def _missing_line(rail_id: str, row: Any) -> Difference:
    shown = {
        "reference": row["bank_ref"],
        "direction": row["direction"],
        "statement_day": row["day"].isoformat(),
    }
    return Difference(
        "MISSING_LINE", f"line/{row['id']}", row["day"], rail_id, row["account"], line=row["id"], fen=int(row["fen"]),
        detail=shown,
    )  # fmt: skip


def _close_days(uow: UnitOfWork, rail_id: str) -> None:
    """The last day, number and closing balance of each account, and what its holder last said of its balance."""
    uow.execute(
        "UPDATE escrow.bank_account b SET last_day = t.day, last_seq = t.seq, last_closing = t.closing FROM (SELECT DISTINCT ON"
        " (account) * FROM stage_statement WHERE fresh AND kind = 'DAY' ORDER BY account, day DESC, place DESC) t"
        " WHERE b.rail = :rail AND b.number = t.account AND (b.last_day IS NULL OR b.last_day <= t.day)",
        rail=rail_id,
    )
    uow.execute(
        "UPDATE escrow.bank_account b SET booked_fen = coalesce(t.interim, t.closing, b.booked_fen), available_fen = t.available,"
        " told_at = :at FROM (SELECT DISTINCT ON (account) * FROM stage_statement WHERE fresh AND (interim IS NOT NULL"
        " OR closing IS NOT NULL OR available IS NOT NULL) ORDER BY account, place DESC) t"
        " WHERE b.rail = :rail AND b.number = t.account",
        rail=rail_id, at=uow.now,
    )  # fmt: skip
