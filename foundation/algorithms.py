"""Signature algorithms as data: what is offered, how it is named on each wire, and why another is refused."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.x509 import Certificate

from schemas.findings import Finding, Refused

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
LEAST_RSA_BITS = 2048
MOST_RSA_BITS = 8192  # a larger modulus costs the verifier more than it gives anyone
P256_BYTES = 32
_PKCS1 = padding.PKCS1v15()
_SHA256 = hashes.SHA256()
_ECDSA = ec.ECDSA(_SHA256)


@dataclass(frozen=True)
class Algorithm:
    """One row of algorithms.toml; ``refused`` is empty where it is offered."""

    id: str
    http: str
    xml: str
    key: str
    oid: str = ""
    refused: str = ""


@cache
def algorithms() -> dict[str, Algorithm]:
    """Every algorithm that we can name, by id."""
    told = tomllib.loads(Path(__file__).with_name("algorithms.toml").read_text(encoding="utf-8"))
    return {row["id"]: Algorithm(**row) for row in told["algorithm"]}


@cache
def offered() -> str:
    """Ids of those offered, for messages."""
    return ", ".join(each.id for each in algorithms().values() if not each.refused)


def named(name: str, path: str) -> Algorithm:
    """The offered algorithm that bears this name on some wire.

    Raises Refused: ALGORITHM_UNSUPPORTED at ``path``, with the reason where we know the algorithm.
    """
    found = _by_name().get(name)
    if found is None:
        raise Refused(Finding("ALGORITHM_UNSUPPORTED", path, name[:100], offered()))
    if found.refused:
        raise Refused(Finding("ALGORITHM_UNSUPPORTED", path, name[:100], found.refused))
    return found


@cache
def _by_name() -> dict[str, Algorithm]:
    return {name: each for each in algorithms().values() for name in (each.id, each.http, each.xml)}


def algorithm_of(key: object, path: str) -> Algorithm:
    """The algorithm by which a public key is used here.

    Raises Refused: ALGORITHM_UNSUPPORTED for another kind of key, curve or size.
    """
    if isinstance(key, rsa.RSAPublicKey):
        if LEAST_RSA_BITS <= key.key_size <= MOST_RSA_BITS:
            return algorithms()["rsa-sha256"]
        wanted = f"{LEAST_RSA_BITS} to {MOST_RSA_BITS} bits"
        raise Refused(Finding("ALGORITHM_UNSUPPORTED", path, f"RSA key of {key.key_size} bits", wanted))
    if isinstance(key, ec.EllipticCurvePublicKey):
        if isinstance(key.curve, ec.SECP256R1):
            return algorithms()["ecdsa-p256-sha256"]
        raise Refused(Finding("ALGORITHM_UNSUPPORTED", path, f"curve {key.curve.name}", offered()))
    if isinstance(key, ed25519.Ed25519PublicKey):
        return algorithms()["ed25519"]
    raise Refused(Finding("ALGORITHM_UNSUPPORTED", path, type(key).__name__, offered()))


def key_of(certificate: Certificate, path: str) -> PublicKey:
    """A certificate's public key, of an offered algorithm. Raises Refused; SM2 and others by their name."""
    for each in algorithms().values():
        if each.oid and certificate.signature_algorithm_oid.dotted_string == each.oid:
            named(each.id, path)
    try:
        key = certificate.public_key()
    except Exception as error:  # the library has several kinds for keys that it does not know
        found = type(error).__name__
        raise Refused(Finding("ALGORITHM_UNSUPPORTED", path, found, offered())) from None
    algorithm_of(key, path)
    assert isinstance(key, PublicKey)
    return key


def public_key_of(der: bytes, path: str) -> PublicKey:
    """The public key of a SubjectPublicKeyInfo. Raises Refused: not one, or not offered."""
    try:
        key = serialization.load_der_public_key(der)
    except Exception as error:
        raise Refused(Finding("ALGORITHM_UNSUPPORTED", path, type(error).__name__, offered())) from None
    algorithm_of(key, path)
    assert isinstance(key, PublicKey)
    return key


def verifies(key: PublicKey, signature: bytes, content: bytes) -> bool:
    """Whether ``signature`` is this key's over ``content``. ECDSA as r and s side by side, 64 bytes (RFC 9421, RFC 9231)."""
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, content, _PKCS1, _SHA256)
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, content)
        elif len(signature) == 2 * P256_BYTES:
            halves = (int.from_bytes(part) for part in (signature[:P256_BYTES], signature[P256_BYTES:]))
            key.verify(encode_dss_signature(*halves), content, _ECDSA)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def signature_of(key: PrivateKey, content: bytes) -> bytes:
    """Our signature over ``content``, in the form that ``verifies`` takes."""
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(content, _PKCS1, _SHA256)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(content)
    r, s = decode_dss_signature(key.sign(content, _ECDSA))
    return r.to_bytes(P256_BYTES) + s.to_bytes(P256_BYTES)
