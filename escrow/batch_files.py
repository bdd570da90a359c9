"""A released batch on its way: file by file, the intent of all its orders committed before its bytes leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

from escrow import case_state, ledger, word_sets
from escrow.batches import accounts, cases_may_pay, payees_stand
from escrow.desk import RailDesk, next_sequence
from escrow.dispatch import LEASE_S, Claim, workday
from escrow.outcomes import repeat_delay
from escrow.rail_limits import earliest_sending
from escrow.rails import Incoming, OutgoingRequest
from escrow.results import Event, Result, refuse
from foundation.unit_of_work import UnitOfWork
from foundation.wire import WireReply
from schemas.money import Fen


def waiting_files(uow: UnitOfWork, limit: int = 20) -> list[tuple[UUID, int, str]]:
    """Files of released batches that wait to be sent: (batch, file, rail), in order."""
    rows = uow.all(
        "SELECT f.batch, f.no, f.rail FROM escrow.batch_file f JOIN escrow.batch_approval a ON a.batch = f.batch AND a.role = 'RELEASER'"
        " WHERE f.state = 'WAITING' ORDER BY a.at, f.batch, f.no LIMIT :limit",
        limit=limit,
    )
    return [(row["batch"], row["no"], row["rail"]) for row in rows]


def released_orders(uow: UnitOfWork, limit: int = 500) -> list[dict[str, object]]:
    """Released orders that leave by themselves, those that waited longest first: id and rail."""
    rows = uow.all(
        "SELECT o.id, o.rail FROM escrow.payment_order o WHERE o.state = 'RELEASED' AND NOT EXISTS (SELECT 1 FROM escrow.batch_order b"
        " WHERE b.order_id = o.id) ORDER BY o.moved_at, o.id LIMIT :limit",
        limit=limit,
    )
    return [dict(row) for row in rows]


def dispatch_file(uow: UnitOfWork, desk: RailDesk, batch: UUID, no: int) -> tuple[Result, Claim | None]:
    """Commit the intent to send one file: for each of its orders the attempt, the entry and the state; and the claim to
    carry once this is committed, None outside the rail's hours. Raises Refused, and nothing of the file is sent: one of
    its orders may not go (a stop, a freeze, a changed payee), and the rest is cancelled and drafted anew by a person."""
    members = uow.all(
        "SELECT o.* FROM escrow.batch_order b JOIN escrow.payment_order o ON o.id = b.order_id WHERE b.batch = :batch AND b.file = :no"
        " ORDER BY b.place LIMIT 10000",
        batch=batch, no=no,
    )  # fmt: skip
    ledger.lock_cases(uow, {each["case_id"] for each in members})
    file = uow.one(
        "SELECT * FROM escrow.batch_file WHERE batch = :batch AND no = :no FOR UPDATE", batch=batch, no=no
    )
    assert file is not None
    other = uow.scalar(
        "SELECT o.number || ' is ' || o.state FROM escrow.batch_order b JOIN escrow.payment_order o ON o.id = b.order_id"
        " WHERE b.batch = :batch AND b.file = :no AND o.state <> 'RELEASED' LIMIT 1",
        batch=batch, no=no,
    )  # fmt: skip
    if file["state"] != "WAITING" or other:
        raise refuse(
            "ILLEGAL_STATE", f"file {file['number']}", other or file["state"], "WAITING, all RELEASED"
        )
    cases_may_pay(uow, members)
    payees_stand(uow, batch, no)
    manifest = desk.rail(file["rail"]).manifest
    largest = max(int(each["amount_fen"]) for each in members)
    if earliest_sending(manifest, Fen(largest), uow.now, workday) > uow.now:
        return Result(), None
    events = _intend(uow, file, members)
    return Result(events, batch), _claim(uow, desk, file)


def _intend(uow: UnitOfWork, file: RowMapping, members: Sequence[RowMapping]) -> list[Event]:
    # A worker has them from the first moment: nobody takes one out of a file that may be leaving.
    uow.execute(
        "INSERT INTO escrow.rail_attempt (id, order_id, case_id, rail, number, source, fen, debit_account, payee_name,"
        " payee_account, payload, batch_no, intended_at, first_sent_at, state, sends) SELECT m.id, o.id, o.case_id, o.rail, o.number,"
        " 'HUB', o.amount_fen, o.debit_account, o.payee_name, o.payee_account, o.payload, :number, :at, :at, 'SENDING', 1"
        " FROM unnest(CAST(:ids AS uuid[]), CAST(:orders AS uuid[])) AS m (id, order_id)"
        " JOIN escrow.payment_order o ON o.id = m.order_id",
        number=file["number"], at=uow.now, ids=[uow.new_id() for _ in members], orders=[each["id"] for each in members],
    )  # fmt: skip
    payable = accounts(uow, "payable", [(each["case_id"], each["payee"]) for each in members])
    transit = accounts(uow, "in_transit", [(each["case_id"], each["rail"]) for each in members])
    ledger.post_many(
        uow,
        [
            ledger.Pair(
                f"send/{each['id']}", "SEND", int(each["amount_fen"]), payable[(each["case_id"], each["payee"])],
                transit[(each["case_id"], each["rail"])], each["case_id"], ledger.Grounds(order=each["id"]),
            )
            for each in members
        ],
    )  # fmt: skip
    uow.execute(
        "UPDATE escrow.payment_order SET state = 'DISPATCHING', moved_at = :at WHERE id = ANY(CAST(:ids AS uuid[]))",
        at=uow.now, ids=[each["id"] for each in members],
    )  # fmt: skip
    events: list[Event] = []
    for case_id in dict.fromkeys(each["case_id"] for each in members):
        events += case_state.move(uow, case_id, "dispatch")
        mine = [each for each in members if each["case_id"] == case_id]
        events.append(
            case_state.event(
                uow, case_id, "ORDERS_DISPATCHED", orders=len(mine), fen=sum(int(each["amount_fen"]) for each in mine),
                rail=file["rail"], file=file["number"],
            )
        )  # fmt: skip
    return events


def claim_files(uow: UnitOfWork, desk: RailDesk, limit: int = 4) -> list[Claim]:
    """Files that provably did not leave and are due again. One whose worker died is UNKNOWN in all its orders."""
    for stale in uow.all(
        "SELECT * FROM escrow.batch_file WHERE state = 'SENDING' AND lease_until < clock_timestamp() ORDER BY batch, no LIMIT :limit"
        " FOR UPDATE SKIP LOCKED",
        limit=limit,
    ):
        _say(uow, desk, stale, "UNKNOWN", "HUB", text="the worker that was sending it did not come back")
    rows = uow.all(
        "SELECT * FROM escrow.batch_file WHERE state = 'INTENDED' AND send_after <= :now ORDER BY send_after, batch, no LIMIT :limit"
        " FOR UPDATE SKIP LOCKED",
        now=uow.now, limit=limit,
    )  # fmt: skip
    return [_claim(uow, desk, row) for row in rows]


def _claim(uow: UnitOfWork, desk: RailDesk, file: RowMapping) -> Claim:
    wire: dict[str, Any] = dict(file["wire"] or {})
    if not wire:
        context = desk.context(uow, file["rail"], uow.new_id().hex, next_sequence(uow, file["rail"]))
        made = desk.rail(file["rail"]).wrap(bytes(file["payload"]), context)
        wire = {
            "method": made.method,
            "path": made.path,
            "headers": dict(made.headers),
            "request_id": made.request_id,
        }
        body = made.body
    else:
        body = bytes(file["wire_body"])
    uow.execute(
        "UPDATE escrow.batch_file SET state = 'SENDING', sends = sends + 1, wire = CAST(:wire AS jsonb), wire_body = :body,"
        f" lease_until = clock_timestamp() + interval '{LEASE_S} seconds' WHERE batch = :batch AND no = :no",
        wire=orjson.dumps(wire).decode(), body=body, batch=file["batch"], no=file["no"],
    )  # fmt: skip
    request = OutgoingRequest(
        wire["method"],
        wire["path"],
        "order",
        file["number"],
        body,
        wire["headers"],
        bytes(file["payload"]),
        wire["request_id"],
    )
    return Claim(file["rail"], request)


def take_file_reply(uow: UnitOfWork, desk: RailDesk, claim: Claim, reply: WireReply) -> Result:
    """What became of a file's call holds for each of its payments, until a report names them one by one."""
    file = uow.one(
        "SELECT * FROM escrow.batch_file WHERE rail = :rail AND number = :number",
        rail=claim.rail,
        number=claim.number,
    )
    assert file is not None
    if reply.outcome != "ANSWERED":
        return Result(_say(uow, desk, file, reply.outcome, "REPLY", text=reply.error))
    context = desk.context(uow, claim.rail, claim.request.request_id)
    incoming = Incoming(reply.content, "reply", "order", claim.number, reply.status or 0, "", reply.headers)
    advice = desk.rail(claim.rail).verify(incoming, context)
    told = next((one for one in advice.outcomes if one.number == claim.number), None)
    if told is None:
        return Result(
            _say(uow, desk, file, "UNKNOWN", "REPLY", text="reply says nothing of it"),
            findings=list(advice.findings),
        )
    said = "UNKNOWN" if told.outcome == "NOT_SENT" and told.number in advice.ask else told.outcome
    events = _say(uow, desk, file, said, "REPLY", code=told.reason_code or told.rail_status, text=told.reason)
    return Result(events, findings=list(advice.findings))


def _say(
    uow: UnitOfWork, desk: RailDesk, file: RowMapping, said: str, source: str, *, code: str = "", text: str = ""
) -> list[Event]:  # fmt: skip
    numbers = [
        row["number"]
        for row in uow.all(
            "SELECT number FROM escrow.rail_attempt WHERE rail = :rail AND batch_no = :batch ORDER BY number LIMIT 10000",
            rail=file["rail"], batch=file["number"],
        )
    ]  # fmt: skip
    result = word_sets.record_many(
        uow, desk, file["rail"], [word_sets.Word(number, said, code, text) for number in numbers], source
    )
    again = said == "NOT_SENT"
    uow.execute(
        "UPDATE escrow.batch_file SET state = CASE WHEN :again THEN 'INTENDED' ELSE 'SENT' END, lease_until = NULL,"
        " send_after = CASE WHEN :again THEN :later ELSE send_after END WHERE batch = :batch AND no = :no",
        again=again, later=uow.now + repeat_delay(int(file["sends"])), batch=file["batch"], no=file["no"],
    )  # fmt: skip
    return result.events
