"""A debit that names our instruction: the proof of a payout, of a refund, or of a move between custody accounts."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import RowMapping

from escrow import breaks, case_state, deposits, ledger, recoveries, stops
from escrow.desk import RailDesk, custody_ledger
from escrow.line_rows import Placed, unposted
from escrow.results import Event
from foundation.unit_of_work import UnitOfWork


def prove(uow: UnitOfWork, desk: RailDesk, line: RowMapping, attempt: RowMapping) -> Placed:
    """Post the proof of an instruction, unless the line contradicts what was sent: then it waits with a break."""
    wrong = _contradiction(uow, desk, line, attempt)
    if wrong is not None:
        return wrong
    if attempt["source"] == "HISTORY":
        return _history(uow, line, attempt)
    order = uow.one(
        "SELECT * FROM escrow.payment_order WHERE id = :id FOR NO KEY UPDATE", id=attempt["order_id"]
    )
    assert order is not None
    events: list[Event] = []
    if order["state"] in ("DISPATCHING", "SENT"):
        _post(uow, line, order)
    elif order["state"] == "FAILED":
        if ledger.balance(uow, "case_escrow", order["case_id"]) < order["amount_fen"]:
            return unposted(
                uow,
                line,
                "PAYOUT",
                "STATUS",
                case_id=order["case_id"],
                order_id=order["id"],
                order_state="FAILED",
            )
        _post_late(uow, line, order)
        events += breaks.found(uow, "STATUS", f"order/{order['id']}", line["booked_on"], case_id=order["case_id"],
                               order_id=order["id"], line=line["id"], fen=int(order["amount_fen"]),
                               detail={"reply": order["outcome"], "statement": "paid"})  # fmt: skip
    else:
        return unposted(
            uow,
            line,
            "PAYOUT",
            "STATUS",
            case_id=order["case_id"],
            order_id=order["id"],
            order_state=order["state"],
        )
    _prove_attempt(uow, attempt, line["id"])
    uow.execute(
        "UPDATE escrow.payment_order SET state = 'PAID', outcome = 'DONE', moved_at = :at WHERE id = :id",
        at=uow.now, id=order["id"],
    )  # fmt: skip
    return Placed("POSTED", "PAYOUT", order["case_id"], order["id"], [*_told(uow, order, line), *events])


def _contradiction(uow: UnitOfWork, desk: RailDesk, line: RowMapping, attempt: RowMapping) -> Placed | None:
    case_id, order_id = attempt["case_id"], attempt["order_id"]
    if attempt["proved_by"] is not None:
        return unposted(
            uow, line, "PAYOUT", "DUPLICATE", case_id=case_id, order_id=order_id, number=attempt["number"]
        )
    if line["fen"] != attempt["fen"]:
        difference = int(line["fen"]) - int(attempt["fen"])
        return unposted(
            uow,
            line,
            "PAYOUT",
            "AMOUNT",
            case_id=case_id,
            order_id=order_id,
            fen=difference,
            number=attempt["number"],
        )
    own = desk.rail(line["rail"]).has("opens_subaccounts")
    if own and attempt["debit_account"] and line["account"] != attempt["debit_account"]:
        return unposted(
            uow,
            line,
            "PAYOUT",
            "UNEXPECTED_DEBIT",
            case_id=case_id,
            order_id=order_id,
            number=attempt["number"],
        )
    told, ours = line["other_account"], attempt["payee_account"]
    if told and ours and "*" not in told and told != ours:
        return unposted(uow, line, "PAYOUT", "UNKNOWN_PAYEE", case_id=case_id, order_id=order_id, found=told)
    return None


def _prove_attempt(uow: UnitOfWork, attempt: RowMapping, line: UUID) -> None:
    """The line is the last word: DONE, proved, nothing left to ask."""
    uow.execute(
        "INSERT INTO escrow.outcome_note (attempt, at, source, outcome, applied, actor) VALUES (:id, :at, 'LINE', 'DONE', true, :by)",
        id=attempt["id"], at=uow.now, by=uow.actor.id,
    )  # fmt: skip
    uow.execute(
        "UPDATE escrow.rail_attempt SET outcome = 'DONE', proved_by = :line, state = 'SENT', next_ask = NULL, lease_until = NULL,"
        " first_sent_at = coalesce(first_sent_at, intended_at) WHERE id = :id",
        line=line, id=attempt["id"],
    )  # fmt: skip


def _post(uow: UnitOfWork, line: RowMapping, order: RowMapping) -> None:
    fen, case_id = int(order["amount_fen"]), order["case_id"]
    in_transit = ledger.account(uow, "in_transit", case_id, order["rail"])
    parts = [(in_transit, fen), (line["custody_ledger"], -fen)]
    grounds = ledger.Grounds(line=line["id"], order=order["id"], custody=line["custody"])
    if order["purpose"] == "TOP_UP":
        # The money stays the case's: it is between two custody accounts until the other holder shows it.
        parts += [
            (ledger.account(uow, "transfer", case_id), fen),
            (ledger.account(uow, "case_escrow", case_id), -fen),
        ]
        ledger.post(uow, f"line/{line['id']}", "TOP_UP_OUT", fen, parts, case_id, grounds)
        return
    _presume_top_up(uow, line, order)
    ledger.post(uow, f"line/{line['id']}", "PAYOUT", fen, parts, case_id, grounds)


def _presume_top_up(uow: UnitOfWork, line: RowMapping, order: RowMapping) -> None:
    """A payout left a custody account where the ledger holds less of this case than that: the holder was topped up
    outside our sight. The missing part is listed until the top-up's own lines show it (I3)."""
    short = int(order["amount_fen"]) - max(0, ledger.holding(uow, order["case_id"], line["custody"]))
    if short > 0:
        parts = [(line["custody_ledger"], short), (ledger.account(uow, "transfer", order["case_id"]), -short)]
        grounds = ledger.Grounds(order=order["id"], custody=line["custody"])
        ledger.post(uow, f"presume/{order['id']}", "PRESUME", short, parts, order["case_id"], grounds)


