"""Escrow over REST, beyond the straight way: decisions, unknown outcomes, stops, breaks, deposits, recoveries."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

import escrow
from exchange_api.payments import MONEY, PayeeIn, ReasonIn, Strict, check_case
from exchange_api.people import Work, need
from exchange_api.seeing import BREAK, DECISION, DEPOSIT, ORDER, RECOVERY
from hub import choreography, money_terms, seeing
from schemas.findings import Finding, Refused

router = APIRouter(prefix="/v1", tags=["escrow 托管"])
CONFIRMERS = ("checker", "releaser")
DOCUMENT = Field(min_length=1, max_length=200)


class SettlementIn(Strict):
    outcome: Literal["REFUSED", "NOT_SENT"]
    reason: str = Field(min_length=1, max_length=500)
    document: str = DOCUMENT


class DocumentIn(Strict):
    document: str = DOCUMENT


class CaseReasonIn(Strict):
    mediation_number: str = Field(max_length=60)
    reason: str = Field(min_length=1, max_length=500)


class StopIn(CaseReasonIn):
    kind: Literal["PERSON", "PAYEE_DEAD"] = "PERSON"
    payee: str = Field(default="", max_length=20, description="one seat only; empty: all")
    fen: int | None = Field(default=None, gt=0, le=10**13, strict=True)


class StopEndIn(CaseReasonIn):
    kind: str = Field(default="PERSON", max_length=40)
    payee: str = Field(default="", max_length=20)


class FeeIn(CaseReasonIn):
    line: UUID


class DepositIn(CaseReasonIn):
    seat: str = Field(max_length=20)
    ground: Literal["REFUSES", "NOT_FOUND", "DIED", "NO_CAPACITY"]
    depositary: PayeeIn
    document: str = DOCUMENT


class NoticeIn(Strict):
    notice: str = Field(min_length=1, max_length=200)


class DepositEndIn(DocumentIn):
    result: Literal["CLAIMED", "TAKEN_BACK"]


class RecoveryMoveIn(DocumentIn):
    event: Literal["file", "waive"]


def _done(uow: Work, result: escrow.Result, name: str) -> dict[str, Any]:
    choreography.follow(uow, result.events)
    return {name: str(result.id) if result.id else None, "events": result.names()}


@router.get("/decisions", summary="What waits for a second person 待第二人确认")
def decisions(uow: Work) -> dict[str, Any]:
    need(uow.actor, *MONEY, "auditor")
    return {"decisions": escrow.list_decisions(uow, seen=seeing.rows(uow, seeing.MONEY))}


@router.post("/decisions/{decision_id}/reject", dependencies=DECISION, summary="Turn a proposal down 否决")
def reject(decision_id: UUID, body: ReasonIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, *MONEY)
    return _done(uow, escrow.reject_decision(uow, decision_id, body.reason), "decision")


@router.post("/orders/{order_id}/ask", dependencies=ORDER, summary="Ask the rail at once 立即查询")
def ask(order_id: UUID, uow: Work) -> dict[str, Any]:
    """Whatever the schedule of questions says; the answer comes by itself."""
    need(uow.actor, *MONEY, "operator")
    found = escrow.order_detail(uow, order_id)
    if found is None:
        raise Refused(Finding("NOT_FOUND", "order", str(order_id), "an order's id"))
    for attempt in found["attempts"]:
        escrow.ask_now(uow, found["rail"], attempt["number"])
    uow.wake()
    return {"order": str(order_id), "asked": len(found["attempts"])}


@router.post(
    "/orders/{order_id}/settlement",
    dependencies=ORDER,
    status_code=201,
    summary="Settle an unknown outcome on paper 凭证定案",
)
def settle(order_id: UUID, body: SettlementIn, uow: Work) -> dict[str, Any]:
    """Proposed here, confirmed by a second person. That it was paid is shown by a statement line only."""
    need(uow.actor, "cashier", "checker")
    made = escrow.propose_settlement(uow, order_id, body.outcome, body.reason, body.document)
    return _done(uow, made, "decision")


@router.post(
    "/orders/{order_id}/short-return",
    dependencies=ORDER,
    status_code=201,
    summary="Take a short return 短额退汇转回",
)
def short_return(order_id: UUID, body: ReasonIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, "cashier", "checker")
    return _done(uow, escrow.propose_short_return(uow, order_id, body.reason), "decision")


@router.post("/orders/{order_id}/give-up", dependencies=ORDER, summary="Give up what never left 放弃")
def give_up(order_id: UUID, body: ReasonIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, *CONFIRMERS)
    return _done(uow, escrow.give_up(uow, order_id, body.reason), "order")


@router.post(
    "/orders/{order_id}/close", dependencies=ORDER, summary="A return that is not paid again 退汇了结"
)
def close(order_id: UUID, body: ReasonIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, *CONFIRMERS)
    return _done(uow, escrow.close_returned(uow, order_id, body.reason), "order")


@router.post("/stops", status_code=201, summary="Stop payouts 停付")
def stop(body: StopIn, uow: Work) -> dict[str, Any]:
    """Of the whole case, of one payee's seat, or up to a sum."""
    need(uow.actor, *MONEY, "supervision_officer")
    check_case(uow, body.mediation_number)
    case_id = escrow.find_case(uow, body.mediation_number)
    flag = "PAYEE_DEAD" if body.kind == "PAYEE_DEAD" else ""
    placed = escrow.place_stop(
        uow, case_id, body.kind, body.reason, flag=flag, fen=body.fen, payee=body.payee
    )
    return _done(uow, placed, "stop")


