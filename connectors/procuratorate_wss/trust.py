"""Whom we trust and which passwords are live, from what the caller knows.

In the test profile the published halves of the contract's test keys count too: the pack's examples are
signed with them, and their private halves were never published. In production only what the key store
holds counts.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import Certificate, load_der_x509_certificate, load_pem_x509_certificate

from connectors.procuratorate_wss import names
from foundation.algorithms import PublicKey
from foundation.wss import Signed, registered, unknown_certificate
from schemas.exchange import Known


@cache
def manifest() -> dict[str, Any]:
    """partner.toml as written."""
    return tomllib.loads((names.HERE / "partner.toml").read_text("utf-8"))


@cache
def _test_certificate(name: str) -> Certificate:
    return load_pem_x509_certificate((names.CONTRACT / "certs" / name).read_bytes())


def partner_certificates(known: Known) -> list[Certificate]:
    """Certificates with which the procuratorate may sign; `known.certificates` except our own, "own"."""
    found = [each for name, several in known.certificates.items() if name != "own" for each in several]
    if known.profile == "test":
        found.append(_test_certificate("jcy.test.crt"))
    return found


def own_certificates(known: Known) -> list[Certificate]:
    """Certificates with which the hub signs: for papers of ours that come back as files."""
    found = list(known.certificates.get("own", ()))
    if known.profile == "test":
        found.append(_test_certificate("hub.test.crt"))
    return found


def passwords(known: Known) -> list[str]:
    """Live passwords of the UsernameToken: secrets whose name begins with "password"."""
    short = {name.removeprefix(f"{names.PARTNER}."): text for name, text in known.secrets.items()}
    found = [text for name, text in sorted(short.items()) if name.startswith("password")]
    if known.profile == "test":
        found.append(manifest()["sandbox"]["secrets"]["password"])
    return found


def keys_of(certificates: Sequence[Certificate]) -> dict[bytes, PublicKey]:
    """Keys by certificate, the RSA ones only: the contract pins RSA-SHA256."""
    found = registered(certificates)
    return {der: key for der, key in found.items() if isinstance(key, rsa.RSAPublicKey)}


def check_validity(signed: Signed, at: datetime) -> None:
    """Refuse a certificate outside its validity at `at`. Raises Refused: CERT_UNKNOWN."""
    certificate = load_der_x509_certificate(signed.certificate)
    if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
        unknown_certificate("certificate out of its validity")
