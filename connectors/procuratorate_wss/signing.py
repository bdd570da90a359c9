"""Writes signed envelopes: requests of ours with a UsernameToken, replies with Body and Timestamp signed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate
from lxml import etree

from connectors.procuratorate_wss import names
from connectors.procuratorate_wss.envelope import Element
from connectors.procuratorate_wss.freshness import password_digest
from connectors.procuratorate_wss.signature import canonical


@dataclass(frozen=True)
class User:
    """Who calls: name, password and a nonce (16 random bytes, never used before)."""

    name: str
    password: str
    nonce: bytes


def signed_envelope(
    payload: Element, *, key: RSAPrivateKey, certificate: Certificate, now: datetime, user: User | None = None
) -> bytes:
    """An envelope around `payload`, signed at `now` with RSA-SHA256 over Body, Timestamp and, with `user`, token."""
    root = etree.Element(names.soap("Envelope"), nsmap={"s": names.SOAP})
    header = etree.SubElement(root, names.soap("Header"))
    security = etree.SubElement(header, names.wsse("Security"), nsmap={"wsse": names.WSSE, "wsu": names.WSU})
    security.set(names.soap("mustUnderstand"), "true")
    begin = now.astimezone(UTC).replace(microsecond=0)
    parts = [_timestamp(security, begin)]
    if user is not None:
        parts.append(_user_token(security, user, begin))
    _token(security, certificate)
    body = etree.SubElement(root, names.soap("Body"), nsmap={"wsu": names.WSU})
    body.set(names.WSU_ID, "BODY-1")
    body.append(payload)
    _sign(security, [body, *parts], key)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def body_digest(payload: Element) -> str:
    """SHA-256 (hex) of the canonical Body that `signed_envelope` puts around this payload."""
    root = etree.Element(names.soap("Envelope"), nsmap={"s": names.SOAP})
    body = etree.SubElement(root, names.soap("Body"), nsmap={"wsu": names.WSU})
    body.set(names.WSU_ID, "BODY-1")
    body.append(payload)
    digest = hashlib.sha256(canonical(body)).hexdigest()
    body.remove(payload)
    return digest


def _timestamp(security: Element, begin: datetime) -> Element:
    stamp = etree.SubElement(security, names.wsu("Timestamp"))
    stamp.set(names.WSU_ID, "TS-1")
    etree.SubElement(stamp, names.wsu("Created")).text = _utc(begin)
    end = begin + timedelta(seconds=names.TIMESTAMP_LIFE_S)
    etree.SubElement(stamp, names.wsu("Expires")).text = _utc(end)
    return stamp


def _user_token(security: Element, user: User, begin: datetime) -> Element:
    token = etree.SubElement(security, names.wsse("UsernameToken"))
    token.set(names.WSU_ID, "UT-1")
    nonce = base64.b64encode(user.nonce).decode()
    etree.SubElement(token, names.wsse("Username")).text = user.name
    password = etree.SubElement(token, names.wsse("Password"), Type=names.PASSWORD_DIGEST)
    password.text = password_digest(nonce, _utc(begin), user.password)
    etree.SubElement(token, names.wsse("Nonce"), EncodingType=names.BASE64_BINARY).text = nonce
    etree.SubElement(token, names.wsu("Created")).text = _utc(begin)
    return token


def _token(security: Element, certificate: Certificate) -> None:
    token = etree.SubElement(security, names.wsse("BinarySecurityToken"))
    token.set(names.WSU_ID, "X509-1")
    token.set("EncodingType", names.BASE64_BINARY)
    token.set("ValueType", names.X509V3)
    token.text = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def _sign(security: Element, targets: Sequence[Element], key: RSAPrivateKey) -> None:
    signature = etree.SubElement(security, names.ds("Signature"), nsmap={"ds": names.DS})
    info = etree.SubElement(signature, names.ds("SignedInfo"))
    etree.SubElement(info, names.ds("CanonicalizationMethod"), Algorithm=names.EXC_C14N)
    etree.SubElement(info, names.ds("SignatureMethod"), Algorithm=names.RSA_SHA256)
    for target in targets:
        reference = etree.SubElement(info, names.ds("Reference"), URI=f"#{target.get(names.WSU_ID)}")
        transforms = etree.SubElement(reference, names.ds("Transforms"))
        etree.SubElement(transforms, names.ds("Transform"), Algorithm=names.EXC_C14N)
        etree.SubElement(reference, names.ds("DigestMethod"), Algorithm=names.SHA256)
        digest = hashlib.sha256(canonical(target)).digest()
        etree.SubElement(reference, names.ds("DigestValue")).text = base64.b64encode(digest).decode()
    value = key.sign(canonical(info), padding.PKCS1v15(), hashes.SHA256())
    etree.SubElement(signature, names.ds("SignatureValue")).text = base64.b64encode(value).decode()
    key_info = etree.SubElement(signature, names.ds("KeyInfo"))
    reference = etree.SubElement(key_info, names.wsse("SecurityTokenReference"))
    etree.SubElement(reference, names.wsse("Reference"), URI="#X509-1", ValueType=names.X509V3)


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
