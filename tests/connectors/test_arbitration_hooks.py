"""Webhooks of the commission: the seal, and the answers that it gets."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from connectors.arbitration_rest import mapping, service
from connectors.arbitration_rest.hook_seal import HEADER, seal
from schemas.exchange import HttpRequest, Outcome, RawMessage
from schemas.findings import Finding, Refused
from tests.connectors.arbitration_side import NOW, SECRET, T, codes, event_of, hook, known


@pytest.mark.parametrize(
    ("seconds", "taken"), [(-301, False), (-300, True), (0, True), (300, True), (301, False)]
)
def test_tolerance(seconds: int, taken: bool) -> None:
    body = json.dumps(event_of("a09_hook_withdrawn.json")).encode()
    reading = hook(body, at=NOW + timedelta(seconds=seconds))
    assert (not reading.findings) is taken
    if not taken:
        assert codes(reading) == [("TIMESTAMP_EXPIRED", f"header {HEADER} t")]


def test_two_secrets_are_live_round_a_change() -> None:
    body = json.dumps(event_of("a09_hook_withdrawn.json")).encode()
    both = known(secrets={"webhook": "new", "webhook.old": SECRET, "client_secret": "other"})
    assert not hook(body, told=both).findings
    assert codes(hook(body, secret="other", told=both)) == [("SIGNATURE_INVALID", f"header {HEADER}")]


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "SIGNATURE_MISSING"),
        ({HEADER: "v1=ab"}, "SIGNATURE_INVALID"),
        ({HEADER: f"t={T},v1={'0' * 64}"}, "SIGNATURE_INVALID"),
        ({HEADER: f"t={T},v1={'A' * 64}"}, "SIGNATURE_INVALID"),
        ({HEADER: "t=999999999999999,v1=" + "0" * 64}, "SIGNATURE_INVALID"),
    ],
)
def test_headers_without_a_seal(headers: dict[str, str], code: str) -> None:
    reading = mapping.read(RawMessage("arbitration_rest", "hook", "event", b"{}", NOW, headers), known())
    assert [each for each, _ in codes(reading)] == [code]


def test_the_body_is_sealed_byte_for_byte() -> None:
    body = json.dumps(event_of("a09_hook_withdrawn.json")).encode()
    message = RawMessage(
        "arbitration_rest", "hook", "event", body + b" ", NOW, {HEADER: seal(body, SECRET, T)}
    )
    assert codes(mapping.read(message, known())) == [("SIGNATURE_INVALID", f"header {HEADER}")]


def test_the_published_test_secret_counts_for_nothing_in_production() -> None:
    body = json.dumps(event_of("a09_hook_withdrawn.json")).encode()
    reading = hook(body, secret="test-only-arbitration-webhook")
    assert codes(reading) == [("SIGNATURE_INVALID", f"header {HEADER}")]


# -- the answers ----------------------------------------------------------------------------------------


def request(body: bytes, content_type: str = "application/json; charset=utf-8") -> HttpRequest:
    return HttpRequest("POST", service.PATH, {"content-type": content_type}, body, NOW)


@pytest.mark.parametrize(
    ("code", "status"),
    [("SIGNATURE_INVALID", 401), ("TIMESTAMP_EXPIRED", 401), ("SAME_ID_OTHER_BYTES", 409), ("AMOUNT_MISMATCH", 422),
     ("TOO_LARGE", 422), ("RATE_LIMITED", 429), ("UNKNOWN_FIELD", 422)],
)  # fmt: skip
def test_problems(code: str, status: int) -> None:
    answer = service.refuse((Finding(code, "/case", "x", "y"),), request(b""))
    problem = json.loads(answer.body)
    assert (answer.status, problem["status"], problem["code"]) == (status, status, code)
    assert problem["errors"][0]["path"] == "/case"
    assert ("Retry-After" in answer.headers) is (status == 429)


def test_taken_now_or_before_is_200() -> None:
    for result in ("ACCEPTED", "DUPLICATE", "PARKED"):
        answer = service.answer([Outcome("e1", result, (), "R1", NOW)], request(b""))
        assert answer.status == 200


def test_unpack_keeps_the_exact_bytes() -> None:
    (message,) = service.unpack(request(b'{"a": 1}'), known())
    assert (message.channel, message.content) == ("hook", b'{"a": 1}')
    with pytest.raises(Refused):
        service.unpack(request(b"{}", "text/plain"), known())
    with pytest.raises(Refused):
        service.unpack(request(b" " * (1024 * 1024 + 1)), known())
