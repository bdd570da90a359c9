"""From released to sent: the intent is committed before anything leaves, and the same bytes leave every time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from escrow import case_state, ledger, orders, words
from escrow.desk import RailDesk, next_sequence
from escrow.drafting import instruction_of
from escrow.outcomes import next_ask
from escrow.rail_limits import earliest_sending
from escrow.rails import OutgoingRequest, SubaccountRequest
from escrow.results import Result, refuse
from foundation.unit_of_work import UnitOfWork
from schemas.money import Fen
from schemas.workdays import NotYetPublished, work_calendar

LEASE_S = 60  # of real time: a worker that holds a claim longer has died, and nobody knows what left


@dataclass(frozen=True)
class Claim:
    """One call to be carried to a rail by `foundation.wire`; its reply goes to `inbound.take_reply`."""

    rail: str
    request: OutgoingRequest
    attempt: UUID | None = None
    case_id: UUID | None = None

    @property
    def number(self) -> str:
        """The instruction it is about, "" for other calls."""
        return self.request.number


def dispatch(uow: UnitOfWork, desk: RailDesk, order_id: UUID) -> Result:
    """Commit the intent to send a released order: its approved bytes, its number for ever, its money in transit.

    A worker sends after this is committed. Raises Refused ILLEGAL_STATE, RELEASES_STOPPED, CONDITION_OPEN.
    """
    row = orders.order(uow, order_id, lock=True)
    if row["state"] != "RELEASED":
        raise refuse("ILLEGAL_STATE", "order.state", row["state"], "RELEASED")
    if uow.scalar("SELECT 1 FROM escrow.batch_order WHERE order_id = :id", id=order_id) is not None:
        raise refuse(
            "ILLEGAL_STATE",
            "order",
            row["number"],
            "an order of its own: this one leaves with its batch's file",
        )
    case = ledger.lock_case(uow, row["case_id"])
    if row["purpose"] == "COMPENSATION":
        orders.may_pay(uow, case, row["payee"], row["decision"])
    orders.payee_stands(uow, row)
    fen, case_id = int(row["amount_fen"]), row["case_id"]
    manifest = desk.rail(row["rail"]).manifest
    uow.execute(
        "INSERT INTO escrow.rail_attempt (id, order_id, case_id, rail, number, source, fen, debit_account, payee_name,"
        " payee_account, payload, intended_at, send_after) VALUES (:id, :order_id, :case, :rail, :number, 'HUB', :fen, :debit,"
        " :name, :account, :payload, :at, :after)",
        id=uow.new_id(), order_id=order_id, case=case_id, rail=row["rail"], number=row["number"], fen=fen,
        debit=row["debit_account"], name=row["payee_name"], account=row["payee_account"], payload=row["payload"],
        at=uow.now, after=earliest_sending(manifest, Fen(fen), uow.now, workday),
    )  # fmt: skip
    parts = [
        (ledger.account(uow, "payable", case_id, row["payee"]), fen),
        (ledger.account(uow, "in_transit", case_id, row["rail"]), -fen),
    ]
    ledger.post(uow, f"send/{order_id}", "SEND", fen, parts, case_id, ledger.Grounds(order=order_id))
    orders.set_state(uow, order_id, "DISPATCHING")
    events = [] if row["purpose"] == "TOP_UP" else case_state.move(
        uow, case_id, "dispatch" if row["purpose"] == "COMPENSATION" else "refund_dispatch",
        decided=bool(row["decision"].strip()),
    )  # fmt: skip
    sent = case_state.event(uow, case_id, "ORDER_DISPATCHED", order_id=order_id, number=row["number"], fen=fen, rail=row["rail"],
                            purpose=row["purpose"])  # fmt: skip
    uow.wake()
    return Result([sent, *events], order_id)


def workday(day: Any) -> bool:
    """Whether a day is a working day; Monday to Friday beyond the calendar's last year."""
    try:
        return work_calendar().is_workday(day)
    except NotYetPublished:
        return bool(day.weekday() < 5)


