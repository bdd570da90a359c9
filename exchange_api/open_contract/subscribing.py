"""A partner's subscriptions over REST: asked for, listed, ended."""

from __future__ import annotations

import re

import orjson
from anyio import to_thread

from exchange_api.open_contract.taking import Desk
from exchange_api.open_contract.wire import Answer, Request, json_object
from hub import subscription_calls
from schemas.findings import Finding, Refused

MOST_BYTES = 16 * 1024
PATH = "/open/v1/subscriptions"
_ONE = re.compile(rf"{PATH}/([0-9a-f-]{{36}})")
_KNOWN = {"kind", "topics", "address"}


def methods(path: str) -> set[str]:
    """What may be done at this path; empty where it is none of ours."""
    if path == PATH:
        return {"GET", "POST"}
    return {"DELETE"} if _ONE.fullmatch(path) else set()


async def answer(desk: Desk, request: Request) -> Answer:
    """Answer one call whose method is one of ``methods``. Raises Refused."""
    identity = desk.identify(request, "rest")
    desk.once(identity.proof)
    if request.method == "GET":
        name, asked, status = "subscriptions", {}, 200
    elif request.method == "POST":
        name, asked, status = "subscribe", _read(request), 201
    else:
        found = _ONE.fullmatch(request.path)
        assert found is not None
        name, asked, status = "unsubscribe", {"subscription_id": found[1]}, 200
    told = await to_thread.run_sync(subscription_calls.perform, desk.hub, name, identity.partner, asked)
    return Answer(status, orjson.dumps(told.get("subscription", told)), b"application/json")


def _read(request: Request) -> subscription_calls.Plain:
    asked = json_object(request, MOST_BYTES)
    unknown = sorted(set(asked) - _KNOWN)
    if unknown:
        raise Refused(
            Finding("UNKNOWN_FIELD", f"/{unknown[0][:60]}", "not known here", ", ".join(sorted(_KNOWN)))
        )
    wrong_kind = next((name for name in ("kind", "address") if not isinstance(asked.get(name, ""), str)), "")
    if wrong_kind:
        raise Refused(Finding("SCHEMA_VIOLATION", f"/{wrong_kind}", type(asked[wrong_kind]).__name__, "text"))
    return asked
