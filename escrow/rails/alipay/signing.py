"""Signatures and certificate serials of the open platform, with `cryptography` (RSA2 only).

Canonical text: non-empty parameters but `sign` (a notify also without `sign_type`), sorted, k=v joined by &.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime

from asn1crypto import pem
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_RSA_SIGNED = "1.2.840.113549.1.1."
_SHORT_NAMES = {
    "common_name": "CN",
    "organizational_unit_name": "OU",
    "organization_name": "O",
    "locality_name": "L",
    "state_or_province_name": "ST",
    "country_name": "C",
}


def canonical_text(params: Mapping[str, str], leave_out: Iterable[str] = ("sign",)) -> str:
    """The text that is signed. Values are taken as they are, before any form encoding."""
    left_out = set(leave_out)
    return "&".join(f"{key}={params[key]}" for key in sorted(params) if params[key] and key not in left_out)


def sign(text: str, key: rsa.RSAPrivateKey, charset: str = "utf-8") -> str:
    """RSA2: base64 of the PKCS#1 v1.5 signature with SHA-256 over the text in `charset`."""
    return base64.b64encode(key.sign(text.encode(charset), padding.PKCS1v15(), hashes.SHA256())).decode(
        "ascii"
    )


def verify(content: bytes, signature: str, certificates: Iterable[x509.Certificate], now: datetime) -> bool:
    """Whether `signature` is RSA2 over `content` by one of the certificates that are valid at `now`."""
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    return any(
        _verifies(one, raw, content)
        for one in certificates
        if one.not_valid_before_utc <= now <= one.not_valid_after_utc
    )


def _verifies(certificate: x509.Certificate, raw: bytes, content: bytes) -> bool:
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(raw, content, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def certificate_serial(certificate: x509.Certificate) -> str:
    """The platform's serial of a certificate: md5 of its issuer, last part first, and its decimal number."""
    text = certificate.issuer.rfc4514_string() + str(certificate.serial_number)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def root_serial(certificates: Iterable[x509.Certificate]) -> str:
    """The serials of the RSA-signed roots, joined by _."""
    chosen = [
        one for one in certificates if one.signature_algorithm_oid.dotted_string.startswith(_RSA_SIGNED)
    ]
    return "_".join(certificate_serial(one) for one in chosen)


def root_serial_of_bundle(bundle: bytes) -> str:
    """The same of a PEM bundle, read block by block: real bundles hold a root that `cryptography` refuses.

    Raises ValueError when the bundle holds no certificate.
    """
    serials = []
    for _, _, block in pem.unarmor(bundle, multiple=True):
        certificate = asn1_x509.Certificate.load(block)
        if certificate["signature_algorithm"]["algorithm"].dotted.startswith(_RSA_SIGNED):
            serials.append(_serial_of(certificate))
    return "_".join(serials)


def _serial_of(certificate: asn1_x509.Certificate) -> str:
    parts = []
    for name_set in reversed(certificate.issuer.chosen):
        for part in name_set:
            kind = part["type"]
            parts.append(f"{_SHORT_NAMES.get(kind.native, kind.dotted)}={part['value'].native}")
    text = ",".join(parts) + str(certificate.serial_number)
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
