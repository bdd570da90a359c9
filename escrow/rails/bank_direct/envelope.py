"""The JSON envelope of the link: wrapping our documents, opening the bank's.

Signature: RSA-SHA256 (PKCS#1 v1.5) over requestId|msgType|sentAt|sha256 (CONTRACT: transport).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from lxml import etree

from escrow.rail_types import OutgoingRequest, RailContext
from escrow.rails.bank_direct import pain001
from escrow.rails.bank_direct.iso import CAMT_055, NAMESPACE, PAIN_001, TYPES, refuse
from schemas.findings import Finding, Refused
from schemas.wide import BEIJING
from schemas.xml_safe import parse_json_strict

ALGORITHM = "RSA2048-SHA256"
MAX_BYTES = 8 * 1024 * 1024  # base64 of the largest payload, and room for the rest
_TEXTS = {
    "requestId": r"[A-Za-z0-9]{10,35}",
    "bizDate": r"\d{8}",
    "sentAt": r"\d{17}",
    "sha256": r"[0-9A-F]{64}",
}
_REQUIRED = (*_TEXTS, "msgType", "institution", "seq", "payload", "signature")
_ALLOWED = frozenset({*_REQUIRED, "poss_dup", "encoding"})


@dataclass(frozen=True)
class Envelope:
    """An envelope whose form, digest and signature are right. `sent_at`: Beijing time with zone."""

    request_id: str
    message_type: str
    payload: bytes
    digest: str
    sequence: int
    sent_at: datetime
    again: bool
    encoding: str = ""


def key_id(certificate: x509.Certificate) -> str:
    """The key's id: the common name of its certificate, without the suffix of test certificates."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value).removesuffix(".test") if names else ""


def wrap(document: bytes, ctx: RailContext) -> OutgoingRequest:
    """POST an approved document. Raises Refused when the document must not leave (see pain001.check)."""
    tag = etree.QName(etree.fromstring(document)).namespace or ""
    message_type = tag.removeprefix(NAMESPACE)
    if message_type not in (PAIN_001, CAMT_055):
        refuse("SCHEMA_VIOLATION", "/Document", message_type, f"{PAIN_001} or {CAMT_055}")
    if message_type == PAIN_001:
        pain001.check(document)
    if not re.fullmatch(_TEXTS["requestId"], ctx.request_id, re.ASCII):
        refuse("SCHEMA_VIOLATION", "/requestId", ctx.request_id, "10 to 35 of A-Z a-z 0-9")
    sent_at = stamp(ctx.now)
    digest = hashlib.sha256(document).hexdigest().upper()
    rail_id = str(ctx.manifest["id"])
    signed = "|".join((ctx.request_id, message_type, sent_at, digest)).encode()
    value = ctx.keys.private_key(rail_id).sign(signed, padding.PKCS1v15(), hashes.SHA256())
    told = {
        "requestId": ctx.request_id,
        "msgType": message_type,
        "bizDate": sent_at[:8],
        "sentAt": sent_at,
        "institution": ctx.account("customer"),
        "seq": ctx.sequence,
        "sha256": digest,
        "payload": base64.b64encode(document).decode("ascii"),
        "signature": {
            "alg": ALGORITHM,
            "keyId": key_id(ctx.keys.certificate(rail_id)),
            "value": base64.b64encode(value).decode("ascii"),
        },
    }
    body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    return OutgoingRequest(
        "POST",
        "/escrow/v1/messages",
        "cancel" if message_type == CAMT_055 else "order",
        body=body,
        headers={"Content-Type": "application/json; charset=utf-8"},
        document=document,
        request_id=ctx.request_id,
    )


def stamp(moment: datetime) -> str:
    """Beijing time as yyyyMMddHHmmssSSS."""
    beijing = moment.astimezone(BEIJING)
    return beijing.strftime("%Y%m%d%H%M%S") + f"{beijing.microsecond // 1000:03d}"


