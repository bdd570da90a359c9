"""Escrow on the screen: the cases, one case whole, and what is drafted, stopped or changed in it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

import escrow
from console.access import Work, go, hub_of, need
from console.acts import Act, Taken
from console.orders import MONEY, READERS, gates
from console.pages import page
from console.parties import KINDS, account_of, wallet_kinds
from console.seeing import CASE
from console.texts import say
from foundation.staff import staff_names
from hub import money_terms, payments, seeing
from schemas.findings import Finding, Refused

router = APIRouter(prefix="/escrow")
PAGE = 50
# Under these only a person's stated decision moves money (escrow: a court's or a default's shadow).
SHADOW = ("DEFAULTED", "ENFORCEMENT_REQUESTED", "ENFORCED")
STOP_KINDS = ("PERSON", "PAYEE_DEAD")


@router.get("")
def cases(
    request: Request,
    uow: Work,
    state: str = Query(default="", max_length=30),
    text: str = Query(default="", max_length=60),
    start: int = Query(default=0, ge=0, le=1_000_000),
) -> HTMLResponse:
    """Cases with their figures, newest first, and the accounts that hold the money."""
    need(uow.actor, *READERS)
    seen, whole = seeing.rows(uow, seeing.MONEY), seeing.unplaced(uow, seeing.MONEY)
    rows = escrow.list_cases(
        uow, state=state or None, text=text.strip(), limit=PAGE + 1, offset=start, seen=seen
    )
    return page(
        request, "escrows.html", rows=rows[:PAGE], state=state, text=text.strip(), start=start,
        following=start + PAGE if len(rows) > PAGE else 0, step=PAGE, custody=escrow.custody_accounts(uow) if whole else [],
        suspense=sum(int(row["open_fen"]) for row in escrow.open_suspense(uow, seen=seen)), whole=whole,
        waiting=len(escrow.list_decisions(uow, seen=seen)), breaks=len(escrow.list_breaks(uow, seen=seen)),
        rails=rail_names(),
    )  # fmt: skip


def rail_names() -> dict[str, str]:
    """Ways to pay by id, as people call them."""
    return {rail.id: rail.name_zh for rail in escrow.all_rails().values()}


@router.get("/of/{number:path}")
def by_number(number: str, uow: Work) -> Response:
    """For links that know only the mediation number or the dispute."""
    need(uow.actor, *READERS)
    seeing.check_money(uow, "case", number)
    return go(f"/escrow/cases/{escrow.find_case(uow, number)}")


@router.get("/cases/{case_id}", dependencies=CASE)
def case(request: Request, case_id: UUID, uow: Work) -> HTMLResponse:
    """One case: figures, instalments, orders with each step, ledger, lines, holds, decisions, breaks."""
    need(uow.actor, *READERS)
    found = escrow.escrow_detail(uow, case_id)
    if found["id"] is None:
        raise Refused(Finding("NOT_FOUND", "case", str(case_id)))
    seeing.note_look(uow, found["mediation_number"], "escrow", seeing.MONEY)
    acts = escrow.acts_of(uow)
    orders = escrow.list_orders(uow, case_id=case_id, limit=500)
    for order in orders:
        order["gates"] = gates(order, uow.actor, acts)
    return page(
        request, "escrow_case.html", case=found, orders=list(reversed(orders)), acts=acts, people=staff_names(uow),
        rails=rail_names(), seats=_seats(found), money_rail=_money_rail(request), shadow=found["state"] in SHADOW,
        open_stops=[each for each in found["stops"] if each["ended_at"] is None], left=_left(found),
        wallets=wallet_kinds(),
    )  # fmt: skip


def _money_rail(request: Request) -> str:
    return str(payments.desk_of(hub_of(request)).money_rail().id)


def _seats(found: dict[str, Any]) -> list[dict[str, str]]:
    """Who may be paid, and to which account by which way: one choice each."""
    return [
        {"value": f"{party['key']}|{account['rail']}", "key": party["key"], "name": party["name"],
         "rail": account["rail"], "number": account["number"]}
        for party in found["parties"]
        if party["role"] == "PAYEE" and party["active"]
        for account in party["accounts"]
    ]  # fmt: skip


def _left(found: dict[str, Any]) -> dict[int, int]:
    """What of each instalment is not yet ordered to be paid out, in fen."""
    dead = ("CANCELLED", "STOPPED", "FAILED", "RETURNED", "REISSUED", "CLOSED")
    left = {int(each["number"]): int(each["fen"]) for each in found["instalments"]}
    for order in found["orders"]:
        if order["purpose"] == "COMPENSATION" and order["state"] not in dead and order["instalment"] in left:
            left[order["instalment"]] -= int(order["amount_fen"])
    return left


def _back(act: Act, case_id: UUID, place: str, notice: str) -> Response:
    return act.done(f"/escrow/cases/{case_id}#{place}", notice)


@router.post("/cases/{case_id}/orders", dependencies=CASE)
def draft(request: Request, case_id: UUID, act: Taken) -> Response:
    """A payout to a payee in force, for one instalment; its exact bytes are built and signed by the maker."""
    need(act.uow.actor, "cashier")
    told = act.told
    seat, _, rail = told.text("seat", required=True).partition("|")
    instalment, fen = told.whole("instalment", 1, 120, 1), told.fen("amount")
    decision = told.text("decision")
    told.check()
    made = escrow.draft_order(
        act.uow, payments.desk_of(hub_of(request)), case_id, instalment=instalment, payee=seat, fen=fen, rail=rail,
        decision=decision,
    )  # fmt: skip
    act.follow(made.events)
    return act.done(f"/escrow/orders/{made.id}", say("指令已拟，等待第二人复核"))


@router.post("/cases/{case_id}/refunds", dependencies=CASE)
def refund(request: Request, case_id: UUID, act: Taken) -> Response:
    """Back to the account that the money came from, and to no other."""
    need(act.uow.actor, "cashier")
    told = act.told
    account, fen, rail = (
        told.text("account", required=True),
        told.fen("amount"),
        told.text("rail", required=True),
    )
    decision = told.text("decision")
    bank = (told.text("bank_code", most=14), told.text("bank_name", most=140))
    told.check()
    made = escrow.draft_refund(
        act.uow, payments.desk_of(hub_of(request)), case_id, account=account, fen=fen, rail=rail, decision=decision,
        bank=bank, payer_id=told.text("payer_id", most=32),
    )  # fmt: skip
    act.follow(made.events)
    return act.done(f"/escrow/orders/{made.id}", say("退款指令已拟，等待第二人复核"))


@router.post("/cases/{case_id}/top-ups", dependencies=CASE)
def top_up(request: Request, case_id: UUID, act: Taken) -> Response:
    """Move a case's money to the account from which another way to pay pays out."""
    need(act.uow.actor, "cashier")
    to_rail, fen = act.told.text("to_rail", required=True), act.told.fen("amount")
    act.told.check()
    made = escrow.draft_top_up(
        act.uow,
        payments.desk_of(hub_of(request)),
        case_id,
        to_rail=to_rail,
        fen=fen,
        rail=_money_rail(request),
    )
    act.follow(made.events)
    return act.done(f"/escrow/orders/{made.id}", say("调拨指令已拟，等待第二人复核"))


