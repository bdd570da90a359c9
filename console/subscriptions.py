"""Subscriptions: who is told of what, how it stands, and an operator's hand on each."""

from __future__ import annotations

from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from connectors import all_connectors
from console.access import Work, hub_of, need
from console.acts import Taken
from console.exchange import partner_names
from console.pages import page
from console.texts import say
from foundation import subscriptions
from hub import subscribing

router = APIRouter(prefix="/exchange/subscriptions")
WATCHERS = ("operator", "auditor", "administrator")
MOVES = {"ACTIVE": say("订阅已启用"), "PAUSED": say("订阅已暂停"), "ENDED": say("订阅已终止")}


@router.get("")
def listed(request: Request, uow: Work) -> HTMLResponse:
    """All subscriptions, newest first."""
    need(uow.actor, *WATCHERS)
    return page(
        request,
        "subscriptions.html",
        rows=subscriptions.listed(uow),
        topics=subscribing.topics(),
        partners=[(each.id, each.name_zh) for each in all_connectors().values()],
        names=partner_names(),
    )


@router.post("")
def make(request: Request, act: Taken) -> Response:
    """A new subscription; a webhook's signing secret is shown once, on the page that follows."""
    need(act.uow.actor, "operator")
    partner = act.told.choice("partner", list(all_connectors()))
    kind = act.told.choice("kind", ("webhook", "amqp"))
    address = act.told.text("address")
    act.told.check()
    _made, secret = subscribing.subscribe(
        act.uow, hub_of(request), partner, kind, act.told.many("topic"), address, approved=True
    )
    notice = say("订阅已建立")
    return act.done("/exchange/subscriptions", f"{notice} {secret}".strip())


@router.post("/{subscription}/state")
def move(subscription: UUID, act: Taken) -> Response:
    """Approve, pause, resume or end."""
    need(act.uow.actor, "operator")
    state = act.told.choice("state", list(MOVES))
    reason = act.told.reason()
    act.told.check()
    moved = subscribing.move(act.uow, subscription, state, reason)
    return act.done("/exchange/subscriptions", MOVES[state] if moved else say("订阅未变"))


@router.post("/{subscription}/test")
def test(subscription: UUID, act: Taken) -> Response:
    """Send a test event, signed like every other."""
    need(act.uow.actor, "operator")
    subscribing.send_test(act.uow, subscription)
    return act.done("/exchange/subscriptions", say("测试事件已排入发送"))


@router.post("/{subscription}/again")
def again(subscription: UUID, act: Taken) -> Response:
    """Tell what was given up again."""
    need(act.uow.actor, "operator")
    reason = act.told.reason()
    act.told.check()
    subscribing.again(act.uow, subscription, None, reason)
    return act.done("/exchange/subscriptions", say("已重新排入发送"))
