"""OAuth client credentials: one token kept in the partner's state, renewed before it ends and once after a 401."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlencode

from foundation.wire import Wire, WireReply
from schemas.exchange import ConnectorContext
from schemas.findings import Refused
from schemas.xml_safe import parse_json_strict

_EARLY = timedelta(seconds=60)
_LONGEST_WAIT = timedelta(hours=6)


class Closed(ConnectionError):
    """Not to be called before a time that the commission named; `code` is its own."""

    kind = "busy"

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class NotLetIn(PermissionError):
    """The commission refuses our client id or secret."""

    kind = "refused"


def call(
    wire: Wire,
    ctx: ConnectorContext,
    method: str,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> WireReply:
    """One call with a token. After a 401 the token is fetched anew once and the call repeated once.

    Raises Closed while a Retry-After runs, NotLetIn when the credentials are refused,
    ConnectionError when no token can be had.
    """
    until = ctx.state.get("not_before")
    if until and ctx.now < datetime.fromisoformat(until):
        raise Closed("ARB-0429", f"not before {until}, as the commission asked")
    reply = _once(wire, ctx, method, path, headers, content)
    if reply.status == 401:
        ctx.state.pop("token", None)
        reply = _once(wire, ctx, method, path, headers, content)
    if reply.status in (429, 503):
        _note_wait(ctx, reply)
    return reply


def _once(
    wire: Wire,
    ctx: ConnectorContext,
    method: str,
    path: str,
    headers: Mapping[str, str] | None,
    content: bytes | None,
) -> WireReply:
    sent = {**(headers or {}), "Authorization": f"Bearer {_token(wire, ctx)}", "Accept": "application/json"}
    return wire.request(method, ctx.base_url.rstrip("/") + path, headers=sent, content=content)


def _token(wire: Wire, ctx: ConnectorContext) -> str:
    kept = ctx.state.get("token")
    if kept and ctx.now + _EARLY < datetime.fromisoformat(kept["ends"]):
        return str(kept["value"])
    names = ctx.manifest["keys"]["secrets"]
    form = {
        "grant_type": "client_credentials",
        "client_id": ctx.keys.secret(names["client_id"]),
        "client_secret": ctx.keys.secret(names["client_secret"]),
    }
    reply = wire.request(
        "POST",
        ctx.base_url.rstrip("/") + "/v1/token",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        content=urlencode(form).encode(),
    )
    if reply.outcome != "ANSWERED":
        raise ConnectionError(reply.error)
    if reply.status in (400, 401, 403):
        raise NotLetIn("the commission refuses our client id or secret")
    try:
        told = parse_json_strict(reply.content, max_bytes=100_000)
        value, lives = str(told["access_token"]), int(told["expires_in"])
    except (Refused, KeyError, TypeError, ValueError):
        raise ConnectionError(f"no token: HTTP {reply.status}") from None
    ctx.state["token"] = {"value": value, "ends": (ctx.now + timedelta(seconds=lives)).isoformat()}
    return value


def _note_wait(ctx: ConnectorContext, reply: WireReply) -> None:
    """Retry-After is seconds or a date; a bounded time is kept, so that no worker calls before."""
    told = next((text for name, text in reply.headers.items() if name.lower() == "retry-after"), "")
    wait = timedelta(seconds=60)
    try:
        wait = (
            timedelta(seconds=int(told)) if told.strip().isdigit() else parsedate_to_datetime(told) - ctx.now
        )
    except (ValueError, TypeError, OverflowError):
        pass
    ctx.state["not_before"] = (ctx.now + min(max(wait, timedelta(0)), _LONGEST_WAIT)).isoformat()
