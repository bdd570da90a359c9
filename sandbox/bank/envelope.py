"""The JSON envelope of the direct link: reading and checking the hub's, signing the bank's own."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509 import Certificate

from sandbox.bank import profile, xsd

ALGORITHM = "RSA2048-SHA256"
_PATTERNS = {
    "requestId": r"[A-Za-z0-9]{10,35}",
    "bizDate": r"\d{8}",
    "sentAt": r"\d{17}",
    "sha256": r"[0-9A-F]{64}",
}
_REQUIRED = {
    "requestId",
    "msgType",
    "bizDate",
    "sentAt",
    "institution",
    "seq",
    "sha256",
    "payload",
    "signature",
}
_ALLOWED = _REQUIRED | {"poss_dup", "encoding"}


class Refused(Exception):
    """An envelope the bank does not take; `code` is the answer's code (E00201, E00205, E00301 …)."""

    def __init__(self, code: str, message: str, request_id: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.request_id = code, message, request_id


@dataclass(frozen=True)
class Envelope:
    request_id: str
    msg_type: str
    payload: bytes
    digest: str


def read(body: bytes, hub_certificate: Certificate | None) -> Envelope:
    """Check an envelope by the contract: form, digest, signature. Raises Refused."""
    told = _form(body)
    request_id = str(told["requestId"])
    try:
        payload = base64.b64decode(told["payload"], validate=True)
    except (ValueError, TypeError) as trouble:
        raise Refused("E00201", "payload: not base64", request_id) from trouble
    if hashlib.sha256(payload).hexdigest().upper() != told["sha256"]:
        raise Refused("E00205", "sha256: not the digest of the payload", request_id)
    _check_signature(told, hub_certificate, request_id)
    return Envelope(request_id, told["msgType"], payload, told["sha256"])


def _form(body: bytes) -> dict[str, Any]:
    if len(body) > 2 * profile.MAX_BODY:
        raise Refused("E00201", "body: too large")
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as trouble:
        raise Refused("E00201", "body: not JSON") from trouble
    if not isinstance(told, dict):
        raise Refused("E00201", "body: not an object")
    request_id = told.get("requestId") if isinstance(told.get("requestId"), str) else ""
    wrong = sorted(_REQUIRED - told.keys()) + sorted(told.keys() - _ALLOWED)
    for key, pattern in _PATTERNS.items():
        if not isinstance(told.get(key), str) or not re.fullmatch(pattern, told[key], re.ASCII):
            wrong.append(key)
    if told.get("msgType") not in profile.MSG_TYPES:
        wrong.append("msgType")
    if not isinstance(told.get("seq"), int) or isinstance(told.get("seq"), bool) or told["seq"] < 1:
        wrong.append("seq")
    if told.get("encoding", "UTF-8") not in ("UTF-8", "GB18030") or not isinstance(
        told.get("poss_dup", False), bool
    ):
        wrong.append("encoding, poss_dup")
    signature = told.get("signature")
    if not isinstance(signature, dict) or signature.keys() != {"alg", "keyId", "value"}:
        wrong.append("signature")
    if wrong:
        raise Refused("E00201", f"envelope: {', '.join(dict.fromkeys(wrong))}", str(request_id))
    return told


def _check_signature(told: dict[str, Any], certificate: Certificate | None, request_id: str) -> None:
    if told["signature"]["alg"] != ALGORITHM:
        raise Refused("E00301", f"signature/alg: this side checks {ALGORITHM} only", request_id)
    if certificate is None:
        raise Refused("E00301", "no certificate of the hub is registered", request_id)
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise Refused("E00301", "the registered certificate holds no RSA key", request_id)
    try:
        value = base64.b64decode(told["signature"]["value"], validate=True)
        key.verify(value, _signed_text(told), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError, TypeError) as trouble:
        raise Refused("E00301", "signature/value: does not verify", request_id) from trouble


def _signed_text(told: dict[str, Any]) -> bytes:
    return "|".join(told[key] for key in ("requestId", "msgType", "sentAt", "sha256")).encode()


def check_payload(envelope: Envelope) -> Any:
    """The payload's root element when it is what msgType says and fits its schema. Raises Refused E00201."""
    try:
        root = xsd.parse(envelope.payload)
        found = xsd.message_type(root)
        if found != envelope.msg_type:
            raise xsd.BadMessage(f"msgType {envelope.msg_type} around a {found}")
        xsd.validate(root, found)
    except xsd.BadMessage as trouble:
        raise Refused("E00201", str(trouble)[:200], envelope.request_id) from trouble
    return root


def stamp(beijing: datetime) -> str:
    """sentAt: yyyyMMddHHmmssSSS."""
    return beijing.strftime("%Y%m%d%H%M%S") + f"{beijing.microsecond // 1000:03d}"


def signature_of(request_id: str, msg_type: str, sent_at: str, sha256: str, key: rsa.RSAPrivateKey) -> str:
    """RSA-SHA256 (PKCS#1 v1.5) over `requestId|msgType|sentAt|sha256`, base64."""
    told = {"requestId": request_id, "msgType": msg_type, "sentAt": sent_at, "sha256": sha256}
    return base64.b64encode(key.sign(_signed_text(told), padding.PKCS1v15(), hashes.SHA256())).decode()
