"""The door at which the desk knocks: one POST, one case."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from schemas.exchange import Endpoint, HttpAnswer, HttpRequest, Known, Outcome, RawMessage
from schemas.findings import Finding, Refused

MANIFEST: dict[str, Any] = tomllib.loads(
    (Path(__file__).resolve().parent / "partner.toml").read_text("utf-8")
)
JSON = {"Content-Type": "application/json"}


def unpack(request: HttpRequest, known: Known) -> list[RawMessage]:
    if "x-desk-seal" not in request.headers:
        raise Refused(Finding("SIGNATURE_MISSING", "X-Desk-Seal", "absent", "the seal of the body"))
    headers = {"x-desk-seal": request.headers["x-desk-seal"]}
    return [RawMessage(MANIFEST["id"], "push", "case", request.body, request.received_at, headers)]


def answer(outcomes: list[Outcome], request: HttpRequest) -> HttpAnswer:
    outcome = outcomes[0]
    if outcome.result not in ("ACCEPTED", "DUPLICATE"):
        return refuse(outcome.findings, request)
    told = {"code": "D200", "messageId": outcome.message_id, "receipt": outcome.receipt_no}
    return HttpAnswer(200, json.dumps(told).encode(), JSON)


def refuse(findings: tuple[Finding, ...], request: HttpRequest) -> HttpAnswer:
    first = findings[0]
    code = MANIFEST["errors"].get(first.code, MANIFEST["errors"]["default"])
    told = {"code": code, "reason": first.code, "path": first.path}
    return HttpAnswer(int(code[1:]), json.dumps(told).encode(), JSON)


ENDPOINTS = (Endpoint("POST", "/cases", "case", MANIFEST["limits"]["body_bytes"], unpack, answer, refuse),)