@router.post("/cases/{case_id}/stops", dependencies=CASE)
def stop(case_id: UUID, act: Taken) -> Response:
    """Stop payouts: of the whole case, of one payee, or up to a sum."""
    need(act.uow.actor, *MONEY, "supervision_officer")
    told = act.told
    kind, reason = told.choice("kind", STOP_KINDS), told.reason()
    fen, payee = told.fen("amount", required=False) or None, told.text("payee", most=20)
    told.check()
    flag = "PAYEE_DEAD" if kind == "PAYEE_DEAD" else ""
    act.follow(escrow.place_stop(act.uow, case_id, kind, reason, flag=flag, fen=fen, payee=payee).events)
    return _back(act, case_id, "holds", say("已停付，理由已记录"))


@router.post("/cases/{case_id}/stops/end", dependencies=CASE)
def end_stop(case_id: UUID, act: Taken) -> Response:
    need(act.uow.actor, "checker", "releaser")
    kind, reason, payee = (
        act.told.text("kind", required=True),
        act.told.reason(),
        act.told.text("payee", most=20),
    )
    act.told.check()
    act.follow(escrow.end_stop(act.uow, case_id, kind, reason, payee).events)
    return _back(act, case_id, "holds", say("停付已解除"))


@router.post("/cases/{case_id}/resume", dependencies=CASE)
def resume(case_id: UUID, act: Taken) -> Response:
    """Take a suspended case, or one whose default was cured, back to where its money puts it."""
    need(act.uow.actor, "checker", "releaser")
    reason = act.told.reason()
    act.told.check()
    act.follow(escrow.resume(act.uow, case_id, reason).events)
    return _back(act, case_id, "holds", say("已恢复"))


@router.post("/cases/{case_id}/waivers", dependencies=CASE)
def waive(case_id: UUID, act: Taken) -> Response:
    """The payee waived an instalment in writing."""
    need(act.uow.actor, "checker", "releaser")
    number, document = act.told.whole("instalment", 1, 120, 1), act.told.text("document", required=True)
    act.told.check()
    act.follow(escrow.waive_instalment(act.uow, case_id, number, document).events)
    return _back(act, case_id, "instalments", say("该期已免除"))


@router.post("/cases/{case_id}/payees", dependencies=CASE)
def payee(case_id: UUID, act: Taken) -> Response:
    """Another person or account takes a payee's seat: proposed here, confirmed by a second person."""
    need(act.uow.actor, "cashier", "checker")
    told = act.told
    seat, name = told.text("seat", most=20, required=True), told.text("name", most=140, required=True)
    kind = told.choice("kind", KINDS)
    account = account_of(told, wallet_kinds())
    reason, document = told.reason(), told.text("document", required=True)
    told.check()
    new = escrow.PartyTerms(
        key=seat, role="PAYEE", name=name, kind="organisation" if kind == "organisation" else "person",
        id_number=told.text("id_number", most=32), accounts=money_terms.accounts_of(account, name),
    )  # fmt: skip
    act.follow(escrow.propose_payee(act.uow, case_id, seat, new, reason, document).events)
    return _back(act, case_id, "decisions", say("已提出，等待第二人确认"))
