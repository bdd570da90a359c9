"""Which staged lines are known, and what the rest are: `recognising` for a whole message at once.

The rules are those of `recognising.recognise`, in its order: by reference, by completeness of the day, over the
cut-off. Lines that share a reference are taken one round after the other, so that the second finds the first.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from escrow.break_sets import Difference, close_many_by_rule, found_many
from escrow.recognising import CUT_OFF_DAYS, UNHELD
from escrow.results import Event
from foundation.unit_of_work import UnitOfWork

MOST_ROUNDS = 1000  # lines of one account, day and reference in one message
_SAME_ITEM = (
    "l.rail = :rail AND l.account = s.account AND l.booked_on = s.booked_on AND l.bank_ref = s.bank_ref"
    " AND l.direction = s.direction"
)


def see_known(uow: UnitOfWork, rail_id: str) -> int:
    """Note for each booked line the known line that it is, by account, day, reference, direction and sum; returns how
    many are left, each with its turn among those of the same reference."""
    uow.execute(
        "INSERT INTO stage_found (no, statement, known) SELECT s.no, s.statement, l.id FROM stage_line s"
        " JOIN stage_statement t ON t.place = s.statement AND t.fresh"
        f" LEFT JOIN escrow.statement_line l ON {_SAME_ITEM} AND l.fen = s.fen WHERE s.booked",
        rail=rail_id,
    )
    uow.execute(
        "INSERT INTO escrow.line_sighting SELECT f.known, t.id, s.bank_ref, s.booked_on FROM stage_found f"
        " JOIN stage_statement t ON t.place = f.statement JOIN stage_line s ON s.no = f.no WHERE f.known IS NOT NULL"
        " ON CONFLICT DO NOTHING"
    )
    uow.conn.exec_driver_sql(
        "CREATE TEMPORARY TABLE IF NOT EXISTS stage_rest (LIKE stage_line, kind text NOT NULL, turn int NOT NULL,"
        " known uuid, why text, line uuid) ON COMMIT DELETE ROWS; TRUNCATE stage_rest"
    )
    uow.execute(
        "INSERT INTO stage_rest SELECT s.*, t.kind, row_number() OVER (PARTITION BY s.account, s.booked_on, s.bank_ref,"
        " s.direction ORDER BY s.no), NULL, NULL, NULL FROM stage_found f JOIN stage_line s ON s.no = f.no"
        " JOIN stage_statement t ON t.place = s.statement WHERE f.known IS NULL"
    )
    uow.conn.exec_driver_sql("ANALYZE stage_rest")
    return int(uow.scalar("SELECT coalesce(max(turn), 0) FROM stage_rest"))


def recognise_rest(uow: UnitOfWork, rail_id: str, turn: int) -> list[Event]:
    """Recognise what is left of one turn by the weaker signs; what stays without `known` is new."""
    at_turn = {"rail": rail_id, "turn": turn}
    uow.execute(
        "UPDATE stage_rest s SET known = l.id, why = CASE WHEN l.fen = s.fen THEN 'SAME' ELSE 'AMOUNT' END FROM ("
        f"SELECT DISTINCT ON (s.no) s.no, l.id, l.fen FROM stage_rest s JOIN escrow.statement_line l ON {_SAME_ITEM}"
        " WHERE s.turn = :turn ORDER BY s.no, l.fen <> s.fen, l.known_at, l.id) l WHERE l.no = s.no",
        **at_turn,
    )
    # The same item under another reference: the k-th such line is the k-th known one that no day's statement held.
    uow.execute(
        "WITH told AS (SELECT s.no, s.account, s.booked_on, s.direction, s.fen, s.our_number, row_number() OVER (PARTITION BY"
        " s.account, s.booked_on, s.direction, s.fen, s.our_number ORDER BY s.no) AS k FROM stage_rest s"
        " WHERE s.turn = :turn AND s.known IS NULL AND s.kind = 'DAY'),"
        " ours AS (SELECT l.id, l.account, l.booked_on, l.direction, l.fen, l.our_number, row_number() OVER (PARTITION BY"
        " l.account, l.booked_on, l.direction, l.fen, l.our_number ORDER BY l.known_at, l.id) AS k"
        " FROM (SELECT DISTINCT account, booked_on, direction, fen, our_number FROM told) d JOIN escrow.statement_line l"
        " ON l.rail = :rail AND l.account = d.account AND l.booked_on = d.booked_on AND l.fen = d.fen"
        f" AND l.direction = d.direction AND l.our_number = d.our_number WHERE {UNHELD} AND NOT EXISTS (SELECT 1 FROM stage_line g"
        " WHERE g.account = l.account AND g.bank_ref = l.bank_ref))"
        " UPDATE stage_rest s SET known = o.id, why = 'SAME' FROM told t JOIN ours o USING (account, booked_on, direction, fen,"
        " our_number, k) WHERE s.no = t.no",
        **at_turn,
    )
    _over_the_cut_off(uow, rail_id, turn)
    uow.execute(
        "INSERT INTO escrow.line_sighting SELECT r.known, t.id, r.bank_ref, r.booked_on FROM stage_rest r"
        " JOIN stage_statement t ON t.place = r.statement WHERE r.turn = :turn AND r.known IS NOT NULL ON CONFLICT DO NOTHING",
        turn=turn,
    )
    return _tell(uow, rail_id, turn)


def _over_the_cut_off(uow: UnitOfWork, rail_id: str, turn: int) -> None:
    """An item of the days before that no day's statement held stands in this one: the first of them for each line."""
    pairs = uow.all(
        "SELECT s.no, l.id FROM stage_rest s CROSS JOIN generate_series(1, :days) AS back JOIN escrow.statement_line l"
        " ON l.rail = :rail AND l.account = s.account AND l.booked_on = s.booked_on - back::int AND l.fen = s.fen"
        " AND l.direction = s.direction AND (l.bank_ref = s.bank_ref OR s.our_number <> '' AND l.our_number = s.our_number)"
        f" WHERE s.turn = :turn AND s.known IS NULL AND s.kind = 'DAY' AND {UNHELD} ORDER BY s.no, l.known_at, l.id",
        rail=rail_id, turn=turn, days=CUT_OFF_DAYS,
    )  # fmt: skip
    chosen: dict[int, UUID] = {}
    taken: set[UUID] = set()
    for pair in pairs:
        if pair["no"] not in chosen and pair["id"] not in taken:
            chosen[pair["no"]] = pair["id"]
            taken.add(pair["id"])
    if chosen:
        uow.execute(
            "UPDATE stage_rest s SET known = p.id, why = 'CUTOFF' FROM unnest(CAST(:nos AS bigint[]), CAST(:ids AS uuid[]))"
            " AS p (no, id) WHERE s.no = p.no",
            nos=list(chosen), ids=list(chosen.values()),
        )  # fmt: skip


