"""Calls of the hub: where it listens, and one bounded HTTP request that never raises."""

from __future__ import annotations

import json
import socket
import struct
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx

TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Delivered:
    """Outcome of one call: `status` None = no answer (`error` says why)."""

    status: int | None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    error: str = ""


class HubEndpoints:
    """The hub's push addresses by partner key: `<var>/sandbox/hub_endpoints.json`, written by the hub's supervisor."""

    def __init__(self, path: Path, hub: str) -> None:
        self._path = path
        self._hub = hub.rstrip("/")

    def all(self) -> dict[str, str]:
        try:
            told = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return {key: url if "://" in url else self._hub + url for key, url in told.items()}

    def url(self, partner: str, operation: str = "") -> str:
        """The address for `partner.operation`, else for `partner`. Raises LookupError when the hub has told none."""
        told = self.all()
        url = told.get(f"{partner}.{operation}") or told.get(partner)
        if not url:
            raise LookupError(
                f"no hub address for {partner!r}: PUT /control/endpoints or write {self._path.name}"
            )
        return url

    def put(self, told: dict[str, str]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        half = self._path.with_suffix(".part")
        half.write_text(json.dumps({**self.all(), **told}, ensure_ascii=False, indent=1), "utf-8")
        half.replace(self._path)


def deliver(
    method: str, url: str, headers: dict[str, str], body: bytes, timeout_s: float = TIMEOUT_S
) -> Delivered:
    """One request; network trouble comes back as status None."""
    try:
        with httpx.Client(timeout=timeout_s, trust_env=False) as client:
            reply = client.request(method, url, headers=headers, content=body)
    except httpx.HTTPError as trouble:
        return Delivered(None, error=f"{type(trouble).__name__}: {trouble}")
    return Delivered(reply.status_code, reply.content, dict(reply.headers))


def deliver_broken(url: str, headers: dict[str, str], body: bytes, how: str, point: str) -> Delivered:
    """A call that breaks on the wire: `half_answer` cuts the request in the middle; `reset` sends it whole
    (`point` after) or half (before) and then drops the connection without reading an answer."""
    parts = urlsplit(url)
    whole = how == "reset" and point == "after"
    lines = [f"POST {parts.path or '/'} HTTP/1.1", f"Host: {parts.netloc}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    request = "\r\n".join([*lines, "", ""]).encode() + (body if whole else body[: len(body) // 2])
    try:
        with socket.create_connection((parts.hostname or "127.0.0.1", parts.port or 80), timeout=5) as wire:
            wire.sendall(request)
            if whole:
                wire.settimeout(2)
                try:
                    wire.recv(1)  # so that the hub has surely read the request and begun its answer
                except TimeoutError:
                    pass
            if how == "reset":
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    except OSError as trouble:
        return Delivered(None, error=f"{type(trouble).__name__}: {trouble}")
    return Delivered(None, error=f"{how}: connection dropped on request")
