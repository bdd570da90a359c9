"""The hub calls the commission: cases by snapshot cursor, one case, awards, consent-award requests.

The stored cursor of kind "cases" is JSON: `since` (updatedSince of the walk), `cursor` (the commission's,
opaque, dies after 24 h) and `seen` (latest updatedAt read). Doubles are harmless: a Record's version is
(updatedAt, version), so the same version twice states the same thing.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

from connectors.arbitration_rest.consent_request import consent_award_request
from connectors.arbitration_rest.oauth import Closed, NotLetIn, call
from connectors.arbitration_rest.replies import action_for
from foundation.wire import Wire, WireReply
from schemas.exchange import ConnectorContext, Outcome, Pulled, RawMessage, SendResult
from schemas.findings import Finding, Refused
from schemas.wide import BEIJING
from schemas.xml_safe import parse_json_strict

OPERATIONS = ("consent_award_request",)
OVERLAP = timedelta(minutes=10)
PAGE = 100


def pull(wire: Wire, ctx: ConnectorContext, kind: str, cursor: str) -> Pulled:
    """One page of "cases"; or "case" / "awards" with a case's id as cursor (404 gives no message: delete nothing).

    Raises ConnectionError when there is no usable answer, oauth.NotLetIn when the credentials are refused.
    """
    if kind == "cases":
        return _page(wire, ctx, cursor)
    if kind not in ("case", "awards"):
        raise Refused(Finding("CODE_UNKNOWN", "kind", kind[:40], "cases, case, awards"))
    path = f"/v1/cases/{quote(cursor, safe='')}" + ("/awards" if kind == "awards" else "")
    reply = _answered(call(wire, ctx, "GET", path))
    if reply.status == 404:
        return Pulled((), cursor)
    if reply.status != 200:
        raise ConnectionError(_words(reply))
    return Pulled((_message(reply, ctx, "getCase" if kind == "case" else "listAwards"),), cursor)


def _page(wire: Wire, ctx: ConnectorContext, stored: str) -> Pulled:
    place = _place(stored)
    reply = _answered(call(wire, ctx, "GET", "/v1/cases?" + urlencode(_query(place))))
    if reply.status == 410 and place.get("cursor"):
        # The snapshot is dead: start again a little before the last thing seen (CONTRACT.md, Operations).
        place = {"since": _before(place.get("seen")) or place.get("since"), "seen": place.get("seen")}
        reply = _answered(call(wire, ctx, "GET", "/v1/cases?" + urlencode(_query(place))))
    if reply.status != 200:
        raise ConnectionError(_words(reply))
    message = _message(reply, ctx, "listCases")
    try:
        page = parse_json_strict(reply.content)
        items, after = page["items"], page["nextCursor"]
        stamps = [each["updatedAt"] for each in items] + ([place["seen"]] if place.get("seen") else [])
        seen = max(stamps, key=datetime.fromisoformat) if stamps else None
    except (Refused, KeyError, TypeError, ValueError):
        # The mapping says what is wrong with it; the cursor stays where it was.
        return Pulled((message,), stored)
    if after:
        return Pulled((message,), json.dumps({**place, "cursor": after, "seen": seen}), more=True)
    return Pulled((message,), json.dumps({"since": _before(seen) or place.get("since"), "seen": seen}))


def _place(stored: str) -> dict[str, Any]:
    if not stored:
        return {}
    try:
        value = json.loads(stored)
    except ValueError:
        value = stored
    # A plain time is taken too: "from here on", as an operator would write it.
    return value if isinstance(value, dict) else {"since": str(value)}


def _query(place: dict[str, Any]) -> dict[str, str]:
    if place.get("cursor"):
        return {"cursor": str(place["cursor"]), "limit": str(PAGE)}
    query = {"limit": str(PAGE)}
    if place.get("since"):
        query["updatedSince"] = str(place["since"])
    return query


def _before(seen: str | None) -> str | None:
    if not seen:
        return None
    return (datetime.fromisoformat(seen).astimezone(BEIJING) - OVERLAP).isoformat()


def build(operation: str, body: dict[str, Any], ctx: ConnectorContext) -> bytes:
    """Wire bytes of a consent-award request. Raises Refused when the body cannot be told to them."""
    if operation not in OPERATIONS:
        raise Refused(Finding("CODE_UNKNOWN", "operation", operation[:40], ", ".join(OPERATIONS)))
    return consent_award_request(body, ctx)


def send(wire: Wire, ctx: ConnectorContext, operation: str, content: bytes) -> SendResult:
    """Send kept bytes; requestId is the Idempotency-Key. 202 is taken, not accepted: wait for case.accepted."""
    key = str(json.loads(content)["requestId"])
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    try:
        reply = call(wire, ctx, "POST", "/v1/consent-award-requests", headers=headers, content=content)
    except Closed as closed:
        return SendResult("RETRY", closed.code, str(closed))
    except NotLetIn as refused:
        return SendResult("RETRY", "ARB-0401", str(refused))
    if reply.outcome != "ANSWERED":
        return SendResult("RETRY" if reply.outcome == "NOT_SENT" else "UNKNOWN", "", reply.error)
    status = reply.status or 0
    if status == 202:
        return SendResult("DELIVERED", "202", "taken; wait for case.accepted", reply.content)
    code, text = _problem(reply)
    if status in (400, 404, 409, 422):
        return SendResult("PERMANENT", code, text, reply.content)
    return SendResult("RETRY", code, text, reply.content)


def acknowledge(wire: Wire, ctx: ConnectorContext, message: RawMessage, outcome: Outcome) -> None:
    """Nothing to say: reads need no acknowledgement."""


def _message(reply: WireReply, ctx: ConnectorContext, operation: str) -> RawMessage:
    return RawMessage(
        ctx.manifest["id"], "pull", operation, reply.content, ctx.now, headers=dict(reply.headers)
    )


def _answered(reply: WireReply) -> WireReply:
    if reply.outcome != "ANSWERED":
        raise ConnectionError(reply.error)
    return reply


def _words(reply: WireReply) -> str:
    code, text = _problem(reply)
    return f"HTTP {reply.status} {code} {text}: {action_for(code)}".strip()


def _problem(reply: WireReply) -> tuple[str, str]:
    """Code and words of a problem+json; the paths of its errors too. Any other body gives the status alone."""
    try:
        problem = parse_json_strict(reply.content, max_bytes=1_000_000)
    except Refused:
        return f"HTTP {reply.status}", ""
    if not isinstance(problem, dict):
        return f"HTTP {reply.status}", ""
    errors = problem.get("errors")
    places = (
        [f"{each.get('path')}: {each.get('message')}" for each in errors if isinstance(each, dict)]
        if isinstance(errors, list)
        else []
    )
    words = "; ".join([str(problem.get("detail") or problem.get("title") or ""), *places])
    return str(problem.get("code") or f"HTTP {reply.status}"), words[:500]
