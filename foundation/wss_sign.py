"""Writes signed SOAP envelopes: Body and Timestamp signed by our key, with the certificate beside the signature."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate
from lxml import etree

from foundation.algorithms import PrivateKey, algorithm_of, signature_of
from foundation.wss import LIFE_S, canonical
from foundation.wss_envelope import (
    BASE64_BINARY,
    DS,
    EXC_C14N,
    PASSWORD_DIGEST,
    SHA256,
    WSSE,
    WSU,
    WSU_ID,
    X509V3,
    Element,
    ds,
    wsse,
    wsu,
)  # fmt: skip
from schemas.soap import SOAP12


@dataclass(frozen=True)
class User:
    """Who calls, where a contract wants a UsernameToken: name, password and a nonce (16 random bytes, never used before)."""

    name: str
    password: str
    nonce: bytes


def password_digest(nonce: bytes, when: str, password: str) -> str:
    """Base64 of SHA-1(nonce + created + password): WSS 1.1 UsernameToken profile, 3.1."""
    return base64.b64encode(hashlib.sha1(nonce + when.encode() + password.encode()).digest()).decode()


def signed_envelope(
    payload: Element, *, key: PrivateKey, certificate: Certificate, now: datetime, user: User | None = None,
    soap: str = SOAP12, fraction: bool = False,
) -> bytes:  # fmt: skip
    """An envelope around ``payload``, signed at ``now`` over Body, Timestamp and, with ``user``, its token.

    ``soap``: namespace of the envelope. ``fraction``: write times to the millisecond, so that two envelopes of one
    second differ and neither is taken for a replay.
    """
    root = etree.Element(f"{{{soap}}}Envelope", nsmap={"s": soap})
    header = etree.SubElement(root, f"{{{soap}}}Header")
    security = etree.SubElement(header, wsse("Security"), nsmap={"wsse": WSSE, "wsu": WSU})
    security.set(f"{{{soap}}}mustUnderstand", "1" if soap != SOAP12 else "true")
    begin = now.astimezone(UTC)
    parts = [_timestamp(security, begin, fraction)]
    if user is not None:
        parts.append(_user_token(security, user, begin, fraction))
    _token(security, certificate)
    body = _body(root, payload, soap)
    _sign(security, [body, *parts], key)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def body_digest(payload: Element, soap: str = SOAP12) -> str:
    """SHA-256 (hex) of the canonical Body that ``signed_envelope`` puts around this payload."""
    body = _body(etree.Element(f"{{{soap}}}Envelope", nsmap={"s": soap}), payload, soap)
    digest = hashlib.sha256(canonical(body)).hexdigest()
    body.remove(payload)
    return digest


def _body(root: Element, payload: Element, soap: str) -> Element:
    body = etree.SubElement(root, f"{{{soap}}}Body", nsmap={"wsu": WSU})
    body.set(WSU_ID, "BODY-1")
    body.append(payload)
    return body


def _timestamp(security: Element, begin: datetime, fraction: bool) -> Element:
    stamp = etree.SubElement(security, wsu("Timestamp"))
    stamp.set(WSU_ID, "TS-1")
    etree.SubElement(stamp, wsu("Created")).text = _utc(begin, fraction)
    etree.SubElement(stamp, wsu("Expires")).text = _utc(begin + timedelta(seconds=LIFE_S), fraction)
    return stamp


def _user_token(security: Element, user: User, begin: datetime, fraction: bool) -> Element:
    token = etree.SubElement(security, wsse("UsernameToken"))
    token.set(WSU_ID, "UT-1")
    when = _utc(begin, fraction)
    etree.SubElement(token, wsse("Username")).text = user.name
    password = etree.SubElement(token, wsse("Password"), Type=PASSWORD_DIGEST)
    password.text = password_digest(user.nonce, when, user.password)
    nonce = etree.SubElement(token, wsse("Nonce"), EncodingType=BASE64_BINARY)
    nonce.text = base64.b64encode(user.nonce).decode()
    etree.SubElement(token, wsu("Created")).text = when
    return token


def _token(security: Element, certificate: Certificate) -> None:
    token = etree.SubElement(security, wsse("BinarySecurityToken"))
    token.set(WSU_ID, "X509-1")
    token.set("EncodingType", BASE64_BINARY)
    token.set("ValueType", X509V3)
    token.text = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def _sign(security: Element, targets: Sequence[Element], key: PrivateKey) -> None:
    signature = etree.SubElement(security, ds("Signature"), nsmap={"ds": DS})
    info = etree.SubElement(signature, ds("SignedInfo"))
    etree.SubElement(info, ds("CanonicalizationMethod"), Algorithm=EXC_C14N)
    method = algorithm_of(key.public_key(), "key").xml
    etree.SubElement(info, ds("SignatureMethod"), Algorithm=method)
    for target in targets:
        reference = etree.SubElement(info, ds("Reference"), URI=f"#{target.get(WSU_ID)}")
        transforms = etree.SubElement(reference, ds("Transforms"))
        etree.SubElement(transforms, ds("Transform"), Algorithm=EXC_C14N)
        etree.SubElement(reference, ds("DigestMethod"), Algorithm=SHA256)
        digest = hashlib.sha256(canonical(target)).digest()
        etree.SubElement(reference, ds("DigestValue")).text = base64.b64encode(digest).decode()
    value = signature_of(key, canonical(info))
    etree.SubElement(signature, ds("SignatureValue")).text = base64.b64encode(value).decode()
    key_info = etree.SubElement(signature, ds("KeyInfo"))
    reference = etree.SubElement(key_info, wsse("SecurityTokenReference"))
    etree.SubElement(reference, wsse("Reference"), URI="#X509-1", ValueType=X509V3)


def _utc(when: datetime, fraction: bool) -> str:
    return when.strftime("%Y-%m-%dT%H:%M:%S") + (f".{when.microsecond // 1000:03d}Z" if fraction else "Z")