def unwrap(body: bytes, ctx: RailContext) -> Envelope:
    """Open an envelope of the bank: form, then digest, then signature.

    Raises Refused: see parse_json_strict; SCHEMA_VIOLATION (a key absent, unknown or of another form),
    BASE64_INVALID, DIGEST_MISMATCH, ALGORITHM_UNSUPPORTED, CERT_UNKNOWN, SIGNATURE_INVALID.
    """
    told = parse_json_strict(body, max_bytes=MAX_BYTES)
    _check_form(told, ctx)
    try:
        payload = base64.b64decode(told["payload"], validate=True)
    except (binascii.Error, ValueError):
        refuse("BASE64_INVALID", "/payload", told["payload"][:20], "base64")
    if hashlib.sha256(payload).hexdigest().upper() != told["sha256"]:
        refuse("DIGEST_MISMATCH", "/sha256", told["sha256"], "SHA-256 of the payload bytes")
    _check_signature(told, ctx)
    try:
        sent_at = datetime.strptime(told["sentAt"], "%Y%m%d%H%M%S%f").replace(tzinfo=BEIJING)
    except ValueError:
        refuse("DATE_UNREADABLE", "/sentAt", told["sentAt"], "yyyyMMddHHmmssSSS, Beijing time")
    return Envelope(
        told["requestId"],
        told["msgType"],
        payload,
        told["sha256"],
        told["seq"],
        sent_at,
        bool(told.get("poss_dup", False)),
        str(told.get("encoding", "")),
    )


def _check_form(told: Any, ctx: RailContext) -> None:
    if not isinstance(told, dict):
        refuse("SCHEMA_VIOLATION", "/", type(told).__name__, "one JSON object")
    findings = [
        Finding("SCHEMA_VIOLATION", f"/{key}", "absent", "required") for key in _REQUIRED if key not in told
    ]
    findings += [
        Finding("SCHEMA_VIOLATION", f"/{key}", "present", "no such key")
        for key in told
        if key not in _ALLOWED
    ]
    texts = {**_TEXTS, "institution": ".+", "payload": "[^ ]*", "msgType": "|".join(map(re.escape, TYPES))}
    for key, form in texts.items():
        value = told.get(key, "")
        if key in told and not (isinstance(value, str) and re.fullmatch(form, value, re.ASCII | re.DOTALL)):
            findings.append(Finding("SCHEMA_VIOLATION", f"/{key}", str(value)[:40], form))
    if told.get("encoding", "UTF-8") not in ("UTF-8", "GB18030"):
        findings.append(
            Finding("SCHEMA_VIOLATION", "/encoding", str(told["encoding"])[:40], "UTF-8 or GB18030")
        )
    sequence = told.get("seq", 1)
    if not isinstance(sequence, int) or isinstance(sequence, bool) or sequence < 1:
        findings.append(Finding("SCHEMA_VIOLATION", "/seq", str(sequence)[:40], "whole number from 1"))
    if not isinstance(told.get("poss_dup", False), bool):
        findings.append(Finding("SCHEMA_VIOLATION", "/poss_dup", str(told["poss_dup"])[:40], "true or false"))
    signature = told.get("signature", {})
    if "signature" in told and not (
        isinstance(signature, dict)
        and signature.keys() == {"alg", "keyId", "value"}
        and all(isinstance(value, str) for value in signature.values())
    ):
        findings.append(Finding("SCHEMA_VIOLATION", "/signature", "other form", "alg, keyId and value"))
    expected = ctx.account("institution")
    if not findings and told["institution"] != expected:
        findings.append(Finding("WRONG_RECEIVER", "/institution", told["institution"], expected))
    if findings:
        raise Refused(*findings)


def _check_signature(told: dict[str, Any], ctx: RailContext) -> None:
    signature = told["signature"]
    if signature["alg"] != ALGORITHM:
        refuse("ALGORITHM_UNSUPPORTED", "/signature/alg", signature["alg"], ALGORITHM)
    text = "|".join(told[key] for key in ("requestId", "msgType", "sentAt", "sha256")).encode()
    # A key is looked at as of our own clock: what an old message says of its time proves nothing.
    trusted = [
        one
        for one in ctx.keys.trusted(str(ctx.manifest["id"]))
        if one.not_valid_before_utc <= ctx.now <= one.not_valid_after_utc
    ]
    if any(_verifies(one, signature["value"], text) for one in trusted):
        return
    named = signature["keyId"]
    if not any(named in key_id(one) for one in trusted):
        refuse("CERT_UNKNOWN", "/signature/keyId", named, "a registered certificate that is valid now")
    refuse(
        "SIGNATURE_INVALID",
        "/signature/value",
        f"not by key {named}",
        "RSA over requestId|msgType|sentAt|sha256",
    )


def _verifies(certificate: x509.Certificate, value: str, text: bytes) -> bool:
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(base64.b64decode(value, validate=True), text, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
