"""The hub asks the gateway about a person or a company; nobody calls us.

A question: {"name", "number", "matter", "operator", "purpose"} – all required, since each look at personal
data needs a matter, a person who asks and a purpose; they travel as `additional` and come back as the
disclosure to be logged. Kinds: "person" (resident id), "company" (credit code).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from connectors.provincial_gateway.mapping import ACTIONS, QUESTION_HEADER, rows_of
from connectors.provincial_gateway.tokens import (
    NotNow,
    Stopped,
    count_call,
    quota_used,
    read_again,
    request_secret,
    signed,
    told_by,
)
from foundation.wire import Wire, WireReply
from schemas.canonical import canonical_json
from schemas.exchange import ConnectorContext, Outcome, Pulled, RawMessage, SendOutcome, SendResult
from schemas.findings import Finding, Refused

KINDS = ("person", "company")
_WANTED = ("name", "number", "matter", "operator", "purpose")
MAX_PAGES = 100
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Asked:
    """Answers to one question, a message a page, and what was disclosed by asking."""

    messages: tuple[RawMessage, ...]
    disclosure: dict[str, Any]


def ask(wire: Wire, ctx: ConnectorContext, kind: str, question: dict[str, Any]) -> Asked:
    """Ask and walk the pages until an empty one (not dataCount). Raises Refused, NotNow or Stopped."""
    checked = _checked(kind, question)
    messages: list[RawMessage] = []
    for page in range(1, MAX_PAGES + 1):
        reply, rows = _page(wire, ctx, kind, checked, page)
        if rows or page == 1:
            messages.append(_message(ctx, kind, reply, {**checked, "subject": kind, "page": page}))
        if not rows:
            break
    return Asked(tuple(messages), disclosure_of(ctx, kind, checked))


def pull(wire: Wire, ctx: ConnectorContext, kind: str, cursor: str) -> Pulled:
    """One page of an answer; `cursor` is the question as JSON, with "page" for the pages after the first."""
    told = json.loads(cursor)
    page = int(told.pop("page", 1))
    checked = _checked(kind, told)
    reply, rows = _page(wire, ctx, kind, checked, page)
    message = _message(ctx, kind, reply, {**checked, "subject": kind, "page": page})
    following = json.dumps({**checked, "page": page + 1}, ensure_ascii=False)
    return Pulled((message,), following if rows else cursor, more=bool(rows) and page < MAX_PAGES)


def build(operation: str, body: dict[str, Any], ctx: ConnectorContext) -> bytes:
    """The question as kept bytes, for an outbox row of operation "person" or "company". Raises Refused."""
    return canonical_json(_checked(operation, body))


def send(wire: Wire, ctx: ConnectorContext, operation: str, content: bytes) -> SendResult:
    """Ask a kept question; `raw` is the first page, to be read by the mapping (channel "reply")."""
    try:
        asked = ask(wire, ctx, operation, json.loads(content))
    except Stopped as stopped:
        return SendResult("PERMANENT", "14", str(stopped))
    except NotNow as trouble:
        outcome: SendOutcome = "PERMANENT" if trouble.code in ("01", "08") else "RETRY"
        return SendResult(
            outcome, trouble.code, f"{trouble}: {ACTIONS.get(trouble.code, 'retry with back-off')}"
        )
    return SendResult(
        "DELIVERED", "00", json.dumps(asked.disclosure, ensure_ascii=False), asked.messages[0].content
    )


def acknowledge(wire: Wire, ctx: ConnectorContext, message: RawMessage, outcome: Outcome) -> None:
    """Nothing to say: reads need no acknowledgement."""


def disclosure_of(ctx: ConnectorContext, kind: str, question: dict[str, Any]) -> dict[str, Any]:
    """The line for the disclosure journal: to whom, why, about whom, which fields, on what ground."""
    return {
        "recipient": ctx.manifest["institution"],
        "purpose": question["purpose"],
        "subject": question["number"],
        "fields": ["xm", ctx.manifest["interfaces"][kind]["number"]],
        "basis": question["matter"],
        "actor": question["operator"],
    }


def _checked(kind: str, question: dict[str, Any]) -> dict[str, str]:
    if kind not in KINDS:
        raise Refused(Finding("CODE_UNKNOWN", "kind", kind[:40], ", ".join(KINDS)))
    missing = [key for key in _WANTED if not str(question.get(key) or "").strip()]
    if missing:
        raise Refused.of(Finding("FIELD_MISSING", f"/{key}", "absent", "required") for key in missing)
    return {key: str(question[key]).strip() for key in _WANTED}


def _page(
    wire: Wire, ctx: ConnectorContext, kind: str, question: dict[str, str], page: int
) -> tuple[WireReply, list[dict[str, Any]]]:
    secret = request_secret(wire, ctx)
    reply = _call(wire, ctx, kind, question, page, secret)
    told = told_by(reply)
    if told["code"] == "05":
        # Another worker has refreshed: read the shared secret again and repeat once, never more.
        read_again(ctx)
        secret = request_secret(wire, ctx, not_this=secret)
        reply = _call(wire, ctx, kind, question, page, secret)
        told = told_by(reply)
    if told["code"] == "12":
        raise quota_used(ctx)
    if told["code"] != "00":
        raise NotNow(told["code"], f"the gateway answered {told['code']} {told.get('msg') or ''}".strip())
    try:
        return reply, rows_of(told.get("data"))
    except Refused:
        return reply, []  # the mapping says what is wrong with it


def _call(
    wire: Wire, ctx: ConnectorContext, kind: str, question: dict[str, str], page: int, secret: str
) -> WireReply:
    count_call(ctx)
    interface = ctx.manifest["interfaces"][kind]
    additional = {key: question[key] for key in ("matter", "operator", "purpose")}
    form = {
        **signed(ctx, secret),
        "additional": json.dumps(additional, ensure_ascii=False, sort_keys=True),
        "pageNum": str(page),
        "pageSize": str(ctx.manifest["limits"]["page"]),
        "xm": question["name"],
        interface["number"]: question["number"],
    }
    path = f"/gateway/api/{interface['catalog']}/dataSharing/{interface['api']}.htm"
    return wire.request(
        "POST", ctx.base_url.rstrip("/") + path, headers=_FORM, content=urlencode(form).encode()
    )


def _message(ctx: ConnectorContext, kind: str, reply: WireReply, question: dict[str, Any]) -> RawMessage:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    headers[QUESTION_HEADER] = json.dumps(question, ensure_ascii=False, sort_keys=True)
    return RawMessage(ctx.manifest["id"], "reply", kind, reply.content, ctx.now, headers=headers)
