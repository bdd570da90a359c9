"""Payment orders from draft to release: two or three persons, one digest, money set aside (escrow.md, I4, I10, I11)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping

from escrow import case_state, ledger, stops
from escrow.desk import RailDesk
from escrow.drafting import store
from escrow.machines import SHADOW
from escrow.payees import Draft
from escrow.results import Event, Result, beijing_day, need_role, refuse, said
from foundation.unit_of_work import UnitOfWork

CLOSED_STATES = ("NONE", "SIGNED", "OPEN", "REFUNDING", "REFUNDED")


def draft_order(
    uow: UnitOfWork, desk: RailDesk, case_id: UUID, *, instalment: int, payee: str, fen: int, rail: str,
    part: int | None = None, decision: str = "", request_key: str | None = None, replaces: UUID | None = None,
) -> Result:  # fmt: skip
    """A cashier drafts a payout of `fen` to a payee's seat for one instalment.

    `part`: which part of this seat's share; None = the next. Business key = case, agreement, instalment, purpose,
    seat and part: the same request gets the same order, another body raises Refused BUSINESS_KEY_CONFLICT naming
    the field. `decision`: the person's reason where the case is in default or under enforcement. `replaces`: the
    returned order that this one takes up again. The rail builds the exact bytes; their digest is what is approved.
    """  # fmt: skip
    need_role(uow, "draft")
    case = ledger.lock_case(uow, case_id)
    may_pay(uow, case, payee, decision)
    draft = Draft("COMPENSATION", instalment, payee, fen, rail, part, decision.strip(), request_key, replaces)
    return store(uow, desk, case, draft)


def draft_refund(
    uow: UnitOfWork, desk: RailDesk, case_id: UUID, *, account: str, fen: int, rail: str, part: int | None = None,
    decision: str = "", request_key: str | None = None, bank: tuple[str, str] = ("", ""), payer_id: str = "",
) -> Result:  # fmt: skip
    """A cashier drafts a refund of `fen` to `account`, from which money of this case came (I6), and to no other.

    Possible while the agreement is void, for what is above the agreed sum, or with a person's `decision`. `bank`:
    (code, name) and `payer_id` where the rail wants them and no party of the agreement has that account.
    """  # fmt: skip
    need_role(uow, "draft")
    case = ledger.lock_case(uow, case_id)
    f = case_state.figures(uow, case_id)
    excess = int(f["balance_fen"]) + int(f["released_fen"]) - int(f["agreed_fen"])
    if case["void_at"] is None and fen > excess:
        said(decision, "decision", "CONDITION_OPEN", "a person's reason: the agreement is in force")
    if case["state"] in SHADOW:
        said(decision, "decision", "CONDITION_OPEN", "a person's reason: money moves only by decision now")
    draft = Draft(
        "REFUND",
        0,
        account,
        fen,
        rail,
        part,
        decision.strip(),
        request_key,
        source_bank=bank,
        source_id=payer_id,
    )
    return store(uow, desk, case, draft)


def draft_top_up(
    uow: UnitOfWork,
    desk: RailDesk,
    case_id: UUID,
    *,
    to_rail: str,
    fen: int,
    rail: str,
    part: int | None = None,
) -> Result:
    """A cashier drafts a move of a case's money to the custody account of another rail: never more than that rail's
    orders of this case are about to pay. Raises Refused OVER_AUTHORISED."""
    need_role(uow, "draft")
    case = ledger.lock_case(uow, case_id)
    about = int(
        uow.scalar(
            "SELECT coalesce(sum(amount_fen) FILTER (WHERE rail = :to AND purpose <> 'TOP_UP' AND state IN ('DRAFTED', 'CHECKED',"
            " 'RELEASED', 'DISPATCHING', 'SENT')), 0) - coalesce(sum(amount_fen) FILTER (WHERE purpose = 'TOP_UP' AND payee = :to"
            " AND state IN ('DRAFTED', 'CHECKED', 'RELEASED', 'DISPATCHING', 'SENT')), 0) FROM escrow.payment_order WHERE case_id = :case",
            to=to_rail, case=case_id,
        )
    )  # fmt: skip
    if fen > about:
        raise refuse(
            "OVER_AUTHORISED", "fen", fen, f"at most {max(0, about)}, what orders there are about to pay"
        )
    return store(uow, desk, case, Draft("TOP_UP", 0, to_rail, fen, rail, part))


def may_pay(uow: UnitOfWork, case: RowMapping, payee: str, decision: str) -> None:
    """Raise Refused unless a payout to this seat may go now: agreement, state, conditions, stops."""
    if case["void_at"] is not None:
        raise refuse("ILLEGAL_STATE", "agreement", "VOID", "an agreement in force")
    if case["state"] in CLOSED_STATES:
        raise refuse("ILLEGAL_STATE", "escrow.state", case["state"], "a funded case")
    if case["paper"] and case["entered_at"] is None:
        raise refuse("CONDITION_OPEN", "agreement", "on paper only", "the agreement as the office entered it")
    if case["needs_confirmation"] and case["confirmation"] != "CONFIRMED":
        raise refuse("CONDITION_OPEN", "judicial_confirmation", case["confirmation"], "CONFIRMED")
    if case["state"] in SHADOW:
        said(decision, "decision", "CONDITION_OPEN", "a person's reason: money moves only by decision now")
    stop = stops.blocking(uow, case["id"], payee)
    if stop is not None:
        raise refuse("RELEASES_STOPPED", "stop", stop)


def order(uow: UnitOfWork, order_id: UUID, lock: bool = False) -> RowMapping:
    """One order. Raises Refused NOT_FOUND. With `lock` its case is locked first, then the order."""
    case_id = uow.scalar("SELECT case_id FROM escrow.payment_order WHERE id = :id", id=order_id)
    if case_id is None:
        raise refuse("NOT_FOUND", "order", order_id)
    if lock:
        ledger.lock_case(uow, case_id)
    row = uow.one(
        "SELECT * FROM escrow.payment_order WHERE id = :id" + (" FOR NO KEY UPDATE" if lock else ""),
        id=order_id,
    )
    assert row is not None
    return row


def sign(uow: UnitOfWork, row: RowMapping, role: str, digest: str | None = None) -> None:
    """The acting person signs the digest of an order. `digest`: of what the person saw, checked when given.

    Raises Refused DIGEST_CHANGED, SAME_PERSON.
    """
    if digest is not None and digest != row["digest"]:
        raise refuse("DIGEST_CHANGED", "digest", digest, row["digest"])
    again = uow.scalar(
        "SELECT role FROM escrow.approval WHERE order_id = :id AND person = :person AND (role = 'MAKER' OR :role = 'MAKER')",
        id=row["id"], person=uow.actor.id, role=role,
    )  # fmt: skip
    if again is not None:
        raise refuse("SAME_PERSON", "actor", uow.actor.id, f"another person than the {again.lower()}")
    uow.execute(
        "INSERT INTO escrow.approval VALUES (:id, :order_id, :role, :person, :digest, :at)",
        id=uow.new_id(), order_id=row["id"], role=role, person=uow.actor.id, digest=row["digest"], at=uow.now,
    )  # fmt: skip


def set_state(uow: UnitOfWork, order_id: UUID, state: str, reason: str = "", **more: Any) -> None:
    """Move an order; the database refuses any move that the table has not. `more`: further columns of the order."""
    columns = "".join(f", {name} = :{name}" for name in more)
    uow.execute(
        f"UPDATE escrow.payment_order SET state = :state, moved_at = :at, reason = CASE WHEN :reason = '' THEN reason"
        f" ELSE :reason END{columns} WHERE id = :id",
        id=order_id, state=state, at=uow.now, reason=reason[:500], **more,
    )  # fmt: skip


def _in_state(row: RowMapping, *states: str) -> None:
    if row["state"] not in states:
        raise refuse("ILLEGAL_STATE", "order.state", row["state"], " or ".join(states))


def check_order(uow: UnitOfWork, order_id: UUID, digest: str | None = None) -> Result:
    """A second person checks a draft and signs its digest. Raises Refused SAME_PERSON, ILLEGAL_STATE, DIGEST_CHANGED."""
    need_role(uow, "check")
    row = order(uow, order_id, lock=True)
    _in_state(row, "DRAFTED")
    payee_stands(uow, row)
    sign(uow, row, "CHECKER", digest)
    set_state(uow, order_id, "CHECKED")
    return Result([_told(uow, row, "ORDER_CHECKED")], order_id)


def persons_needed(uow: UnitOfWork, row: RowMapping) -> int:
    """How many persons this order needs by the tier in force when it was drafted."""
    return int(
        uow.scalar(
            "SELECT escrow.persons_needed(:fen, :day)",
            fen=row["amount_fen"],
            day=beijing_day(row["drafted_at"]),
        )
    )


def release_order(uow: UnitOfWork, order_id: UUID, digest: str | None = None) -> Result:
    """Release a checked order: the checker may below the tier, above it a third person must. Money is set aside.

    Raises Refused SAME_PERSON, ILLEGAL_STATE, MONEY_SHORT, RELEASES_STOPPED, CONDITION_OPEN.
    """
    need_role(uow, "release")
    row = order(uow, order_id, lock=True)
    _in_state(row, "CHECKED")
    payee_stands(uow, row)
    case = ledger.lock_case(uow, row["case_id"])
    if row["purpose"] == "COMPENSATION":
        may_pay(uow, case, row["payee"], row["decision"])
    checker = uow.scalar(
        "SELECT person FROM escrow.approval WHERE order_id = :id AND role = 'CHECKER'", id=order_id
    )
    if persons_needed(uow, row) == 3 and checker == uow.actor.id:
        raise refuse("SAME_PERSON", "actor", uow.actor.id, "a third person: the sum is above the tier")
    sign(uow, row, "RELEASER", digest)
    _set_aside(uow, row)
    set_state(uow, order_id, "RELEASED")
    return Result([_told(uow, row, "ORDER_RELEASED")], order_id)


def _set_aside(uow: UnitOfWork, row: RowMapping) -> None:
    """Hold the order's sum: case_escrow to payable, never what a freeze, a stop or another order has."""
    fen, case_id = int(row["amount_fen"]), row["case_id"]
    held_for_others = 0 if row["purpose"] == "COMPENSATION" else _stopped(uow, case_id)
    available = ledger.free(uow, case_id) + held_for_others
    if fen > available:
        raise refuse("MONEY_SHORT", "amount_fen", fen, f"at most {available}")
    parts = [
        (ledger.account(uow, "case_escrow", case_id), fen),
        (ledger.account(uow, "payable", case_id, row["payee"]), -fen),
    ]
    ledger.post(uow, f"hold/{row['id']}", "HOLD", fen, parts, case_id, ledger.Grounds(order=row["id"]))


