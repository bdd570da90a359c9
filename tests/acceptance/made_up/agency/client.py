"""The hub calls the desk: pages of cases, progress of a mediation."""

from __future__ import annotations

import json
from typing import Any

from schemas.exchange import ConnectorContext, Pulled, RawMessage, SendResult


def pull(wire: Any, ctx: ConnectorContext, kind: str, cursor: str) -> Pulled:
    reply = wire.request("GET", f"{ctx.base_url}/cases?since={cursor or 0}")
    if reply.outcome != "ANSWERED" or reply.status != 200:
        raise ConnectionError(reply.error or f"HTTP {reply.status}")
    page = json.loads(reply.content)
    if not page["cases"]:
        return Pulled((), cursor)
    message = RawMessage(ctx.manifest["id"], "pull", kind, reply.content, ctx.now)
    return Pulled((message,), str(page["last"]), page["more"])


def build(operation: str, body: dict[str, Any], ctx: ConnectorContext) -> bytes:
    told = {
        "messageId": body["message_id"],
        "case": body["native_id"],
        "what": body["event"],
        "on": body["on"],
        "mediator": body["mediator"],
        "paidFen": body.get("paid_fen"),
    }
    return json.dumps(told, ensure_ascii=False).encode()


def send(wire: Any, ctx: ConnectorContext, operation: str, content: bytes) -> SendResult:
    headers = {"Content-Type": "application/json"}
    reply = wire.request("POST", f"{ctx.base_url}/{operation}", headers=headers, content=content)
    if reply.outcome != "ANSWERED":
        return SendResult("RETRY" if reply.outcome == "NOT_SENT" else "UNKNOWN", "", reply.error)
    if reply.status == 200:
        return SendResult("DELIVERED", "D200", "", reply.content)
    return SendResult("RETRY", f"HTTP {reply.status}", "", reply.content)


def compare(wire: Any, ctx: ConnectorContext, name: str, body: dict[str, Any]) -> Any:
    headers = {"Content-Type": "application/json"}
    reply = wire.request(
        "POST", f"{ctx.base_url}/compare/{name}", headers=headers, content=json.dumps(body).encode()
    )
    if reply.outcome != "ANSWERED" or reply.status != 200:
        raise ConnectionError(reply.error or f"HTTP {reply.status}")
    return json.loads(reply.content)