def _tell(uow: UnitOfWork, rail_id: str, turn: int) -> list[Event]:
    rows = uow.all(
        "SELECT s.why, s.account, s.booked_on, s.fen, t.native_id, l.id, l.fen AS first_fen, l.booked_on AS first_day"
        " FROM stage_rest s JOIN escrow.statement_line l ON l.id = s.known JOIN stage_statement t ON t.place = s.statement"
        " WHERE s.turn = :turn AND s.why IN ('AMOUNT', 'CUTOFF') ORDER BY s.no",
        turn=turn,
    )
    events = found_many(uow, [_difference(rail_id, row) for row in rows])
    close_many_by_rule(
        uow,
        (
            (kind, f"line/{row['id']}", f"对账单 {row['native_id']}")
            for row in rows
            if row["why"] == "CUTOFF"
            for kind in ("CUTOFF", "MISSING_LINE")
        ),
    )
    return events


def _difference(rail_id: str, row: Any) -> Difference:
    if row["why"] == "CUTOFF":
        return Difference(
            "CUTOFF", f"line/{row['id']}", row["first_day"], rail_id, row["account"], line=row["id"],
            fen=int(row["first_fen"]),
            detail={"booked": row["first_day"].isoformat(), "stated": row["booked_on"].isoformat()},
        )  # fmt: skip
    now, first = int(row["fen"]), int(row["first_fen"])
    return Difference(
        "AMOUNT", f"line/{row['id']}/{now}", row["booked_on"], rail_id, row["account"], line=row["id"], fen=now - first,
        detail={"first": first, "now": now},
    )  # fmt: skip


