"""The dance of the two secrets, kept in the partner's state so that one refresher serves all workers.

`ctx.state`: "request" and "refresh" → {"secret", "ends"} (ends in Unix milliseconds), "stopped_until",
"not_before", "day" → {"date", "calls"}. The caller holds the partner's state while a call runs; where it
is a live view it may offer `reload()`, which reads again what another worker wrote.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from connectors.provincial_gateway.mapping import parsed
from foundation.wire import Wire, WireReply
from schemas.exchange import ConnectorContext
from schemas.findings import Refused
from schemas.wide import BEIJING

KEY_PATH = "/gateway/app/refreshTokenByKey.htm"
SEC_PATH = "/gateway/app/refreshTokenBySec.htm"
REQUEST_LIFE_MS, REFRESH_LIFE_MS = 15 * 60_000, 48 * 3600_000
# Renewed early, since a call takes time and the clocks differ.
_EARLY_MS = 30_000
_STOP = timedelta(minutes=15)


class Stopped(PermissionError):
    """The gateway refuses our credentials: a person must look; nothing is sent until a quarter of an hour later."""

    kind = "refused"


class NotNow(ConnectionError):
    """The gateway cannot be asked now; `code` is its own, "" when it did not answer."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.kind = "busy" if code in ("12", "99") else "refused" if code in ("01", "08") else "unreachable"


def sign(app_key: str, secret: str, request_time: str) -> str:
    """md5(appKey + secret + requestTime) in lower-case hex: their contract's, and weak."""
    return hashlib.md5(f"{app_key}{secret}{request_time}".encode(), usedforsecurity=False).hexdigest()


def millis(moment: datetime) -> int:
    """Unix milliseconds of an aware moment."""
    return int(moment.timestamp() * 1000)


def request_secret(wire: Wire, ctx: ConnectorContext, *, not_this: str = "") -> str:
    """The live request secret, refreshed when it is near its end or is `not_this` (which was refused).

    Raises Stopped when the credentials are refused, NotNow when no secret can be had.
    """
    kept = ctx.state.get("request") or {}
    if kept.get("secret") and kept["secret"] != not_this and millis(ctx.now) + _EARLY_MS < kept["ends"]:
        return str(kept["secret"])
    _refuse_while_stopped(ctx)
    refresh = ctx.state.get("refresh") or {}
    if refresh.get("secret") and millis(ctx.now) + _EARLY_MS < refresh["ends"]:
        told = _ask(wire, ctx, SEC_PATH, str(refresh["secret"]))
        if told["code"] == "00":
            return _keep(ctx, told)
        if told["code"] not in ("05", "14"):
            raise _trouble(ctx, told["code"])
    # The refresh secret is gone, expired (14) or another's (05): once by the key, never in a loop.
    ctx.state.pop("refresh", None)
    told = _ask(wire, ctx, KEY_PATH, ctx.keys.secret(ctx.manifest["keys"]["secrets"]["app_secret"]))
    if told["code"] == "00":
        return _keep(ctx, told)
    if told["code"] in ("01", "05", "08", "14"):
        ctx.state["stopped_until"] = (ctx.now + _STOP).isoformat()
        ctx.state.pop("request", None)
        raise Stopped(f"refreshTokenByKey answered {told['code']}: key or secret is wrong")
    raise _trouble(ctx, told["code"])


def _refuse_while_stopped(ctx: ConnectorContext) -> None:
    until = ctx.state.get("stopped_until")
    if until and ctx.now < datetime.fromisoformat(until):
        raise Stopped(f"stopped until {until}: the gateway refuses our key")
    ctx.state.pop("stopped_until", None)


def _ask(wire: Wire, ctx: ConnectorContext, path: str, secret: str) -> dict[str, Any]:
    count_call(ctx)
    reply = wire.request("GET", f"{ctx.base_url.rstrip('/')}{path}?{urlencode(signed(ctx, secret))}")
    return told_by(reply)


def signed(ctx: ConnectorContext, secret: str) -> dict[str, str]:
    """appKey, requestTime and sign for a call at `ctx.now`."""
    app_key = ctx.keys.secret(ctx.manifest["keys"]["secrets"]["app_key"])
    request_time = str(millis(ctx.now))
    return {"appKey": app_key, "requestTime": request_time, "sign": sign(app_key, secret, request_time)}


def told_by(reply: WireReply) -> dict[str, Any]:
    """The reply's object. Raises NotNow: no answer, another status, or HTML with HTTP 200."""
    if reply.outcome != "ANSWERED":
        raise NotNow("", reply.error)
    if reply.status != 200:
        raise NotNow("", f"HTTP {reply.status}")
    try:
        return parsed(reply.content, reply.headers.get("content-type", ""))
    except Refused as refused:
        raise NotNow("", str(refused)) from None


def _keep(ctx: ConnectorContext, told: dict[str, Any]) -> str:
    """Habits 3 and 4: end times are numbers or text; without a new refresh secret the old one stays."""
    datas = told.get("datas")
    if not isinstance(datas, dict) or not datas.get("requestSecret"):
        raise NotNow("00", "no request secret in the reply")
    ctx.state["request"] = {
        "secret": str(datas["requestSecret"]),
        "ends": _ends(datas.get("requestSecretEndTime"), millis(ctx.now) + REQUEST_LIFE_MS),
    }
    if datas.get("refreshSecret"):
        ctx.state["refresh"] = {
            "secret": str(datas["refreshSecret"]),
            "ends": _ends(datas.get("refreshSecretEndTime"), millis(ctx.now) + REFRESH_LIFE_MS),
        }
    return str(ctx.state["request"]["secret"])


def _ends(told: Any, longest: int) -> int:
    """A stated end, never later than the contract's life from now: their clock may run ahead."""
    text = str(told).strip()
    return min(int(text), longest) if text.isascii() and text.isdigit() else longest


def count_call(ctx: ConnectorContext) -> None:
    """Count a call of the day (a wrong sign counts too, habit 9). Raises NotNow when the day's are used up."""
    until = ctx.state.get("not_before")
    if until and ctx.now < datetime.fromisoformat(until):
        raise NotNow("12", f"daily quota used; not before {until}")
    today = ctx.now.astimezone(BEIJING).date().isoformat()
    day = ctx.state.get("day") or {}
    calls = day.get("calls", 0) if day.get("date") == today else 0
    if calls >= ctx.manifest["limits"]["calls_a_day"]:
        raise _trouble(ctx, "12")
    ctx.state["day"] = {"date": today, "calls": calls + 1}


def _trouble(ctx: ConnectorContext, code: str) -> NotNow:
    if code == "12":
        tomorrow = ctx.now.astimezone(BEIJING).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(
            days=1
        )
        ctx.state["not_before"] = tomorrow.isoformat()
    return NotNow(code, f"the gateway answered {code}")


def quota_used(ctx: ConnectorContext) -> NotNow:
    """Note that the day's quota is used and give the error to raise."""
    return _trouble(ctx, "12")


def read_again(ctx: ConnectorContext) -> None:
    """Read the shared state again, where the caller offers that."""
    reload = getattr(ctx.state, "reload", None)
    if callable(reload):
        reload()
