"""The time-stamp authority as the hub sees it on the wire: one address, RFC 3161 over HTTP (section 3.4)."""

from __future__ import annotations

from typing import Any

from fastapi import Response

from sandbox.control import BadOrder
from sandbox.desk import Answer, Desk, Inbound
from sandbox.faults import Fault
from sandbox.timestamps.keys import authority_keys
from sandbox.timestamps.stamping import answer, refusal

PARTNER = "timestamps"
ASKED, ANSWERED = "application/timestamp-query", "application/timestamp-reply"
MAX_REQUEST = 4096


class TimeStampStandIn:
    partner = PARTNER

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._keys = authority_keys(desk.var / PARTNER, desk.var / "certs" / f"{PARTNER}.crt")

    def serve(self, call: Inbound) -> Response:
        return self._desk.receive(PARTNER, "stamp", call, lambda fault: self._stamp(call, fault), _failed)

    def _stamp(self, call: Inbound, fault: Fault | None) -> Answer:
        if call.method != "POST" or call.headers.get("content-type", "") != ASKED:
            return Answer(415, f"POST {ASKED}".encode(), "text/plain", "REFUSED")
        if len(call.body) > MAX_REQUEST:
            return Answer(413, b"a request has at most 4096 bytes", "text/plain", "REFUSED")
        made = answer(self._keys, call.body, self._desk.clock.now())
        if fault is not None and fault.kind == "wrong_signature":
            made = made[:-1] + bytes([made[-1] ^ 1])  # the signature is the answer's last field
        return Answer(200, made, ANSWERED)

    def emit(self, order: dict[str, Any]) -> dict[str, Any]:
        raise BadOrder("the time-stamp authority calls nobody")

    def offer(self, order: dict[str, Any]) -> dict[str, Any]:
        raise BadOrder("the time-stamp authority offers nothing")

    def tick(self) -> int:
        return 0


def _failed() -> Answer:
    return Answer(200, refusal("system_failure"), ANSWERED)
