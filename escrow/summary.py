"""What people see of a case: state, figures in fen, flags; and the lists behind them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from escrow import deposits, recoveries
from escrow.case_state import figures
from foundation.unit_of_work import UnitOfWork
from schemas.identifiers import uuid_in

FIGURES = ("funded_fen", "balance_fen", "held_fen", "in_transit_fen", "released_fen", "refunded_fen")
_FIND = (
    "SELECT * FROM escrow.escrow_case WHERE mediation_number = :ref OR dispute = :ref OR id = CAST(:id AS uuid)"
    " ORDER BY created_at DESC LIMIT 1"
)


def has_case(uow: UnitOfWork, ref: UUID | str) -> bool:
    """Whether there is an escrow by that id, mediation number or dispute."""
    return uow.one(_FIND, ref=str(ref), id=uuid_in(str(ref))) is not None


def escrow_case(uow: UnitOfWork, ref: UUID | str) -> dict[str, Any]:
    """State, figures (fen) and flags of a case, by id, mediation number or dispute; state NONE where there is none.

    `funded = balance + released + refunded`; `in_transit` is part of `balance`; `held` is freeze + stop; `released`
    is what statement lines prove, less returns. `deducted_fen` is what a court took, in none of the others.
    """
    case = uow.one(_FIND, ref=str(ref), id=uuid_in(str(ref)))
    if case is None:
        return {
            "id": None,
            "state": "NONE",
            "agreed_fen": 0,
            "suspense_fen": 0,
            "flags": [],
            **dict.fromkeys(FIGURES, 0),
        }
    f = figures(uow, case["id"])
    names = ("id", "dispute", "mediation_number", "agreement_no", "version", "title", "state", "agreed_fen", "confirmation",
             "signed_on", "void_at", "void_reason", "created_at", "late_fen")  # fmt: skip
    return {
        **{name: case[name] for name in names},
        **{name: int(f[name]) for name in FIGURES},
        "free_fen": max(0, int(f["free_fen"]) - int(f["stopped_fen"])),
        "frozen_fen": int(f["frozen_fen"]),
        "payable_fen": int(f["payable_fen"]),
        "deducted_fen": int(f["deducted_fen"]),
        "fee_fen": int(f["fee_fen"]),
        "suspense_fen": 0,
        "flags": flags(uow, case, f),
    }


def flags(uow: UnitOfWork, case: RowMapping, f: RowMapping) -> list[str]:
    """What an officer must see, each as one word with its number where it has one."""
    case_id = case["id"]
    found = [*_instalment_flags(uow, case), *_order_flags(uow, case_id), *_hold_flags(uow, case_id)]
    found += [*deposits.flags(uow, case_id), *recoveries.flags(uow, case_id)]
    if case["late_fen"] > 0:
        found.append("LATE_MONEY")
    if case["split_missing"]:
        found.append("BANK_SPLIT_MISSING")
    if case["withdrawn_at"] is not None and f["in_transit_fen"] > 0:
        found.append("MONEY_IN_FLIGHT")
    excess = int(f["balance_fen"]) + int(f["released_fen"]) - int(f["agreed_fen"])
    if excess > 0 and f["balance_fen"] > 0 and case["void_at"] is None:
        found.append(f"EXCESS:{excess}")
    hinted = uow.scalar(
        "SELECT 1 FROM escrow.suspense_hint h JOIN escrow.v_suspense s ON s.line = h.line WHERE h.case_id = :id LIMIT 1",
        id=case_id,
    )
    if hinted is not None:
        found.append("SUSPENSE")
    if case["paper"] and case["entered_at"] is None:
        found.append("AGREEMENT_NOT_ENTERED")
    return list(dict.fromkeys(found))


def _instalment_flags(uow: UnitOfWork, case: RowMapping) -> list[str]:
    rows = uow.all(
        "SELECT number, state FROM escrow.instalment WHERE case_id = :id AND version = :version"
        " AND state IN ('OVERDUE', 'DEFAULTED') ORDER BY number",
        id=case["id"], version=case["version"],
    )  # fmt: skip
    words = {"OVERDUE": "OVERDUE", "DEFAULTED": "DEFAULT"}
    return [f"{words[row['state']]}:{row['number']}" for row in rows]


def _order_flags(uow: UnitOfWork, case_id: UUID) -> list[str]:
    """The rail's word is shown for orders that were once UNKNOWN and are not proved yet."""
    found = []
    words = {
        "UNKNOWN": "UNKNOWN",
        "IN_PROCESS": "IN_PROCESS",
        "ACCEPTED": "IN_PROCESS",
        "DONE": "DONE_BY_RAIL",
    }
    rows = uow.all(
        "SELECT DISTINCT outcome FROM escrow.payment_order WHERE case_id = :id AND was_unknown AND state IN ('DISPATCHING', 'SENT')",
        id=case_id,
    )
    found += sorted(words[row["outcome"]] for row in rows if row["outcome"] in words)
    announced = uow.scalar(
        "SELECT 1 FROM escrow.return_advice r JOIN escrow.rail_attempt a ON a.id = r.attempt WHERE a.case_id = :id"
        " AND r.proved_by IS NULL LIMIT 1",
        id=case_id,
    )
    if announced is not None:
        found.append("RETURN_ANNOUNCED")
    if _returned_unpaid(uow, case_id):
        found.append("RETURNED")
    return found


