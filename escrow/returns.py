"""Payments that come back (退汇): announced by advice, proved by the credit, paid again by a new, linked order."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import RowMapping

from escrow import breaks, case_state, credits, deposits, freezes, ledger, recoveries
from escrow.line_rows import Placed, unposted
from escrow.rails import ReturnAdvice
from escrow.results import Event, Result, refuse, said
from foundation.unit_of_work import UnitOfWork


def take_advice(uow: UnitOfWork, rail_id: str, advice: ReturnAdvice) -> Result:
    """Note an announced return; the ledger waits for the credit. Its identity is the return's own id, however often
    and under whichever message it comes.

    Raises Refused UNKNOWN_ORIGINAL for a payment that is not ours, AMOUNT_MISMATCH for more than was sent.
    """
    attempt = uow.one(
        "SELECT * FROM escrow.rail_attempt WHERE rail = :rail AND number = :number",
        rail=rail_id,
        number=advice.number,
    )
    if attempt is None:
        raise refuse(
            "UNKNOWN_ORIGINAL", "return/number", advice.number, "an order we sent", "park and ask the bank"
        )
    if advice.amount > attempt["fen"]:
        raise refuse(
            "AMOUNT_MISMATCH", "return/amount", int(advice.amount), attempt["fen"], "park; nothing posted"
        )
    if attempt["case_id"] is not None:
        ledger.lock_case(uow, attempt["case_id"])
    stored = uow.execute(
        "INSERT INTO escrow.return_advice (rail, return_id, attempt, fen, code, text, received_at, proved_by) VALUES"
        " (:rail, :return_id, :attempt, :fen, :code, :text, :at, :credit) ON CONFLICT (rail, return_id) DO NOTHING",
        rail=rail_id, return_id=advice.return_id, attempt=attempt["id"], fen=int(advice.amount), code=advice.reason_code,
        text=advice.reason, at=uow.now, credit=(credit := _credited(uow, attempt["order_id"])),
    )  # fmt: skip
    if stored.rowcount == 0 or credit is not None:
        return Result(id=attempt["case_id"])
    told = case_state.event(
        uow, attempt["case_id"], "RETURN_ANNOUNCED", number=advice.number, fen=int(advice.amount), code=advice.reason_code,
        reason=advice.reason, order_id=attempt["order_id"], short=advice.amount < attempt["fen"],
    )  # fmt: skip
    return Result([told], attempt["case_id"])


def _credited(uow: UnitOfWork, order_id: UUID | None) -> UUID | None:
    """The credit of this order's return, where it came before it was announced."""
    found: UUID | None = uow.scalar(
        "SELECT e.line FROM escrow.entry e WHERE e.order_id = :id AND e.kind IN ('RETURN', 'RETURN_PARKED')"
        " AND NOT EXISTS (SELECT 1 FROM escrow.return_advice r WHERE r.proved_by = e.line) LIMIT 1",
        id=order_id,
    )
    return found


def take_return(uow: UnitOfWork, line: RowMapping, attempt: RowMapping) -> Placed:
    """The credit of a return: the whole sum goes back to the case; a smaller one is parked for a person (habit 10)."""
    if attempt["source"] == "HISTORY":
        return _history(uow, line, attempt)
    order = uow.one(
        "SELECT * FROM escrow.payment_order WHERE id = :id FOR NO KEY UPDATE", id=attempt["order_id"]
    )
    assert order is not None
    case_id = order["case_id"]
    if order["state"] in ("DISPATCHING", "SENT", "FAILED") and attempt["proved_by"] is None:
        # The debit has not been shown yet: the credit waits for it.
        return unposted(
            uow, line, "RETURN", "RETURN", case_id=case_id, order_id=order["id"], why="debit not shown yet"
        )
    if order["state"] != "PAID" or line["fen"] > order["amount_fen"] or _parked(uow, order["id"]):
        placed = credits.to_suspense(uow, line)
        kind = "AMOUNT" if line["fen"] > order["amount_fen"] else "DUPLICATE"
        placed.events += breaks.found(uow, kind, f"line/{line['id']}", line["booked_on"], case_id=case_id, order_id=order["id"],
                                      line=line["id"], fen=int(line["fen"]), detail={"number": order["number"]})  # fmt: skip
        return placed
    if line["fen"] < order["amount_fen"]:
        return _park(uow, line, order)
    fen = int(line["fen"])
    returned = ledger.account(uow, "returned", case_id)
    parts = [
        (line["custody_ledger"], fen),
        (returned, -fen),
        (returned, fen),
        (ledger.account(uow, "case_escrow", case_id), -fen),
    ]
    grounds = ledger.Grounds(line=line["id"], order=order["id"], custody=line["custody"])
    ledger.post(uow, f"line/{line['id']}", "RETURN", fen, parts, case_id, grounds)
    return Placed("POSTED", "RETURN", case_id, order["id"], settle(uow, order, fen, line))


def _parked(uow: UnitOfWork, order_id: UUID) -> bool:
    return (
        uow.scalar("SELECT 1 FROM escrow.entry WHERE order_id = :id AND kind = 'RETURN_PARKED'", id=order_id)
        is not None
    )


