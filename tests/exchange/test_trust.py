"""A new certificate of a partner or rail is entered by an operator, with the fingerprint told by another way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from starlette.testclient import TestClient

from exchange_api.app import make_app
from foundation.staff import add_staff
from foundation.unit_of_work import unit_of_work
from hub import payments
from hub.pipeline import Hub

RAIL = payments.rail_names()[0]


def certificate(bits: int = 2048, days: int = 3650) -> x509.Certificate:
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "bank 2")])
    begin = datetime(2020, 1, 1, tzinfo=UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(2)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )


@pytest.fixture
def api(bare_hub: Hub) -> Iterator[TestClient]:
    with unit_of_work(bare_hub.engine) as uow:
        add_staff(uow, "operator1", "朱平", "数据局", ["operator"], "password-1")
        add_staff(uow, "cashier1", "周敏", "司法局", ["cashier"], "password-1")
    with TestClient(make_app(bare_hub)) as client:
        yield client


def enter(api: TestClient, who: str = "operator1", name: str = RAIL, **told: str) -> tuple[int, dict]:  # type: ignore[type-arg]
    session = api.post("/v1/session", json={"id": who, "password": "password-1"}).json()
    answer = api.post(
        f"/v1/partners/{name}/certificate", json={"reason": "换发", **told},
        headers={"Authorization": f"Bearer {session['token']}"},
    )  # fmt: skip
    return answer.status_code, answer.json()


def test_entered_once_and_in_force_at_once(api: TestClient, bare_hub: Hub) -> None:
    own = certificate()
    pem, told = own.public_bytes(serialization.Encoding.PEM).decode(), own.fingerprint(hashes.SHA256()).hex()
    status, answer = enter(api, certificate=pem, fingerprint=told)
    assert (status, answer["partner"], answer["fingerprint"]) == (201, RAIL, told)
    assert own in bare_hub.keys.trusted(RAIL)
    assert (
        enter(api, certificate=pem, fingerprint=told)[0] == 201
        and bare_hub.keys.trusted(RAIL).count(own) == 1
    )
    with unit_of_work(bare_hub.engine) as uow:
        lines = uow.all("SELECT actor, ref FROM exchange.journal WHERE kind = 'certificate_trusted'")
    assert {(line["actor"], line["ref"]) for line in lines} == {("operator1", RAIL)}


def test_what_is_not_entered(api: TestClient, bare_hub: Hub) -> None:
    own, old, weak = certificate(), certificate(days=30), certificate(1024)

    def told(one: x509.Certificate) -> dict[str, str]:
        pem = one.public_bytes(serialization.Encoding.PEM).decode()
        return {"certificate": pem, "fingerprint": one.fingerprint(hashes.SHA256()).hex()}

    refused = [
        enter(api, **{**told(own), "fingerprint": "0" * 64}),
        enter(api, **told(old)),
        enter(api, **told(weak)),
        enter(api, **{**told(own), "certificate": told(own)["certificate"] + told(old)["certificate"]}),
        enter(api, **{**told(own), "certificate": "nothing"}),
        enter(api, name="nobody", **told(own)),
        enter(api, who="cashier1", **told(own)),
    ]
    assert [status for status, _ in refused] == [422, 422, 422, 422, 422, 404, 403], refused
    assert bare_hub.keys.trusted(RAIL) == []
