"""A partner's or rail's new certificate, entered by an operator while the old one is still in force."""

from __future__ import annotations

from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from connectors import connectors_named
from exchange_api.people import Work, hub_of, need
from foundation.journal import journal
from hub import payments
from schemas.findings import Finding, Refused

router = APIRouter(prefix="/v1", tags=["operation 运行"])
MOST_BYTES = 16_000
LEAST_BITS = 2048


class CertificateIn(BaseModel):
    model_config = ConfigDict(extra="forbid")
    certificate: str = Field(
        pattern=r"^-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----\s*$",
        max_length=MOST_BYTES,
        description="PEM, one certificate",
    )
    fingerprint: str = Field(
        pattern="^[0-9a-f]{64}$", description="SHA-256 of the DER, as the other side told it by another way"
    )
    reason: str = Field(min_length=1, max_length=500)


@router.post("/partners/{name}/certificate", status_code=201, summary="Trust a new certificate 登记新证书")
def trust(name: str, body: CertificateIn, uow: Work, request: Request) -> dict[str, Any]:
    """Acts at once, without a restart; the old one stays in force until it is removed from the key folder."""
    need(uow.actor, "operator")
    known = sorted({each.id for each in connectors_named(name)}) or [
        rail for rail in [payments.rail_named(name)] if rail
    ]
    if len(known) != 1:
        raise Refused(Finding("NOT_FOUND", "name", name, "one partner or rail"))
    own = _read(body.certificate)
    fingerprint = own.fingerprint(hashes.SHA256()).hex()
    if fingerprint != body.fingerprint:
        raise Refused(Finding("DIGEST_CHANGED", "fingerprint", body.fingerprint, fingerprint))
    if not own.not_valid_before_utc <= uow.now <= own.not_valid_after_utc:
        told = f"{own.not_valid_before_utc:%Y-%m-%d} – {own.not_valid_after_utc:%Y-%m-%d}"
        raise Refused(Finding("WRONG_DATE_ORDER", "certificate", told, "in force now"))
    journal(uow, "certificate_trusted", known[0], bytes.fromhex(fingerprint), reason=body.reason)
    pem = own.public_bytes(serialization.Encoding.PEM)
    hub_of(request).keys.trust(known[0], f"entered-{fingerprint[:16]}.crt", pem)
    return {"partner": known[0], "fingerprint": fingerprint, "subject": own.subject.rfc4514_string()}


def _read(pem: str) -> x509.Certificate:
    try:
        (own,) = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise Refused(
            Finding("SCHEMA_VIOLATION", "certificate", pem[:60], "one certificate, as PEM")
        ) from None
    key = own.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < LEAST_BITS:
        raise Refused(
            Finding("SCHEMA_VIOLATION", "certificate", f"RSA {key.key_size}", f"at least {LEAST_BITS} bits")
        )
    return own