def claim_to_send(uow: UnitOfWork, desk: RailDesk, limit: int = 20) -> list[Claim]:
    """Take instructions that wait to be sent; commit before carrying them. Two workers never get the same one.

    A claim whose worker died leaves the outcome UNKNOWN: nobody knows whether it left, so it is asked about first.
    """
    for stale in uow.all(
        "SELECT id FROM escrow.rail_attempt WHERE state = 'SENDING' AND lease_until < clock_timestamp()"
        " ORDER BY case_id LIMIT :limit",
        limit=limit,
    ):
        words.say(
            uow, desk, stale["id"], "UNKNOWN", "HUB", text="the worker that was sending it did not come back"
        )
    rows = uow.all(
        "SELECT * FROM escrow.rail_attempt WHERE state = 'INTENDED' AND batch_no = '' AND send_after <= :now"
        " ORDER BY send_after, id LIMIT :limit"
        " FOR UPDATE SKIP LOCKED",
        now=uow.now, limit=limit,
    )  # fmt: skip
    return [_claim(uow, desk, row) for row in rows]


def _claim(uow: UnitOfWork, desk: RailDesk, row: RowMapping) -> Claim:
    request = _kept(row)
    if request is None:
        context = desk.context(uow, row["rail"], row["id"].hex, next_sequence(uow, row["rail"]))
        request = desk.rail(row["rail"]).wrap(bytes(row["payload"]), context)
        wire = {
            "method": request.method,
            "path": request.path,
            "headers": dict(request.headers),
            "request_id": request.request_id,
        }
        uow.execute(
            "UPDATE escrow.rail_attempt SET wire = CAST(:wire AS jsonb), wire_body = :body WHERE id = :id",
            wire=orjson.dumps(wire).decode(), body=request.body, id=row["id"],
        )  # fmt: skip
    uow.execute(
        "UPDATE escrow.rail_attempt SET state = 'SENDING', sends = sends + 1, first_sent_at = coalesce(first_sent_at, :now),"
        f" lease_until = clock_timestamp() + interval '{LEASE_S} seconds' WHERE id = :id",
        now=uow.now, id=row["id"],
    )  # fmt: skip
    return Claim(row["rail"], _numbered(request, "order", row["number"]), row["id"], row["case_id"])


def _kept(row: RowMapping) -> OutgoingRequest | None:
    """The request of the first send: a repetition carries the same bytes."""
    if row["wire"] is None:
        return None
    wire = row["wire"]
    return OutgoingRequest(
        method=wire["method"], path=wire["path"], operation="order", number=row["number"], body=bytes(row["wire_body"]),
        headers=wire["headers"], document=bytes(row["payload"]), request_id=wire["request_id"],
    )  # fmt: skip


def _numbered(request: OutgoingRequest, operation: Any, number: str) -> OutgoingRequest:
    return OutgoingRequest(
        method=request.method, path=request.path, operation=operation, number=number, body=request.body, headers=request.headers,
        document=request.document, request_id=request.request_id,
    )  # fmt: skip


def claim_asks(uow: UnitOfWork, desk: RailDesk, limit: int = 20) -> list[Claim]:
    """Take instructions that are to be asked about now; the next question is set at once, so none is forgotten."""
    rows = uow.all(
        "SELECT a.*, o.content FROM escrow.rail_attempt a JOIN escrow.payment_order o ON o.id = a.order_id"
        " WHERE a.next_ask <= :now AND a.proved_by IS NULL ORDER BY a.next_ask LIMIT :limit FOR UPDATE OF a SKIP LOCKED",
        now=uow.now, limit=limit,
    )  # fmt: skip
    claims = []
    for row in rows:
        request_id = uow.new_id().hex
        context = desk.context(uow, row["rail"], request_id, next_sequence(uow, row["rail"]))
        request = desk.rail(row["rail"]).ask(instruction_of(row), context)
        delays = [int(s) for s in context.manifest["unknown"]["ask_after_s"]]
        uow.execute(
            "UPDATE escrow.rail_attempt SET asks = asks + 1, next_ask = :next WHERE id = :id",
            next=next_ask(uow.now, int(row["asks"]) + 1, delays), id=row["id"],
        )  # fmt: skip
        claims.append(Claim(row["rail"], _numbered(request, "ask", row["number"]), row["id"], row["case_id"]))
    return claims


