"""The UsernameToken of a verified security header: from the user who shares our password, fresh, not used before."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NoReturn

from connectors.procuratorate_wss import names
from foundation.wss import Signed, expired, moment, text_of
from foundation.wss_envelope import PASSWORD_DIGEST, SECURITY_PATH, wsse, wsu
from foundation.wss_sign import password_digest
from schemas.findings import Finding, Refused

_TOKEN_PATH = f"{SECURITY_PATH}/UsernameToken"


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
    nonce_text = text_of(token, wsse("Nonce"))
    password = token.find(wsse("Password"))
    if text_of(token, wsse("Username")) != user:
        _not_authorised(f"{_TOKEN_PATH}/Username", "other user", user)
    if password is None or password.get("Type") != PASSWORD_DIGEST:
        _not_authorised(f"{_TOKEN_PATH}/Password", "not a PasswordDigest", "PasswordDigest")
    nonce = _nonce(nonce_text)
    when = text_of(token, wsu("Created"))
    if not any(
        hmac.compare_digest(password_digest(nonce, when, each), (password.text or "").strip())
        for each in passwords
    ):
        _not_authorised(f"{_TOKEN_PATH}/Password", "digest differs", "SHA-1 of nonce, created and password")
    begin = moment(token, "Created", _TOKEN_PATH)
    if not abs(at - begin) <= timedelta(seconds=names.TIMESTAMP_LIFE_S + names.SKEW_S):
        expired(f"{_TOKEN_PATH}/Created", f"{begin:%Y-%m-%dT%H:%M:%SZ}", at)
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


def _nonce(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        _not_authorised(f"{_TOKEN_PATH}/Nonce", "not base64", "base64")


def _not_authorised(path: str, found: str, expected: str) -> NoReturn:
    raise Refused(Finding("NOT_AUTHORISED", path, found, expected, partner_code="wsse:FailedAuthentication"))