def _stopped(uow: UnitOfWork, case_id: UUID) -> int:
    """Our own stops keep payouts back, not refunds: what they hold of the free money."""
    f = case_state.figures(uow, case_id)
    return min(int(f["stopped_fen"]), int(f["free_fen"]))


def payee_stands(uow: UnitOfWork, row: RowMapping) -> None:
    """The person and account that were drafted are still those of the agreement; a changed payee voids the order."""
    if row["purpose"] != "COMPENSATION":
        return
    stands = uow.scalar(
        "SELECT EXISTS (SELECT 1 FROM escrow.party p JOIN escrow.pay_account a ON a.party = p.id WHERE p.id = :party"
        " AND p.active AND a.active AND a.rail = :rail AND a.number = :number)",
        party=row["payee_party"], rail=row["rail"], number=row["payee_account"],
    )  # fmt: skip
    if not stands:
        raise refuse("PAYEE_NOT_AGREED", "payee", row["payee_name"], "the payee in force; draft a new order")


def cancel_order(uow: UnitOfWork, order_id: UUID, reason: str) -> Result:
    """Cancel an order before it leaves; its number may be given again. Raises Refused ILLEGAL_STATE after intent."""
    need_role(uow, "cancel")
    row = order(uow, order_id, lock=True)
    _in_state(row, "DRAFTED", "CHECKED", "RELEASED")
    if row["state"] == "RELEASED":
        stops.unhold(uow, row)
    set_state(uow, order_id, "CANCELLED", said(reason, "reason"))
    return Result([_told(uow, row, "ORDER_CANCELLED", reason=reason)], order_id)


def _told(uow: UnitOfWork, row: RowMapping, name: str, **more: Any) -> Event:
    return case_state.event(
        uow, row["case_id"], name, order_id=row["id"], number=row["number"], fen=int(row["amount_fen"]),
        purpose=row["purpose"], instalment=row["instalment"], **more,
    )  # fmt: skip
