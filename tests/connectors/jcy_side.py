"""The procuratorate's side for tests: its own key pair, its messages, signed as its contract says."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.x509 import Certificate
from lxml import etree

from connectors.procuratorate_wss import mapping, names
from foundation.keys import KeyStore
from foundation.wss_sign import User, signed_envelope
from schemas.claims import Record
from schemas.exchange import Known, RawMessage, Reading

NOW = datetime(2026, 4, 1, 1, 0, tzinfo=UTC)
PASSWORD = "made-in-a-test"
EXAMPLES = names.HERE / "examples"


def key_pair(name: str = "jcy") -> tuple[RSAPrivateKey, Certificate]:
    """A key pair, made once a session for each name."""
    return _made(name)


@cache
def _made(name: str) -> tuple[RSAPrivateKey, Certificate]:
    with tempfile.TemporaryDirectory() as place:
        store = KeyStore(Path(place))
        store.make_pair(name, f"test {name}")
        return store.private_key(name), store.certificate(name)


def known(**changed: object) -> Known:
    """What the hub knows: this side's certificate and password, in the production profile."""
    told: dict[str, object] = {
        "secrets": {"password": PASSWORD},
        "certificates": {"procuratorate_wss": (key_pair()[1],)},
        "profile": "production",
    }
    return Known(**{**told, **changed})  # type: ignore[arg-type]


def payload_of(name: str) -> etree._Element:
    """The business element of an example, free of its envelope."""
    root = etree.fromstring((EXAMPLES / name).read_bytes())
    body = root.find(names.soap("Body"))
    assert body is not None
    return etree.fromstring(etree.tostring(body[0], method="c14n", exclusive=True))


def change(payload: etree._Element, path: str, text: str | None) -> etree._Element:
    """Set the text of a descendant (local names with slashes, Person[2] counts), None takes it away."""
    steps = "/".join(names.collab(step) for step in path.split("/"))
    found = payload.find(steps)
    assert found is not None, path
    if text is None:
        parent = found.getparent()
        assert parent is not None
        parent.remove(found)
    else:
        found.text = text
    return payload


def sign(
    payload: etree._Element,
    *,
    now: datetime = NOW,
    pair: str = "jcy",
    user: bool = True,
    password: str = PASSWORD,
) -> bytes:
    key, certificate = key_pair(pair)
    told = User(names.INBOUND_USER, password, secrets.token_bytes(16)) if user else None
    return signed_envelope(payload, key=key, certificate=certificate, now=now, user=told)


def push(raw: bytes, at: datetime = NOW, told: Known | None = None) -> Reading:
    """Read bytes as pushed at `at`."""
    return mapping.read(RawMessage("procuratorate_wss", "push", "", raw, at), told or known())


def codes(reading: Reading) -> list[tuple[str, str]]:
    return [(finding.code, finding.path) for finding in reading.findings]


Root = etree._Element


def signed_root() -> Root:
    """j01, signed by this side, as a tree to be tampered with."""
    return etree.fromstring(sign(payload_of("j01_submit_1.xml")))


def part(root: Root, name: str) -> Root:
    found = root.find(f".//{name}")
    assert found is not None, name
    return found


def body_of(root: Root) -> Root:
    return part(root, names.soap("Body"))


def submit(edit: Callable[[Root], object] = lambda payload: None, name: str = "j01_submit_1.xml") -> Reading:
    payload = payload_of(name)
    edit(payload)
    return push(sign(payload))


def fields(record: Record) -> dict[str, object]:
    return {claim.field: claim.value for claim in record.claims}


def case_of(payload: Root) -> Root:
    case = payload.find(names.collab("Case"))
    assert case is not None
    return case
