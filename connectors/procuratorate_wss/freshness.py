"""Time and token of a verified security header: fresh, from the user who shares our password, not used before."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from connectors.procuratorate_wss import names
from connectors.procuratorate_wss.envelope import Element
from connectors.procuratorate_wss.signature import Signed
from schemas.findings import Finding, Refused

_UTC = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z", re.ASCII)
_STAMP_PATH = f"{names.SECURITY_PATH}/Timestamp"
_TOKEN_PATH = f"{names.SECURITY_PATH}/UsernameToken"


def created(signed: Signed) -> datetime:
    """The moment of signing, from the signed Timestamp. Raises Refused when it cannot be read."""
    return _moment(signed.timestamp, "Created", _STAMP_PATH)


def check_timestamp(signed: Signed, at: datetime) -> None:
    """Refuse a Timestamp that is not fresh at `at`: 5 minutes of life, 60 s of skew (CONTRACT.md, habit 7)."""
    begin = created(signed)
    stated = _moment(signed.timestamp, "Expires", _STAMP_PATH)
    # A sender may not grant itself a longer life than the contract's.
    end = min(stated, begin + timedelta(seconds=names.TIMESTAMP_LIFE_S))
    skew = timedelta(seconds=names.SKEW_S)
    if end <= begin or at > end + skew:
        _expired(f"{_STAMP_PATH}/Expires", "older than 5 minutes (or zero length)", at)
    if begin > at + skew:
        _expired(f"{_STAMP_PATH}/Created", f"in the future: {begin:%Y-%m-%dT%H:%M:%SZ}", at)


def check_user(
    signed: Signed, at: datetime, user: str, passwords: Sequence[str], seen_nonce: Callable[[str], bool]
) -> str:
    """Check the UsernameToken of a request and return its nonce.

    `passwords`: those that are live. Raises Refused: absent, other user, wrong digest, too old, or a
    nonce that came before (NONCE_REPLAYED).
    """
    token = signed.username_token
    if token is None:
        raise Refused(Finding("SIGNATURE_MISSING", _TOKEN_PATH, "absent", "required"))
    nonce_text = _text(token, names.wsse("Nonce"))
    password = token.find(names.wsse("Password"))
    if _text(token, names.wsse("Username")) != user:
        _not_authorised(f"{_TOKEN_PATH}/Username", "other user", user)
    if password is None or password.get("Type") != names.PASSWORD_DIGEST:
        _not_authorised(f"{_TOKEN_PATH}/Password", "not a PasswordDigest", "PasswordDigest")
    when = _text(token, names.wsu("Created"))
    if not any(
        hmac.compare_digest(password_digest(nonce_text, when, each), (password.text or "").strip())
        for each in passwords
    ):
        _not_authorised(f"{_TOKEN_PATH}/Password", "digest differs", "SHA-1 of nonce, created and password")
    begin = _moment(token, "Created", _TOKEN_PATH)
    if not abs(at - begin) <= timedelta(seconds=names.TIMESTAMP_LIFE_S + names.SKEW_S):
        _expired(f"{_TOKEN_PATH}/Created", f"{begin:%Y-%m-%dT%H:%M:%SZ}", at)
    if seen_nonce(nonce_text):
        raise Refused(
            Finding(
                "NONCE_REPLAYED",
                f"{_TOKEN_PATH}/Nonce",
                nonce_text,
                "a nonce not seen in the last 10 minutes (send this file twice)",
            )
        )
    return nonce_text


def password_digest(nonce: str, when: str, password: str) -> str:
    """Base64 of SHA-1(nonce bytes + created + password): WSS 1.1 UsernameToken profile, 3.1."""
    try:
        raw = base64.b64decode("".join(nonce.split()), validate=True)
    except (binascii.Error, ValueError):
        _not_authorised(f"{_TOKEN_PATH}/Nonce", "not base64", "base64")
    return base64.b64encode(hashlib.sha1(raw + when.encode() + password.encode()).digest()).decode()


def _moment(parent: Element, name: str, path: str) -> datetime:
    text = _text(parent, names.wsu(name))
    if not _UTC.fullmatch(text):
        _unreadable(f"{path}/{name}", text)
    try:
        # Python reads at most six digits of a second.
        return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).astimezone(UTC)
    except (ValueError, OverflowError):
        _unreadable(f"{path}/{name}", text)


def _text(parent: Element, tag: str) -> str:
    found = parent.findall(tag)
    return "".join(map(str, found[0].itertext())).strip() if len(found) == 1 else ""


def _unreadable(path: str, text: str) -> NoReturn:
    raise Refused(
        Finding(
            "DATE_UNREADABLE", path, text or "absent", "UTC time with Z", partner_code="wsse:InvalidSecurity"
        )
    )


def _expired(path: str, found: str, at: datetime) -> NoReturn:
    wanted = f"fresh timestamp, clock skew at most 60 s; verify at {at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    raise Refused(Finding("TIMESTAMP_EXPIRED", path, found, wanted))


def _not_authorised(path: str, found: str, expected: str) -> NoReturn:
    raise Refused(Finding("NOT_AUTHORISED", path, found, expected, partner_code="wsse:FailedAuthentication"))
