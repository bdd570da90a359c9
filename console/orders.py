"""Payment orders on the screen: who has signed, who may sign now and why not, what the rail said, what proves it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

import escrow
from console.access import Work, need
from console.acts import Act, Taken
from console.pages import page
from console.seeing import ORDER
from console.texts import say
from foundation.actors import Actor
from foundation.staff import staff_names
from hub import seeing
from schemas.findings import Finding, Refused

router = APIRouter(prefix="/escrow/orders", dependencies=ORDER)
MONEY = ("cashier", "checker", "releaser")
READERS = (*MONEY, "auditor", "operator", "supervision_officer", "mediator", "reviewer", "administrator")
SHOWN_BYTES = 20_000
LIVE = ("DRAFTED", "CHECKED", "RELEASED")


def gates(order: dict[str, Any], actor: Actor, acts: Collection[str]) -> list[dict[str, str]]:
    """The steps that an order still has before it leaves: each with "" or the code of why this person may not."""
    if order["state"] not in LIVE:
        return []
    mine, checked = order["maker"] == actor.id, order["checker"] == actor.id
    found = []
    if order["state"] == "DRAFTED":
        why = "NO_ROLE_CHECK" if "check" not in acts else "MADE_BY_YOU" if mine else ""
        found.append({"act": "check", "why": why})
    if order["state"] in ("DRAFTED", "CHECKED"):
        why = ""
        if "release" not in acts:
            why = "NO_ROLE_RELEASE"
        elif mine:
            why = "MADE_BY_YOU"
        elif order["state"] == "DRAFTED":
            why = "NOT_CHECKED"
        elif checked and order["persons"] == 3:
            why = "CHECKED_BY_YOU"
        found.append({"act": "release", "why": why})
    found.append({"act": "cancel", "why": "" if "cancel" in acts else "NO_ROLE_CANCEL"})
    return found


def found_order(uow: Work, order_id: UUID) -> dict[str, Any]:
    """An order with everything known of it. Raises Refused NOT_FOUND."""
    found = escrow.order_detail(uow, order_id)
    if found is None:
        raise Refused(Finding("NOT_FOUND", "order", str(order_id)))
    return found


@router.get("/{order_id}")
def order(request: Request, order_id: UUID, uow: Work) -> HTMLResponse:
    """What is approved, to the byte; its approvals, attempts and every word that was said about it."""
    need(uow.actor, *READERS)
    found = found_order(uow, order_id)
    seeing.note_look(uow, found["mediation_number"], "order", seeing.MONEY)
    acts = escrow.acts_of(uow)
    payload = found["payload_text"]
    rail = escrow.all_rails()[found["rail"]]
    return page(
        request, "order.html", order=found, gates=gates(found, uow.actor, acts), acts=acts, people=staff_names(uow),
        payload=payload[:SHOWN_BYTES], cut=len(payload) > SHOWN_BYTES, rail=rail.name_zh,
        signed={each["role"]: each for each in found["approvals"]},
    )  # fmt: skip


def _end(act: Act, order_id: UUID, notice: str) -> Response:
    return act.done(f"/escrow/orders/{order_id}", notice)


@router.post("/{order_id}/check")
def check(order_id: UUID, act: Taken) -> Response:
    """The second person signs the digest that the page showed."""
    need(act.uow.actor, *MONEY)
    digest = act.told.text("digest", most=64, required=True)
    act.told.check()
    act.follow(escrow.check_order(act.uow, order_id, digest).events)
    return _end(act, order_id, say("已复核签署"))


@router.post("/{order_id}/release")
def release(order_id: UUID, act: Taken) -> Response:
    """Release a checked order; above the tier the third person does."""
    need(act.uow.actor, *MONEY)
    digest = act.told.text("digest", most=64, required=True)
    act.told.check()
    act.follow(escrow.release_order(act.uow, order_id, digest).events)
    act.uow.wake()
    return _end(act, order_id, say("已放行，款项已预留，即将发出"))


@router.post("/{order_id}/cancel")
def cancel(order_id: UUID, act: Taken) -> Response:
    need(act.uow.actor, *MONEY)
    reason = act.told.reason()
    act.told.check()
    act.follow(escrow.cancel_order(act.uow, order_id, reason).events)
    return _end(act, order_id, say("指令已撤回"))


@router.post("/{order_id}/ask")
def ask(order_id: UUID, act: Taken) -> Response:
    """Ask the rail about it at once, whatever its schedule says."""
    need(act.uow.actor, *MONEY, "operator")
    found = found_order(act.uow, order_id)
    for attempt in found["attempts"]:
        escrow.ask_now(act.uow, found["rail"], attempt["number"])
    return _end(act, order_id, say("已安排立即查询"))


@router.post("/{order_id}/settle")
def settle(order_id: UUID, act: Taken) -> Response:
    """Propose what became of an order whose outcome nobody knows, on the holder's paper."""
    need(act.uow.actor, "cashier", "checker")
    outcome = act.told.choice("outcome", ("REFUSED", "NOT_SENT"))
    reason, document = act.told.reason(), act.told.text("document", required=True)
    act.told.check()
    act.follow(escrow.propose_settlement(act.uow, order_id, outcome, reason, document).events)
    return _end(act, order_id, say("已提出，等待第二人确认"))


@router.post("/{order_id}/short-return")
def short_return(order_id: UUID, act: Taken) -> Response:
    """Propose to take back a return that is smaller than the payment."""
    need(act.uow.actor, "cashier", "checker")
    reason = act.told.reason()
    act.told.check()
    act.follow(escrow.propose_short_return(act.uow, order_id, reason).events)
    return _end(act, order_id, say("已提出，等待第二人确认"))


@router.post("/{order_id}/give-up")
def give_up(order_id: UUID, act: Taken) -> Response:
    """Give up an order that provably never left; its money is free again."""
    need(act.uow.actor, "checker", "releaser")
    reason = act.told.reason()
    act.told.check()
    act.follow(escrow.give_up(act.uow, order_id, reason).events)
    return _end(act, order_id, say("指令已放弃，款项已退回案件"))


@router.post("/{order_id}/close")
def close(order_id: UUID, act: Taken) -> Response:
    """A returned payment is not paid again: waived, refunded or deposited."""
    need(act.uow.actor, "checker", "releaser")
    reason = act.told.reason()
    act.told.check()
    act.follow(escrow.close_returned(act.uow, order_id, reason).events)
    return _end(act, order_id, say("退汇指令已了结"))
