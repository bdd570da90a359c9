"""Looks at each call that a partner's engineer makes and says what was right and what was not, and does what faults they ask for.

``Concord-Sandbox-Fault: busy`` answers 503 with Retry-After; ``slow`` answers after ten seconds; ``lost`` does the work and
drops the connection before the answer, so that one's own repetition can be tried.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import deque
from datetime import UTC, datetime
from typing import Any

import orjson
from lxml import etree
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from foundation import http_signature
from foundation.http_signature import Parts
from schemas.findings import Refused

MOST_CALLS = 100
SHOWN_BYTES = 200
MOST_BYTES = 4 * 1024 * 1024
SLOW_S = 10.0
FAULT = b"concord-sandbox-fault"


class Calls:
    """The last hundred calls with what was said of each."""

    def __init__(self) -> None:
        self._kept: deque[dict[str, Any]] = deque(maxlen=MOST_CALLS)
        self._lock = threading.Lock()

    def add(self, call: dict[str, Any]) -> None:
        """Keep a call and show it in the terminal."""
        with self._lock:
            self._kept.append(call)
            good = "✓" if call["status"] < 400 else "✗"
            lines = [f"{good} {call['method']} {call['path']} → {call['status']}", *call["told"]]
            sys.stdout.write("\n    ".join(lines) + "\n")
            sys.stdout.flush()

    def listed(self) -> list[dict[str, Any]]:
        """All that are kept, the newest last."""
        with self._lock:
            return list(self._kept)


class Explaining:
    """ASGI middleware round the hub's application."""

    def __init__(self, app: ASGIApp, calls: Calls) -> None:
        self.app = app
        self.calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one call on, look at what went in and came out, and say so."""
        if scope["type"] != "http" or scope["path"] == "/health":
            await self.app(scope, receive, send)
            return
        if scope["path"] == "/sandbox/calls":
            await _answer(send, 200, b"application/json", orjson.dumps({"calls": self.calls.listed()}))
            return
        wanted = next((value for name, value in scope["headers"] if name == FAULT), b"")
        seen = _Seen(scope)
        if wanted == b"busy":
            seen.status, seen.reply = 503, b"{}"
            await _answer(send, 503, b"application/problem+json", b"{}", [(b"retry-after", b"2")])
        else:
            await self.app(scope, seen.hearing(receive), seen.keep)
            if wanted == b"slow":
                await asyncio.sleep(SLOW_S)
            if wanted != b"lost":
                await seen.release(send)
        told = [f"fault asked for: {wanted.decode('latin-1')}"] if wanted else []
        self.calls.add(
            {
                "at": datetime.now(UTC).isoformat(timespec="seconds"), "method": scope["method"],
                "path": scope["raw_path"].decode("latin-1"), "status": seen.status, "told": told + seen.explained(),
            }
        )  # fmt: skip
        if wanted == b"lost":
            await _cut_off(send)


class _Seen:
    """What went in and came out of one call, each within a limit."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.body = bytearray()
        self.status = 0
        self.reply = b""
        self._out: list[Message] = []

    def hearing(self, receive: Receive) -> Receive:
        async def hear() -> Message:
            message = await receive()
            if len(self.body) < MOST_BYTES:
                self.body += message.get("body", b"")
            return message

        return hear

    async def keep(self, message: Message) -> None:
        """Keep a piece of the answer, to be sent or not."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
        else:
            self.reply += message.get("body", b"")
        self._out.append(message)

    async def release(self, send: Send) -> None:
        for message in self._out:
            await send(message)

    def explained(self) -> list[str]:
        """What is to be said: the refusal's findings, or what was taken; for a wrong signature the bytes that we verified."""
        faults = _faults(self.reply)
        lines = [line for each in faults for line in _finding(each)]
        if any(each.get("code") == "SIGNATURE_INVALID" for each in faults):
            lines += self._base()
        if not lines and self.status < 400:
            lines = [" ".join(self.reply[:SHOWN_BYTES].decode("utf-8", "replace").split())]
        return lines

    def _base(self) -> list[str]:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.scope["headers"]]
        host = next((value for name, value in headers if name == "host"), "")
        parts = Parts(
            self.scope["method"], self.scope["scheme"], host, self.scope["raw_path"].decode("latin-1"),
            self.scope["query_string"].decode("latin-1"), headers, bytes(self.body),
        )  # fmt: skip
        try:
            told = http_signature.claimed(parts)
            base = http_signature.signature_base(parts, told.components, told.parameters).decode()
        except Refused:
            return []
        return [
            "the bytes that your signature must be over (lines end with LF, the last with nothing):",
            *base.split("\n"),
        ]


def _faults(reply: bytes) -> list[dict[str, str]]:
    """Findings of a problem document or of a SOAP fault; none where the answer is neither."""
    try:
        told = orjson.loads(reply)
        errors = told.get("errors", []) if isinstance(told, dict) else []
        return [each for each in errors if isinstance(each, dict)]
    except orjson.JSONDecodeError:
        pass
    try:
        root = etree.fromstring(reply, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return []
    found = root.iter("{urn:concord:exchange:1}fault")
    return [{str(etree.QName(child).localname): child.text or "" for child in each} for each in found]


def _finding(each: dict[str, str]) -> list[str]:
    lines = [f"{each.get('code')} at {each.get('path')}"]
    if each.get("found"):
        lines.append(f"  found    {each['found']}")
    if each.get("expected"):
        lines.append(f"  expected {each['expected']}")
    return lines


async def _cut_off(send: Send) -> None:
    """Begin an answer and end the connection in the middle of it."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})
    raise ConnectionAbortedError("the answer is cut off, as asked for")


async def _answer(
    send: Send, status: int, media: bytes, body: bytes, extra: list[tuple[bytes, bytes]] | None = None
) -> None:
    headers = [(b"content-type", media), (b"content-length", b"%d" % len(body)), *(extra or [])]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
