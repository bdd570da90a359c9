"""The wire: the only place that opens a socket for connectors and rails.

Every call has a total deadline (not one per read), a body limit, and an outcome that tells "never left us"
from "maybe arrived": money and idempotency depend on the difference (escrow.md, SDK faults 7 and 8).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Literal

import httpx

MAX_REPLY_BYTES = 64 * 1024 * 1024
DEFAULT_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 3.0

WireOutcome = Literal["ANSWERED", "NOT_SENT", "UNKNOWN"]


@dataclass(frozen=True)
class WireReply:
    """What came of one call. ``status`` is None unless a whole answer arrived (outcome ANSWERED)."""

    outcome: WireOutcome
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""
    error: str = ""


class Wire:
    """Keeps connections to partners; one instance a process, safe for threads."""

    def __init__(self) -> None:
        self._most_s = float("inf")
        self._client = httpx.Client(
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=16),
            follow_redirects=False,
            trust_env=False,
        )

    def within(self, seconds: float) -> Wire:
        """The same wire, same connections, on which no call takes longer than ``seconds``, whatever the caller allows it."""
        made = copy(self)
        made._most_s = seconds
        return made

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
    ) -> WireReply:
        """Call ``url``; never raises for network trouble. ``timeout_s`` bounds the whole exchange."""
        timeout_s = min(timeout_s, self._most_s)
        deadline = time.monotonic() + timeout_s
        per_read = httpx.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))
        try:
            with self._client.stream(
                method, url, headers=dict(headers or {}), content=content, timeout=per_read
            ) as reply:
                body = bytearray()
                for piece in reply.iter_bytes():
                    body += piece
                    if len(body) > MAX_REPLY_BYTES:
                        return WireReply("UNKNOWN", error=f"reply is over {MAX_REPLY_BYTES} bytes")
                    if time.monotonic() > deadline:
                        return WireReply("UNKNOWN", error=f"no whole reply within {timeout_s} s")
                return WireReply("ANSWERED", reply.status_code, dict(reply.headers), bytes(body))
        except (
            httpx.ConnectError,
            httpx.ConnectTimeout,
            httpx.PoolTimeout,
            httpx.UnsupportedProtocol,
        ) as error:
            # Nothing of the request left this machine.
            return WireReply("NOT_SENT", error=_plain(error))
        except httpx.InvalidURL as error:
            return WireReply("NOT_SENT", error=_plain(error))
        except httpx.HTTPError as error:
            return WireReply("UNKNOWN", error=_plain(error))

    def close(self) -> None:
        """Close kept connections."""
        self._client.close()


def _plain(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
