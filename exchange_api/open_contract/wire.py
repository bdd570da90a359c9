"""Requests and answers of the hot doors on the bare ASGI protocol: no framework between the socket and the work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Receive, Scope, Send

from foundation.http_signature import Parts
from schemas.findings import Finding, Refused
from schemas.xml_safe import parse_json_strict

Headers = list[tuple[bytes, bytes]]
HEAD_BYTES = 32 * 1024
TARGET_BYTES = 8 * 1024
# A sender that is cut off in the middle never reads the answer: so much more is read, and forgotten, before it.
HEARD_OUT_BYTES = 16 * 1024 * 1024
# Headers that decide how a body is read: of each there is one, or none.
_SINGLE = (
    b"content-type", b"content-length", b"content-encoding", b"soapaction", b"idempotency-key", b"if-none-match", b"host",
)  # fmt: skip


@dataclass
class Request:
    """One request. ``headers``: lower-case names, latin-1 text, as they stood."""

    method: str
    path: str
    parts: Parts
    certificate: bytes | None = None
    extra: Headers = field(default_factory=list)
    partner: str = ""  # whose call it is, once that is known

    def header(self, name: str) -> str:
        """A header's value, "" where it is absent."""
        return next((value for key, value in self.parts.headers if key == name), "")

    @property
    def body(self) -> bytes:
        return self.parts.body

    @property
    def media(self) -> str:
        """The media type without its parameters."""
        return self.header("content-type").partition(";")[0].strip().lower()


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes
    media: bytes
    headers: Sequence[tuple[bytes, bytes]] = ()


def head_faults(scope: Scope) -> Finding | None:
    """What is wrong with a request before its body: too long a head, a header twice that may be there once."""
    size = 0
    single: set[bytes] = set()
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if name in _SINGLE:
            if name in single:
                return Finding("SCHEMA_VIOLATION", f"header {name.decode('latin-1')}", "there twice", "once")
            single.add(name)
        if name == b"content-encoding" and value.strip().lower() not in (b"identity", b""):
            return Finding(
                "SCHEMA_VIOLATION", "header content-encoding", value.decode("latin-1")[:40], "identity"
            )
    if size > HEAD_BYTES:
        return Finding("TOO_LARGE", "header", f"{size} bytes", f"at most {HEAD_BYTES} bytes")
    if len(scope["raw_path"]) + len(scope["query_string"]) > TARGET_BYTES:
        return Finding("TOO_LARGE", "url", "too long", f"at most {TARGET_BYTES} bytes")
    return None


async def read_request(scope: Scope, receive: Receive, most: int) -> Request:
    """The whole request. Raises Refused: TOO_LARGE, after the sender was heard out within bounds."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(Finding("UNAVAILABLE", "/", "the connection ended", "the whole body"))
        piece = message.get("body", b"")
        size += len(piece)
        if size <= most:
            pieces.append(piece)
        elif size > most + HEARD_OUT_BYTES:
            break
        if not message.get("more_body", False):
            break
    if size > most:
        raise Refused(Finding("TOO_LARGE", "/", f"over {most} bytes", f"at most {most} bytes"))
    body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    host = next((value for name, value in headers if name == "host"), "")
    parts = Parts(
        method=scope["method"], scheme=scope["scheme"], authority=host, path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"), headers=headers, body=body,
    )  # fmt: skip
    return Request(scope["method"], scope["path"], parts, scope.get("state", {}).get("client_certificate"))


def json_object(request: Request, most: int) -> dict[str, Any]:
    """A small JSON object that came as a body. Raises Refused: another media type, too large, not JSON, not an object."""
    if request.media != "application/json":
        wrong = request.media[:60] or "absent"
        raise Refused(Finding("SCHEMA_VIOLATION", "header Content-Type", wrong, "application/json"))
    asked = parse_json_strict(request.body, max_bytes=most)
    if not isinstance(asked, dict):
        raise Refused(Finding("SCHEMA_VIOLATION", "/", type(asked).__name__, "an object"))
    return asked


async def send_answer(send: Send, answer: Answer, extra: Headers) -> None:
    """Send a whole answer."""
    headers: Headers = [
        (b"content-type", answer.media),
        (b"content-length", b"%d" % len(answer.body)),
        (b"cache-control", b"no-store"),
        *answer.headers,
        *extra,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