def _post_late(uow: UnitOfWork, line: RowMapping, order: RowMapping) -> None:
    """The rail refused, yet the statement shows the money gone: the statement proves."""
    fen, case_id = int(order["amount_fen"]), order["case_id"]
    _presume_top_up(uow, line, order)
    parts = [(ledger.account(uow, "case_escrow", case_id), fen), (line["custody_ledger"], -fen)]
    grounds = ledger.Grounds(line=line["id"], order=order["id"], custody=line["custody"])
    ledger.post(uow, f"line/{line['id']}", "LATE_PAYOUT", fen, parts, case_id, grounds)


def _history(uow: UnitOfWork, line: RowMapping, attempt: RowMapping) -> Placed:
    """An instruction of the time before: posted where its case has the money in the ledger, else only listed."""
    _prove_attempt(uow, attempt, line["id"])
    case_id, fen = attempt["case_id"], int(line["fen"])
    if (
        case_id is None
        or ledger.balance(uow, "case_escrow", case_id) < fen
        or ledger.holding(uow, case_id, line["custody"]) < fen
    ):
        return Placed("HISTORY", "PAYOUT", case_id)
    parts = [(ledger.account(uow, "case_escrow", case_id), fen), (line["custody_ledger"], -fen)]
    grounds = ledger.Grounds(line=line["id"], custody=line["custody"])
    ledger.post(uow, f"line/{line['id']}", "HISTORY_PAYOUT", fen, parts, case_id, grounds)
    events = [case_state.event(uow, case_id, "PAYOUT_PROVED", number=attempt["number"], fen=fen)]
    return Placed(
        "POSTED", "PAYOUT", case_id, events=[*events, *case_state.move_if_allowed(uow, case_id, "proof")]
    )


def _told(uow: UnitOfWork, order: RowMapping, line: RowMapping) -> list[Event]:
    case_id = order["case_id"]
    names = {"COMPENSATION": "PAYOUT_PROVED", "REFUND": "REFUND_PROVED", "TOP_UP": "TOP_UP_LEFT"}
    told = case_state.event(
        uow, case_id, names[order["purpose"]], order_id=order["id"], number=order["number"], fen=int(order["amount_fen"]),
        payee=order["payee_name"], instalment=order["instalment"], booked_on=line["booked_on"],
    )  # fmt: skip
    if order["purpose"] == "TOP_UP":
        return [told]
    moves = case_state.move_if_allowed(
        uow, case_id, "proof" if order["purpose"] == "COMPENSATION" else "refund_proof"
    )
    if order["purpose"] == "COMPENSATION":
        moves = [*deposits.reckon(uow, order, line["booked_on"]), *moves, *recoveries.reckon(uow, case_id)]
    return [told, *moves, *close_down(uow, case_id)]


def close_down(uow: UnitOfWork, case_id: UUID) -> list[Event]:
    """A case whose money is all back has nothing left to stop."""
    if uow.scalar("SELECT state FROM escrow.escrow_case WHERE id = :id", id=case_id) != "REFUNDED":
        return []
    kinds = uow.all(
        "SELECT DISTINCT kind FROM escrow.stop WHERE case_id = :case AND ended_at IS NULL", case=case_id
    )
    return [told for row in kinds for told in stops.end(uow, case_id, row["kind"], "款项已全部退回").events]


def top_up_arrived(uow: UnitOfWork, line: RowMapping, attempt: RowMapping) -> Placed:
    """The other holder shows the top-up: what was presumed of it is taken back, the rest waits for payouts."""
    order = uow.one("SELECT * FROM escrow.payment_order WHERE id = :id", id=attempt["order_id"])
    assert order is not None
    if line["fen"] != order["amount_fen"]:
        return unposted(uow, line, "TOP_UP", "AMOUNT", case_id=order["case_id"], order_id=order["id"])
    fen, case_id = int(line["fen"]), order["case_id"]
    transfer = ledger.account(uow, "transfer", case_id)
    grounds = ledger.Grounds(line=line["id"], order=order["id"], custody=line["custody"])
    ledger.post(
        uow,
        f"line/{line['id']}",
        "TOP_UP_IN",
        fen,
        [(line["custody_ledger"], fen), (transfer, -fen)],
        case_id,
        grounds,
    )
    settle = min(fen, presumed(uow, case_id, line["custody"]))
    if settle > 0:
        back = ledger.Grounds(order=order["id"], custody=line["custody"])
        parts = [(transfer, settle), (custody_ledger(uow, line["custody"]), -settle)]
        ledger.post(uow, f"unpresume/{order['id']}", "UNPRESUME", settle, parts, case_id, back)
    return Placed(
        "POSTED", "TOP_UP", case_id, order["id"], [case_state.event(uow, case_id, "TOP_UP_ARRIVED", fen=fen)]
    )


def presumed(uow: UnitOfWork, case_id: UUID, custody: UUID) -> int:
    """Fen of a case's top-ups that were presumed at a custody account and not shown yet."""
    return int(
        uow.scalar(
            "SELECT coalesce(sum(CASE kind WHEN 'PRESUME' THEN amount_fen ELSE -amount_fen END), 0) FROM escrow.entry"
            " WHERE case_id = :case AND custody = :custody AND kind IN ('PRESUME', 'UNPRESUME')",
            case=case_id, custody=custody,
        )
    )  # fmt: skip
