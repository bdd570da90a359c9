"""Deposit 提存: the payee refuses without reason, cannot be found, or has died or lost capacity with nobody to act for
him; a depositary (notary office) takes his seat by two persons' decision, and what is paid to it counts as performance
(Civil Code 570–574)."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import RowMapping

from escrow import case_state, ledger
from escrow.machines import DEPOSIT
from escrow.results import Event, Result, beijing_day, need_role, refuse, said
from foundation.unit_of_work import UnitOfWork

GROUNDS = ("REFUSES", "NOT_FOUND", "DIED", "NO_CAPACITY")
CLAIM_YEARS = 5  # Civil Code 574
NOTICE_WITHIN = timedelta(days=3)  # 572: without delay
CLAIM_WARNINGS = (90, 30)  # days before the payee's right ends


def record(
    uow: UnitOfWork, case_id: UUID, seat: str, payee: UUID, depositary: UUID, ground: str, document: str, decision: UUID
) -> Event:  # fmt: skip
    """Note what two persons decided; orders to the seat go to the depositary from now on."""
    uow.execute(
        "INSERT INTO escrow.deposit (id, case_id, seat, payee, depositary, ground, document, decision, decided_at) VALUES"
        " (:id, :case, :seat, :payee, :depositary, :ground, :document, :decision, :at)",
        id=uow.new_id(), case=case_id, seat=seat, payee=payee, depositary=depositary, ground=ground, document=document,
        decision=decision, at=uow.now,
    )  # fmt: skip
    return case_state.event(uow, case_id, "DEPOSIT_DECIDED", seat=seat, ground=ground)


def reckon(uow: UnitOfWork, order: RowMapping, booked_on: date | None = None) -> list[Event]:
    """A payment to a depositary was proved or came back: the deposit stands at what is proved paid."""
    row = uow.one(
        "SELECT * FROM escrow.deposit WHERE depositary = :party FOR UPDATE", party=order["payee_party"]
    )
    if row is None or row["state"] in DEPOSIT.final:
        return []
    fen = int(
        uow.scalar(
            "SELECT coalesce(sum(amount_fen), 0) FROM escrow.payment_order WHERE case_id = :case AND payee_party = :party"
            " AND state = 'PAID'",
            case=row["case_id"], party=row["depositary"],
        )
    )  # fmt: skip
    placed = row["placed_on"] or booked_on if fen else None
    until = _years_after(placed, CLAIM_YEARS) if placed else None
    after = DEPOSIT.next(row["state"], "reckon", {"some"} if fen else set())
    uow.execute(
        "UPDATE escrow.deposit SET state = :after, fen = :fen, placed_on = :placed, claim_until = :until WHERE id = :id",
        after=after, fen=fen, placed=placed, until=until, id=row["id"],
    )  # fmt: skip
    if after == row["state"]:
        return []
    return [
        case_state.event(
            uow, row["case_id"], f"DEPOSIT_{after}", seat=row["seat"], fen=fen, claim_until=until
        )
    ]


def drop(uow: UnitOfWork, depositary: UUID) -> None:
    """Another person takes the seat before anything was paid to the depositary."""
    uow.execute(
        "UPDATE escrow.deposit SET state = 'DROPPED', ended_at = :at WHERE depositary = :party AND state = 'DECIDED'",
        at=uow.now, party=depositary,
    )  # fmt: skip


def note_notice(uow: UnitOfWork, deposit_id: UUID, how: str) -> Result:
    """The payee, or who stands for him, was told of the deposit (572). `how`: by what paper, or by which public notice.

    Raises Refused NOT_FOUND, ILLEGAL_STATE, FIELD_MISSING.
    """
    need_role(uow, "propose")
    row = _open(uow, deposit_id)
    if row["state"] != "PLACED" or row["notified_at"] is not None:
        raise refuse("ILLEGAL_STATE", "deposit.state", row["state"], "PLACED, not told of yet")
    uow.execute(
        "UPDATE escrow.deposit SET notified_at = :at, notice = :how WHERE id = :id",
        at=uow.now, how=said(how, "notice"), id=deposit_id,
    )  # fmt: skip
    return Result([case_state.event(uow, row["case_id"], "DEPOSIT_NOTIFIED", seat=row["seat"])], deposit_id)


def end_deposit(uow: UnitOfWork, deposit_id: UUID, result: str, document: str) -> Result:
    """The payee took the deposit (CLAIMED), or the payer took it back (TAKEN_BACK, 574), by the depositary's paper.

    Raises Refused CODE_UNKNOWN, DOCUMENT_REQUIRED, NOT_FOUND, ILLEGAL_STATE.
    """
    need_role(uow, "confirm")
    if result not in ("CLAIMED", "TAKEN_BACK"):
        raise refuse("CODE_UNKNOWN", "result", result, "CLAIMED, TAKEN_BACK")
    row = _open(uow, deposit_id)
    if row["state"] != "PLACED":
        raise refuse("ILLEGAL_STATE", "deposit.state", row["state"], "PLACED")
    paper = said(document, "document", "DOCUMENT_REQUIRED", "the depositary's paper")
    uow.execute(
        "UPDATE escrow.deposit SET state = :state, end_document = :paper, ended_at = :at WHERE id = :id",
        state=result, paper=paper, at=uow.now, id=deposit_id,
    )  # fmt: skip
    return Result([case_state.event(uow, row["case_id"], f"DEPOSIT_{result}", seat=row["seat"])], deposit_id)


def _open(uow: UnitOfWork, deposit_id: UUID) -> RowMapping:
    case_id = uow.scalar("SELECT case_id FROM escrow.deposit WHERE id = :id", id=deposit_id)
    if case_id is None:
        raise refuse("NOT_FOUND", "deposit", deposit_id)
    ledger.lock_case(uow, case_id)
    row = uow.one("SELECT * FROM escrow.deposit WHERE id = :id FOR UPDATE", id=deposit_id)
    assert row is not None
    return row


def flags(uow: UnitOfWork, case_id: UUID) -> list[str]:
    """DEPOSIT_NOTICE while the payee was not told of a deposit that was made."""
    owed = uow.scalar(
        "SELECT 1 FROM escrow.deposit WHERE case_id = :id AND state = 'PLACED' AND notified_at IS NULL LIMIT 1", id=case_id
    )  # fmt: skip
    return [] if owed is None else ["DEPOSIT_NOTICE"]


def watch(uow: UnitOfWork, limit: int = 2000) -> Result:
    """Remind of a notice that is owed, and before a payee's five years end. Each is said once."""
    today, result = beijing_day(uow.now), Result()
    rows = uow.all(
        "SELECT id, case_id, seat, placed_on, claim_until, notified_at FROM escrow.deposit WHERE state = 'PLACED'"
        " AND (notified_at IS NULL AND placed_on <= :late OR claim_until <= :soon) ORDER BY id LIMIT :limit",
        late=today - NOTICE_WITHIN, soon=today + timedelta(days=CLAIM_WARNINGS[0]), limit=limit,
    )  # fmt: skip
    for row in rows:
        more = {"seat": row["seat"], "claim_until": row["claim_until"]}
        if row["notified_at"] is None and row["placed_on"] <= today - NOTICE_WITHIN:
            result.events += case_state.remind(
                uow, row["case_id"], "DEPOSIT_NOTICE_DUE", str(row["id"]), **more
            )
        for days in CLAIM_WARNINGS:
            if row["claim_until"] - timedelta(days=days) <= today <= row["claim_until"]:
                key = f"{row['id']}/{days}"
                result.events += case_state.remind(uow, row["case_id"], "DEPOSIT_CLAIM_ENDS", key, **more)
        if today > row["claim_until"]:
            result.events += case_state.remind(
                uow, row["case_id"], "DEPOSIT_CLAIM_OVER", str(row["id"]), **more
            )
    return result


def _years_after(day: date, years: int) -> date:
    try:
        return day.replace(year=day.year + years)
    except ValueError:  # 29 February
        return date(day.year + years, 2, 28)
