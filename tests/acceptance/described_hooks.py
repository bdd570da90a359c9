"""What schemathesis needs to know to call the API rightly: whole numbers as such, and the open contract's signature.

Loaded by ``SCHEMATHESIS_HOOKS``; the environment names the key (CONCORD_TEST_KEY), its id and the hub's clock.
"""

from __future__ import annotations

import os
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


@schemathesis.hook
def map_body(_context: Any, body: Any) -> Any:
    """JSON Schema calls 343.0 a whole number; the hub refuses every float by its type, money above all."""
    return _whole(body)


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list):
        return [_whole(each) for each in value]
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
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


if os.environ.get("CONCORD_TEST_KEY"):
    _signed = Signed(
        os.environ["CONCORD_TEST_KEY"],
        os.environ["CONCORD_TEST_KEY_ID"],
        float(os.environ["CONCORD_TEST_AHEAD_S"]),
    )

    @schemathesis.hook
    def before_call(_context: Any, _case: Any, kwargs: dict[str, Any]) -> None:
        """Sign what is about to be sent."""
        kwargs["auth"] = _signed
