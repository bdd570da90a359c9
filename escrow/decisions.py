"""What two persons decide together: one proposes, another confirms; both stand on the same words (digest)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from escrow import (
    assigning,
    breaks,
    case_state,
    cases,
    deposits,
    freezes,
    ledger,
    returns,
    seats,
    stops,
    suspense,
    words,
)
from escrow.desk import RailDesk
from escrow.line_rows import PLACE
from escrow.results import Event, Result, need_role, refuse, said
from escrow.terms import PartyTerms
from foundation.unit_of_work import UnitOfWork
from schemas.canonical import digest


def _propose(
    uow: UnitOfWork,
    kind: str,
    subject: str,
    body: dict[str, Any],
    reason: str,
    document: str = "",
    case_id: UUID | None = None,
) -> Result:
    need_role(uow, "propose")
    known = uow.one("SELECT id, digest FROM escrow.decision WHERE kind = :kind AND subject = :subject AND state = 'PROPOSED'",
                    kind=kind, subject=subject)  # fmt: skip
    if known is not None:
        if known["digest"] != digest(body):
            raise refuse(
                "BUSINESS_KEY_CONFLICT", "decision", subject, "the proposal that is open; reject it first"
            )
        return Result(id=known["id"])
    decision = uow.new_id()
    uow.execute(
        "INSERT INTO escrow.decision (id, kind, case_id, subject, body, digest, reason, document, proposed_by, proposed_at)"
        " VALUES (:id, :kind, :case, :subject, CAST(:body AS jsonb), :digest, :reason, :document, :by, :at)",
        id=decision, kind=kind, case=case_id, subject=subject, body=orjson.dumps(body, default=str).decode(), digest=digest(body),
        reason=said(reason, "reason"), document=document.strip(), by=uow.actor.id, at=uow.now,
    )  # fmt: skip
    return Result(
        [case_state.event(uow, case_id, "DECISION_PROPOSED", decision=decision, kind=kind)], decision
    )


def propose_split(uow: UnitOfWork, line_id: UUID, parts: list[tuple[UUID | str, int]], reason: str) -> Result:
    """Propose whose a credit in suspense is: (case, fen) parts that sum to it to the fen. Raises Refused."""
    found = [(cases.find_case(uow, ref), int(fen)) for ref, fen in parts]
    suspense.check_split(uow, line_id, found)
    body = {"line": str(line_id), "parts": [[str(case_id), fen] for case_id, fen in found]}
    return _propose(uow, "SPLIT", str(line_id), body, reason)


def propose_payee(
    uow: UnitOfWork, case: UUID | str, seat: str, new: PartyTerms, reason: str, document: str
) -> Result:
    """Propose that another person takes a payee's seat (heir, assignee), or that the same person is paid to another
    account; `document`: the paper. Raises Refused DOCUMENT_REQUIRED, PAYEE_NOT_AGREED."""
    case_id = cases.find_case(uow, case)
    said(document, "document", "DOCUMENT_REQUIRED", "the paper that shows the right")
    body = seats.proposed(uow, case_id, seat, new)
    return _propose(uow, "PAYEE", f"{case_id}/{seat}", body, reason, document, case_id)


def propose_deposit(
    uow: UnitOfWork,
    case: UUID | str,
    seat: str,
    ground: str,
    depositary: PartyTerms,
    reason: str,
    document: str,
) -> Result:
    """Propose a deposit 提存: a depositary (notary office, with its account) is paid in the payee's place, because he
    REFUSES, is NOT_FOUND, has DIED with nobody named to act for him, or has lost his capacity (NO_CAPACITY; Civil Code
    570). `document`: the depositary's decision. Raises Refused CODE_UNKNOWN, DOCUMENT_REQUIRED, PAYEE_NOT_AGREED."""
    case_id = cases.find_case(uow, case)
    if ground not in deposits.GROUNDS:
        raise refuse("CODE_UNKNOWN", "ground", ground, ", ".join(deposits.GROUNDS))
    said(document, "document", "DOCUMENT_REQUIRED", "the depositary's decision to take the deposit")
    body = {**seats.proposed(uow, case_id, seat, depositary), "ground": ground}
    return _propose(uow, "DEPOSIT", f"{case_id}/{seat}", body, reason, document, case_id)


