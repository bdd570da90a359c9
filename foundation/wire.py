"""The wire: the only place that opens a socket for connectors and rails.

Every call has a total deadline (not one per read), a body limit, and an outcome that tells "never left us"
from "maybe arrived": money and idempotency depend on the difference (escrow.md, SDK faults 7 and 8).
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from typing import Any, Literal

import httpcore
import httpx

MAX_REPLY_BYTES = 64 * 1024 * 1024
DEFAULT_TIMEOUT_S = 10.0
CONNECT_TIMEOUT_S = 3.0

WireOutcome = Literal["ANSWERED", "NOT_SENT", "UNKNOWN"]


_call = threading.local()  # until when the call that this thread makes may take


class _Stream(httpcore.NetworkStream):
    """A connection whose every read and write ends at its call's deadline: a partner that sends a byte at a time, in
    its headers or its body, holds nobody longer than was agreed."""

    def __init__(self, inner: httpcore.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left))

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Opens connections that know the deadline of the call they serve."""

    def __init__(self, inner: httpcore.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:  # fmt: skip
        left = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._inner.connect_tcp(host, port, left, local_address, socket_options))


def _left(timeout: float | None, over: type[Exception]) -> float | None:
    until: float | None = getattr(_call, "until", None)
    if until is None:
        return timeout
    left = until - time.monotonic()
    if left <= 0:
        raise over("the call's time is over")
    return left if timeout is None else min(timeout, left)


class _Transport(httpx.HTTPTransport):
    def __init__(self, limits: httpx.Limits) -> None:
        super().__init__(limits=limits, trust_env=False)
        # httpx has no other door for it; tests of the wire show that it acts.
        self._pool._network_backend = _Backend(httpcore.SyncBackend())


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
        limits = httpx.Limits(max_connections=64, max_keepalive_connections=16)
        self._client = httpx.Client(transport=_Transport(limits), follow_redirects=False, trust_env=False)

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
        _call.until = deadline
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
        finally:
            _call.until = None

    def close(self) -> None:
        """Close kept connections."""
        self._client.close()


def _plain(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:300]
