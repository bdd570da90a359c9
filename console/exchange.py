"""The exchange log: what came in, what we owe, one message raw and as read, replay."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, Response

from connectors import all_connectors
from console.access import Genuine, Reader, Work, back, hub_of, need
from console.pages import page
from foundation import outbox
from hub.replaying import replay_inbox
from schemas.findings import Finding, Refused

router = APIRouter(prefix="/exchange")
WATCHERS = ("operator", "auditor", "administrator", "supervision_officer")
SHOWN_BYTES = 20_000


@router.get("")
def log(
    request: Request,
    uow: Work,
    partner: str = Query(default="", max_length=40),
    state: str = Query(default="", max_length=20),
    way: str = Query(default="in", pattern="^(in|out)$"),
) -> HTMLResponse:
    need(uow.actor, *WATCHERS)
    if way == "in":
        rows = uow.all(
            "SELECT id, partner, channel, operation, message_id, state, receipt_no, received_at AS at, attempts,"
            " last_error, result FROM exchange.inbox WHERE (:p = '' OR partner = :p) AND (:s = '' OR state = :s)"
            " ORDER BY received_at DESC, id DESC LIMIT 100",
            p=partner,
            s=state,
        )
    else:
        rows = uow.all(
            "SELECT id, partner, operation, message_id, state, created_at AS at, delivered_at, attempts, last_error"
            " FROM exchange.outbox WHERE (:p = '' OR partner = :p) AND (:s = '' OR state = :s)"
            " ORDER BY created_at DESC, seq DESC LIMIT 100",
            p=partner,
            s=state,
        )
    names = {each.id: each.name_zh for each in all_connectors().values()}
    partners = [
        row["partner"] for row in uow.all("SELECT DISTINCT partner FROM exchange.inbox ORDER BY 1 LIMIT 100")
    ]
    return page(
        request,
        "exchange.html",
        rows=rows,
        way=way,
        partner=partner,
        state=state,
        names=names,
        partners=partners,
    )


@router.get("/in/{inbox_id}")
def one_in(request: Request, inbox_id: UUID, uow: Work) -> HTMLResponse:
    """One message: raw on the left, what was read from it on the right."""
    need(uow.actor, "operator", "auditor", "administrator")
    row = uow.one("SELECT * FROM exchange.inbox WHERE id = :id", id=inbox_id)
    if row is None:
        raise Refused(Finding("UNKNOWN_ORIGINAL", "id", str(inbox_id), "a message of the inbox"))
    content = bytes(row["content"])
    return page(
        request,
        "message.html",
        row=row,
        raw=content[:SHOWN_BYTES].decode("utf-8", "replace"),
        size=len(content),
        cut=len(content) > SHOWN_BYTES,
        digest=bytes(row["content_hash"]).hex(),
        result=row["result"] or {},
    )


@router.post("/in/{inbox_id}/replay", dependencies=[Genuine])
def replay_in(
    request: Request, inbox_id: UUID, actor: Reader, reason: Annotated[str, Form(max_length=500)]
) -> Response:
    need(actor, "operator")
    told = replay_inbox(hub_of(request), inbox_id, reason, actor)
    return back(f"/exchange/in/{inbox_id}", f"已重新处理：{told['result']}")


@router.get("/out/{outbox_id}")
def one_out(request: Request, outbox_id: UUID, uow: Work) -> HTMLResponse:
    """One message that we owe or sent, with every try."""
    need(uow.actor, "operator", "auditor", "administrator")
    row = uow.one("SELECT * FROM exchange.outbox WHERE id = :id", id=outbox_id)
    if row is None:
        raise Refused(Finding("UNKNOWN_ORIGINAL", "id", str(outbox_id), "a message of the outbox"))
    tries = uow.all(
        "SELECT * FROM exchange.outbox_attempt WHERE outbox = :id ORDER BY attempt LIMIT 100", id=outbox_id
    )
    sent = bytes(row["content"])[:SHOWN_BYTES].decode("utf-8", "replace") if row["content"] else ""
    return page(request, "owed.html", row=row, tries=tries, sent=sent)


@router.post("/out/{outbox_id}/replay", dependencies=[Genuine])
def replay_out(outbox_id: UUID, uow: Work, reason: Annotated[str, Form(max_length=500)]) -> Response:
    need(uow.actor, "operator")
    done = outbox.replay(uow, outbox_id, reason)
    return back(f"/exchange/out/{outbox_id}", "已重新排入发送" if done else "这条报文不在死信中")
