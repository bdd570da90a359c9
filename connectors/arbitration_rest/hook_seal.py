"""The webhook's seal: X-Arb-Signature, HMAC-SHA256 over "t.body", 300 s of tolerance, up to two live secrets."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NoReturn

from schemas.findings import Finding, Refused

HEADER = "X-Arb-Signature"
TOLERANCE_S = 300
_FORM = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})", re.ASCII)
_PATH = f"header {HEADER}"


def seal(body: bytes, secret: str, t: int) -> str:
    """The header's value for a body at Unix second `t`."""
    return f"t={t},v1={_mac(body, secret, t)}"


def stated_time(headers: Mapping[str, str]) -> datetime:
    """The header's t. Raises Refused when the header is absent or not built as the contract says."""
    return datetime.fromtimestamp(_parts(headers)[0], UTC)


def check_seal(body: bytes, headers: Mapping[str, str], secrets: Sequence[str], at: datetime) -> None:
    """Raise Refused: SIGNATURE_MISSING, SIGNATURE_INVALID (first), TIMESTAMP_EXPIRED."""
    t, stated = _parts(headers)
    if not any(hmac.compare_digest(_mac(body, secret, t), stated) for secret in secrets):
        _invalid(f"{stated[:1]}…")
    now = int(at.timestamp())
    if abs(now - t) > TOLERANCE_S:
        raise Refused(Finding("TIMESTAMP_EXPIRED", f"{_PATH} t", str(t), f"within {TOLERANCE_S} s of {now}"))


def _parts(headers: Mapping[str, str]) -> tuple[int, str]:
    value = next((text for name, text in headers.items() if name.lower() == HEADER.lower()), None)
    if value is None:
        raise Refused(Finding("SIGNATURE_MISSING", _PATH, "absent", "t=…,v1=…"))
    match = _FORM.fullmatch(value.strip())
    if match is None:
        _invalid(value[:40])
    return int(match[1]), match[2]


def _invalid(found: str) -> NoReturn:
    raise Refused(Finding("SIGNATURE_INVALID", _PATH, found, "HMAC-SHA256 of t.body"))


def _mac(body: bytes, secret: str, t: int) -> str:
    return hmac.new(secret.encode(), f"{t}.".encode() + body, hashlib.sha256).hexdigest()
