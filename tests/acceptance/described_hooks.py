"""What schemathesis needs to know to call the API rightly: whole numbers as such, and the open contract's signature.

Loaded by ``SCHEMATHESIS_HOOKS``; the environment names the key (CONCORD_TEST_KEY), its id and the hub's clock.
"""

from __future__ import annotations

import os
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import schemathesis
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from requests import PreparedRequest
from requests.auth import AuthBase

from foundation import http_signature
from foundation.http_signature import Parts


@schemathesis.serializer("application/zip")
def archive(_context: Any, value: Any) -> dict[str, Any]:
    """An archive's bytes go as they are."""
    return {"data": getattr(value, "data", value)}


@schemathesis.hook
def before_call(_context: Any, case: Any, kwargs: dict[str, Any]) -> None:
    """Whole numbers as such; what is meant to be right is made to keep the rules that no schema can tell."""
    case.body = _whole(case.body)
    if case.meta is not None and case.meta.generation.mode.is_positive:
        case.body = _kept(case.operation.path, case.body)
        _named(case)
    if _signed is not None:
        kwargs["auth"] = _signed


def _whole(value: Any) -> Any:
    """JSON Schema calls 343.0 a whole number; the hub refuses every float by its type, money above all. Of other
    numbers it takes those that a decimal of ordinary length writes."""
    if isinstance(value, float):
        short = round(value, 9) if abs(value) < 1e15 else 1e15
        return int(short) if short.is_integer() else short
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    return value


def _named(case: Any) -> None:
    """Ids that a path can carry; the key of a message that is sent is its id."""
    for name, value in (case.path_parameters or {}).items():
        if not isinstance(value, str) or any(each in value for each in "#?"):
            case.path_parameters[name] = "0"
    if (
        isinstance(case.body, dict)
        and "message_id" in case.body
        and "Idempotency-Key" in (case.headers or {})
    ):
        case.headers["Idempotency-Key"] = case.body["message_id"]
    elif "batch_id" in (case.path_parameters or {}) and "Idempotency-Key" in (case.headers or {}):
        case.headers["Idempotency-Key"] = case.path_parameters["batch_id"]


_DAY_LATE = re.compile(r"((?:19|20|21)[0-9]{2}-[01][0-9]-)(?:29|30|31)(?=$|T)")


def _kept(path: str, body: Any) -> Any:
    """A body of this path within the rules: days of the calendar, ids without a wrong check character, one key a party."""
    body = _in_calendar(body)
    if not isinstance(body, dict):
        return body
    if body.get("corrects") and body.get("corrects") == body.get("message_id"):
        body["corrects"] += "0" if len(body["corrects"]) < 100 else ""
    if path.endswith("/subscriptions") and isinstance(body.get("address"), str) and body["address"]:
        body["address"] = "https://receiver.example/events"
    if "/compare/" in path and "since" in body:
        body["until"] = body["since"]
    for record in [body, *(each for each in body.get("records") or () if isinstance(each, dict))]:
        for number, party in enumerate(record.get("parties") or ()):
            _own(party, number, path)
    if path.endswith("/matters") and len(body.get("parties", ())) > 1:
        for party, role in zip(body["parties"], ("applicant", "respondent"), strict=False):
            party["role"] = role
    if path.endswith("/escrows"):
        for number, each in enumerate(body.get("instalments") or (), start=1):
            if isinstance(each, dict):
                each |= {"no": number, "payer": "P0", "payee": "P1"}
    if path.endswith("/who-saw") and not (body.get("number") or "").strip():
        body["number"] = "a"
    return body


def _own(party: Any, number: int, path: str) -> None:
    if not isinstance(party, dict):
        return
    if path.startswith("/open/"):
        for name in ("id_number", "masked_id", "credit_code"):
            party.pop(name, None)
        party["name"] += "某"
    elif "key" in party:
        party["key"] = f"P{number}"


def _in_calendar(value: Any) -> Any:
    """Days after the 28th, which some month has not, become the 28th."""
    if isinstance(value, str):
        return _DAY_LATE.sub(r"\g<1>28", value) if _DAY_LATE.match(value) else value
    if isinstance(value, list):
        return [_in_calendar(each) for each in value]
    if isinstance(value, dict):
        return {name: _in_calendar(each) for name, each in value.items()}
    return value


class Signed(AuthBase):
    """HTTP message signatures (RFC 9421) over the request as it goes out."""

    def __init__(self, key_file: str, key_id: str, ahead_s: float) -> None:
        self.key: Any = load_pem_private_key(Path(key_file).read_bytes(), None)
        self.key_id = key_id
        self.ahead = timedelta(seconds=ahead_s)

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        assert request.url is not None and request.method is not None
        at = urlsplit(request.url)
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else bytes(body)
        headers = {name.lower(): _text(value) for name, value in request.headers.items()} | {
            "host": at.netloc
        }
        parts = Parts(request.method, "http", at.netloc, at.path, at.query, tuple(headers.items()), body)
        now = datetime.now(UTC) + self.ahead
        made = http_signature.sign(
            parts, key=self.key, key_id=self.key_id, now=now, nonce=secrets.token_urlsafe(16)
        )
        request.headers.update(made)
        return request


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


_signed = (
    Signed(
        os.environ["CONCORD_TEST_KEY"],
        os.environ["CONCORD_TEST_KEY_ID"],
        float(os.environ["CONCORD_TEST_AHEAD_S"]),
    )
    if os.environ.get("CONCORD_TEST_KEY")
    else None
)
