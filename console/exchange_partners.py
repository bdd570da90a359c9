"""Partners on the screen: state, health, limits and the dates of keys; suspend, resume, revoke, try the address."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from console.access import Work, hub_of, need
from console.acts import Taken
from console.pages import page
from console.texts import say
from foundation.partner_keys import revoke_key
from hub import partner_call, partner_desk
from hub.partner_watch import SOON_DAYS

router = APIRouter(prefix="/exchange/partners")
WATCHERS = ("operator", "auditor", "administrator", "supervision_officer")
TRIED = {
    "address": say("未通：没有登记地址"),
    "name": say("未通：域名无法解析"),
    "connection": say("未通：连接不上"),
    "tls": say("未通：TLS 握手不成"),
    "answer": say("已连上，但对方没有接受"),
}


@router.get("")
def listed(request: Request, uow: Work) -> HTMLResponse:
    """Every partner with its state and the day its next key runs out."""
    need(uow.actor, *WATCHERS)
    rows = partner_desk.listed(uow)
    for row in rows:
        row["days_left"] = (row["key_ends"] - uow.now).days if row["key_ends"] else None
    return page(request, "exchange_partners.html", rows=rows, soon=SOON_DAYS, now=uow.now)


@router.get("/{partner_id}")
def one(request: Request, partner_id: str, uow: Work) -> HTMLResponse:
    """One partner: facts, limits, keys."""
    need(uow.actor, *WATCHERS)
    return page(
        request, "exchange_partner.html", row=partner_desk.shown(uow, partner_id), soon=SOON_DAYS, now=uow.now
    )


@router.post("/{partner_id}/suspend")
def suspend(partner_id: str, act: Taken) -> Response:
    """Take nothing more from it and send nothing more to it."""
    need(act.uow.actor, "operator")
    reason = act.told.reason()
    act.told.check()
    partner_desk.turn(act.uow, partner_id, reason, suspend=True)
    return act.done(f"/exchange/partners/{partner_id}", say("伙伴已停用，一秒内生效"))


@router.post("/{partner_id}/resume")
def resume(partner_id: str, act: Taken) -> Response:
    """End a suspension; what waited is sent."""
    need(act.uow.actor, "operator")
    reason = act.told.reason()
    act.told.check()
    partner_desk.turn(act.uow, partner_id, reason, suspend=False)
    return act.done(f"/exchange/partners/{partner_id}", say("伙伴已恢复"))


@router.post("/{partner_id}/revoke")
def revoke(partner_id: str, act: Taken) -> Response:
    """Revoke a key for good."""
    need(act.uow.actor, "operator")
    key = act.told.choice("key", [each["id"] for each in partner_desk.shown(act.uow, partner_id)["keys"]])
    reason = act.told.reason()
    act.told.check()
    revoke_key(act.uow, key, reason)
    return act.done(f"/exchange/partners/{partner_id}", say("密钥已吊销，一秒内生效"))


@router.post("/{partner_id}/try")
def try_address(request: Request, partner_id: str, act: Taken) -> Response:
    """Call its address, and say in one sentence what came of it."""
    need(act.uow.actor, "operator")
    steps = partner_call.call(hub_of(request), act.uow, partner_id)
    last = steps[-1]
    told = say("对方应答正常") if last["ok"] else TRIED[last["what"]]
    return act.done(
        f"/exchange/partners/{partner_id}", f"{told} · {last['found']} {last['mend']}".strip(" ·")
    )
