"""The commission's webhooks: signed with time stamp and HMAC, at least once, attempt counted."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from typing import Any

from sandbox.arbitration.cases import PARTNER, Cases
from sandbox.control import BadOrder, content_bytes
from sandbox.delivery import Deliveries, Judgement, Parcel, Shot, shoot_raw
from sandbox.desk import Desk
from sandbox.faults import Fault
from sandbox.openapi_rules import read_json
from sandbox.outbound import Delivered

STEPS_S = (10, 60, 600, 3600)
SIX_HOURS, LONGEST_S = 6 * 3600, 3 * 86400
ANSWER_S = 5.0
_ATTEMPT = re.compile(r'("attempt"\s*:\s*)\d+')


class ArbitrationPush:
    def __init__(self, desk: Desk, cases: Cases) -> None:
        self._desk, self._cases = desk, cases
        self.deliveries = Deliveries(desk, PARTNER, self._build, self._judge, _again_at, ANSWER_S)

    def emit(self, order: dict[str, Any]) -> dict[str, Any]:
        """`{"json": event}` or `content` (the event's text, or a file with method, path, headers, body_text); signed
        afresh at each attempt. `raw`: the bytes and headers as they are. `sign_raw`: signed, sent once."""
        content = content_bytes(order)
        if order.get("raw") or order.get("sign_raw"):
            headers = (
                self._headers(content) if order.get("sign_raw") else {"Content-Type": "application/json"}
            )
            headers.update(order.get("headers") or {})
            shot = Shot(self._desk.endpoints.url(PARTNER), headers, content)
            return shoot_raw(self._desk, PARTNER, "event", shot, None)
        text = content.decode("utf-8")
        try:
            told = read_json(text)
            if isinstance(told, dict) and "body_text" in told:
                text = str(told["body_text"])
                told = read_json(text)
        except ValueError as trouble:
            raise BadOrder(f"{trouble}; send it with raw=true") from trouble
        if not isinstance(told, dict) or not told.get("eventId"):
            raise BadOrder("an event needs eventId; send it with raw=true")
        self._cases.follow(told)
        canonical = json.dumps({**told, "attempt": 0}, sort_keys=True, ensure_ascii=False)
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        return self.deliveries.place("event", str(told["eventId"]), {"text": text}, digest)

    def _headers(self, body: bytes, *, broken: bool = False) -> dict[str, str]:
        stamp = int(self._desk.clock.now().timestamp())
        secret = (
            self._desk.books.get(PARTNER, "secret", "webhook")
            or self._desk.credentials[PARTNER]["webhook_secret"]
        )
        value = hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
        value = "0" * 64 if broken else value
        return {
            "Content-Type": "application/json; charset=utf-8",
            "X-Arb-Signature": f"t={stamp},v1={value}",
        }

    def _build(self, parcel: Parcel, fault: Fault | None) -> Shot:
        text = parcel.payload["text"]
        if parcel.attempt > 1:  # attempt and signature change, the rest does not
            text = _ATTEMPT.sub(rf"\g<1>{parcel.attempt}", text, count=1)
        body = text.encode()
        broken = fault is not None and fault.kind == "wrong_signature"
        return Shot(self._desk.endpoints.url(PARTNER), self._headers(body, broken=broken), body)

    def _judge(self, parcel: Parcel, got: Delivered) -> Judgement:
        if got.status is not None and 200 <= got.status < 300:
            return Judgement("DONE", str(got.status))
        if got.status in (409, 422):
            return Judgement("FINAL", str(got.status))
        return Judgement("AGAIN", str(got.status or ""))


def _again_at(parcel: Parcel) -> float | None:
    """After 10 s, 1 m, 10 m, 1 h, then 6-hourly for 3 days."""
    step = STEPS_S[parcel.attempt - 1] if parcel.attempt <= len(STEPS_S) else SIX_HOURS
    later = parcel.last_at + step
    return later if later <= parcel.first_at + LONGEST_S else None
