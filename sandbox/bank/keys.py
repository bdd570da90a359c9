"""The bank's own key pair and the certificate it is known by; the hub's certificate it was handed."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import Certificate

from sandbox.bank.profile import BANK_NAME, INSTITUTION, PARTNER
from sandbox.books import Books
from sandbox.certificates import handed_certificate, name_of, pem_of, rsa_key, self_signed, write_file


class Keys:
    """Files under `<var>/sandbox`: keys/ (private), certs/ (the bank's, for the hub), hub_certs/ (the hub's)."""

    def __init__(self, folder: Path, books: Books) -> None:
        self._folder, self._books = folder, books
        self._kept: dict[str, rsa.RSAPrivateKey] = {}
        self.own()

    def own(self) -> tuple[str, rsa.RSAPrivateKey]:
        """(keyId, private key) in use now; made and exported when absent."""
        key_id = f"{INSTITUTION}-2026-{int(self._books.get(PARTNER, 'key', 'number') or 1):02d}"
        if key_id not in self._kept:
            key = rsa_key(self._folder / "keys" / f"{key_id}.key")
            subject = name_of(f"{INSTITUTION} {key_id}", BANK_NAME, "SYNTHETIC TEST ONLY")
            certificate = self_signed(self._folder / "certs" / f"bank_{key_id}.crt", key, subject)
            write_file(self._folder / "certs" / "bank.crt", pem_of(certificate))
            self._kept[key_id] = key
        return key_id, self._kept[key_id]

    def rotate(self) -> str:
        """Sign with a new pair from now on; `certs/bank.crt` becomes the new certificate, the old file stays."""
        self._books.put(PARTNER, "key", "number", int(self._books.get(PARTNER, "key", "number") or 1) + 1)
        return self.own()[0]

    def certificate(self) -> str:
        """The certificate of the pair in use, as PEM: what the bank sends its partners on a change."""
        self.own()
        return (self._folder / "certs" / "bank.crt").read_text("ascii")

    def hub(self) -> Certificate | None:
        """The certificate of the hub's link key (`hub_certs/bank_link.crt`), read anew so that it may change."""
        return handed_certificate(self._folder / "hub_certs" / "bank_link.crt")
