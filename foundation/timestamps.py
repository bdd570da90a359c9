"""Time stamps (RFC 3161): asking an authority over HTTP, and checking what it answers before it is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from asn1crypto import cms, core, tsp
from cryptography import x509

from foundation.verify_evidence import Broken, check_stamp
from foundation.wire import Wire

# Name in the key store under which the authorities' certificates are trusted.
AUTHORITY = "timestamps"
TIMEOUT_S = 5.0
MAX_TOKEN_BYTES = 65_536


class NoStamp(Exception):
    """The authority is away, refused, or answered something that does not verify; the text says which."""


class _Response(core.Sequence):  # type: ignore[misc]
    """TimeStampResp as RFC 3161, 2.4.2, has it: without a token when it is refused."""

    _fields: ClassVar = [
        ("status", tsp.PKIStatusInfo),
        ("time_stamp_token", cms.ContentInfo, {"optional": True}),
    ]


def request(imprint: bytes, nonce: int) -> bytes:
    """A TimeStampReq (DER) for a SHA-256; the signer's certificate is asked for."""
    asked = {
        "version": "v1",
        "message_imprint": {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": imprint},
        "nonce": nonce,
        "cert_req": True,
    }
    return bytes(tsp.TimeStampReq(asked).dump())


def stamp(
    wire: Wire, url: str, imprint: bytes, nonce: int, trusted: Sequence[x509.Certificate]
) -> tuple[bytes, datetime]:
    """The token over a SHA-256 and its time. Raises NoStamp; a token that does not verify is never returned."""
    reply = wire.request(
        "POST",
        url,
        headers={"Content-Type": "application/timestamp-query"},
        content=request(imprint, nonce),
        timeout_s=TIMEOUT_S,
    )
    if reply.status != 200:
        raise NoStamp(f"the authority answered {reply.status or reply.error}")
    token = _token_of(reply.content)
    try:
        at, told = check_stamp(token, imprint, tuple(trusted))
    except Broken as broken:
        raise NoStamp(f"the authority's token does not verify: {broken}") from None
    if told != nonce:
        raise NoStamp("the authority's token is not for this request: its nonce is another")
    return token, at


def _token_of(content: bytes) -> bytes:
    try:
        response = _Response.load(content, strict=True)
        status, token = response["status"], response["time_stamp_token"]
        granted = status["status"].native in ("granted", "granted_with_mods")
        why = f"{status['status'].native} {status['fail_info'].native or ''} {status['status_string'].native or ''}"
        der = bytes(token.dump()) if granted else b""
    except (ValueError, TypeError, KeyError):
        raise NoStamp("the authority's answer is no TimeStampResp") from None
    if not der or len(der) > MAX_TOKEN_BYTES:
        raise NoStamp(f"the authority gave no stamp: {why.strip()[:200]}")
    return der