def propose_short_return(uow: UnitOfWork, order_id: UUID, reason: str) -> Result:
    """Propose to take back a return that is smaller than the payment (the other bank kept a fee)."""
    row = uow.one("SELECT case_id, number FROM escrow.payment_order WHERE id = :id", id=order_id)
    parked = uow.scalar(
        "SELECT amount_fen FROM escrow.entry WHERE order_id = :id AND kind = 'RETURN_PARKED'", id=order_id
    )
    if row is None or parked is None:
        raise refuse("NOT_FOUND", "order", order_id, "an order with a parked return")
    return _propose(
        uow,
        "SHORT_RETURN",
        str(order_id),
        {"order": str(order_id), "fen": int(parked)},
        reason,
        case_id=row["case_id"],
    )


def propose_settlement(uow: UnitOfWork, order_id: UUID, outcome: str, reason: str, document: str) -> Result:
    """Propose what became of an order whose outcome is UNKNOWN, on a document of the holder. `outcome`: REFUSED or
    NOT_SENT; that it was paid is shown by a statement line only. Raises Refused NOT_FOUND, UNKNOWN_STAYS, DOCUMENT_REQUIRED."""
    row = uow.one("SELECT case_id, outcome FROM escrow.payment_order WHERE id = :id", id=order_id)
    if row is None:
        raise refuse("NOT_FOUND", "order", order_id, "an order")
    if row["outcome"] != "UNKNOWN" or outcome not in ("REFUSED", "NOT_SENT"):
        raise refuse("UNKNOWN_STAYS", "outcome", outcome, "REFUSED or NOT_SENT of an UNKNOWN order")
    said(document, "document", "DOCUMENT_REQUIRED", "the holder's paper")
    body = {"order": str(order_id), "outcome": outcome}
    return _propose(uow, "SETTLE", str(order_id), body, reason, document, row["case_id"])


def propose_fee(uow: UnitOfWork, line_id: UUID, case: UUID | str, reason: str) -> Result:
    """Propose that an unposted debit is a holder's fee that this case bears. Raises Refused NOT_FOUND."""
    case_id = cases.find_case(uow, case)
    waiting = uow.scalar(
        "SELECT 1 FROM escrow.line_placing WHERE line = :line AND placed = 'UNPOSTED'", line=line_id
    )
    if waiting is None:
        raise refuse("NOT_FOUND", "line", line_id, "an unposted debit")
    return _propose(
        uow, "FEE", str(line_id), {"line": str(line_id), "case": str(case_id)}, reason, case_id=case_id
    )


def confirm_decision(
    uow: UnitOfWork, desk: RailDesk, decision_id: UUID, digest_seen: str | None = None
) -> Result:
    """A second person confirms, and what was proposed is done. Raises Refused SAME_PERSON, DIGEST_CHANGED, NOT_FOUND."""
    need_role(uow, "confirm")
    row = _open(uow, decision_id)
    if row["proposed_by"] == uow.actor.id:
        raise refuse("SAME_PERSON", "actor", uow.actor.id, "another person than the proposer")
    if digest_seen is not None and digest_seen != row["digest"]:
        raise refuse("DIGEST_CHANGED", "digest", digest_seen, row["digest"])
    _decide(uow, decision_id, "CONFIRMED")
    acts: dict[str, Callable[[UnitOfWork, RailDesk, RowMapping], list[Event]]] = {
        "SPLIT": _split, "PAYEE": _payee, "SHORT_RETURN": _short_return, "SETTLE": _settle, "FEE": _fee,
        "DEPOSIT": _deposit,
    }  # fmt: skip
    return Result(acts[row["kind"]](uow, desk, row), decision_id)


def reject_decision(uow: UnitOfWork, decision_id: UUID, reason: str) -> Result:
    """Turn a proposal down; its proposer may take it back himself."""
    need_role(uow, "propose")
    row = _open(uow, decision_id)
    said(reason, "reason")
    _decide(uow, decision_id, "REJECTED")
    return Result(
        [case_state.event(uow, row["case_id"], "DECISION_REJECTED", decision=decision_id, reason=reason)],
        decision_id,
    )


def _open(uow: UnitOfWork, decision_id: UUID) -> RowMapping:
    case_id = uow.scalar("SELECT case_id FROM escrow.decision WHERE id = :id", id=decision_id)
    if case_id is not None:
        ledger.lock_case(uow, case_id)
    row = uow.one("SELECT * FROM escrow.decision WHERE id = :id FOR UPDATE", id=decision_id)
    if row is None or row["state"] != "PROPOSED":
        raise refuse("NOT_FOUND", "decision", decision_id, "an open proposal")
    return row


