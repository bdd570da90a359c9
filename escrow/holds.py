"""Court freezes: placed, queued (轮候), extended, lifted and deducted by document only (escrow.md I7).

A freeze takes what is free first, then stops orders that have not left, newest first; what is in transit is
reported back, not recalled. What it still wants it takes from later credits, in the order of the queue. A stated
end is watched and warned of, but frozen money leaves only by a court's document.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import RowMapping

from escrow import case_state, freezes, ledger, stops, words
from escrow.results import Event, Result, refuse, said
from foundation.unit_of_work import UnitOfWork
from schemas.canonical import digest

_LATER_DOCUMENT = re.compile(
    r"之[一二三四五六七八九十]+$"
)  # 解除 names the first document with 之一 (court contract, habit 14)
SHORT = "冻结后可用余额不足"
MEASURES = ("FREEZE", "EXTEND", "LIFT", "DEDUCT")


@dataclass(frozen=True)
class CourtDocument:
    """A court's paper about money on an account.

    `measure`: FREEZE, EXTEND, LIFT or DEDUCT. `fen`: the sum named; a freeze may name more than there is. `waiting`:
    queued behind earlier freezes. `refers_to`: number of the freeze's document; "" = read from `document_no`.
    """

    document_no: str
    measure: str
    account: str
    fen: int
    case_no: str = ""
    from_on: date | None = None
    until_on: date | None = None
    waiting: bool = False
    refers_to: str = ""
    source: str = ""


def take_court_document(uow: UnitOfWork, paper: CourtDocument) -> Result:
    """Take a court's document and do what it orders.

    The same document again changes nothing. One for an account that is no case's is kept and reported
    (COURT_DOCUMENT_UNPLACED); one that extends or lifts a freeze that has not come yet waits for it, and is reported
    (COURT_DOCUMENT_WAITS). Raises Refused: SAME_ID_OTHER_BYTES, FIELD_MISSING, CODE_UNKNOWN.
    """
    if paper.measure not in MEASURES:
        raise refuse("CODE_UNKNOWN", "measure", paper.measure, ", ".join(MEASURES))
    said(paper.document_no, "document_no", expected="the document's number")
    if paper.fen < 0:
        raise refuse("AMOUNT_UNREADABLE", "fen", paper.fen, "0 or more")
    case_id = uow.scalar(
        "SELECT case_id FROM escrow.bank_account WHERE number = :n AND kind = 'SUB' LIMIT 1", n=paper.account
    )
    if case_id is not None:
        ledger.lock_case(uow, case_id)
    document = _store(uow, paper, case_id)
    if document is None:
        return Result(id=case_id)
    if case_id is None:
        unplaced = case_state.event(
            uow, None, "COURT_DOCUMENT_UNPLACED", document_no=paper.document_no, account=paper.account
        )
        return Result([unplaced], document)
    result = Result(id=document)
    acts = {"FREEZE": _freeze, "EXTEND": _extend, "LIFT": _lift, "DEDUCT": _deduct}
    result.events = acts[paper.measure](uow, case_id, document, paper)
    return result


def _store(uow: UnitOfWork, paper: CourtDocument, case_id: UUID | None) -> UUID | None:
    """Store the paper; None when it is there already."""
    body = {k: v for k, v in vars(paper).items() if k != "source"}
    known = uow.scalar(
        "SELECT body_digest FROM escrow.court_document WHERE document_no = :no AND measure = :measure AND account = :account",
        no=paper.document_no, measure=paper.measure, account=paper.account,
    )  # fmt: skip
    if known is not None:
        if known != digest(body):
            raise refuse(
                "SAME_ID_OTHER_BYTES", "document_no", paper.document_no, "the document that came first"
            )
        return None
    document = uow.new_id()
    uow.execute(
        "INSERT INTO escrow.court_document VALUES (:id, :no, :measure, :case_no, :account, :case, :fen, :from_on, :until_on,"
        " :waiting, :refers_to, :digest, :at, :source)",
        id=document, no=paper.document_no, measure=paper.measure, case_no=paper.case_no, account=paper.account,
        case=case_id, fen=paper.fen, from_on=paper.from_on, until_on=paper.until_on, waiting=paper.waiting,
        refers_to=paper.refers_to, digest=digest(body), at=uow.now, source=paper.source,
    )  # fmt: skip
    return document


def _freeze(uow: UnitOfWork, case_id: UUID, document: UUID, paper: CourtDocument) -> list[Event]:
    freeze = _enter(uow, case_id, document, paper)
    earlier = uow.scalar(
        "SELECT EXISTS (SELECT 1 FROM escrow.freeze WHERE case_id = :case AND state IN ('WAITING', 'ACTIVE') AND id <> :id)",
        case=case_id, id=freeze,
    )  # fmt: skip
    if paper.waiting and earlier:
        queued = case_state.event(uow, case_id, "HOLD_QUEUED", document_no=paper.document_no, fen=paper.fen)
        return [queued, *_came_before(uow, case_id, paper)]
    return [*_activate(uow, case_id, freeze, paper.document_no), *_came_before(uow, case_id, paper)]


def _came_before(uow: UnitOfWork, case_id: UUID, freeze: CourtDocument) -> list[Event]:
    """Papers about this freeze that came before it: arrival does not decide, so they act now, in their own order."""
    events: list[Event] = []
    for row in uow.all(
        "SELECT * FROM escrow.court_document WHERE case_id = :case AND account = :account AND measure IN ('EXTEND', 'LIFT')"
        " ORDER BY measure, from_on NULLS LAST, document_no LIMIT 100",
        case=case_id, account=freeze.account,
    ):  # fmt: skip
        paper = CourtDocument(
            row["document_no"], row["measure"], row["account"], int(row["fen"]), row["case_no"], row["from_on"],
            row["until_on"], row["waiting"], row["refers_to"],
        )  # fmt: skip
        found = _referred(uow, case_id, paper)
        if found is not None and found["document_no"] == freeze.document_no:
            act = _lift if paper.measure == "LIFT" else _extend
            events += act(uow, case_id, row["id"], paper)
    return events


def _enter(uow: UnitOfWork, case_id: UUID, document: UUID, paper: CourtDocument) -> UUID:
    freeze = uow.new_id()
    uow.execute(
        "INSERT INTO escrow.freeze (id, document, document_no, case_id, amount_fen, queue_no, ledger, until_on, placed_at)"
        " SELECT :id, :document, :no, :case, :fen, coalesce(max(queue_no), 0) + 1, :ledger, :until_on, :at"
        " FROM escrow.freeze WHERE case_id = :case",
        id=freeze, document=document, no=paper.document_no, case=case_id, fen=paper.fen,
        ledger=ledger.account(uow, "frozen", case_id, str(freeze)), until_on=paper.until_on, at=uow.now,
    )  # fmt: skip
    return freeze


def _activate(uow: UnitOfWork, case_id: UUID, freeze: UUID, document_no: str) -> list[Event]:
    uow.execute("UPDATE escrow.freeze SET state = 'ACTIVE' WHERE id = :id", id=freeze)
    events = freezes.fill(uow, case_id)
    events += _stop_orders(uow, case_id)
    f = case_state.figures(uow, case_id)
    placed = case_state.event(
        uow, case_id, "HOLD_PLACED", document_no=document_no, held_fen=freezes.held(uow, freeze),
        in_transit_fen=int(f["in_transit_fen"]), balance_fen=int(f["balance_fen"]),
    )  # fmt: skip
    return [placed, *events, *case_state.suspend(uow, case_id)]


def _stop_orders(uow: UnitOfWork, case_id: UUID) -> list[Event]:
    """Stop orders that have not left, newest first, until the freezes have what they want or nothing is set aside;
    then every order whose sum is above what is left."""
    events: list[Event] = []
    for order in _not_left(uow, case_id, "('RELEASED', 'DISPATCHING')"):
        if all(int(row["wanting_fen"]) <= 0 for row in freezes.active(uow, case_id)):
            break
        if order["state"] == "RELEASED":
            events += stops.halt(uow, order["id"], SHORT)
        else:
            events += words.recall_unsent(uow, order["id"], SHORT)
        events += freezes.fill(uow, case_id)
    left = ledger.free(uow, case_id)
    for order in _not_left(uow, case_id, "('DRAFTED', 'CHECKED')"):
        if int(order["amount_fen"]) > left:
            events += stops.halt(uow, order["id"], SHORT)
    return events


def _not_left(uow: UnitOfWork, case_id: UUID, states: str) -> list[RowMapping]:
    return list(
        uow.all(
            "SELECT id, amount_fen, state FROM escrow.payment_order WHERE case_id = :case"
            f" AND state IN {states} ORDER BY drafted_at DESC, id DESC",
            case=case_id,
        )
    )


def _referred(uow: UnitOfWork, case_id: UUID, paper: CourtDocument) -> RowMapping | None:
    """The live freeze that a later paper is about: by document number, never by amount."""
    for number in (paper.refers_to, paper.document_no, _LATER_DOCUMENT.sub("", paper.document_no)):
        row = uow.one(
            "SELECT * FROM escrow.freeze WHERE case_id = :case AND document_no = :no AND state IN ('WAITING', 'ACTIVE')",
            case=case_id, no=number,
        )  # fmt: skip
        if number and row is not None:
            return row
    return None


def _waits(uow: UnitOfWork, case_id: UUID, paper: CourtDocument) -> list[Event]:
    return [
        case_state.event(
            uow, case_id, "COURT_DOCUMENT_WAITS", document_no=paper.document_no, measure=paper.measure,
            refers_to=paper.refers_to or _LATER_DOCUMENT.sub("", paper.document_no),
        )
    ]  # fmt: skip


def _extend(uow: UnitOfWork, case_id: UUID, document: UUID, paper: CourtDocument) -> list[Event]:
    freeze = _referred(uow, case_id, paper)
    if freeze is None:
        return _waits(uow, case_id, paper)
    uow.execute(
        "UPDATE escrow.freeze SET until_on = :until_on WHERE id = :id",
        until_on=paper.until_on,
        id=freeze["id"],
    )
    return [
        case_state.event(
            uow, case_id, "HOLD_EXTENDED", document_no=freeze["document_no"], until=paper.until_on
        )
    ]


def _lift(uow: UnitOfWork, case_id: UUID, document: UUID, paper: CourtDocument) -> list[Event]:
    freeze = _referred(uow, case_id, paper)
    if freeze is None:
        return _waits(uow, case_id, paper)
    held = freezes.held(uow, freeze["id"])
    if held:
        parts = [(freeze["ledger"], held), (ledger.account(uow, "case_escrow", case_id), -held)]
        ledger.post(
            uow, f"lift/{freeze['id']}", "LIFT", held, parts, case_id, ledger.Grounds(document=document)
        )
    freezes.end_freeze(uow, freeze["id"], "LIFTED", document)
    lifted = case_state.event(
        uow, case_id, "HOLD_LIFTED", document_no=freeze["document_no"], by=paper.document_no, fen=held
    )
    return [lifted, *promote(uow, case_id)]


def promote(uow: UnitOfWork, case_id: UUID) -> list[Event]:
    """After a freeze ended: the first of the queue takes effect when none before it is in force, then freezes fill."""
    events = freezes.fill(uow, case_id)
    if not freezes.active(uow, case_id):
        row = uow.one(
            "SELECT id, document_no FROM escrow.freeze WHERE case_id = :case AND state = 'WAITING' ORDER BY queue_no LIMIT 1",
            case=case_id,
        )
        if row is not None:
            events += _activate(uow, case_id, row["id"], row["document_no"])
    return events


def _deduct(uow: UnitOfWork, case_id: UUID, document: UUID, paper: CourtDocument) -> list[Event]:
    """A deduction ordered: the money is frozen for it until the holder's debit shows that it went."""
    events: list[Event] = []
    if _referred(uow, case_id, paper) is None:
        freeze = _enter(uow, case_id, document, paper)
        events += _activate(uow, case_id, freeze, paper.document_no)
    return [
        case_state.event(uow, case_id, "DEDUCTION_ORDERED", document_no=paper.document_no, fen=paper.fen),
        *events,
    ]


def freeze_for_deduction(uow: UnitOfWork, document: RowMapping) -> RowMapping | None:
    """The freeze from which a deduction document takes its money, None when it is gone."""
    paper = CourtDocument(
        document["document_no"],
        "DEDUCT",
        document["account"],
        document["fen"],
        refers_to=document["refers_to"],
    )
    return _referred(uow, document["case_id"], paper)
