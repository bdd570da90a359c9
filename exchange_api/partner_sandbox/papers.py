"""A test key pair and sample signed messages for an engineer who brings none: made here, kept nowhere else."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import orjson
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from lxml import etree

from connectors.open_contract import shape
from foundation import http_signature
from foundation.http_signature import Parts
from foundation.wss_sign import signed_envelope
from schemas.open_contract import NAMESPACE
from schemas.soap import SOAP11

LIFE = timedelta(days=30)
MESSAGE = {
    "message_id": "SAMPLE-1",
    "case_key": "JD-2026-1",
    "event_time": "2026-06-01T09:00:00+08:00",
    "kind": "record",
    "records": [
        {
            "kind": "episode",
            "fields": {
                "proceeding_kind": "MEDIATION",
                "state": "OPEN",
                "cause": "相邻关系纠纷",
                "opened_on": "2026-06-01",
            },
            "parties": [
                {"key": "A1", "role": "applicant", "kind": "person", "name": "项军琳"},
                {"key": "R1", "role": "respondent", "kind": "person", "name": "林晓"},
            ],
        }
    ],
}


@dataclass(frozen=True)
class Pair:
    """A key and its self-signed certificate."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def own_keys(folder: Path, name: str, now: datetime) -> Pair:
    """A key pair of the partner's for the sandbox: ``NAME.key`` and ``NAME.crt`` in ``folder``."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + LIFE)
    pair = Pair(key, made.sign(key, hashes.SHA256()))
    descriptor = os.open(folder / f"{name}.key", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / f"{name}.crt").write_bytes(pair.pem)
    return pair


def sample_messages(folder: Path, name: str, host: str, pair: Pair, now: datetime) -> None:
    """The same message signed for both protocols, good for five minutes: what is on the wire, byte for byte."""
    body = orjson.dumps(MESSAGE)
    target = "/open/v1/messages"
    plain = (("host", host), ("content-type", "application/json"))
    signed = http_signature.sign(
        Parts("POST", "http", host, target, "", plain, body), key=pair.key, key_id=f"{name}-1", now=now,
        nonce=secrets.token_urlsafe(16),
    )  # fmt: skip
    head = "".join(f"{key}: {value}\r\n" for key, value in {**dict(plain), **signed}.items())
    whole = f"POST {target} HTTP/1.1\r\n{head}content-length: {len(body)}\r\n\r\n".encode() + body
    (folder / "sample-rest.http").write_bytes(whole)
    payload = etree.fromstring(f'<submit xmlns="{NAMESPACE}">{shape.write_xml(MESSAGE)}</submit>')
    envelope = signed_envelope(
        payload, key=pair.key, certificate=pair.certificate, now=now, soap=SOAP11, fraction=True
    )  # fmt: skip
    (folder / "sample-soap.xml").write_bytes(envelope)
