"""The exchange log: what came in, what we owe, one message raw and as read, replay."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

import escrow
from connectors import all_connectors
from console.access import Work, hub_of, need
from console.acts import Taken
from console.pages import page
from console.repairs import MOST_TEXT
from console.texts import say
from foundation import outbox
from foundation.envelope import content_of
from hub.repairing import REPAIRS
from hub.replaying import replay_inbox
from schemas.findings import Finding, Refused

router = APIRouter(prefix="/exchange")
OPENS = ("operator", "auditor", "administrator")
WATCHERS = (*OPENS, "supervision_officer")
SHOWN_BYTES = 20_000
PAGE = 100
REPLAYED = {
    "ACCEPTED": say("已重新处理：采纳"),
    "DUPLICATE": say("已重新处理：与先前报文相同"),
    "QUARANTINED": say("已重新处理：仍被隔离"),
    "REFUSED": say("已重新处理：仍被拒收"),
}


@router.get("")
def log(
    request: Request,
    uow: Work,
    partner: str = Query(default="", max_length=40),
    state: str = Query(default="", max_length=20),
    way: str = Query(default="in", pattern="^(in|out)$"),
    number: str = Query(default="", max_length=140),
    before: int = Query(default=0, ge=0),
) -> HTMLResponse:
    """The newest messages; a message id finds every message that bears it."""
    need(uow.actor, *WATCHERS)
    asked = {"p": partner, "s": state, "n": number.strip(), "before": before, "limit": PAGE + 1}
    rows = uow.all(_IN if way == "in" else _OUT, **asked)
    told = {"way": way, "partner": partner, "state": state, "number": number.strip()}
    following = urlencode({**told, "before": rows[PAGE - 1]["seq"]}) if len(rows) > PAGE else ""
    partners = [
        row["partner"] for row in uow.all("SELECT DISTINCT partner FROM exchange.inbox ORDER BY 1 LIMIT 100")
    ]
    return page(
        request, "exchange.html", rows=rows[:PAGE], names=partner_names(), partners=partners, following=following,
        opens=uow.actor.has(*OPENS), later=before > 0, **told,
    )  # fmt: skip


_IN = (
    "SELECT id, seq, partner, channel, operation, message_id, state, receipt_no, received_at AS at, attempts, last_error,"
    " result FROM exchange.inbox WHERE (:p = '' OR partner = :p) AND (:s = '' OR state = :s)"
    " AND (:n = '' OR message_id = :n) AND (:before = 0 OR seq < :before) ORDER BY seq DESC LIMIT :limit"
)
_OUT = (
    "SELECT id, seq, partner, operation, message_id, state, created_at AS at, delivered_at, attempts, last_error"
    " FROM exchange.outbox WHERE (:p = '' OR partner = :p) AND (:s = '' OR state = :s)"
    " AND (:n = '' OR message_id = :n) AND (:before = 0 OR seq < :before) ORDER BY seq DESC LIMIT :limit"
)


def partner_names() -> dict[str, str]:
    """Partners and ways to pay by id, as people call them."""
    return {each.id: each.name_zh for each in (*all_connectors().values(), *escrow.all_rails().values())}


@router.get("/in/{inbox_id}")
def one_in(request: Request, inbox_id: UUID, uow: Work) -> HTMLResponse:
    """One message: raw on the left, what was read from it on the right."""
    need(uow.actor, *OPENS)
    row = uow.one("SELECT * FROM exchange.inbox WHERE id = :id", id=inbox_id)
    if row is None:
        raise Refused(Finding("NOT_FOUND", "message", str(inbox_id), "a message of the inbox"))
    content = content_of(uow, row) if row["erased_at"] is None else say("内容已销毁，仅存摘要").encode()
    return page(
        request,
        "message.html",
        row=row,
        names=partner_names(),
        raw=content[:SHOWN_BYTES].decode("utf-8", "replace"),
        mendable=_text_of(content),
        repairs=row["headers"].get(REPAIRS),
        size=row["size"],
        cut=len(content) > SHOWN_BYTES,
        digest=bytes(row["content_hash"]).hex(),
        result=row["result"] or {},
    )


def _text_of(content: bytes) -> str | None:
    """The whole message as text that a person may mend here, None when it is none or too long."""
    try:
        return content.decode("utf-8") if len(content) <= MOST_TEXT else None
    except UnicodeDecodeError:
        return None


@router.post("/in/{inbox_id}/replay")
def replay_in(request: Request, inbox_id: UUID, act: Taken) -> Response:
    """Apply a message again that waits, was refused or quarantined; one that had its effect is left alone."""
    need(act.uow.actor, "operator")
    reason = act.told.reason()
    act.told.check()
    told = replay_inbox(hub_of(request), inbox_id, reason, act.uow.actor)
    return act.done(f"/exchange/in/{inbox_id}", REPLAYED.get(str(told["result"]).upper(), say("已重新处理")))


@router.get("/out/{outbox_id}")
def one_out(request: Request, outbox_id: UUID, uow: Work) -> HTMLResponse:
    """One message that we owe or sent, with every try."""
    need(uow.actor, *OPENS)
    row = uow.one("SELECT * FROM exchange.outbox WHERE id = :id", id=outbox_id)
    if row is None:
        raise Refused(Finding("NOT_FOUND", "message", str(outbox_id), "a message of the outbox"))
    tries = uow.all(
        "SELECT * FROM exchange.outbox_attempt WHERE outbox = :id ORDER BY attempt LIMIT 100", id=outbox_id
    )
    sent = (outbox.kept_bytes(uow, row) or b"")[:SHOWN_BYTES].decode("utf-8", "replace")
    return page(request, "owed.html", row=row, tries=tries, sent=sent, names=partner_names())


@router.post("/out/{outbox_id}/replay")
def replay_out(outbox_id: UUID, act: Taken) -> Response:
    """Send a message again that was given up."""
    need(act.uow.actor, "operator")
    reason = act.told.reason()
    act.told.check()
    done = outbox.replay(act.uow, outbox_id, reason)
    return act.done(
        f"/exchange/out/{outbox_id}", say("已重新排入发送") if done else say("这条报文不在死信中")
    )
