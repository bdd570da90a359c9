"""The authority's root, its stamping key, and their certificates (RFC 3161, section 2.3)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from sandbox.certificates import VALID_FROM, VALID_TO, ec_key, name_of, pem_of, write_file

ORGANISATION, UNIT = "时间戳服务模拟机构", "sandbox"


@dataclass(frozen=True)
class AuthorityKeys:
    """The stamping key, its certificate, and the root that whoever verifies must trust."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    root: x509.Certificate


def authority_keys(home: Path, handed_out: Path) -> AuthorityKeys:
    """The keys kept in ``home``, made when absent; the root certificate is put out as ``handed_out``."""
    root_key, key = ec_key(home / "root.key"), ec_key(home / "stamp.key")
    root_name = name_of("sandbox time-stamp root", UNIT, ORGANISATION)
    paths = home / "root.crt", home / "stamp.crt"
    if not all(path.exists() for path in paths):
        root = _certificate(root_name, root_key, root_name, root_key, stamping=False)
        name = name_of("sandbox time-stamp authority", UNIT, ORGANISATION)
        stamp = _certificate(name, key, root_name, root_key, stamping=True)
        for path, made in zip(paths, (root, stamp), strict=True):
            write_file(path, pem_of(made))
    root, stamp = (x509.load_pem_x509_certificate(path.read_bytes()) for path in paths)
    write_file(handed_out, pem_of(root))
    return AuthorityKeys(key, stamp, root)


def _certificate(
    subject: x509.Name, key: ec.EllipticCurvePrivateKey, issuer: x509.Name, issuer_key: ec.EllipticCurvePrivateKey, *, stamping: bool
) -> x509.Certificate:  # fmt: skip
    usage = x509.KeyUsage(
        digital_signature=stamping, content_commitment=stamping, key_cert_sign=not stamping, crl_sign=not stamping,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(VALID_FROM)
        .not_valid_after(VALID_TO)
        .add_extension(x509.BasicConstraints(ca=not stamping, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    if stamping:  # RFC 3161, 2.3: this one purpose only, and critical
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return made.sign(issuer_key, hashes.SHA256())