def _park(uow: UnitOfWork, line: RowMapping, order: RowMapping) -> Placed:
    fen, case_id = int(line["fen"]), order["case_id"]
    parts = [(line["custody_ledger"], fen), (ledger.account(uow, "returned", case_id), -fen)]
    grounds = ledger.Grounds(line=line["id"], order=order["id"], custody=line["custody"])
    ledger.post(uow, f"line/{line['id']}", "RETURN_PARKED", fen, parts, case_id, grounds)
    short = int(order["amount_fen"]) - fen
    events = breaks.found(uow, "RETURN", f"order/{order['id']}", line["booked_on"], case_id=case_id, order_id=order["id"],
                          line=line["id"], fen=short, detail={"sent": order["amount_fen"], "back": fen})  # fmt: skip
    _advice_proved(uow, order["id"], line["id"])
    parked = case_state.event(uow, case_id, "RETURN_PARKED", number=order["number"], fen=fen, short_fen=short)
    return Placed(
        "POSTED",
        "RETURN_PARKED",
        case_id,
        order["id"],
        [parked, *events, *case_state.move_if_allowed(uow, case_id, "return")],
    )


def settle(uow: UnitOfWork, order: RowMapping, fen: int, line: RowMapping | None) -> list[Event]:
    """The returned sum is the case's again: the order is RETURNED, freezes take theirs, the state follows."""
    case_id = order["case_id"]
    uow.execute(
        "UPDATE escrow.payment_order SET state = 'RETURNED', returned_fen = :fen, reason = :reason, moved_at = :at WHERE id = :id",
        fen=fen, reason=(line["return_code"] if line is not None else "") or "退汇", at=uow.now, id=order["id"],
    )  # fmt: skip
    if line is not None:
        _advice_proved(uow, order["id"], line["id"])
    told = case_state.event(
        uow, case_id, "PAYMENT_RETURNED", order_id=order["id"], number=order["number"], fen=fen, purpose=order["purpose"],
        code=line["return_code"] if line is not None else "", payee=order["payee_name"],
    )  # fmt: skip
    return [
        told,
        *freezes.fill(uow, case_id),
        *case_state.allocate(uow, case_id),
        *case_state.move_if_allowed(uow, case_id, "return"),
        *deposits.reckon(uow, order),
        *recoveries.reckon(uow, case_id),
    ]


def _advice_proved(uow: UnitOfWork, order_id: UUID, line: UUID) -> None:
    uow.execute(
        "UPDATE escrow.return_advice SET proved_by = :line WHERE proved_by IS NULL AND attempt IN"
        " (SELECT id FROM escrow.rail_attempt WHERE order_id = :order_id)",
        line=line, order_id=order_id,
    )  # fmt: skip


def _history(uow: UnitOfWork, line: RowMapping, attempt: RowMapping) -> Placed:
    """A return of an instruction of the time before: back to its case, or to suspense where it has none."""
    case_id, fen = attempt["case_id"] or line["case_id"], int(line["fen"])
    uow.execute(
        "UPDATE escrow.return_advice SET proved_by = :line WHERE attempt = :id",
        line=line["id"],
        id=attempt["id"],
    )
    if case_id is None:
        return credits.to_suspense(uow, line)
    posted = uow.scalar(
        "SELECT 1 FROM escrow.entry WHERE line = :line AND kind = 'HISTORY_PAYOUT'", line=attempt["proved_by"]
    )
    parts = [(line["custody_ledger"], fen), (ledger.account(uow, "case_escrow", case_id), -fen)]
    kind = "HISTORY_BACK" if posted else "HISTORY_RETURN"
    ledger.post(
        uow,
        f"line/{line['id']}",
        kind,
        fen,
        parts,
        case_id,
        ledger.Grounds(line=line["id"], custody=line["custody"]),
    )
    told = case_state.event(
        uow, case_id, "PAYMENT_RETURNED", number=attempt["number"], fen=fen, code=line["return_code"]
    )
    events = [told, *freezes.fill(uow, case_id), *case_state.allocate(uow, case_id)]
    events += case_state.move_if_allowed(uow, case_id, "return" if posted else "credit")
    return Placed("POSTED", "RETURN", case_id, events=events)


def close_returned(uow: UnitOfWork, order_id: UUID, reason: str) -> Result:
    """A returned payment is not paid again (waived, refunded, deposited): its order is closed. Raises Refused."""
    row = uow.one("SELECT * FROM escrow.payment_order WHERE id = :id FOR NO KEY UPDATE", id=order_id)
    if row is None or row["state"] != "RETURNED":
        raise refuse("ILLEGAL_STATE", "order.state", row["state"] if row else "", "RETURNED")
    uow.execute(
        "UPDATE escrow.payment_order SET state = 'CLOSED', reason = :reason, moved_at = :at WHERE id = :id",
        reason=said(reason, "reason"), at=uow.now, id=order_id,
    )  # fmt: skip
    return Result(
        [case_state.event(uow, row["case_id"], "ORDER_CLOSED", order_id=order_id, number=row["number"])],
        order_id,
    )