@router.post("/stops/end", summary="End a stop 解除停付")
def end_stop(body: StopEndIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, *CONFIRMERS)
    check_case(uow, body.mediation_number)
    case_id = escrow.find_case(uow, body.mediation_number)
    return _done(uow, escrow.end_stop(uow, case_id, body.kind, body.reason, body.payee), "stop")


@router.post("/escrow/resume", summary="Resume a suspended case 恢复付款")
def resume(body: CaseReasonIn, uow: Work) -> dict[str, Any]:
    """Back to where its money puts it; late money counts from here on."""
    need(uow.actor, *CONFIRMERS)
    check_case(uow, body.mediation_number)
    return _done(uow, escrow.resume(uow, body.mediation_number, body.reason), "case")


@router.post("/fees", status_code=201, summary="Propose to book a holder's fee 提出手续费入账")
def fee(body: FeeIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, "cashier", "checker")
    check_case(uow, body.mediation_number)
    seeing.check_money(uow, "line", body.line)
    return _done(uow, escrow.propose_fee(uow, body.line, body.mediation_number, body.reason), "decision")


@router.post("/breaks/{break_id}/own", dependencies=BREAK, summary="Take a difference on 认领差异")
def own(break_id: UUID, uow: Work) -> dict[str, Any]:
    need(uow.actor, *MONEY)
    return _done(uow, escrow.own_break(uow, break_id), "break")


@router.post("/breaks/{break_id}/close", dependencies=BREAK, summary="Close a difference on paper 凭证销差异")
def close_break(break_id: UUID, body: DocumentIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, *MONEY)
    return _done(uow, escrow.close_break(uow, break_id, document=body.document), "break")


@router.post("/deposits", status_code=201, summary="Propose a deposit 提出提存")
def deposit(body: DepositIn, uow: Work) -> dict[str, Any]:
    """The payee refuses, cannot be found, has died or lost his capacity: a notary office is paid in his place (Civil
    Code 570). Confirmed by a second person; orders to the payee that have not left are stopped."""
    need(uow.actor, "cashier", "checker")
    check_case(uow, body.mediation_number)
    told = body.depositary.model_dump()
    depositary = escrow.PartyTerms(
        key=body.seat, role="PAYEE", name=told["name"], kind="organisation", id_number=told["id_number"],
        accounts=money_terms.accounts_of(told, told["name"]),
    )  # fmt: skip
    made = escrow.propose_deposit(
        uow, body.mediation_number, body.seat, body.ground, depositary, body.reason, body.document
    )
    return _done(uow, made, "decision")


@router.post(
    "/deposits/{deposit_id}/notice", dependencies=DEPOSIT, summary="The payee was told of it 提存通知"
)
def deposit_notice(deposit_id: UUID, body: NoticeIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, "cashier", "checker")
    return _done(uow, escrow.note_notice(uow, deposit_id, body.notice), "deposit")


@router.post(
    "/deposits/{deposit_id}/end", dependencies=DEPOSIT, summary="Claimed, or taken back 提存领取或取回"
)
def deposit_end(deposit_id: UUID, body: DepositEndIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, *CONFIRMERS)
    return _done(uow, escrow.end_deposit(uow, deposit_id, body.result, body.document), "deposit")


@router.post(
    "/recoveries/{recovery_id}/moves",
    dependencies=RECOVERY,
    summary="File for it, or waive it 追回：起诉执行或放弃",
)
def recovery_move(recovery_id: UUID, body: RecoveryMoveIn, uow: Work) -> dict[str, Any]:
    """Of what is still to be given back under an agreement that was set aside."""
    need(uow.actor, *CONFIRMERS)
    return _done(uow, escrow.move_recovery(uow, recovery_id, body.event, body.document), "recovery")
