"""HTTP message signatures: what the profile takes, and every way in which a request is not what was signed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import requests
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureKeyResolver,
    algorithms,
)

from foundation import http_signature
from foundation.algorithms import PrivateKey, PublicKey
from foundation.http_signature import Parts, check, claimed, content_digest
from schemas.findings import Refused
from tests.exchange.partner_side import HOST, PATH, changed, key, request, with_headers

NOW = datetime(2026, 4, 1, 1, 0, tzinfo=UTC)


def verify(parts: Parts, name: str = "rsa", at: datetime = NOW) -> None:
    check(parts, claimed(parts), key(name).public_key(), at)


def refusal(parts: Parts, name: str = "rsa", at: datetime = NOW) -> str:
    with pytest.raises(Refused) as caught:
        verify(parts, name, at)
    return caught.value.findings[0].code


@pytest.mark.parametrize("name", ["rsa", "p256", "ed25519"])
def test_each_offered_algorithm_is_taken(name: str) -> None:
    verify(request(now=NOW, name=name), name)
    verify(request(now=NOW, name=name, method="GET", body=b"", query="cursor=a%2Fb"), name)


class _Keys(HTTPSignatureKeyResolver):
    def __init__(self, name: str) -> None:
        self.name = name

    def resolve_private_key(self, key_id: str) -> PrivateKey:
        return key(self.name)

    def resolve_public_key(self, key_id: str) -> PublicKey:
        return key(self.name).public_key()


OTHERS = {
    "rsa": algorithms.RSA_V1_5_SHA256,
    "p256": algorithms.ECDSA_P256_SHA256,
    "ed25519": algorithms.ED25519,
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_implementation_signs_for_us(name: str) -> None:
    made = requests.Request(
        "POST", f"https://{HOST}{PATH}?a=1", data=b"{}", headers={"Content-Type": "application/json"}
    )
    prepared = made.prepare()
    HTTPMessageSigner(signature_algorithm=OTHERS[name], key_resolver=_Keys(name)).sign(
        prepared, key_id="k", created=NOW, expires=NOW + timedelta(minutes=5), nonce="a-nonce-of-theirs",
        covered_component_ids=("@method", "@authority", "@path", "@query", "content-type"), body=b"{}",
    )  # fmt: skip
    headers = tuple((str(k).lower(), str(v)) for k, v in prepared.headers.items())
    verify(Parts("POST", "https", HOST, PATH, "a=1", headers, b"{}"), name)


@pytest.mark.parametrize("name", OTHERS)
def test_another_implementation_takes_ours(name: str) -> None:
    now = datetime.now(UTC)
    parts = request(now=now, name=name, query="a=1")
    made = requests.Request(
        "POST", f"https://{HOST}{PATH}?a=1", data=parts.body, headers=dict(parts.headers)
    ).prepare()
    verifier = HTTPMessageVerifier(signature_algorithm=OTHERS[name], key_resolver=_Keys(name))
    found = verifier.verify(made, max_age=timedelta(minutes=5), body=parts.body)
    assert found


def _header(parts: Parts, name: str, change: Callable[[str], str]) -> Parts:
    headers = dict(parts.headers)
    headers[name] = change(headers[name])
    return with_headers(parts, headers)


CHANGES: dict[str, tuple[Callable[[Parts], Parts], str]] = {
    "method": (lambda p: changed(p, method="PUT"), "SIGNATURE_INVALID"),
    "path": (lambda p: changed(p, path=PATH + "x"), "SIGNATURE_INVALID"),
    "authority": (lambda p: changed(p, authority="other.example"), "SIGNATURE_INVALID"),
    "query added": (lambda p: changed(p, query="all=1"), "SIGNATURE_INVALID"),
    "body": (lambda p: changed(p, body=p.body + b" "), "DIGEST_MISMATCH"),
    "body and digest": (
        lambda p: _header(changed(p, body=b"{}"), "content-digest", lambda _: content_digest(b"{}")),
        "SIGNATURE_INVALID",
    ),
    "digest taken away": (
        lambda p: with_headers(p, {k: v for k, v in p.headers if k != "content-digest"}),
        "SIGNATURE_INVALID",
    ),
    "other digest too": (
        lambda p: _header(p, "content-digest", lambda v: v + ", md5=:abcd:"),
        "SIGNATURE_INVALID",
    ),
    "content type": (
        lambda p: _header(p, "content-type", lambda _: "application/xml"),
        "SIGNATURE_INVALID",
    ),
    "header doubled": (
        lambda p: changed(p, headers=(*p.headers, ("content-type", "application/json"))),
        "SIGNATURE_INVALID",
    ),
    "unsigned Idempotency-Key": (
        lambda p: changed(p, headers=(*p.headers, ("idempotency-key", "x"))),
        "SIGNATURE_INVALID",
    ),
    "two signature lines": (
        lambda p: changed(p, headers=(*p.headers, ("signature", "sig=:AAAA:"))),
        "SIGNATURE_INVALID",
    ),
    "no signature line": (
        lambda p: with_headers(p, {k: v for k, v in p.headers if k != "signature"}),
        "SIGNATURE_MISSING",
    ),
    "two labels": (
        lambda p: _header(p, "signature-input", lambda v: f"{v}, b={v[4:]}"),
        "SIGNATURE_INVALID",
    ),
    "other label": (lambda p: _header(p, "signature", lambda v: "x" + v), "SIGNATURE_INVALID"),
    "component twice": (
        lambda p: _header(p, "signature-input", lambda v: v.replace('"@method"', '"@method" "@method"')),
        "SIGNATURE_INVALID",
    ),
    "component with parameter": (
        lambda p: _header(p, "signature-input", lambda v: v.replace('"@method"', '"@method";req')),
        "SIGNATURE_INVALID",
    ),
    "unknown component": (
        lambda p: _header(p, "signature-input", lambda v: v.replace('"@method"', '"@method" "@x"')),
        "SIGNATURE_INVALID",
    ),
    "method not covered": (
        lambda p: _header(p, "signature-input", lambda v: v.replace('"@method" ', "")),
        "SIGNATURE_INVALID",
    ),
    "unknown parameter": (lambda p: _header(p, "signature-input", lambda v: v + ";x=1"), "SIGNATURE_INVALID"),
    "created twice": (
        lambda p: _header(p, "signature-input", lambda v: v + ";created=1"),
        "SIGNATURE_INVALID",
    ),
    "created as text": (
        lambda p: _header(p, "signature-input", lambda v: v.replace(";created=", ';created="').replace(";expires", '";expires')),
        "SIGNATURE_INVALID",
    ),
    "no nonce": (
        lambda p: _header(p, "signature-input", lambda v: v[: v.index(";nonce")]),
        "SIGNATURE_INVALID",
    ),
    "other tag": (
        lambda p: _header(p, "signature-input", lambda v: v.replace('"concord"', '"other"')),
        "SIGNATURE_INVALID",
    ),
    "other algorithm named": (
        lambda p: _header(p, "signature-input", lambda v: v.replace("rsa-v1_5-sha256", "ed25519")),
        "SIGNATURE_INVALID",
    ),
    "algorithm none": (
        lambda p: _header(p, "signature-input", lambda v: v.replace("rsa-v1_5-sha256", "none")),
        "ALGORITHM_UNSUPPORTED",
    ),
    "shared secret": (
        lambda p: _header(p, "signature-input", lambda v: v.replace("rsa-v1_5-sha256", "hmac-sha256")),
        "ALGORITHM_UNSUPPORTED",
    ),
    "longer life": (
        lambda p: _header(p, "signature-input", lambda v: v.replace(";expires=", ";expires=9")),
        "SIGNATURE_INVALID",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_not_as_signed_is_refused(what: str) -> None:
    change, code = CHANGES[what]
    assert refusal(change(request(now=NOW))) == code


def test_covered_headers_and_query_are_what_counts() -> None:
    parts = request(now=NOW, query="a=1", headers=(("idempotency-key", "m-1"),))
    verify(parts)
    assert refusal(_header(parts, "idempotency-key", lambda _: "m-2")) == "SIGNATURE_INVALID"
    assert refusal(changed(parts, query="a=2")) == "SIGNATURE_INVALID"
    assert refusal(changed(parts, query="")) == "SIGNATURE_INVALID"


def test_another_key_is_another_person() -> None:
    parts = request(now=NOW, name="rsa")
    assert refusal(parts, "rsa other") == "SIGNATURE_INVALID"
    assert refusal(parts, "p256") == "SIGNATURE_INVALID"


def test_signature_is_good_for_five_minutes_and_a_minute_of_skew() -> None:
    parts = request(now=NOW)
    verify(parts, at=NOW + timedelta(seconds=360))
    assert refusal(parts, at=NOW + timedelta(seconds=361)) == "TIMESTAMP_EXPIRED"
    verify(parts, at=NOW - timedelta(seconds=60))
    assert refusal(parts, at=NOW - timedelta(seconds=61)) == "TIMESTAMP_EXPIRED"


def test_sm2_and_sm3_are_refused_by_name() -> None:
    parts = _header(request(now=NOW), "signature-input", lambda v: v.replace("rsa-v1_5-sha256", "sm2-sm3"))
    with pytest.raises(Refused) as caught:
        verify(parts)
    finding = caught.value.findings[0]
    assert finding.code == "ALGORITHM_UNSUPPORTED"
    assert "SM2 with SM3 is not offered" in finding.expected
    assert "国密" in finding.text_zh()


def test_default_port_and_target_uri_are_as_the_standard_says() -> None:
    parts = changed(request(now=NOW), authority="HUB.example:443")
    assert http_signature.authority_of(parts) == "hub.example"
    base = http_signature.signature_base(changed(parts, query="a=1"), ["@target-uri"], "()").decode()
    assert base == f'"@target-uri": https://hub.example{PATH}?a=1\n"@signature-params": ()'
