"""Signed receipts: what a sender holds in its hand to prove that a message was given to us, and when.

A receipt is one JSON document; in it `signed` is a JSON Web Signature (RFC 7515, compact) of the same facts, ES256 by
default, that any JOSE library checks with our public key. The bytes are made once and stored: a repeat gets the very same.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from foundation.algorithms import PrivateKey, PublicKey, signature_of, verifies


@dataclass(frozen=True)
class ReceiptFacts:
    """What a receipt says. ``content_sha256``: of the bytes as they came; ``message_sha256``: of the message's canonical
    form, the same over every protocol."""

    receipt_no: str
    partner: str
    message_id: str
    kind: str
    received_at: datetime
    content_sha256: str
    message_sha256: str

    def plain(self) -> dict[str, str]:
        """The facts as they stand in the document, in their order."""
        at = self.received_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        return {
            "receipt_no": self.receipt_no, "partner": self.partner, "message_id": self.message_id, "kind": self.kind,
            "state": "RECEIVED", "received_at": at, "content_sha256": self.content_sha256,
            "message_sha256": self.message_sha256,
        }  # fmt: skip


class ReceiptKey:
    """The key that signs receipts, with its name on the wire."""

    def __init__(self, key: PrivateKey) -> None:
        self.key = key
        self.public = key.public_key()
        der = self.public.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self.id = hashlib.sha256(der).hexdigest()[:16]
        header = {"alg": _jose(key), "kid": self.id, "typ": "concord-receipt"}
        self._header = _b64(orjson.dumps(header))

    def receipt(self, facts: ReceiptFacts) -> bytes:
        """The receipt's bytes."""
        plain = facts.plain()
        content = self._header + b"." + _b64(orjson.dumps(plain))
        signed = content + b"." + _b64(signature_of(self.key, content))
        return orjson.dumps({**plain, "signed": signed.decode()})

    def public_pem(self) -> bytes:
        """The public half, for those who check receipts."""
        return self.public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def _jose(key: PrivateKey) -> str:
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256"
    return "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "EdDSA"


def _b64(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def check_receipt(receipt: bytes, key: PublicKey) -> dict[str, Any]:
    """The facts of a receipt whose signature holds and says the same as the document. Raises ValueError."""
    document: dict[str, Any] = orjson.loads(receipt)
    signed = str(document.pop("signed", ""))
    head, _, proof = signed.rpartition(".")
    if not verifies(key, _unb64(proof), head.encode()):
        raise ValueError("the receipt's signature does not verify")
    if orjson.loads(_unb64(head.partition(".")[2])) != document:
        raise ValueError("the receipt says something else than what is signed")
    return document


@lru_cache(maxsize=4)
def receipt_key(folder: Path) -> ReceiptKey:
    """This copy's key, from ``receipts.key``; the first process that asks makes it (P-256)."""
    path = folder / "receipts.key"
    if not path.exists():
        made = ec.generate_private_key(ec.SECP256R1())
        pem = made.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = folder / f".receipts.{secrets.token_hex(6)}"
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        try:
            os.link(part, path)  # of two processes only one gets its key in
        except FileExistsError:
            pass
        part.unlink()
    key = serialization.load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, PrivateKey), "receipts.key is of a kind that is not offered"
    return ReceiptKey(key)