def _returned_unpaid(uow: UnitOfWork, case_id: UUID) -> bool:
    """Whether a payment came back and no order that took its place was paid yet."""
    return bool(
        uow.scalar(
            "WITH RECURSIVE after AS (SELECT id AS root, id FROM escrow.payment_order WHERE case_id = :id"
            " AND state IN ('RETURNED', 'REISSUED') UNION ALL SELECT after.root, o.id FROM after"
            " JOIN escrow.payment_order o ON o.replaces = after.id)"
            " SELECT EXISTS (SELECT 1 FROM after JOIN escrow.payment_order o ON o.id = after.id GROUP BY after.root"
            " HAVING NOT bool_or(o.state = 'PAID') AND NOT bool_or(o.state = 'CLOSED'))",
            id=case_id,
        )
    )


def _hold_flags(uow: UnitOfWork, case_id: UUID) -> list[str]:
    frozen = int(
        uow.scalar(
            "SELECT coalesce(sum(amount_fen - deducted_fen), 0) FROM escrow.freeze WHERE case_id = :id AND state = 'ACTIVE'",
            id=case_id,
        )
    )
    found = [f"HOLD:{frozen}"] if frozen else []
    for row in uow.all(
        "SELECT flag, amount_fen FROM escrow.stop WHERE case_id = :id AND ended_at IS NULL ORDER BY placed_at",
        id=case_id,
    ):
        found.append(f"{row['flag']}:{row['amount_fen']}" if row["amount_fen"] is not None else row["flag"])
    return found


def escrow_detail(uow: UnitOfWork, ref: UUID | str) -> dict[str, Any]:
    """A case with its instalments, parties, orders and approvals, holds, stops, credits, lines, ledger and breaks."""
    case = escrow_case(uow, ref)
    if case["id"] is None:
        return case
    lists = {
        "instalments": "SELECT i.*, (SELECT jsonb_agg(jsonb_build_object('payee', s.payee, 'fen', s.fen)) FROM escrow.share s"
        " WHERE s.instalment = i.id) AS payees FROM escrow.instalment i WHERE i.case_id = :id AND i.version = :version ORDER BY number",
        "parties": "SELECT p.*, (SELECT coalesce(jsonb_agg(jsonb_build_object('rail', a.rail, 'number', a.number, 'name', a.name,"
        " 'bank_code', a.bank_code, 'bank_name', a.bank_name)), '[]') FROM escrow.pay_account a WHERE a.party = p.id AND a.active)"
        " AS accounts FROM escrow.party p WHERE p.case_id = :id AND p.version = :version ORDER BY p.role, p.key, p.since",
        "accounts": "SELECT rail, number, kind, mirror_fen, last_day, last_closing, booked_fen, available_fen, told_at"
        " FROM escrow.bank_account WHERE case_id = :id",
        "orders": "SELECT * FROM escrow.v_order WHERE case_id = :id ORDER BY drafted_at DESC LIMIT 500",
        "freezes": "SELECT f.*, a.balance AS held_fen FROM escrow.freeze f JOIN escrow.account a ON a.id = f.ledger"
        " WHERE f.case_id = :id ORDER BY queue_no",
        "stops": "SELECT * FROM escrow.stop WHERE case_id = :id ORDER BY placed_at DESC LIMIT 200",
        "fundings": "SELECT * FROM escrow.funding WHERE case_id = :id ORDER BY at DESC LIMIT 500",
        "lines": "SELECT l.*, p.placed, p.meaning FROM escrow.line_placing p JOIN escrow.statement_line l ON l.id = p.line"
        " WHERE p.case_id = :id ORDER BY l.known_at DESC LIMIT 500",
        "pending": "SELECT p.* FROM escrow.pending_line p JOIN escrow.bank_account b ON b.rail = p.rail AND b.number = p.account"
        " WHERE b.case_id = :id ORDER BY p.seen_at DESC LIMIT 100",
        "ledger": "SELECT * FROM escrow.v_ledger WHERE case_id = :id ORDER BY at, entry, account LIMIT 2000",
        "decisions": "SELECT * FROM escrow.decision WHERE case_id = :id ORDER BY proposed_at DESC LIMIT 200",
        "deposits": "SELECT d.*, p.name AS payee_name, q.name AS depositary_name FROM escrow.deposit d JOIN escrow.party p"
        " ON p.id = d.payee JOIN escrow.party q ON q.id = d.depositary WHERE d.case_id = :id ORDER BY d.decided_at",
        "recoveries": "SELECT r.*, p.key AS seat, p.name FROM escrow.recovery r JOIN escrow.party p ON p.id = r.party"
        " WHERE r.case_id = :id ORDER BY r.opened_at, r.id",
        "breaks": "SELECT * FROM escrow.v_break WHERE case_id = :id ORDER BY found_at DESC LIMIT 200",
        "listed": "SELECT * FROM escrow.v_listed_item WHERE case_id = :id",
    }
    for name, sql in lists.items():
        params = {"id": case["id"], **({"version": case["version"]} if ":version" in sql else {})}
        case[name] = [dict(row) for row in uow.all(sql, **params)]
    return case
