"""Key pairs and certificates that a stand-in makes for itself at set-up, and certificates it is handed as files."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
# Fixed and wide, since the sandbox's clock may be set to any day of the stories.
VALID_FROM, VALID_TO = datetime(2020, 1, 1, tzinfo=UTC), datetime(2046, 1, 1, tzinfo=UTC)


def rsa_key(path: Path) -> rsa.RSAPrivateKey:
    """The RSA-2048 key kept at `path` (PEM, PKCS#8, readable by the owner only); made when absent."""
    key = _kept(path, lambda: rsa.generate_private_key(public_exponent=65537, key_size=2048))
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(f"{path.name} holds no RSA key")
    return key


def ec_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The P-256 key kept at `path` (PEM, PKCS#8, readable by the owner only); made when absent."""
    key = _kept(path, lambda: ec.generate_private_key(ec.SECP256R1()))
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path.name} holds no elliptic-curve key")
    return key


def _kept(path: Path, make: Callable[[], PrivateKey]) -> object:
    """The key kept at `path`, made by `make` when there is none."""
    if path.exists():
        return serialization.load_pem_private_key(path.read_bytes(), password=None)
    key = make()
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_file(path, pem, mode=0o600)
    return key


def name_of(common_name: str, unit: str, organisation: str) -> x509.Name:
    """A distinguished name in the order C, O, OU, CN."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def issue(
    subject: x509.Name, key: PrivateKey, *, issuer: x509.Name, issuer_key: PrivateKey, authority: bool
) -> x509.Certificate:
    """A certificate for `key`, signed with SHA-256 by `issuer_key`."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(VALID_FROM)
        .not_valid_after(VALID_TO)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


def self_signed(path: Path, key: rsa.RSAPrivateKey, subject: x509.Name) -> x509.Certificate:
    """The certificate kept at `path`, remade when it is absent or belongs to another key."""
    if path.exists():
        kept = x509.load_pem_x509_certificate(path.read_bytes())
        if kept.public_key() == key.public_key():
            return kept
    made = issue(subject, key, issuer=subject, issuer_key=key, authority=False)
    write_file(path, pem_of(made))
    return made


def pem_of(*certificates: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def handed_certificate(path: Path) -> x509.Certificate | None:
    """The certificate the other side left at `path`; None when there is none yet. Raises ValueError on rubbish."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except FileNotFoundError:
        return None


def write_file(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Write a whole file or none of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(path.name + ".part")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "wb") as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    half.replace(path)