def _decide(uow: UnitOfWork, decision_id: UUID, state: str) -> None:
    uow.execute(
        "UPDATE escrow.decision SET state = :state, decided_by = :by, decided_at = :at WHERE id = :id",
        state=state, by=uow.actor.id, at=uow.now, id=decision_id,
    )  # fmt: skip


def _split(uow: UnitOfWork, desk: RailDesk, row: RowMapping) -> list[Event]:
    parts = [(UUID(case_id), int(fen)) for case_id, fen in row["body"]["parts"]]
    return assigning.apply_split(uow, row["id"], UUID(row["body"]["line"]), parts)


def _payee(uow: UnitOfWork, desk: RailDesk, row: RowMapping) -> list[Event]:
    body, case_id = row["body"], row["case_id"]
    old, _, events = seats.give(uow, case_id, body, row["document"])
    deposits.drop(uow, old["id"])
    return events + stops.end(uow, case_id, "PAYEE_DEAD", row["document"], old["key"]).events


def _deposit(uow: UnitOfWork, desk: RailDesk, row: RowMapping) -> list[Event]:
    body, case_id = row["body"], row["case_id"]
    old, new, events = seats.give(uow, case_id, body, row["document"])
    events.append(
        deposits.record(uow, case_id, old["key"], old["id"], new, body["ground"], row["document"], row["id"])
    )
    return events + stops.end(uow, case_id, "PAYEE_DEAD", row["document"], old["key"]).events


def _short_return(uow: UnitOfWork, desk: RailDesk, row: RowMapping) -> list[Event]:
    order = uow.one(
        "SELECT * FROM escrow.payment_order WHERE id = :id FOR NO KEY UPDATE", id=UUID(row["body"]["order"])
    )
    assert order is not None
    fen, case_id = int(row["body"]["fen"]), order["case_id"]
    parts = [
        (ledger.account(uow, "returned", case_id), fen),
        (ledger.account(uow, "case_escrow", case_id), -fen),
    ]
    grounds = ledger.Grounds(order=order["id"], decision=row["id"])
    entry = ledger.post(uow, f"taken/{order['id']}", "RETURN_TAKEN", fen, parts, case_id, grounds)
    breaks.close_by_rule(uow, "RETURN", f"order/{order['id']}", row["reason"], entry)
    return returns.settle(uow, order, fen, None)


def _settle(uow: UnitOfWork, desk: RailDesk, row: RowMapping) -> list[Event]:
    order = uow.one(
        "SELECT rail, number FROM escrow.payment_order WHERE id = :id", id=UUID(row["body"]["order"])
    )
    assert order is not None
    result = words.record_outcome(
        uow,
        desk,
        order["rail"],
        order["number"],
        row["body"]["outcome"],
        "PERSON",
        text=f"{row['document']} {row['reason']}",
    )
    return result.events


def _fee(uow: UnitOfWork, desk: RailDesk, row: RowMapping) -> list[Event]:
    line = uow.one(f"SELECT {PLACE} WHERE l.id = :id", id=UUID(row["body"]["line"]))
    assert line is not None
    fen, case_id = int(line["fen"]), UUID(row["body"]["case"])
    fee = ledger.account(uow, "fee", case_id)
    parts = [
        (ledger.account(uow, "case_escrow", case_id), fen),
        (fee, -fen),
        (fee, fen),
        (line["custody_ledger"], -fen),
    ]
    grounds = ledger.Grounds(line=line["id"], decision=row["id"], custody=line["custody"])
    entry = ledger.post(uow, f"line/{line['id']}", "FEE", fen, parts, case_id, grounds)
    uow.execute(
        "UPDATE escrow.line_placing SET placed = 'POSTED', meaning = 'FEE', case_id = :case, at = :at WHERE line = :line",
        case=case_id, at=uow.now, line=line["id"],
    )  # fmt: skip
    for kind in ("FEE", "UNEXPECTED_DEBIT"):
        breaks.close_by_rule(uow, kind, f"line/{line['id']}", row["reason"], entry)
    return [
        case_state.event(uow, case_id, "FEE_BOOKED", fen=fen),
        *freezes.fill(uow, case_id),
        *case_state.allocate(uow, case_id),
    ]
