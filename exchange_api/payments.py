"""Escrow over REST: cases, payment orders through draft, check, release; suspense and payees by two persons."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

import escrow
from exchange_api.people import Work, hub_of, need
from exchange_api.seeing import DECISION, ORDER
from exchange_api.texts import SAID
from hub import choreography, money_terms, payments, seeing
from schemas.findings import Finding, Refused

router = APIRouter(prefix="/v1", tags=["escrow 托管"])
READERS = (
    "cashier", "checker", "releaser", "auditor", "operator", "supervision_officer", "mediator", "reviewer",
    "administrator",
)  # fmt: skip
MONEY = ("cashier", "checker", "releaser")


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PayeeIn(Strict):
    """Paid to an account or to a wallet."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": [name], "properties": {name: {"type": "string", "pattern": SAID}}}
                for name in ("account", "wallet")
            ]
        }
    )
    name: str = Field(max_length=140, pattern=SAID)
    account: str = Field(default="", max_length=34)
    bank_code: str = Field(default="", max_length=14)
    bank_name: str = Field(default="", max_length=140)
    wallet: str = Field(default="", max_length=128)
    wallet_type: str = Field(default="", max_length=32)
    id_number: str = Field(default="", max_length=32)


class OrderIn(Strict):
    mediation_number: str = Field(max_length=60)
    rail: str = Field(max_length=40)
    fen: int = Field(gt=0, le=10**13, strict=True)
    payee: PayeeIn | None = None
    payee_key: str = Field(default="", max_length=20)
    instalment: int | None = Field(default=None, ge=1, le=120)
    decision: str = Field(default="", max_length=500)


class RefundIn(Strict):
    mediation_number: str = Field(max_length=60)
    rail: str = Field(max_length=40)
    account: str = Field(min_length=1, max_length=34)
    fen: int = Field(gt=0, le=10**13, strict=True)
    bank_code: str = Field(default="", max_length=14)
    bank_name: str = Field(default="", max_length=140)
    payer_id: str = Field(default="", max_length=32)
    decision: str = Field(default="", max_length=500)


class SignIn(Strict):
    digest: str = Field(pattern="^[0-9a-f]{64}$", description="what the person saw and signs")


class ReasonIn(Strict):
    reason: str = Field(min_length=1, max_length=500)


class PartIn(Strict):
    mediation_number: str = Field(max_length=60)
    fen: int = Field(gt=0, le=10**13, strict=True)


class SplitIn(Strict):
    line: UUID
    parts: list[PartIn] = Field(min_length=1, max_length=50)
    reason: str = Field(min_length=1, max_length=500)


class PayeeChangeIn(Strict):
    mediation_number: str = Field(max_length=60)
    seat: str = Field(max_length=20)
    payee: PayeeIn
    kind: str = Field(default="person", pattern="^(person|organisation)$")
    reason: str = Field(min_length=1, max_length=500)
    document: str = Field(min_length=1, max_length=200)


@router.get("/escrows", summary="Escrow cases 托管案件")
def escrows(
    uow: Work, state: str = Query(default="", max_length=30), limit: int = Query(default=50, ge=1, le=200)
) -> dict[str, Any]:
    need(uow.actor, *READERS)
    return {
        "escrows": escrow.list_cases(
            uow, state=state or None, limit=limit, seen=seeing.rows(uow, seeing.MONEY)
        )
    }


@router.get("/escrow", summary="One escrow by mediation number 托管详情")
def one(uow: Work, mediation_number: str = Query(max_length=60)) -> dict[str, Any]:
    """State, figures in fen, instalments, orders with approvals, lines, ledger."""
    need(uow.actor, *READERS)
    if not escrow.has_case(uow, mediation_number):
        raise Refused(Finding("NOT_FOUND", "mediation_number", mediation_number, "a case with an escrow"))
    seeing.check_money(uow, "case", mediation_number)
    found = escrow.escrow_detail(uow, mediation_number)
    seeing.note_look(uow, found["mediation_number"], "escrow", seeing.MONEY)
    return found


@router.post("/orders", status_code=201, summary="Draft a payment order 经办")
def draft(body: OrderIn, uow: Work, request: Request) -> dict[str, Any]:
    """``payee`` must be a payee in force by name and account; a corrected account is agreed by two persons first."""
    need(uow.actor, "cashier")
    check_case(uow, body.mediation_number)
    rail = money_terms.rail_named(body.rail)
    if rail is None:
        raise Refused(Finding("NOT_FOUND", "rail", body.rail, ", ".join(payments.rail_names())))
    seat, instalment = money_terms.seat_of(
        uow,
        body.mediation_number,
        rail.id,
        body.payee_key,
        body.payee.model_dump() if body.payee else None,
        body.instalment,
    )
    made = escrow.draft_order(
        uow, payments.desk_of(hub_of(request)), escrow.find_case(uow, body.mediation_number), instalment=instalment,
        payee=seat, fen=body.fen, rail=rail.id, decision=body.decision,
    )  # fmt: skip
    choreography.follow(uow, made.events)
    return _order(uow, made.id)


