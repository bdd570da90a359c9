"""Stops: a person's or a rule's, with a reason. A court's freeze is another thing (holds.py)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from escrow import case_state, ledger
from escrow.results import Event, Result, need_role, refuse, said
from foundation.unit_of_work import UnitOfWork


def place_stop(
    uow: UnitOfWork,
    case_id: UUID,
    kind: str,
    reason: str,
    *,
    flag: str = "",
    fen: int | None = None,
    payee: str = "",
) -> Result:
    """A person stops releases of a case: all, those of one payee (`payee` seat), or up to a sum (`fen`).

    `flag`: what officers see, RELEASES_HELD when empty. Orders that no longer fit are STOPPED. Raises Refused.
    """
    need_role(uow, "stop")
    ledger.lock_case(uow, case_id)
    return place(uow, case_id, kind, flag or "RELEASES_HELD", said(reason, "reason"), fen=fen, payee=payee)


def place(
    uow: UnitOfWork,
    case_id: UUID,
    kind: str,
    flag: str,
    reason: str,
    *,
    fen: int | None = None,
    payee: str = "",
) -> Result:
    """Place a stop by rule; the same kind for the same payee is placed once. The case's lock is held by the caller
    or taken here."""
    ledger.lock_case(uow, case_id)
    stop_id = uow.scalar(
        "INSERT INTO escrow.stop (id, case_id, kind, flag, amount_fen, payee, reason, placed_by, placed_at) VALUES"
        " (:id, :case, :kind, :flag, :fen, :payee, :reason, :by, :at)"
        " ON CONFLICT (case_id, kind, payee) WHERE ended_at IS NULL DO NOTHING RETURNING id",
        id=uow.new_id(), case=case_id, kind=kind, flag=flag, fen=fen, payee=payee, reason=reason,
        by=uow.actor.id, at=uow.now,
    )  # fmt: skip
    if stop_id is None:
        return Result(id=case_id)
    result = Result(
        [case_state.event(uow, case_id, "STOP_PLACED", kind=kind, flag=flag, fen=fen, reason=reason)], stop_id
    )
    for order in _orders_in_scope(uow, case_id, fen, payee):
        result.events += halt(uow, order["id"], f"{flag}: {reason}")
    result.events += case_state.suspend(uow, case_id)
    return result


def _orders_in_scope(uow: UnitOfWork, case_id: UUID, fen: int | None, payee: str) -> list[Any]:
    """Payouts that may no longer leave. A stop with a sum leaves those that still fit, oldest first."""
    rows = uow.all(
        "SELECT id, amount_fen, state FROM escrow.payment_order WHERE case_id = :case AND purpose = 'COMPENSATION'"
        " AND state IN ('DRAFTED', 'CHECKED', 'RELEASED') AND (:payee = '' OR payee = :payee) ORDER BY drafted_at",
        case=case_id, payee=payee,
    )  # fmt: skip
    if fen is None:
        return list(rows)
    f = case_state.figures(uow, case_id)
    left = int(f["free_fen"]) + int(f["payable_fen"]) - int(f["stopped_fen"])
    over = []
    for row in rows:
        if row["amount_fen"] > left:
            over.append(row)
        else:
            left -= row["amount_fen"]
    return over


def halt(uow: UnitOfWork, order_id: UUID, reason: str) -> list[Event]:
    """Stop an order that has not left: money set aside for it goes back to the case."""
    row = uow.one("SELECT * FROM escrow.payment_order WHERE id = :id FOR NO KEY UPDATE", id=order_id)
    assert row is not None
    if row["state"] == "RELEASED":
        unhold(uow, row)
    uow.execute(
        "UPDATE escrow.payment_order SET state = 'STOPPED', reason = :reason, moved_at = :at WHERE id = :id",
        reason=reason[:500], at=uow.now, id=order_id,
    )  # fmt: skip
    return [case_state.event(uow, row["case_id"], "ORDER_STOPPED", order_id=order_id, number=row["number"],
                             fen=row["amount_fen"], reason=reason)]  # fmt: skip


def unhold(uow: UnitOfWork, order: Any) -> None:
    """Money set aside for an order that will not leave goes back to the case."""
    fen = int(order["amount_fen"])
    parts = [
        (ledger.account(uow, "payable", order["case_id"], order["payee"]), fen),
        (ledger.account(uow, "case_escrow", order["case_id"]), -fen),
    ]
    ledger.post(
        uow,
        f"unhold/{order['id']}",
        "UNHOLD",
        fen,
        parts,
        order["case_id"],
        ledger.Grounds(order=order["id"]),
    )


def end_stop(uow: UnitOfWork, case_id: UUID, kind: str, reason: str, payee: str = "") -> Result:
    """A person ends a stop. Raises Refused NOT_AUTHORISED, NOT_FOUND when there is none."""
    need_role(uow, "confirm")
    result = end(uow, case_id, kind, reason, payee)
    if not result.events:
        raise refuse("NOT_FOUND", "stop", kind)
    return result


def end(uow: UnitOfWork, case_id: UUID, kind: str, reason: str, payee: str = "") -> Result:
    """End the stops of a kind because their cause is gone; the escrow stays as it is until the next dispatch or a
    person's word (escrow.md)."""
    ledger.lock_case(uow, case_id)
    rows = uow.all(
        "UPDATE escrow.stop SET ended_at = :at, ended_by = :by, end_reason = :reason WHERE case_id = :case AND kind = :kind"
        " AND (:payee = '' OR payee = :payee) AND ended_at IS NULL RETURNING id, flag",
        at=uow.now, by=uow.actor.id, reason=said(reason, "reason"), case=case_id, kind=kind, payee=payee,
    )  # fmt: skip
    return Result(
        [
            case_state.event(uow, case_id, "STOP_ENDED", kind=kind, flag=row["flag"], reason=reason)
            for row in rows
        ]
    )


def blocking(uow: UnitOfWork, case_id: UUID, payee: str) -> str | None:
    """The reason why payouts to this payee may not go now, None when none does. Stops with a sum block by the sum."""
    found: str | None = uow.scalar(
        "SELECT flag || ': ' || reason FROM escrow.stop WHERE case_id = :case AND ended_at IS NULL AND amount_fen IS NULL"
        " AND (payee = '' OR payee = :payee) ORDER BY placed_at LIMIT 1",
        case=case_id, payee=payee,
    )  # fmt: skip
    return found
