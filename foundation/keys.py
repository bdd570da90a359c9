"""Keys: private keys, certificates and shared secrets, made at set-up, never in the repository."""

from __future__ import annotations

import os
import re
import secrets
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from foundation.algorithms import PrivateKey

KEY_BITS = 2048
CERTIFICATE_YEARS = 10


class KeyMissing(Exception):
    """A key or secret that the caller needs is not in the key folder; the text names it."""


_BLOCK = re.compile(b"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def certificates_of(pem: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM file or bundle, without the blocks that cannot be read."""
    found: list[x509.Certificate] = []
    for block in _BLOCK.findall(pem):
        try:
            found.append(x509.load_pem_x509_certificate(block))
        except ValueError:
            continue
    return found


class KeyStore:
    """A folder of keys: ``NAME.key`` ours, ``NAME.crt`` its certificate, ``trusted/NAME/*.crt`` others',
    ``NAME.secret`` shared secrets. Files are read again when they change, so rotation acts at once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._cache: dict[Path, tuple[float, object]] = {}

    def private_key(self, name: str) -> rsa.RSAPrivateKey:
        """Our RSA private key of that name. Raises KeyMissing."""
        key = self._read(
            self.folder / f"{name}.key", lambda raw: serialization.load_pem_private_key(raw, None)
        )
        if not isinstance(key, rsa.RSAPrivateKey):
            raise KeyMissing(f"{name}.key is not an RSA key")
        return key

    def signing_key(self, name: str) -> PrivateKey:
        """Our private key of that name, of any algorithm that is offered. Raises KeyMissing."""
        key = self._read(
            self.folder / f"{name}.key", lambda raw: serialization.load_pem_private_key(raw, None)
        )
        if not isinstance(key, PrivateKey):
            raise KeyMissing(f"{name}.key is of a kind that is not offered")
        return key

    def certificate(self, name: str) -> x509.Certificate:
        """The certificate of our key of that name. Raises KeyMissing."""
        found = self._read(self.folder / f"{name}.crt", x509.load_pem_x509_certificate)
        assert isinstance(found, x509.Certificate)
        return found

    def trusted(self, name: str) -> list[x509.Certificate]:
        """Certificates registered for a partner or rail, in file-name order; empty when none is.

        A file may be a bundle. It is read block by block: a bundle in use has one that the library refuses.
        """
        found: list[x509.Certificate] = []
        for path in sorted((self.folder / "trusted" / name).glob("*.crt")):
            certificates = self._read(path, certificates_of)
            assert isinstance(certificates, list)
            found.extend(certificates)
        return found

    def secret(self, name: str) -> str:
        """A shared secret as text. Raises KeyMissing."""
        found = self._read(self.folder / f"{name}.secret", lambda raw: raw.decode("utf-8").strip())
        assert isinstance(found, str)
        return found

    def secrets(self, name: str) -> list[str]:
        """All live secrets of that name, newest first: a rotation leaves two for its overlap."""
        found = [self.secret(path.stem) for path in sorted(self.folder.glob(f"{name}*.secret"), reverse=True)]
        return found

    def _read(self, path: Path, load: object) -> object:
        try:
            changed = path.stat().st_mtime
        except FileNotFoundError:
            raise KeyMissing(f"{path.name} is not in the key folder: run the set-up") from None
        cached = self._cache.get(path)
        if cached is None or cached[0] != changed:
            cached = (changed, load(path.read_bytes()))  # type: ignore[operator]
            self._cache[path] = cached
        return cached[1]

    # -- making ----------------------------------------------------------------------------------------

    def make_pair(self, name: str, common_name: str) -> None:
        """Make a key and a self-signed certificate of that name unless they are there."""
        if (self.folder / f"{name}.crt").exists():
            return
        key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        begin = datetime(2024, 1, 1, tzinfo=UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=365 * CERTIFICATE_YEARS))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.keep_pair(name, key, certificate)

    def keep_pair(self, name: str, key: PrivateKey, certificate: x509.Certificate) -> None:
        """Keep a key of ours and its certificate under that name, in the place of what was there."""
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        self._write(self.folder / f"{name}.key", pem)
        self._write(self.folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))

    def make_secret(self, name: str) -> None:
        """Make a shared secret of that name unless it is there."""
        if not (self.folder / f"{name}.secret").exists():
            self._write(self.folder / f"{name}.secret", secrets.token_urlsafe(32).encode())

    def put_secret(self, name: str, value: str) -> None:
        """Enter a shared secret that another side gave us, unless one is there."""
        if not (self.folder / f"{name}.secret").exists():
            self._write(self.folder / f"{name}.secret", value.encode())

    def replace_secret(self, name: str, value: str) -> None:
        """Enter a new secret; the former one stays beside it as ``NAME.old`` for the overlap."""
        former = self.folder / f"{name}.secret"
        if former.exists():
            self._write(self.folder / f"{name}.old.secret", former.read_bytes())
        self._write(former, value.encode())

    def trust(self, name: str, file_name: str, pem: bytes) -> None:
        """Register another side's certificate or bundle. Raises ValueError when none in it can be read."""
        if not certificates_of(pem):
            raise ValueError(f"{file_name} holds no readable certificate")
        self._write(self.folder / "trusted" / name / file_name, pem)

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_suffix(path.suffix + ".part")
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        part.rename(path)
