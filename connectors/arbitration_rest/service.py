"""The door for the commission's webhooks: 200 taken, 409 same event with another body, 422 never again, 401 seal."""

from __future__ import annotations

import json

from connectors.arbitration_rest.mapping import MAX_HOOK_BYTES, PARTNER, manifest
from schemas.exchange import Endpoint, HttpAnswer, HttpRequest, Known, Outcome, RawMessage
from schemas.findings import Finding, Refused

PATH = "/webhooks/arbitration"


def unpack(request: HttpRequest, known: Known) -> list[RawMessage]:
    """The request as one message. Raises Refused: too large, or not JSON by its own word."""
    if len(request.body) > MAX_HOOK_BYTES:
        limit = f"at most {MAX_HOOK_BYTES} bytes"
        raise Refused(Finding("TOO_LARGE", "/", f"{len(request.body)} bytes", limit))
    media = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media != "application/json":
        raise Refused(
            Finding("SCHEMA_VIOLATION", "header Content-Type", media or "absent", "application/json")
        )
    return [
        RawMessage(
            partner=PARTNER,
            channel="hook",
            operation="event",
            content=request.body,
            received_at=request.received_at,
            headers=dict(request.headers),
        )
    ]


def answer(outcomes: list[Outcome], request: HttpRequest) -> HttpAnswer:
    """200 for what was taken, now or before; else the problem."""
    outcome = outcomes[0]
    if outcome.result not in ("ACCEPTED", "DUPLICATE", "PARKED"):
        return refuse(outcome.findings, request)
    body = {"eventId": outcome.message_id, "receiptNo": outcome.receipt_no}
    return HttpAnswer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})


def refuse(findings: tuple[Finding, ...], request: HttpRequest) -> HttpAnswer:
    """problem+json with every finding; the status is the first one's by the manifest."""
    first = findings[0]
    status = int(partner_code(first.code).removeprefix("HTTP "))
    problem = {
        "type": "about:blank",
        "title": first.text_en()[:500],
        "status": status,
        "code": first.code,
        "detail": first.text_zh()[:500],
        "errors": [
            {"path": each.path, "code": each.code, "message": each.text_en()[:500]} for each in findings[:100]
        ],
    }
    headers = {"Content-Type": "application/problem+json"}
    if status in (429, 503):
        headers["Retry-After"] = "60"
    return HttpAnswer(status, json.dumps(problem, ensure_ascii=False).encode(), headers)


def partner_code(code: str) -> str:
    """The HTTP status for one of our codes, by the manifest."""
    errors: dict[str, str] = manifest()["errors"]
    return errors.get(code, errors["default"])


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="POST",
        path=PATH,
        operation="event",
        max_bytes=MAX_HOOK_BYTES,
        unpack=unpack,
        answer=answer,
        refuse=refuse,
    ),
)
