"""What the rail tests stand on: the contracts' certificates, throw-away keys of ours, contexts at a given time."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from escrow.rails import KnownOrder, Rail, RailContext, load_rails
from schemas.findings import Finding
from schemas.money import Fen
from schemas.wide import BEIJING

RAILS = load_rails()
BANK, ALIPAY = RAILS["bank_direct"], RAILS["alipay"]


@cache
def our_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def self_signed(common_name: str, key: rsa.RSAPrivateKey, days: int = 3650) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(4711)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )


@cache
def contract_certificate(rail_id: str, name: str) -> x509.Certificate:
    path = RAILS[rail_id].folder / "contract" / "certs" / f"{name}.test.crt"
    return x509.load_pem_x509_certificate(path.read_bytes())


class BenchKeys:
    """Our key is made here; theirs is the one of the contract, unless a test trusts others."""

    def __init__(self, **trusted: list[x509.Certificate]) -> None:
        self._trusted = {
            "bank_direct": [contract_certificate("bank_direct", "bank")],
            "alipay": [contract_certificate("alipay", "alipay")],
            "alipay_root": [self_signed("root", our_key())],
            **trusted,
        }

    def private_key(self, name: str) -> rsa.RSAPrivateKey:
        return our_key()

    def certificate(self, name: str) -> x509.Certificate:
        return self_signed("hub", our_key())

    def trusted(self, name: str) -> list[x509.Certificate]:
        return self._trusted.get(name, [])

    def secret(self, name: str) -> str:
        raise KeyError(name)


def beijing(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


def context(rail: Rail, at: str = "2026-04-10T09:00:00", **more: Any) -> RailContext:
    """A context with no lookups, unless the test gives them."""
    return RailContext(rail.manifest, BenchKeys(), beijing(at), request_id="OQHUBTEST00001", **more)


def orders(**known: KnownOrder | int) -> Any:
    """A lookup of our orders: number → KnownOrder, or its sum in fen."""
    table = {n: k if isinstance(k, KnownOrder) else KnownOrder(n, Fen(k), "SENT") for n, k in known.items()}
    return table.get


def sent(number: str, fen: int, at: str, **more: Any) -> KnownOrder:
    return replace(KnownOrder(number, Fen(fen), "SENT", sent_at=beijing(at)), **more)


def example(rail: Rail, name: str) -> bytes:
    return (rail.folder / "examples" / name).read_bytes()


def examples(rail: Rail) -> list[str]:
    return sorted(
        p.name.removesuffix(".expect.json") for p in (rail.folder / "examples").glob("*.expect.json")
    )


def expected(rail: Rail, name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(example(rail, f"{name}.expect.json"))
    return told


def report(findings: tuple[Finding, ...]) -> list[dict[str, str]]:
    """Findings in the form of the side files."""
    return [f.as_dict() for f in findings]


def told_report(rail: Rail, name: str) -> list[dict[str, str]]:
    """The report of a side file, all values as text."""
    return [{k: str(v) for k, v in row.items()} for row in expected(rail, name)["expected"].get("report", [])]
