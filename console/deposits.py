"""Deposit 提存 and recovery 追回 on the screen: what follows when a payee cannot be paid, or should not have been."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import Response

import escrow
from console.access import need
from console.acts import Act, Taken
from console.parties import account_of, wallet_kinds
from console.seeing import CASE
from console.texts import say
from hub import money_terms

router = APIRouter(prefix="/escrow/cases/{case_id}", dependencies=CASE)
GROUNDS = ("REFUSES", "NOT_FOUND", "DIED", "NO_CAPACITY")
ENDS = ("CLAIMED", "TAKEN_BACK")
MOVES = ("file", "waive")
CONFIRMERS = ("checker", "releaser")


def _back(act: Act, case_id: UUID, notice: str) -> Response:
    return act.done(f"/escrow/cases/{case_id}#deposits", notice)


@router.post("/deposits")
def propose(case_id: UUID, act: Taken) -> Response:
    """A notary office is paid in a payee's place: proposed here, confirmed by a second person."""
    need(act.uow.actor, "cashier", "checker")
    told = act.told
    seat, name = told.text("seat", most=20, required=True), told.text("name", most=140, required=True)
    ground, account = told.choice("ground", GROUNDS), account_of(told, wallet_kinds())
    reason, document = told.reason(), told.text("document", most=200, required=True)
    told.check()
    depositary = escrow.PartyTerms(
        key=seat, role="PAYEE", name=name, kind="organisation", id_number=told.text("id_number", most=32),
        accounts=money_terms.accounts_of(account, name),
    )  # fmt: skip
    act.follow(escrow.propose_deposit(act.uow, case_id, seat, ground, depositary, reason, document).events)
    return act.done(f"/escrow/cases/{case_id}#decisions", say("已提出，等待第二人确认"))


@router.post("/deposits/{deposit_id}/notice")
def notice(case_id: UUID, deposit_id: UUID, act: Taken) -> Response:
    """The payee, or who stands for him, was told of the deposit."""
    need(act.uow.actor, "cashier", "checker")
    how = act.told.text("notice", most=200, required=True)
    act.told.check()
    act.follow(escrow.note_notice(act.uow, deposit_id, how).events)
    return _back(act, case_id, say("提存通知已登记"))


@router.post("/deposits/{deposit_id}/end")
def end(case_id: UUID, deposit_id: UUID, act: Taken) -> Response:
    """The payee took it, or the payer took it back, by the notary office's paper."""
    need(act.uow.actor, *CONFIRMERS)
    result, document = act.told.choice("result", ENDS), act.told.text("document", most=200, required=True)
    act.told.check()
    act.follow(escrow.end_deposit(act.uow, deposit_id, result, document).events)
    return _back(act, case_id, say("提存已了结"))


@router.post("/recoveries/{recovery_id}")
def recovery(case_id: UUID, recovery_id: UUID, act: Taken) -> Response:
    """A suit or enforcement was filed for what is still owed, or the payer asks no more."""
    need(act.uow.actor, *CONFIRMERS)
    move, document = act.told.choice("event", MOVES), act.told.text("document", most=200, required=True)
    act.told.check()
    act.follow(escrow.move_recovery(act.uow, recovery_id, move, document).events)
    return _back(act, case_id, say("追回已登记"))