def claim_subaccounts(uow: UnitOfWork, desk: RailDesk, limit: int = 20) -> list[Claim]:
    """Take sub-accounts that are to be opened now; asked again in 15 s, then less often, until there is one."""
    rows = uow.all(
        "UPDATE escrow.account_request r SET attempts = attempts + 1,"
        " next_try = CAST(:now AS timestamptz) + least(3600, 15 * power(2, least(attempts, 12))) * interval '1 second'"
        " FROM (SELECT case_id, rail FROM escrow.account_request WHERE number IS NULL AND next_try <= :now"
        " ORDER BY next_try LIMIT :limit FOR UPDATE SKIP LOCKED) d, escrow.escrow_case c"
        " WHERE r.case_id = d.case_id AND r.rail = d.rail AND c.id = r.case_id"
        " RETURNING r.case_id, r.rail, r.request_no, c.dispute, c.title, c.agreed_fen, c.version",
        now=uow.now, limit=limit,
    )  # fmt: skip
    claims = []
    for row in rows:
        opener = desk.rail(row["rail"]).open_subaccount
        if opener is None:
            continue
        wanted = SubaccountRequest(
            row["request_no"],
            row["dispute"][:32],
            row["title"][:60],
            Fen(row["agreed_fen"]),
            _payers(uow, row),
        )
        request = opener(
            wanted, desk.context(uow, row["rail"], row["request_no"], next_sequence(uow, row["rail"]))
        )
        claims.append(Claim(row["rail"], _numbered(request, "open_subaccount", ""), None, row["case_id"]))
    return claims


def _payers(uow: UnitOfWork, row: RowMapping) -> tuple[dict[str, str | None], ...]:
    found = uow.all(
        "SELECT p.name, p.id_number, (SELECT number FROM escrow.pay_account a WHERE a.party = p.id AND a.active LIMIT 1)"
        " AS account FROM escrow.party p WHERE p.case_id = :id AND p.version = :version AND p.role = 'PAYER' AND p.active",
        id=row["case_id"], version=row["version"],
    )  # fmt: skip
    return tuple({"name": p["name"], "idNo": p["id_number"] or None, "account": p["account"]} for p in found)


def ask_now(uow: UnitOfWork, rail_id: str, number: str) -> None:
    """Ask about an instruction at once, whatever its schedule says; nothing to do once a line proved it."""
    uow.execute(
        "UPDATE escrow.rail_attempt SET next_ask = :now WHERE rail = :rail AND number = :number AND proved_by IS NULL"
        " AND source = 'HUB' AND state = 'SENT'",
        now=uow.now, rail=rail_id, number=number,
    )  # fmt: skip
    uow.wake()


def give_up(uow: UnitOfWork, order_id: UUID, reason: str) -> Result:
    """A person gives up an order that provably never left (outcome NOT_SENT): it FAILS, its money is free again.

    Raises Refused UNKNOWN_STAYS for any other outcome.
    """
    row = orders.order(uow, order_id, lock=True)
    attempt = uow.one("SELECT * FROM escrow.rail_attempt WHERE order_id = :id FOR UPDATE", id=order_id)
    if attempt is None or attempt["outcome"] != "NOT_SENT" or attempt["state"] == "SENDING":
        raise refuse("UNKNOWN_STAYS", "outcome", attempt["outcome"] if attempt else row["state"], "NOT_SENT")
    return Result(words.fail(uow, row, reason), order_id)
