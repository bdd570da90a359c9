"""What a rail's message says, as plain facts: for the exchange log, the command line and people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import escrow

MOST_ENTRIES = 500
# What an outcome asks of us (escrow.md, payment_outcome).
NEXT = {
    "UNKNOWN": "ask with the same number; never a new number; never failed by waiting",
    "IN_PROCESS": "ask again",
    "ACCEPTED": "ask again; a statement line proves",
    "DONE": "the rail's word; a statement line proves",
    "NOT_SENT": "the same number may be sent again",
    "REFUSED": "correct payee, new approval, new order number",
}
REPEATABLE = "same number may be used again once the cause is gone"
ASK_FIRST = "query once to be sure"


def rows_of(advice: escrow.Advice) -> int:
    """How many rows of the message can have an effect."""
    rows = (advice.lines, advice.outcomes, advice.returns, advice.cancels, advice.sent)
    return sum(len(each) for each in rows) or len(advice.statements)


def facts_of(advice: escrow.Advice, places: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """What was read, and where its lines were placed (``escrow.places_of``)."""
    entries = _entries(advice, places)
    facts: dict[str, Any] = {
        "kind": advice.kind,
        "message_type": advice.message_type,
        "code": advice.code,
        "outcomes": [_outcome(one, advice) for one in advice.outcomes],
        "returns": [{"number": r.number, "fen": int(r.amount), "outcome": "RETURNED"} for r in advice.returns],
        "cancels": [{"number": c.number, "answer": c.answer} for c in advice.cancels],
        "ask": list(advice.ask),
        "sent": [{"number": one.number, "fen": int(one.amount)} for one in advice.sent],
        "sent_fen": sum(int(one.amount) for one in advice.sent),
        "lines": len(advice.lines),
        "lines_fen": sum(int(line.signed) for line in advice.lines),
        "booked": sum(line.booked for line in advice.lines),
        "proves": [line.our_number for line in advice.lines if _proves(line)],
        "statements": [
            {"account": s.account, "kind": s.kind, "sequence": s.sequence, "opening_fen": s.opening, "closing_fen": s.closing}
            for s in advice.statements
        ],
        "entries": entries,
        "suspense_entries": [each["no"] for each in entries if each["placed"] == "SUSPENSE"],
        "matched_by_account": sum(each["placed"] == "CREDIT" for each in entries),
    }  # fmt: skip
    if advice.batch:
        b = advice.batch
        facts["batch"] = {
            "batch_id": b.batch_id,
            "outcome": b.outcome,
            "rail_status": b.rail_status,
            "reason": b.reason_code,
        }
    return facts


def _proves(line: Any) -> bool:
    return bool(line.booked and line.our_number and line.direction == "DBIT" and not line.reversal)


def _outcome(one: Any, advice: escrow.Advice) -> dict[str, Any]:
    asked = one.number in advice.ask or not one.number
    step = REPEATABLE if one.outcome == "REFUSED" and one.may_repeat else NEXT[one.outcome]
    return {
        "number": one.number,
        "outcome": one.outcome,
        "rail_status": one.rail_status,
        "reason": one.reason_code,
        "reference": one.rail_reference,
        "fen": None if one.amount is None else int(one.amount),
        "next": ASK_FIRST if one.outcome == "NOT_SENT" and asked else step,
    }


def _entries(advice: escrow.Advice, places: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each line in the message's order, with what it was placed as."""
    placed = {(p["account"], p["booked_on"], p["bank_ref"], p["direction"]): p for p in places}
    found = []
    for no, line in enumerate(advice.lines[:MOST_ENTRIES], start=1):
        direction = "CREDIT" if line.direction == "CRDT" else "DEBIT"
        place = placed.get((line.account, line.booking_date, line.bank_ref, direction), {})
        found.append(
            {
                "no": no,
                "account": line.account,
                "fen": int(line.signed),
                "booked": line.booked,
                "our_number": line.our_number or "",
                "placed": place.get("meaning", "") if line.booked else "PENDING",
                "case": place.get("mediation_number") or "",
            }
        )
    return found
