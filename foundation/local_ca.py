"""The local certificate authority: made at set-up, issues the API's TLS certificate and partners' client certificates.

It says only that a certificate came from this hub. Who may call is decided by the registered rows, so that a revoked
certificate is refused within a second, whatever it is signed by.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from foundation.algorithms import PrivateKey, PublicKey, algorithm_of
from foundation.keys import KeyStore
from schemas.findings import Finding, Refused

CA = "ca"
SERVER = "api_tls"
ISSUER = "Concord local CA"
CA_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=730)
CLIENT_LIFE = timedelta(
    days=397
)  # as long as the browsers' rule for servers: short enough to be exercised yearly
RENEW_BEFORE = timedelta(days=30)
SLACK = timedelta(days=1)  # clocks differ


def prepare(keys: KeyStore, names: Sequence[str], now: datetime) -> None:
    """Make the authority and the API's certificate unless they are there and good for another month.

    ``names``: host names and addresses under which partners call.
    """
    if not (keys.folder / f"{CA}.crt").exists():
        key = ec.generate_private_key(ec.SECP256R1())
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        made = _builder(ISSUER, key.public_key(), now, CA_LIFE)
        made = made.add_extension(constraints, critical=True).add_extension(_usage(ca=True), critical=True)
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        keys.keep_pair(CA, key, made.sign(key, hashes.SHA256()))
    if not (keys.folder / f"{SERVER}.crt").exists() or _due(keys.certificate(SERVER), names, now):
        own = ec.generate_private_key(ec.SECP256R1())
        alternative = x509.SubjectAlternativeName([_name(each) for each in names])
        made = _builder(names[0], own.public_key(), now, SERVER_LIFE)
        made = made.add_extension(alternative, critical=False)
        keys.keep_pair(SERVER, own, _issued(keys, made, own.public_key(), ExtendedKeyUsageOID.SERVER_AUTH))


def _due(there: x509.Certificate, names: Sequence[str], now: datetime) -> bool:
    told = there.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return there.not_valid_after_utc - RENEW_BEFORE <= now or {*told} != {_name(each) for each in names}


def issue(keys: KeyStore, partner_id: str, request_pem: bytes, now: datetime) -> bytes:
    """A client certificate (PEM) for the key of a partner's signing request (CSR, PEM). Only its key is taken from it.

    Raises Refused: no request, its signature does not hold, an algorithm that is not offered.
    """
    try:
        request = x509.load_pem_x509_csr(request_pem)
        key = request.public_key()
    except Exception as error:  # several kinds, for what is no request and for unknown keys
        wanted = "a certificate signing request in PEM"
        raise Refused(Finding("CERT_UNKNOWN", "request", str(error)[:100], wanted)) from None
    algorithm_of(key, "request")
    if not request.is_signature_valid:
        raise Refused(Finding("SIGNATURE_INVALID", "request", "does not verify", "signed by its own key"))
    assert isinstance(key, PublicKey)
    made = _builder(partner_id, key, now, CLIENT_LIFE)
    return _issued(keys, made, key, ExtendedKeyUsageOID.CLIENT_AUTH).public_bytes(Encoding.PEM)


def certify(keys: KeyStore, key: PrivateKey, name: str, now: datetime) -> x509.Certificate:
    """A certificate for a key of ours, good for what we sign and for calling partners with TLS."""
    public = key.public_key()
    return _issued(keys, _builder(name, public, now, CLIENT_LIFE), public, ExtendedKeyUsageOID.CLIENT_AUTH)


def _builder(subject: str, key: PublicKey, now: datetime, life: timedelta) -> x509.CertificateBuilder:
    named = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (subject, ISSUER)]
    begin = now - SLACK
    made = x509.CertificateBuilder().subject_name(named[0]).issuer_name(named[1]).public_key(key)
    return (
        made.serial_number(x509.random_serial_number()).not_valid_before(begin).not_valid_after(begin + life)
    )


def _issued(
    keys: KeyStore, made: x509.CertificateBuilder, key: PublicKey, use: x509.ObjectIdentifier
) -> x509.Certificate:
    own = keys.signing_key(CA)
    made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    made = made.add_extension(_usage(ca=False), critical=True)
    made = made.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(own.public_key())
    made = made.add_extension(authority, critical=False)
    return made.sign(own, None if isinstance(own, ed25519.Ed25519PrivateKey) else hashes.SHA256())


def _usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca, content_commitment=not ca, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=ca, crl_sign=ca, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)
