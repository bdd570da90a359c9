"""Subscriptions over REST, for operators: who is told of what, where it stands, and telling again."""

from __future__ import annotations

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from connectors import all_connectors
from exchange_api.people import Work, hub_of, need
from foundation import subscriptions
from hub import subscribing
from schemas.findings import Finding, Refused

router = APIRouter(prefix="/v1/subscriptions", tags=["operation 运行"])
WATCHERS = ("operator", "auditor", "administrator")


class SubscriptionIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    partner: str = Field(max_length=40)
    kind: Literal["webhook", "amqp"]
    topics: list[str] = Field(min_length=1, max_length=50)
    address: str = Field(default="", max_length=500)


class MoveIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    state: Literal["ACTIVE", "PAUSED", "ENDED"]
    reason: str = Field(min_length=1, max_length=500)


class AgainIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    events: list[int] | None = Field(default=None, max_length=10_000)
    reason: str = Field(min_length=1, max_length=500)


@router.get("/topics", summary="What may be subscribed to 可订阅的事件")
def topics() -> dict[str, Any]:
    return {"topics": list(subscribing.topics().values())}


@router.get("", summary="Subscriptions 订阅")
def listed(uow: Work, partner: str = Query(default="", max_length=40)) -> dict[str, Any]:
    need(uow.actor, *WATCHERS)
    return {"subscriptions": [dict(row) for row in subscriptions.listed(uow, partner)]}


@router.post("", summary="Make a subscription 新建订阅", status_code=201)
def make(body: SubscriptionIn, request: Request, uow: Work) -> dict[str, Any]:
    """The signing secret of a webhook is shown in this answer and never again."""
    need(uow.actor, "operator")
    known = set(all_connectors())
    if body.partner not in known:
        raise Refused(Finding("NOT_FOUND", "partner", body.partner, "a partner"))
    made, secret = subscribing.subscribe(
        uow, hub_of(request), body.partner, body.kind, body.topics, body.address, approved=True
    )
    row = subscriptions.one(uow, made)
    assert row is not None
    return {**row, **({"secret": secret} if secret else {})}


@router.post("/{subscription}/state", summary="Approve, pause, resume or end 批准、暂停、恢复、终止")
def move(subscription: UUID, body: MoveIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, "operator")
    _known(uow, subscription)
    return {"moved": subscribing.move(uow, subscription, body.state, body.reason), "state": body.state}


@router.post("/{subscription}/again", summary="Tell dead deliveries again 重新通知")
def again(subscription: UUID, body: AgainIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, "operator")
    _known(uow, subscription)
    return {"again": subscribing.again(uow, subscription, body.events, body.reason)}


@router.post("/{subscription}/test", summary="Send a test event 发送测试事件")
def test(subscription: UUID, uow: Work) -> dict[str, Any]:
    need(uow.actor, "operator")
    _known(uow, subscription)
    subscribing.send_test(uow, subscription)
    return {"queued": True}


@router.post("/{subscription}/secret", summary="A new signing secret 更换签名密钥")
def rotate(subscription: UUID, request: Request, uow: Work) -> dict[str, Any]:
    """Both secrets sign for the overlap of a day; then the former is gone."""
    need(uow.actor, "operator")
    _known(uow, subscription)
    return {"secret": subscribing.rotate(uow, hub_of(request), subscription)}


def _known(uow: Work, subscription: UUID) -> None:
    if subscriptions.one(uow, subscription) is None:
        raise Refused(Finding("NOT_FOUND", "subscription", str(subscription), "a subscription"))
