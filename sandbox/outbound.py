"""Calls of the hub: where it listens, and one bounded HTTP request that never raises."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

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

    def url(self, partner: str) -> str:
        """Raises LookupError when the hub has not said where it listens for this partner."""
        url = self.all().get(partner)
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