def store_new(uow: UnitOfWork, rail_id: str, turn: int) -> list[UUID]:
    """Store what is new of one turn, with its sighting; returns the lines' ids in the message's order."""
    count = int(uow.scalar("SELECT count(*) FROM stage_rest WHERE turn = :turn AND known IS NULL", turn=turn))
    ids = [uow.new_id() for _ in range(count)]
    if not ids:
        return []
    uow.execute(
        "UPDATE stage_rest s SET line = n.id FROM (SELECT no, row_number() OVER (ORDER BY no) AS k FROM stage_rest"
        " WHERE turn = :turn AND known IS NULL) r JOIN unnest(CAST(:ids AS uuid[])) WITH ORDINALITY AS n (id, k) USING (k)"
        " WHERE s.no = r.no",
        turn=turn, ids=ids,
    )  # fmt: skip
    uow.execute(
        "INSERT INTO escrow.statement_line (id, rail, account, statement, bank_ref, booked_on, valued_on, fen, direction,"
        " our_number, other_name, other_account, text, document_no, is_return, is_reversal, return_code, known_at)"
        " SELECT s.line, :rail, s.account, t.id, s.bank_ref, s.booked_on, s.valued_on, s.fen, s.direction, s.our_number,"
        " s.other_name, s.other_account, s.text, s.document_no, s.is_return, s.is_reversal, s.return_code, :at"
        " FROM stage_rest s JOIN stage_statement t ON t.place = s.statement WHERE s.line = ANY(:ids) ORDER BY s.no",
        rail=rail_id, at=uow.now, ids=ids,
    )  # fmt: skip
    uow.execute(
        "INSERT INTO escrow.line_sighting SELECT s.line, t.id, s.bank_ref, s.booked_on FROM stage_rest s"
        " JOIN stage_statement t ON t.place = s.statement WHERE s.line = ANY(:ids)",
        ids=ids,
    )
    uow.execute(
        "DELETE FROM escrow.pending_line p USING stage_rest s WHERE s.line = ANY(:ids) AND p.rail = :rail"
        " AND p.account = s.account AND p.bank_ref = s.bank_ref AND p.direction = s.direction",
        ids=ids, rail=rail_id,
    )  # fmt: skip
    return ids


def show_pending(uow: UnitOfWork, rail_id: str) -> None:
    """Lines that are expected only: shown, never posted."""
    uow.execute(
        "INSERT INTO escrow.pending_line SELECT DISTINCT ON (s.account, s.booked_on, s.bank_ref, s.direction) :rail, s.account,"
        " s.bank_ref, s.booked_on, s.fen, s.direction, s.other_name, s.text, :at FROM stage_line s JOIN stage_statement t"
        " ON t.place = s.statement AND t.fresh WHERE NOT s.booked ORDER BY s.account, s.booked_on, s.bank_ref, s.direction, s.no DESC"
        " ON CONFLICT (rail, account, booked_on, bank_ref, direction) DO UPDATE SET fen = excluded.fen, seen_at = excluded.seen_at",
        rail=rail_id, at=uow.now,
    )  # fmt: skip


def close_missing(uow: UnitOfWork) -> None:
    """What a day's statement was said to lack, and the holder has stated now, whatever day it is of."""
    uow.execute(
        "UPDATE escrow.recon_break b SET state = 'CLOSED', closed_at = :at, closed_by = :by, close_document = '对账单 ' || d.native_id,"
        " owner = coalesce(b.owner, :by) FROM (SELECT DISTINCT ON (known) known, native_id FROM (SELECT statement, known"
        " FROM stage_found UNION ALL SELECT statement, known FROM stage_rest) f JOIN stage_statement t ON t.place = f.statement"
        " WHERE known IS NOT NULL AND t.kind = 'DAY' AND EXISTS (SELECT 1 FROM escrow.recon_break o WHERE o.line = f.known"
        " AND o.kind = 'MISSING_LINE' AND o.state <> 'CLOSED') ORDER BY known, t.place) d"
        " WHERE b.line = d.known AND b.kind = 'MISSING_LINE' AND b.state <> 'CLOSED'",
        at=uow.now, by=uow.actor.id,
    )  # fmt: skip
