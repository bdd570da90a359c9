"""The wallet's certification: a bundle of roots, the gateway's certificate, serials as certificate mode counts them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from asn1crypto import pem
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from sandbox.alipay.profile import PARTNER
from sandbox.books import Books
from sandbox.certificates import handed_certificate, issue, name_of, pem_of, rsa_key, write_file

ORGANISATION = "SYNTHETIC TEST ONLY"
_SHORT = {
    NameOID.COUNTRY_NAME: "C",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.COMMON_NAME: "CN",
}


def serial_of(certificate: x509.Certificate) -> str:
    """md5 of the issuer's name in reverse order and the serial number in decimal, lower-case hex."""
    named = [
        f"{_SHORT.get(part.oid, part.oid.dotted_string)}={part.value}"
        for part in reversed(list(certificate.issuer))
    ]
    return hashlib.md5((",".join(named) + str(certificate.serial_number)).encode()).hexdigest()


class Authority:
    """Files under `<var>/sandbox`: keys/ (private), certs/ (for the hub), hub_certs/ (the hub's)."""

    def __init__(self, folder: Path, books: Books) -> None:
        self._folder, self._books = folder, books
        self._roots = self._make_roots()
        self._write_bundle()
        self._gateways: dict[int, tuple[str, rsa.RSAPrivateKey]] = {}
        self.gateway()

    def _make_roots(self) -> list[tuple[rsa.RSAPrivateKey, x509.Certificate]]:
        roots = []
        for number in (1, 2):
            key = rsa_key(self._folder / "keys" / f"alipay_root_{number}.key")
            path = self._folder / "keys" / f"alipay_root_{number}.crt"
            kept = handed_certificate(path)
            if kept is None or kept.public_key() != key.public_key():
                name = name_of(f"Wallet Root R{number}", "Certification Authority", ORGANISATION)
                kept = issue(name, key, issuer=name, issuer_key=key, authority=True)
                write_file(path, pem_of(kept))
            roots.append((key, kept))
        return roots

    def _write_bundle(self) -> None:
        """certs/alipay_root.crt: two RSA roots, and between them one that does not count and is not read by all."""
        path = self._folder / "certs" / "alipay_root.crt"
        first, second = (pem_of(certificate) for _, certificate in self._roots)
        if path.exists() and path.read_bytes().startswith(first) and path.read_bytes().endswith(second):
            return
        write_file(path, first + _odd_root() + second)

    @property
    def root_serial(self) -> str:
        """The serials of the RSA-signed roots, joined by `_`."""
        return "_".join(serial_of(certificate) for _, certificate in self._roots)

    def gateway(self) -> tuple[str, rsa.RSAPrivateKey]:
        """(serial, private key) of the gateway's certificate in use; made and exported when absent."""
        number = int(self._books.get(PARTNER, "key", "number") or 1)
        if number not in self._gateways:
            key = rsa_key(self._folder / "keys" / f"alipay_{number}.key")
            path = self._folder / "certs" / f"alipay_{number}.crt"
            kept = handed_certificate(path)
            root_key, root = self._roots[0]
            if kept is None or kept.public_key() != key.public_key() or kept.issuer != root.subject:
                name = name_of(f"Wallet Gateway {number}", "Open Platform", ORGANISATION)
                kept = issue(name, key, issuer=root.subject, issuer_key=root_key, authority=False)
                write_file(path, pem_of(kept))
            write_file(self._folder / "certs" / "alipay.crt", pem_of(kept))
            self._gateways[number] = (serial_of(kept), key)
        return self._gateways[number]

    def renew(self) -> str:
        """Sign with a new certificate from now on (habit 11). Returns its serial."""
        self._books.put(PARTNER, "key", "number", int(self._books.get(PARTNER, "key", "number") or 1) + 1)
        return self.gateway()[0]

    def app(self) -> x509.Certificate | None:
        """The hub's application certificate (`hub_certs/alipay_app.crt`), read anew so that it may change."""
        return handed_certificate(self._folder / "hub_certs" / "alipay_app.crt")


def _odd_root() -> bytes:
    """An EC root whose serial number is not in shortest DER, as one root of the real bundle has data that strict
    readers refuse: a bundle must be read block by block."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = name_of("Wallet Root E1", "Certification Authority", ORGANISATION)
    made = issue(name, key, issuer=name, issuer_key=key, authority=True)
    der = made.public_bytes(serialization.Encoding.DER)
    # Both outer SEQUENCEs have two-byte lengths, the version takes 5 bytes: the serial's INTEGER stands at 13.
    serial = bytes([2, der[14] + 2, 0, 0]) + der[15:]
    longer = [(int.from_bytes(der[at : at + 2]) + 2).to_bytes(2) for at in (2, 6)]
    odd = der[:2] + longer[0] + der[4:6] + longer[1] + der[8:13] + serial
    return bytes(pem.armor("CERTIFICATE", odd))
