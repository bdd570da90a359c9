"""Many payouts proved at once: the entries, outcomes and states of `payouts.prove` for a message of plain debits."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import RowMapping

from escrow import case_state, ledger, payouts
from escrow.results import Event
from foundation.unit_of_work import UnitOfWork


def short_of_money(uow: UnitOfWork, rows: Sequence[RowMapping]) -> set[UUID]:
    """Cases of which the ledger holds less at the custody account than these lines took: a top-up is to be presumed
    there, line by line (`payouts`)."""
    took: dict[tuple[UUID, UUID], int] = {}
    for row in rows:
        place = (row["case_id"], row["custody"])
        took[place] = took.get(place, 0) + int(row["fen"])
    held = {
        (row["case_id"], row["custody"]): int(row["fen"])
        for row in uow.all(
            "SELECT case_id, custody, fen FROM escrow.v_holding WHERE case_id = ANY(CAST(:cases AS uuid[]))",
            cases=[case_id for case_id, _ in took],
        )
    }
    return {place[0] for place, fen in took.items() if held.get(place, 0) < fen}


def prove_many(uow: UnitOfWork, rail_id: str, rows: Sequence[RowMapping]) -> list[Event]:
    """Post the proof of each line's order: in transit → custody, DONE and PAID; each case then moves once.

    `rows`: lines judged plain by `placing_sets`, with their attempt and order; no two of one attempt.
    """
    if not rows:
        return []
    cases = list(dict.fromkeys(row["case_id"] for row in rows))
    in_transit = {
        row["case_id"]: row["id"]
        for row in uow.all(
            "SELECT id, case_id FROM escrow.account WHERE kind = 'in_transit' AND key = :rail"
            " AND case_id = ANY(CAST(:cases AS uuid[]))",
            rail=rail_id, cases=cases,
        )
    }  # fmt: skip
    ledger.post_many(
        uow,
        [
            ledger.Pair(
                f"line/{row['id']}", "PAYOUT", int(row["fen"]), in_transit[row["case_id"]], row["custody_ledger"], row["case_id"],
                ledger.Grounds(line=row["id"], order=row["order_id"], custody=row["custody"]),
            )
            for row in rows
        ],
    )  # fmt: skip
    _mark(uow, rows)
    named = {
        row["id"]: row
        for row in uow.all(
            "SELECT id, dispute, mediation_number FROM escrow.escrow_case WHERE id = ANY(CAST(:cases AS uuid[]))",
            cases=cases,
        )
    }
    events: list[Event] = [
        {
            "event": "PAYOUT_PROVED", "case_id": row["case_id"], "dispute": named[row["case_id"]]["dispute"],
            "mediation_number": named[row["case_id"]]["mediation_number"], "order_id": row["order_id"],
            "number": row["our_number"], "fen": int(row["amount_fen"]), "payee": row["payee_name"],
            "instalment": row["instalment"], "booked_on": row["booked_on"],
        }
        for row in rows
    ]  # fmt: skip
    for case_id in cases:
        events += case_state.move_if_allowed(uow, case_id, "proof")
        events += payouts.close_down(uow, case_id)
    return events


def _mark(uow: UnitOfWork, rows: Sequence[RowMapping]) -> None:
    """Each line is the last word on its instruction: DONE, proved, nothing left to ask; its order is PAID."""
    attempts, lines = [row["attempt"] for row in rows], [row["id"] for row in rows]
    uow.execute(
        "INSERT INTO escrow.outcome_note (attempt, at, source, outcome, applied, actor) SELECT a, :at, 'LINE', 'DONE', true, :by"
        " FROM unnest(CAST(:attempts AS uuid[])) AS a",
        attempts=attempts, at=uow.now, by=uow.actor.id,
    )  # fmt: skip
    uow.execute(
        "UPDATE escrow.rail_attempt a SET outcome = 'DONE', proved_by = p.line, state = 'SENT', next_ask = NULL,"
        " lease_until = NULL, first_sent_at = coalesce(first_sent_at, intended_at)"
        " FROM unnest(CAST(:attempts AS uuid[]), CAST(:lines AS uuid[])) AS p (attempt, line) WHERE a.id = p.attempt",
        attempts=attempts, lines=lines,
    )  # fmt: skip
    uow.execute(
        "UPDATE escrow.payment_order SET state = 'PAID', outcome = 'DONE', moved_at = :at WHERE id = ANY(CAST(:orders AS uuid[]))",
        at=uow.now, orders=[row["order_id"] for row in rows],
    )  # fmt: skip
