"""A made-up agency's side for tests: its own keys and certificates, its signed requests, by its own means."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from lxml import etree

from foundation import http_signature, partner_keys, partners
from foundation.algorithms import PrivateKey
from foundation.http_signature import Parts
from foundation.unit_of_work import UnitOfWork
from foundation.wss_sign import signed_envelope
from schemas.soap import SOAP11
from tests.exchange.agreements import share

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
BODY = '{"case": "（2026）瓯民调1号", "sum": 120000}'.encode()
HOST = "hub.example:8600"
PATH = "/open/v1/messages"


@cache
def key(name: str = "rsa") -> PrivateKey:
    """A key pair, made once a session; the name begins with its kind."""
    if name.startswith("ed25519"):
        return ed25519.Ed25519PrivateKey.generate()
    if name.startswith("p256"):
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048)


@cache
def certificate(name: str = "rsa", begin: datetime = BEGIN, days: int = 365) -> x509.Certificate:
    """A self-signed certificate of that key."""
    own = key(name)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(own.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(begin).not_valid_after(begin + timedelta(days=days))
    return made.sign(own, None if isinstance(own, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def pem(name: str = "rsa", **told: Any) -> bytes:
    return certificate(name, **told).public_bytes(Encoding.PEM)


def der(name: str = "rsa") -> bytes:
    return certificate(name).public_bytes(Encoding.DER)


def public_pem(name: str) -> bytes:
    return key(name).public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def enter(uow: UnitOfWork, partner_id: str = "ouqi_street", **told: Any) -> None:
    """A partner with one RSA key for HTTP (keyid ``rsa``) and one certificate each for SOAP and TLS."""
    new = {
        "name": "瓯栖街道",
        "institution": "330399T",
        "agency": "street",
        "auth": ("tls", "http", "wss"),
        **told,
    }
    partners.add(uow, partners.NewPartner(id=partner_id, **new))


def enter_with_keys(uow: UnitOfWork, partner_id: str = "ouqi_street", name: str = "rsa", **told: Any) -> None:
    enter(uow, partner_id, **told)
    share(uow, partner_id)
    partner_keys.register_key(uow, partner_id, "http", pem(name), key_id=f"{partner_id}-1")
    partner_keys.register_key(uow, partner_id, "wss", pem(name))
    partner_keys.register_key(uow, partner_id, "tls", pem(name))


def request(
    *, now: datetime, name: str = "rsa", key_id: str = "ouqi_street-1", body: bytes = BODY, method: str = "POST",
    path: str = PATH, query: str = "", nonce: str = "", headers: tuple[tuple[str, str], ...] = (),
) -> Parts:  # fmt: skip
    """A request signed as the profile says."""
    plain = [("host", HOST), *headers]
    if body:
        plain.append(("content-type", "application/json"))
    bare = Parts(method, "https", HOST, path, query, tuple(plain), body)
    made = http_signature.sign(
        bare, key=key(name), key_id=key_id, now=now, nonce=nonce or secrets.token_urlsafe(12)
    )
    return with_headers(bare, {**dict(plain), **{k.lower(): v for k, v in made.items()}})


def with_headers(parts: Parts, headers: dict[str, str]) -> Parts:
    return Parts(
        parts.method,
        parts.scheme,
        parts.authority,
        parts.path,
        parts.query,
        tuple(headers.items()),
        parts.body,
    )


def changed(parts: Parts, **told: Any) -> Parts:
    return Parts(**{**vars(parts), **told})


def soap(now: datetime, name: str = "rsa", version: str = SOAP11) -> bytes:
    payload = etree.Element("{urn:concord:open:1}Submit")
    etree.SubElement(payload, "{urn:concord:open:1}CaseNo").text = "（2026）瓯民调1号"
    etree.SubElement(payload, "{urn:concord:open:1}Sum").text = "1200.00"
    return signed_envelope(
        payload, key=key(name), certificate=certificate(name), now=now, soap=version, fraction=True
    )


def soap_parts(body: bytes) -> Parts:
    return Parts("POST", "https", HOST, "/open/soap", "", (("content-type", "text/xml"),), body)