@router.post("/refunds", status_code=201, summary="Draft a refund to its source 退还")
def refund(body: RefundIn, uow: Work, request: Request) -> dict[str, Any]:
    """Only to an account that money of this case came from (invariant I6)."""
    need(uow.actor, "cashier")
    check_case(uow, body.mediation_number)
    rail = money_terms.rail_named(body.rail)
    if rail is None:
        raise Refused(Finding("NOT_FOUND", "rail", body.rail, ", ".join(payments.rail_names())))
    made = escrow.draft_refund(
        uow, payments.desk_of(hub_of(request)), escrow.find_case(uow, body.mediation_number), account=body.account,
        fen=body.fen, rail=rail.id, decision=body.decision, bank=(body.bank_code, body.bank_name),
        payer_id=body.payer_id,
    )  # fmt: skip
    choreography.follow(uow, made.events)
    return _order(uow, made.id)


@router.post("/orders/{order_id}/check", dependencies=ORDER, summary="Check as the second person 复核")
def check(order_id: UUID, body: SignIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, "checker")
    choreography.follow(uow, escrow.check_order(uow, order_id, body.digest).events)
    return _order(uow, order_id)


@router.post("/orders/{order_id}/release", dependencies=ORDER, summary="Release 审批放行")
def release(order_id: UUID, body: SignIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, "releaser", "checker")
    choreography.follow(uow, escrow.release_order(uow, order_id, body.digest).events)
    uow.wake()
    return _order(uow, order_id)


@router.post("/orders/{order_id}/cancel", dependencies=ORDER, summary="Cancel before it leaves 撤回")
def cancel(order_id: UUID, body: ReasonIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, *MONEY)
    choreography.follow(uow, escrow.cancel_order(uow, order_id, body.reason).events)
    return _order(uow, order_id)


def check_case(uow: Work, number: str) -> None:
    """What is not there is said by the room itself. Raises Refused NOT_FOUND."""
    if escrow.has_case(uow, number):
        seeing.check_money(uow, "case", number)


def _order(uow: Work, order_id: UUID | None) -> dict[str, Any]:
    found = escrow.order_detail(uow, order_id) if order_id else None
    if found is None:
        raise Refused(Finding("NOT_FOUND", "order", str(order_id), "an order's id"))
    found["payload"] = found.pop("payload_text")
    return found


@router.get("/orders/{order_id}", dependencies=ORDER, summary="One order with every step 指令详情")
def order(order_id: UUID, uow: Work) -> dict[str, Any]:
    need(uow.actor, *READERS)
    found = _order(uow, order_id)
    seeing.note_look(uow, found["mediation_number"], "order", seeing.MONEY)
    return found


@router.get("/suspense", summary="Credits nobody could match 挂账")
def suspense(uow: Work) -> dict[str, Any]:
    need(uow.actor, *MONEY, "auditor")
    return {"suspense": escrow.open_suspense(uow, seen=seeing.rows(uow, seeing.MONEY))}


@router.post("/suspense/splits", status_code=201, summary="Propose whose a credit is 提出认领")
def split(body: SplitIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, "cashier")
    for part in body.parts:
        check_case(uow, part.mediation_number)
    if not escrow.open_suspense(uow, seen=seeing.rows(uow, seeing.MONEY), line=body.line):
        raise Refused(Finding("NOT_FOUND", "line", str(body.line), "a credit in suspense"))
    parts: list[tuple[UUID | str, int]] = [(part.mediation_number, part.fen) for part in body.parts]
    made = escrow.propose_split(uow, body.line, parts, body.reason)
    choreography.follow(uow, made.events)
    return {"decision": str(made.id)}


@router.post("/payees", status_code=201, summary="Propose another payee or account 提出变更收款")
def payee(body: PayeeChangeIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, "cashier", "mediator")
    check_case(uow, body.mediation_number)
    told = body.payee.model_dump()
    new = escrow.PartyTerms(
        key=body.seat, role="PAYEE", name=told["name"], kind="organisation" if body.kind == "organisation" else "person",
        id_number=told["id_number"], accounts=money_terms.accounts_of(told, told["name"]),
    )  # fmt: skip
    made = escrow.propose_payee(uow, body.mediation_number, body.seat, new, body.reason, body.document)
    choreography.follow(uow, made.events)
    return {"decision": str(made.id)}


@router.post(
    "/decisions/{decision_id}/confirm",
    dependencies=DECISION,
    summary="Confirm as the second person 第二人确认",
)
def confirm(decision_id: UUID, uow: Work, request: Request) -> dict[str, Any]:
    need(uow.actor, "checker", "releaser")
    done = escrow.confirm_decision(uow, payments.desk_of(hub_of(request)), decision_id)
    choreography.follow(uow, done.events)
    return {"decision": str(decision_id), "events": done.names()}


@router.get("/reconciliation", summary="Runs, breaks and custody accounts 对账")
def reconciliation(uow: Work) -> dict[str, Any]:
    need(uow.actor, *MONEY, "auditor", "operator")
    seen, whole = seeing.rows(uow, seeing.MONEY), seeing.unplaced(uow, seeing.MONEY)
    return {
        "runs": escrow.recon_runs(uow) if whole else [],
        "breaks": escrow.list_breaks(uow, seen=seen),
        "custody": escrow.custody_accounts(uow) if whole else [],
        "violations": [str(each) for each in escrow.prove(uow)] if whole else [],
    }
