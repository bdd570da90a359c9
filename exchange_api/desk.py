"""The exchange desk and operation over REST: messages, replay, alarms, jobs, the sandbox's clock."""

from __future__ import annotations

import base64
from hashlib import sha256
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from connectors import connectors_named
from exchange_api.people import Caller, Work, hub_of, need
from exchange_api.problem import Forbidden
from foundation import clock, outbox
from foundation.envelope import content_of
from foundation.journal import close_alarm, journal
from hub import jobs, payments
from hub.catalogue import catalogue
from hub.health import health
from hub.repairing import repair, replay_many
from hub.replaying import replay_inbox
from schemas.findings import Finding, Refused

router = APIRouter(prefix="/v1", tags=["operation 运行"])
WATCHERS = ("operator", "auditor", "administrator", "supervision_officer")


class ReasonIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    reason: str = Field(min_length=1, max_length=500)


class RepairIn(ReasonIn):
    content_base64: str = Field(
        max_length=1_400_000, pattern="^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
    )


class ManyIn(ReasonIn):
    ids: list[UUID] = Field(min_length=1, max_length=100)


class PauseIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    paused: bool
    reason: str = Field(min_length=1, max_length=500)


class ClockIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    at: AwareDatetime | None


@router.get("/health", summary="Is the hub well 健康", tags=["open 公开"])
def is_well(request: Request) -> dict[str, Any]:
    """Open to everyone: no personal data in it."""
    return health(hub_of(request))


@router.get("/catalogue", summary="What can be called here 服务目录")
def service_catalogue(uow: Work) -> dict[str, Any]:
    """Made from the code and the manifests, with each partner's health."""
    need(uow.actor, *WATCHERS, "partner_engineer")
    return catalogue(uow)


@router.get("/clock", summary="The hub's time 时钟")
def read_clock(uow: Work) -> dict[str, Any]:
    return {"now": uow.now.isoformat(), "mode": uow.scalar("SELECT mode FROM exchange.clock")}


@router.put("/clock", summary="Move the sandbox's clock 沙箱时钟")
def set_clock(body: ClockIn, uow: Work) -> dict[str, Any]:
    """Only in a sandbox database; production refuses."""
    need(uow.actor, "operator")
    try:
        if body.at is None:
            clock.release_clock(uow.conn)
        else:
            clock.move_clock(uow.conn, body.at)
    except clock.ClockRefused:
        raise Forbidden("sandbox") from None
    uow.wake()
    return {"now": clock.clock_now(uow.conn).isoformat()}


@router.get("/exchange/inbox", summary="Messages that came in 收到的报文")
def inbox_list(
    uow: Work,
    partner: str = Query(default="", max_length=40),
    state: str = Query(default="", max_length=20),
    limit: int = Query(default=50, ge=1, le=200),
) -> dict[str, Any]:
    need(uow.actor, *WATCHERS)
    rows = uow.all(
        "SELECT id, partner, channel, operation, message_id, state, receipt_no, received_at, decided_at, attempts,"
        " last_error, size AS bytes FROM exchange.inbox WHERE (:p = '' OR partner = :p)"
        " AND (:s = '' OR state = :s) ORDER BY received_at DESC, id DESC LIMIT :n",
        p=partner,
        s=state,
        n=limit,
    )
    return {"messages": [dict(row) for row in rows]}


@router.get("/exchange/inbox/{inbox_id}", summary="One message, raw and as read 报文详情")
def inbox_one(inbox_id: UUID, uow: Work) -> dict[str, Any]:
    need(uow.actor, "operator", "auditor", "administrator")
    row = uow.one("SELECT * FROM exchange.inbox WHERE id = :id", id=inbox_id)
    if row is None:
        raise Refused(Finding("UNKNOWN_ORIGINAL", "id", str(inbox_id), "a message of the inbox"))
    shown = {
        name: value for name, value in row.items() if name not in ("content", "data_key", "content_hash")
    }
    if row["erased_at"] is None:
        shown["content_base64"] = base64.b64encode(content_of(uow, row)).decode()
    shown["sha256"] = bytes(row["content_hash"]).hex()
    return shown


@router.post("/exchange/inbox/{inbox_id}/replay", summary="Apply a message again 重新处理")
def inbox_replay(inbox_id: UUID, body: ReasonIn, request: Request, actor: Caller) -> dict[str, Any]:
    """For messages that wait or were refused; one that had its effect is left alone."""
    need(actor, "operator")
    return replay_inbox(hub_of(request), inbox_id, body.reason, actor)


