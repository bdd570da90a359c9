"""Faults on request, in both directions, and what the books say about them."""

from __future__ import annotations

import json
import time
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.sandbox.conftest import Listener, Sandbox
from tests.sandbox.test_arbitration import bearer, case, event, request

pytestmark = pytest.mark.slow


def consent(sandbox: Sandbox, headers: dict[str, str], told: dict[str, Any]) -> httpx.Response:
    return sandbox.http.post("/arbitration/v1/consent-award-requests", json=told, headers=headers)


def test_reset_after_the_effect_leaves_the_effect(sandbox: Sandbox) -> None:
    headers, told = {**bearer(sandbox), "Idempotency-Key": str(uuid4())}, request()
    sandbox.order("faults", "arbitration", kind="reset", operation="requestConsentAward")
    with pytest.raises(httpx.ReadError):
        consent(sandbox, headers, told)
    assert consent(sandbox, headers, told).status_code == 202
    books = sandbox.books("arbitration", operation="requestConsentAward")
    assert [each["fault"] for each in books["entries"]] == ["reset", None]
    assert [each["differs"] for each in books["duplicates"]] == [False]


def test_reset_before_the_effect_leaves_none(sandbox: Sandbox) -> None:
    headers, told = {**bearer(sandbox), "Idempotency-Key": str(uuid4())}, request()
    sandbox.order("faults", "arbitration", kind="reset", point="before")
    with pytest.raises(httpx.ReadError):
        consent(sandbox, headers, told)
    other = {**told, "causeName": "another"}
    assert consent(sandbox, headers, other).status_code == 202


@pytest.mark.parametrize(("kind", "status"), [("http_500", 500), ("fault", 503)])
def test_own_trouble(sandbox: Sandbox, kind: str, status: int) -> None:
    headers = bearer(sandbox)
    sandbox.order("faults", "arbitration", kind=kind, times=2)
    for wanted in (status, status, 200):
        assert sandbox.http.get("/arbitration/v1/cases", headers=headers).status_code == wanted


def test_half_an_answer_delay_and_doubled_or_turned_rows(sandbox: Sandbox) -> None:
    sandbox.order("offer", "arbitration", cases=[case(1), case(2)])
    headers = bearer(sandbox)
    sandbox.order("faults", "arbitration", kind="half_answer")
    with pytest.raises(httpx.RemoteProtocolError):
        sandbox.http.get("/arbitration/v1/cases", headers=headers)
    sandbox.order("faults", "arbitration", kind="duplicate")
    sandbox.order("faults", "arbitration", kind="wrong_order")
    sandbox.order("faults", "arbitration", kind="delay", seconds=0.4)
    pages = [sandbox.http.get("/arbitration/v1/cases", headers=headers).json()["items"] for _ in range(2)]
    assert [[each["caseId"][-1] for each in page] for page in pages] == [["1", "1", "2"], ["2", "1"]]
    begin = time.monotonic()
    sandbox.http.get("/arbitration/v1/cases", headers=headers)
    assert time.monotonic() - begin >= 0.4
    assert sandbox.http.get("/control/faults/arbitration").json()["pending"] == []


def test_pushes_doubled_turned_cut_and_wrongly_signed(sandbox: Sandbox, hub: Listener) -> None:
    sandbox.order("faults", "arbitration", kind="duplicate", direction="push")
    sandbox.order("emit", "arbitration", json=event(1))
    assert len(hub.seen) == 2 and hub.seen[0].body == hub.seen[1].body
    sandbox.order("faults", "arbitration", kind="wrong_order", direction="push")
    assert sandbox.order("emit", "arbitration", json=event(2))["state"] == "HELD"
    sandbox.order("emit", "arbitration", json=event(3))
    assert [json.loads(seen.body)["sequence"] for seen in hub.seen[2:]] == [3, 2]
    sandbox.order("faults", "arbitration", kind="half_answer", direction="push")
    cut = sandbox.order("emit", "arbitration", json=event(4))
    assert cut["verdict"] == "NO_ANSWER" and cut["state"] == "PENDING" and len(hub.seen) == 4
    sandbox.order("faults", "arbitration", kind="reset", direction="push")
    lost = sandbox.order("emit", "arbitration", json=event(5))
    assert lost["verdict"] == "NO_ANSWER" and json.loads(hub.seen[-1].body)["sequence"] == 5
    sandbox.order("faults", "arbitration", kind="wrong_signature", direction="push")
    sandbox.order("emit", "arbitration", json=event(6))
    assert hub.seen[-1].headers["x-arb-signature"].endswith("0" * 64)


def test_orders_that_make_no_sense_are_refused(sandbox: Sandbox) -> None:
    assert "kind is one of" in sandbox.refused("faults", "court", kind="storm")
    assert "unknown key" in sandbox.refused("faults", "court", kind="reset", often=3)
    assert sandbox.http.post("/control/emit/nobody", json={}).status_code == 404
    assert "zone" in sandbox.http.post("/control/clock", json={"at": "2026-04-01T09:00:00"}).text


def test_without_a_told_address_nothing_is_sent(sandbox: Sandbox) -> None:
    (sandbox.var / "sandbox/hub_endpoints.json").unlink()
    assert "no hub address" in sandbox.refused("emit", "arbitration", json=event())
