"""The arbitration commission's stand-in on the wire."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from uuid import uuid4

import pytest

from tests.sandbox.conftest import Listener, Sandbox

pytestmark = pytest.mark.slow

SECRET = b"test-only-arbitration-webhook"


def case(number: int = 1, version: int = 1, **more: Any) -> dict[str, Any]:
    parties = [
        {"role": "APPLICANT", "kind": "PERSON", "name": "陈萍静"},
        {"role": "RESPONDENT", "kind": "ORG", "name": "鞋业"},
    ]
    return {
        "caseId": f"ARB-2026-{number:06d}", "commission": "c", "causeCode": "L9199", "causeName": "劳动争议",
        "status": "ACCEPTED", "claimAmount": "31618.00", "parties": parties, "version": version,
        "updatedAt": f"2026-03-{number:02d}T17:02:00+08:00", **more,
    }  # fmt: skip


def event(sequence: int = 1, **more: Any) -> dict[str, Any]:
    made = {
        "eventId": str(uuid4()),
        "type": "case.accepted",
        "occurredAt": 1774402200000,
        "caseId": "ARB-2026-000001",
    }
    return {**made, "sequence": sequence, "attempt": 1, **more}


def bearer(sandbox: Sandbox) -> dict[str, str]:
    form = {"grant_type": "client_credentials", "client_id": "oqhub", "client_secret": "test-only"}
    reply = sandbox.http.post("/arbitration/v1/token", data=form)
    assert reply.status_code == 200 and reply.json()["expires_in"] == 3600
    return {"Authorization": f"Bearer {reply.json()['access_token']}"}


def test_token_is_needed_and_dies(sandbox: Sandbox) -> None:
    assert sandbox.http.post("/arbitration/v1/token", data={"client_id": "x"}).json()["code"] == "ARB-0401"
    assert sandbox.http.get("/arbitration/v1/cases").status_code == 401
    known = bearer(sandbox)
    assert sandbox.http.get("/arbitration/v1/cases", headers=known).status_code == 200
    sandbox.clock("2026-04-01T10:00:30+08:00")
    assert sandbox.http.get("/arbitration/v1/cases", headers=known).json()["code"] == "ARB-0401"


def test_cases_page_by_snapshot_cursor_that_dies_after_a_day(sandbox: Sandbox) -> None:
    sandbox.order("offer", "arbitration", cases=[case(n) for n in range(1, 6)])
    known = bearer(sandbox)
    first = sandbox.http.get("/arbitration/v1/cases", params={"limit": 2}, headers=known).json()
    assert [each["caseId"][-1] for each in first["items"]] == ["1", "2"]
    sandbox.order("offer", "arbitration", case=case(9))
    seen, cursor = [], first["nextCursor"]
    for _ in range(5):
        page = sandbox.http.get(
            "/arbitration/v1/cases", params={"limit": 2, "cursor": cursor}, headers=known
        ).json()
        seen += [each["caseId"][-1] for each in page["items"]]
        cursor = page["nextCursor"]
        if cursor is None:
            break
    assert seen == ["3", "4", "5"]
    since = {"updatedSince": "2026-03-05T00:00:00+08:00"}
    assert len(sandbox.http.get("/arbitration/v1/cases", params=since, headers=known).json()["items"]) == 2
    assert (
        sandbox.http.get("/arbitration/v1/cases", params={"limit": 500}, headers=known).json()["code"]
        == "ARB-0400"
    )
    sandbox.clock("2026-04-02T09:30:00+08:00")
    late = {"cursor": first["nextCursor"]}
    assert sandbox.http.get("/arbitration/v1/cases", params=late, headers=bearer(sandbox)).status_code == 410


def test_sealed_and_unknown_are_404_and_wrong_offers_are_refused(sandbox: Sandbox) -> None:
    sandbox.order("offer", "arbitration", cases=[case(1), case(2, deleted=True)])
    known = bearer(sandbox)
    assert sandbox.http.get("/arbitration/v1/cases/ARB-2026-000001", headers=known).status_code == 200
    for gone in ("ARB-2026-000002", "ARB-2026-000009"):
        assert sandbox.http.get(f"/arbitration/v1/cases/{gone}", headers=known).json()["code"] == "ARB-0404"
    assert sandbox.http.get("/arbitration/v1/cases/ARB-2026-000001/awards", headers=known).json() == []
    assert "claimAmount" in sandbox.refused("offer", "arbitration", case=case(3, claimAmount="12000"))


def request() -> dict[str, Any]:
    pdf = b"%PDF-1.4 synthetic"
    item = {"no": 1, "text": "t", "payer": "a", "payee": "b", "amountFen": 428147}
    return {
        "requestId": str(uuid4()), "mediationNo": "瓯栖调〔2026〕石坦0721号", "agreementSignedOn": "2026-02-03",
        "parties": case()["parties"], "causeName": "c", "items": [item], "totalFen": 428147,
        "agreement": {
            "fileName": "a.pdf", "mediaType": "application/pdf", "sha256": hashlib.sha256(pdf).hexdigest(),
            "content": "JVBERi0xLjQgc3ludGhldGlj",
        },
    }  # fmt: skip


def test_consent_award_requests_are_idempotent_by_key(sandbox: Sandbox) -> None:
    known, told, key = bearer(sandbox), request(), str(uuid4())
    url, headers = "/arbitration/v1/consent-award-requests", {**known, "Idempotency-Key": key}
    first = sandbox.http.post(url, json=told, headers=headers)
    again = sandbox.http.post(url, content=json.dumps(told, indent=1), headers=headers)
    assert first.status_code == again.status_code == 202 and first.json() == again.json()
    other = sandbox.http.post(url, json={**told, "causeName": "d"}, headers=headers)
    assert other.status_code == 409 and other.json()["code"] == "ARB-0409"
    books = sandbox.books("arbitration", operation="requestConsentAward")
    assert [each["differs"] for each in books["duplicates"]] == [False, True]
    assert sandbox.http.post(url, json=told, headers=known).json()["code"] == "ARB-0400"


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"totalFen": 428148}, "/totalFen"),
        ({"totalFen": 1.5}, "/totalFen"),
        ({"requestId": "no"}, "/requestId"),
        ({"agreement": {**request()["agreement"], "sha256": "0" * 64}}, "/agreement/sha256"),
        ({"extra": 1}, "/"),
    ],
)
def test_invalid_requests_name_the_path(sandbox: Sandbox, change: dict[str, Any], path: str) -> None:
    headers = {**bearer(sandbox), "Idempotency-Key": str(uuid4())}
    reply = sandbox.http.post(
        "/arbitration/v1/consent-award-requests", json={**request(), **change}, headers=headers
    )
    assert reply.status_code == 422 and [each["path"] for each in reply.json()["errors"]] == [path]


def test_webhook_signature_attempt_and_timetable(sandbox: Sandbox, hub: Listener) -> None:
    hub.answer = lambda _: (503, "text/plain", b"")
    sent = sandbox.order("emit", "arbitration", json=event(case=case()))
    assert sent["state"] == "PENDING"
    hub.answer = lambda _: (200, "text/plain", b"")
    sandbox.clock("2026-04-01T09:00:30+08:00")
    sandbox.tick_until(lambda: len(hub.seen) == 2)
    for number, seen in enumerate(hub.seen, 1):
        stamp, value = seen.headers["x-arb-signature"].split(",")
        signed = stamp[2:].encode() + b"." + seen.body
        assert value == f"v1={hmac.new(SECRET, signed, hashlib.sha256).hexdigest()}"
        assert json.loads(seen.body)["attempt"] == number
    assert {**json.loads(hub.seen[0].body), "attempt": 2} == json.loads(hub.seen[1].body)
    hub.answer = lambda _: (422, "text/plain", b"")
    assert sandbox.order("emit", "arbitration", json=event(2))["state"] == "FINAL"


def test_events_change_what_get_shows(sandbox: Sandbox, hub: Listener) -> None:
    wrapper = {
        "method": "POST",
        "path": "/webhooks/arbitration",
        "headers": {},
        "body_text": json.dumps(event(case=case())),
    }
    sandbox.order("emit", "arbitration", json=wrapper)
    sandbox.order("emit", "arbitration", json=event(4, type="case.withdrawn", reason="双方已达成调解协议"))
    found = sandbox.http.get("/arbitration/v1/cases/ARB-2026-000001", headers=bearer(sandbox)).json()
    assert (
        found["status"] == "WITHDRAWN"
        and found["version"] == 2
        and found["statusReason"] == "双方已达成调解协议"
    )
    raw = sandbox.order("emit", "arbitration", raw=True, content="{", headers={"X-Arb-Signature": "t=1,v1=0"})
    assert raw["verdict"] == "RAW" and hub.seen[-1].headers["x-arb-signature"] == "t=1,v1=0"