@router.post("/exchange/inbox/{inbox_id}/repair", summary="Submit a mended copy 修正后重新提交")
def inbox_repair(inbox_id: UUID, body: RepairIn, request: Request, actor: Caller) -> dict[str, Any]:
    """For messages that were refused or quarantined; the message itself stays as it came."""
    need(actor, "operator")
    try:
        content = base64.b64decode(body.content_base64, validate=True)
    except ValueError:
        raise Refused(
            Finding("BASE64_INVALID", "content_base64", body.content_base64[:50], "base64")
        ) from None
    return repair(hub_of(request), inbox_id, content, body.reason, actor)


@router.post("/exchange/replays", summary="Apply many messages again 批量重新处理")
def inbox_replay_many(body: ManyIn, request: Request, actor: Caller) -> dict[str, Any]:
    """In the order they came; counts by result."""
    need(actor, "operator")
    return {"results": replay_many(hub_of(request), body.ids, body.reason, actor)}


@router.get("/exchange/outbox", summary="Messages that we owe 待发与已发报文")
def outbox_list(
    uow: Work,
    partner: str = Query(default="", max_length=40),
    state: str = Query(default="", max_length=20),
    limit: int = Query(default=50, ge=1, le=200),
) -> dict[str, Any]:
    need(uow.actor, *WATCHERS)
    rows = uow.all(
        "SELECT id, partner, operation, message_id, case_key, state, created_at, due, attempts, delivered_at,"
        " last_error FROM exchange.outbox WHERE (:p = '' OR partner = :p) AND (:s = '' OR state = :s)"
        " ORDER BY created_at DESC, seq DESC LIMIT :n",
        p=partner,
        s=state,
        n=limit,
    )
    return {"messages": [dict(row) for row in rows]}


@router.post("/exchange/outbox/{outbox_id}/replay", summary="Send a dead message again 重新发送")
def outbox_replay(outbox_id: UUID, body: ReasonIn, uow: Work) -> dict[str, Any]:
    need(uow.actor, "operator")
    return {"replayed": outbox.replay(uow, outbox_id, body.reason)}


@router.post("/partners/{name}/pause", summary="Pause or resume a partner or rail 暂停或恢复")
def pause(name: str, body: PauseIn, uow: Work) -> dict[str, Any]:
    """A paused partner is neither pulled from nor sent to; a paused rail keeps released orders. Nothing is lost."""
    need(uow.actor, "operator")
    known = {each.id for each in connectors_named(name)} or {
        rail for rail in [payments.rail_named(name)] if rail
    }
    if not known:
        raise Refused(Finding("NOT_FOUND", "name", name, "a partner or a rail"))
    for each in sorted(known):
        uow.execute(
            "INSERT INTO exchange.partner_state (partner, paused) VALUES (:p, :paused)"
            " ON CONFLICT (partner) DO UPDATE SET paused = excluded.paused",
            p=each,
            paused=body.paused,
        )
        journal(
            uow,
            "paused" if body.paused else "resumed",
            each,
            sha256(body.reason.encode()).digest(),
            reason=body.reason,
        )
    uow.wake()
    return {"partners": sorted(known), "paused": body.paused}


@router.get("/alarms", summary="Open alarms 待处理告警")
def alarms(uow: Work) -> dict[str, Any]:
    rows = uow.all("SELECT * FROM exchange.alarm WHERE closed_at IS NULL ORDER BY at DESC LIMIT 200")
    return {"alarms": [dict(row) for row in rows if uow.actor.has(row["role"], "operator", "auditor")]}


@router.post("/alarms/{alarm_id}/close", summary="Close an alarm 关闭告警")
def alarm_close(alarm_id: UUID, body: ReasonIn, uow: Work) -> dict[str, Any]:
    row = uow.one("SELECT role FROM exchange.alarm WHERE id = :id", id=alarm_id)
    need(uow.actor, row["role"] if row else "operator", "operator")
    return {"closed": close_alarm(uow, alarm_id, body.reason)}


@router.post("/jobs/{name}", summary="Run a job now 立即运行任务")
def run_job(name: str, request: Request, actor: Caller, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The same jobs that Airflow runs by schedule: deadlines, reconcile, retry, rebuild-check, payments."""
    need(actor, "operator")
    job = jobs.BY_NAME.get(name)
    if job is None:
        raise Refused(Finding("UNKNOWN_ORIGINAL", "name", name, ", ".join(sorted(jobs.BY_NAME))))
    day = str((body or {}).get("day", ""))
    return job(hub_of(request), day) if name == "reconcile" else job(hub_of(request))
