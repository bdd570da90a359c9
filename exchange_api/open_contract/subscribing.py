"""A partner's subscriptions over REST: asked for, listed, ended."""

from __future__ import annotations

import re

import orjson
from anyio import to_thread

from exchange_api.open_contract.taking import Desk
from exchange_api.open_contract.wire import Answer, Request
from hub import subscription_calls
from schemas.findings import Finding, Refused
from schemas.xml_safe import parse_json_strict

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
    if request.media != "application/json":
        wrong = request.media[:60] or "absent"
        raise Refused(Finding("SCHEMA_VIOLATION", "header Content-Type", wrong, "application/json"))
    asked = parse_json_strict(request.body, max_bytes=MOST_BYTES)
    if not isinstance(asked, dict):
        raise Refused(Finding("SCHEMA_VIOLATION", "/", type(asked).__name__, "an object"))
    unknown = sorted(set(asked) - _KNOWN)
    if unknown:
        raise Refused(
            Finding("UNKNOWN_FIELD", f"/{unknown[0][:60]}", "not known here", ", ".join(sorted(_KNOWN)))
        )
    wrong_kind = next((name for name in ("kind", "address") if not isinstance(asked.get(name, ""), str)), "")
    if wrong_kind:
        raise Refused(Finding("SCHEMA_VIOLATION", f"/{wrong_kind}", type(asked[wrong_kind]).__name__, "text"))
    return dict(asked)
