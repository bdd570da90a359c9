"""Whatever comes in the place of a signature, it is refused with a finding: never taken, never a fault of ours."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from foundation.algorithms import algorithm_of
from foundation.directory import Directory, Key, Partner
from foundation.http_signature import Parts
from foundation.identity import Call, identify
from foundation.partner_limits import Limits
from schemas.findings import Refused
from tests.exchange.partner_side import BEGIN, changed, der, key, request, soap, soap_parts, with_headers

NOW = datetime(2026, 4, 1, 1, 0, tzinfo=UTC)
END = datetime(2027, 1, 1, tzinfo=UTC)
SIGNED = ("signature-input", "signature", "content-digest", "content-type", "host")
GOOD = request(now=NOW, nonce="a-nonce-for-the-fuzzer")
ENVELOPE = soap(NOW)


def _key(name: str, kind: str) -> Key:
    public = key(name).public_key()
    own = algorithm_of(public, "key").id
    return Key("ouqi_street-1", "ouqi_street", "theirs", kind, own, public, der(name), BEGIN, END, None)


PARTNER = Partner(
    "ouqi_street", "瓯栖街道", "330399T", "street", frozenset({"rest", "soap"}), ("http", "wss"), {}, Limits(), "active", "",
    BEGIN, None,
)  # fmt: skip
KNOWN = Directory(
    1, {"ouqi_street": PARTNER}, {"ouqi_street-1": _key("rsa", "http")}, {}, {der("rsa"): _key("rsa", "wss")}
)


def taken(parts: Parts, protocol: str = "rest", hosts: frozenset[str] = frozenset()) -> bool:
    try:
        identify(KNOWN, Call(protocol, parts), NOW, hosts)  # type: ignore[arg-type]
    except Refused:
        return False
    return True


def test_the_untouched_ones_are_taken() -> None:
    assert taken(GOOD)
    assert taken(soap_parts(ENVELOPE), "soap")


@given(
    st.sampled_from(SIGNED),
    st.integers(0, 400),
    st.text(st.characters(max_codepoint=255), max_size=6),
    st.integers(0, 8),
)
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_header_with_a_piece_changed_is_refused(name: str, place: int, piece: str, gone: int) -> None:
    headers = dict(GOOD.headers)
    value = headers[name]
    at = place % (len(value) + 1)
    headers[name] = value[:at] + piece + value[at + gone :]
    # Blanks round a header's value are not part of it (RFC 9110, 5.5).
    same = headers[name].strip(" \t") == value
    assert taken(with_headers(GOOD, headers)) == (same or name == "host")


@given(st.text(max_size=300), st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_anything_at_all_in_place_of_a_signature_is_refused(told: str, proof: str) -> None:
    assert not taken(with_headers(GOOD, {**dict(GOOD.headers), "signature-input": told, "signature": proof}))


@given(st.integers(0, len(ENVELOPE) - 1), st.integers(1, 255))
@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_an_envelope_with_a_byte_changed_says_the_same_or_is_refused(place: int, by: int) -> None:
    raw = bytearray(ENVELOPE)
    raw[place] = (raw[place] + by) % 256
    try:
        found = identify(KNOWN, Call("soap", soap_parts(bytes(raw))), NOW)
    except Refused:
        return
    assert (
        found.signed is not None
    )  # outside what is signed: the declaration, blanks, a prefix, other base64 padding
    assert found.signed.payload.findtext("{urn:concord:open:1}Sum") == "1200.00"
    assert found.signed.payload.findtext("{urn:concord:open:1}CaseNo") == "（2026）瓯民调1号"


@pytest.mark.parametrize(
    ("host", "wanted"),
    [
        ("hub.example:8600", True),
        ("hub.example", True),
        ("HUB.example", True),
        ("other.example", False),
        ("", False),
    ],
)
def test_what_was_signed_for_another_hub_is_not_taken(host: str, wanted: bool) -> None:
    parts = request(now=NOW)
    signed = changed(parts, authority=host) if host != "hub.example:8600" else parts
    if host.lower().startswith("hub.example") and host != "hub.example:8600":
        signed = _signed_for(host)
    assert taken(signed, hosts=frozenset({"hub.example"})) == wanted
    assert not taken(parts, hosts=frozenset({"elsewhere.example"}))


def _signed_for(host: str) -> Parts:
    from foundation import http_signature

    bare = Parts("GET", "https", host, "/open/v1/messages", "", (("host", host),), b"")
    made = http_signature.sign(bare, key=key("rsa"), key_id="ouqi_street-1", now=NOW, nonce="another-nonce")
    return with_headers(bare, {"host": host, **{name.lower(): value for name, value in made.items()}})
