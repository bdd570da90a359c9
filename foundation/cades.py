"""CAdES-BES signatures (ETSI EN 319 122-1): detached CMS (RFC 5652) as DER, made fast for thousands in one run."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from foundation.algorithms import PrivateKey, algorithm_of
from foundation.keys import KeyStore

# Name of the pair that signs evidence.
EVIDENCE_KEY = "evidence"
# As the other keys of the set-up: wide, since a sandbox's clock may be set to any day of the stories.
VALID_FROM, VALID_TO = datetime(2024, 1, 1, tzinfo=UTC), datetime(2034, 1, 1, tzinfo=UTC)
# DER of what does not change: object identifiers and algorithm identifiers.
_DATA = bytes.fromhex("06092a864886f70d010701")
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_CONTENT_TYPE = bytes.fromhex("06092a864886f70d010903")
_MESSAGE_DIGEST = bytes.fromhex("06092a864886f70d010904")
_SIGNING_TIME = bytes.fromhex("06092a864886f70d010905")
_SIGNING_CERTIFICATE = bytes.fromhex("060b2a864886f70d010910022f")
_SHA256 = bytes.fromhex("300b0609608648016503040201")
_ALGORITHMS = {
    "ecdsa-p256-sha256": bytes.fromhex("300a06082a8648ce3d040302"),
    "rsa-sha256": bytes.fromhex("300d06092a864886f70d01010b0500"),
}


class Signer:
    """Makes CAdES-BES signatures (ETSI EN 319 122-1) with one key, RSA or P-256."""

    def __init__(self, key: PrivateKey, certificate: x509.Certificate) -> None:
        der = certificate.public_bytes(Encoding.DER)
        self._key = key
        self._algorithm = _ALGORITHMS[algorithm_of(key.public_key(), "evidence.key").id]
        self._certificates = _tlv(0xA0, der)
        serial = certificate.serial_number
        number = _tlv(0x02, serial.to_bytes(serial.bit_length() // 8 + 1, "big"))
        self._sid = _tlv(0x30, certificate.issuer.public_bytes(), number)
        named = _tlv(0x30, _tlv(0x30, _tlv(0x30, _tlv(0x04, certificate.fingerprint(hashes.SHA256())))))
        self._fixed = [
            _tlv(0x30, _CONTENT_TYPE, _tlv(0x31, _DATA)),
            _tlv(0x30, _SIGNING_CERTIFICATE, _tlv(0x31, named)),
        ]

    def sign(self, content: bytes, at: datetime) -> bytes:
        """A detached CMS signature (DER) over ``content``, of the time ``at`` (UTC)."""
        digest = _tlv(0x04, hashlib.sha256(content).digest())
        time = _tlv(0x17, at.strftime("%y%m%d%H%M%SZ").encode())
        attributes = b"".join(
            sorted(
                [
                    *self._fixed,
                    _tlv(0x30, _MESSAGE_DIGEST, _tlv(0x31, digest)),
                    _tlv(0x30, _SIGNING_TIME, _tlv(0x31, time)),
                ]
            )
        )
        signature = _tlv(0x04, self._raw(_tlv(0x31, attributes)))
        signer = _tlv(
            0x30, b"\x02\x01\x01", self._sid, _SHA256, _tlv(0xA0, attributes), self._algorithm, signature
        )
        data = _tlv(
            0x30,
            b"\x02\x01\x01",
            _tlv(0x31, _SHA256),
            _tlv(0x30, _DATA),
            self._certificates,
            _tlv(0x31, signer),
        )
        return _tlv(0x30, _SIGNED_DATA, _tlv(0xA0, data))

    def _raw(self, content: bytes) -> bytes:
        if isinstance(self._key, rsa.RSAPrivateKey):
            return self._key.sign(content, padding.PKCS1v15(), hashes.SHA256())
        assert isinstance(self._key, ec.EllipticCurvePrivateKey)
        return self._key.sign(content, ec.ECDSA(hashes.SHA256()))


def _tlv(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    length = len(body)
    if length < 0x80:
        return bytes((tag, length)) + body
    width = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | width)) + length.to_bytes(width, "big") + body


def prepare(keys: KeyStore) -> None:
    """Make the pair that signs evidence unless it is there: P-256, for it is 15 times as fast as RSA-2048."""
    if (keys.folder / f"{EVIDENCE_KEY}.crt").exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "concord evidence")])
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(VALID_FROM)
        .not_valid_after(VALID_TO)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    keys.keep_pair(EVIDENCE_KEY, key, certificate)


def evidence_signer(keys: KeyStore) -> Signer:
    """The signer with the evidence pair of a key store. Raises KeyMissing."""
    return Signer(keys.signing_key(EVIDENCE_KEY), keys.certificate(EVIDENCE_KEY))
