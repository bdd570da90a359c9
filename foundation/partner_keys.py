"""Keys by which a partner and we are known to each other: registered, overlapping by two, revoked for good."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)
from sqlalchemy import RowMapping

from foundation.algorithms import algorithm_of, key_of, offered
from foundation.partners import note, partner
from foundation.unit_of_work import UnitOfWork
from schemas.findings import Finding, Refused

Kind = Literal["tls", "http", "wss"]
Side = Literal["theirs", "ours"]
BARE_KEY_LIFE = timedelta(days=730)  # a bare public key says no validity of its own


def keys_of(uow: UnitOfWork, partner_id: str) -> Sequence[RowMapping]:
    """All keys of a partner, theirs and ours, the newest first."""
    return uow.all(
        "SELECT * FROM exchange.partner_key WHERE partner = :p ORDER BY side, kind, valid_from DESC, id LIMIT 1000",
        p=partner_id,
    )


@dataclass(frozen=True)
class Material:
    """A key read from a PEM or DER file: the public half, its certificate if it came with one, and how long it holds."""

    algorithm: str
    public_key: bytes
    certificate: bytes | None
    fingerprint: str
    valid_from: datetime
    valid_to: datetime


def read_material(content: bytes, now: datetime) -> Material:
    """Read a certificate or public key, PEM or DER.

    Raises Refused: ALGORITHM_UNSUPPORTED with the reason (SM2, weak or unknown keys), CERT_UNKNOWN when it is neither.
    """
    certificate = _certificate(content)
    if certificate is not None:
        key = key_of(certificate, "certificate")
        der = certificate.public_bytes(Encoding.DER)
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    else:
        loaded = _public_key(content)
        algorithm_of(loaded, "key")
        key, der, begin, end = loaded, None, now, now + BARE_KEY_LIFE
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    fingerprint = hashlib.sha256(der or spki).hexdigest()
    return Material(algorithm_of(key, "key").id, spki, der, fingerprint, begin, end)


def _certificate(content: bytes) -> x509.Certificate | None:
    pem = b"-----BEGIN CERTIFICATE-----" in content
    try:
        return x509.load_pem_x509_certificate(content) if pem else x509.load_der_x509_certificate(content)
    except ValueError as error:
        if not pem:
            return None
        raise Refused(
            Finding("CERT_UNKNOWN", "certificate", str(error)[:100], "one X.509 certificate")
        ) from None


def _public_key(content: bytes) -> Any:
    try:
        pem = b"-----BEGIN PUBLIC KEY-----" in content
        return load_pem_public_key(content) if pem else load_der_public_key(content)
    except Exception as error:  # several kinds, for what is no key and for keys of unknown algorithms
        if b"PRIVATE KEY" in content:
            found, wanted = "a private key", "the public half only: a private key never leaves its owner"
            raise Refused(Finding("CERT_UNKNOWN", "key", found, wanted)) from None
        code = "ALGORITHM_UNSUPPORTED" if "nsupported" in type(error).__name__ else "CERT_UNKNOWN"
        wanted = f"a certificate or public key of {offered()}"
        raise Refused(Finding(code, "key", str(error)[:100], wanted)) from None


def register_key(
    uow: UnitOfWork, partner_id: str, kind: Kind, content: bytes, *, key_id: str = "", side: Side = "theirs",
    use_from: datetime | None = None,
) -> str:  # fmt: skip
    """Register a certificate or public key; two of a kind may be in force at once. Returns the key's id on the wire.

    ``key_id``: default is the partner's id and the fingerprint's first twelve digits. ``use_from``: later than the
    certificate's own begin, so that the other side can be told of it first. Raises Refused: an algorithm that is not
    offered, no certificate where the kind wants one, out of its validity, in use already, two in force.
    """
    partner(uow, partner_id)
    told = read_material(content, uow.now)
    if kind != "http" and told.certificate is None:
        raise Refused(Finding("CERT_UNKNOWN", "key", "a bare public key", f"a certificate for {kind}"))
    if told.valid_to <= uow.now:
        raise Refused(
            Finding(
                "KEY_EXPIRED", "certificate", f"until {told.valid_to:%Y-%m-%d}", "one that is still valid"
            )
        )
    there = uow.one(
        "SELECT id, partner, revoked_at FROM exchange.partner_key WHERE kind = :kind AND fingerprint = :print"
        " AND side = :side", kind=kind, print=told.fingerprint, side=side,
    )  # fmt: skip
    if there is not None:
        found = f"key {there['id']} of {there['partner']}" + (", revoked" if there["revoked_at"] else "")
        raise Refused(Finding("BUSINESS_KEY_CONFLICT", "key", found, "a key that is not registered yet"))
    if _in_force(uow, partner_id, kind, side) >= 2:
        raise Refused(
            Finding("LIMIT_EXCEEDED", "key", f"two {kind} keys in force", "revoke the older one first")
        )
    made = key_id or f"{partner_id}-{kind}-{told.fingerprint[:12]}"
    uow.execute(
        "INSERT INTO exchange.partner_key (id, partner, side, kind, algorithm, public_key, certificate, fingerprint,"
        " valid_from, valid_to, created_at, created_by) VALUES (:id, :partner, :side, :kind, :algorithm, :public,"
        " :certificate, :print, :begin, :end, :now, :by)",
        id=made, partner=partner_id, side=side, kind=kind, algorithm=told.algorithm, public=told.public_key,
        certificate=told.certificate, print=told.fingerprint, begin=max(told.valid_from, use_from or told.valid_from),
        end=told.valid_to, now=uow.now, by=uow.actor.id,
    )  # fmt: skip
    note(
        uow, "partner_key_added", partner_id, key=made, key_kind=kind, side=side, fingerprint=told.fingerprint
    )
    return made


def _in_force(uow: UnitOfWork, partner_id: str, kind: str, side: str) -> int:
    return int(
        uow.scalar(
            "SELECT count(*) FROM exchange.partner_key WHERE partner = :p AND kind = :kind AND side = :side"
            " AND revoked_at IS NULL AND valid_to > :now", p=partner_id, kind=kind, side=side, now=uow.now,
        )
    )  # fmt: skip


def revoke_key(uow: UnitOfWork, key_id: str, why: str) -> None:
    """Nothing signed with this key is taken from the next second on; for good. Raises Refused: unknown, or no reason."""
    if not why.strip():
        raise Refused(Finding("FIELD_MISSING", "why", "", "why, in a few words"))
    row = uow.one(
        "UPDATE exchange.partner_key SET revoked_at = coalesce(revoked_at, :now), revoked_why = :why WHERE id = :id"
        " RETURNING partner", id=key_id, now=uow.now, why=why[:500],
    )  # fmt: skip
    if row is None:
        raise Refused(Finding("NOT_FOUND", "key", key_id, "a registered key's id"))
    note(uow, "partner_key_revoked", row["partner"], key=key_id, why=why[:500])
