"""Mutual TLS on the wire: the local authority's certificates, one of the partner's own, and revocation within a second."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from sqlalchemy import Engine

from foundation import local_ca
from foundation.keys import KeyStore
from foundation.partner_keys import register_key, revoke_key
from foundation.settings import PORT_OFFSETS
from foundation.unit_of_work import unit_of_work
from schemas.findings import Refused
from tests.conftest import free_port
from tests.exchange.partner_side import enter, key, pem

HUB_NOW = datetime(2026, 4, 1, 1, 0, tzinfo=UTC)


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def request_of(folder: Path, name: str, *kind: str) -> Path:
    """A signing request made as a partner makes it, with openssl."""
    openssl(
        "genpkey",
        *(kind or ("-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048")),
        "-out",
        f"{folder}/{name}.key",
    )
    openssl(
        "req",
        "-new",
        "-key",
        f"{folder}/{name}.key",
        "-subj",
        "/CN=not what counts",
        "-out",
        f"{folder}/{name}.csr",
    )
    return folder / f"{name}.csr"


@dataclass
class Served:
    """A hub that serves with TLS, and what a client needs for it."""

    folder: Path
    keys: KeyStore
    base: str

    def client(self, name: str = "") -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.keys.folder / "ca.crt"))
        if name:
            context.load_cert_chain(self.folder / f"{name}.crt", self.folder / f"{name}.key")
        return httpx.Client(base_url=self.base, verify=context, timeout=10)

    def who(self, name: str = "") -> str:
        with self.client(name) as client:
            return str(client.get("/").json()["who"])


@pytest.fixture
def served(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[Served]:
    port = free_port()
    keys = KeyStore(tmp_path / "keys")
    local_ca.prepare(keys, ("localhost", "127.0.0.1"), min(HUB_NOW, datetime.now(UTC)))
    environment = {
        **os.environ, "CONCORD_DATABASE_URL": database_url, "CONCORD_VAR_DIR": str(tmp_path),
        "CONCORD_PORT_BASE": str(port - PORT_OFFSETS["api_tls"]),
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, "-m", "tests.exchange.tls_process"], env=environment)
    found = Served(tmp_path, keys, f"https://localhost:{port}")
    until = time.monotonic() + 60
    while True:
        try:
            found.who()
            break
        except httpx.TransportError:
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.1)
    yield found
    process.terminate()
    process.wait(20)


@pytest.mark.slow
def test_a_certificate_says_who_calls_until_it_is_revoked(served: Served, engine: Engine) -> None:
    request = request_of(served.folder, "street")
    issued = local_ca.issue(served.keys, "ouqi_street", request.read_bytes(), HUB_NOW)
    (served.folder / "street.crt").write_bytes(issued)
    assert served.who() == "SIGNATURE_MISSING"
    assert served.who("street") == "CERT_UNKNOWN"  # issued, and not registered
    with unit_of_work(engine) as uow:
        enter(uow)
        name = register_key(uow, "ouqi_street", "tls", issued)
    time.sleep(1.0)
    assert served.who("street") == "ouqi_street"
    with served.client("street") as open_one:
        assert open_one.get("/").json() == {"who": "ouqi_street"}
        with unit_of_work(engine) as uow:
            revoke_key(uow, name, "私钥外泄")
        time.sleep(1.0)
        assert open_one.get("/").json() == {"who": "KEY_REVOKED"}  # on the same connection
    assert served.who("street") == "KEY_REVOKED"


@pytest.mark.slow
def test_a_certificate_from_elsewhere_is_let_in_by_registration_only(served: Served, engine: Engine) -> None:
    for name in ("rsa", "rsa other"):
        (served.folder / f"{name}.crt").write_bytes(pem(name))
        plain = key(name).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (served.folder / f"{name}.key").write_bytes(plain)
    with unit_of_work(engine) as uow:
        enter(uow)
        register_key(uow, "ouqi_street", "tls", pem("rsa"))
    time.sleep(2.0)
    assert served.who("rsa") == "ouqi_street"
    with pytest.raises(httpx.TransportError):
        served.who("rsa other")


@pytest.mark.slow
def test_without_tls_and_with_old_tls_nothing_is_served(served: Served) -> None:
    with pytest.raises(httpx.TransportError):
        httpx.get(served.base.replace("https", "http"), timeout=10)
    context = ssl.create_default_context(cafile=str(served.keys.folder / "ca.crt"))
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(httpx.TransportError), httpx.Client(verify=context) as client:
        client.get(served.base)


def test_what_the_authority_issues(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "keys")
    now = datetime.now(UTC)
    local_ca.prepare(keys, ("localhost", "127.0.0.1"), now)
    first = keys.certificate(local_ca.SERVER)
    local_ca.prepare(keys, ("localhost", "127.0.0.1"), now)
    assert keys.certificate(local_ca.SERVER) == first
    local_ca.prepare(keys, ("hub.example",), now)
    assert keys.certificate(local_ca.SERVER) != first  # other names
    second = keys.certificate(local_ca.SERVER)
    local_ca.prepare(keys, ("hub.example",), second.not_valid_after_utc - timedelta(days=29))
    assert keys.certificate(local_ca.SERVER).not_valid_after_utc > second.not_valid_after_utc
    for kind in (("-algorithm", "ED25519"), ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")):
        issued = local_ca.issue(keys, "ouqi_street", request_of(tmp_path, "k", *kind).read_bytes(), now)
        made = x509.load_pem_x509_certificate(issued)
        made.verify_directly_issued_by(keys.certificate(local_ca.CA))
        assert made.subject.rfc4514_string() == "CN=ouqi_street"
        assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    weak = request_of(tmp_path, "w", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024").read_bytes()
    for wrong in (b"", pem(), weak):
        with pytest.raises(Refused):
            local_ca.issue(keys, "ouqi_street", wrong, now)
