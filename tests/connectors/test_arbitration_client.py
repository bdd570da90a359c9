"""The commission's API over the wire: token, snapshot cursor, 410, 404, slow down, consent-award requests."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.arbitration_rest import client, mapping
from connectors.arbitration_rest.oauth import Closed, NotLetIn
from foundation.keys import KeyStore
from foundation.wire import Wire
from schemas.exchange import ConnectorContext, Known
from schemas.findings import Refused
from tests.connectors.answering_server import Answer, Call, answering
from tests.connectors.arbitration_side import FOLDER, NOW

JSON = {"Content-Type": "application/json"}
PAGE_1, PAGE_2 = ((FOLDER / f"a0{n}_cases_page{n}.json").read_bytes() for n in (1, 2))


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    for name, value in (("client_id", "oqhub"), ("client_secret", "made-in-a-test")):
        (tmp_path / f"arbitration_rest.{name}.secret").write_text(value)
    return KeyStore(tmp_path)


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


class Commission:
    """Answers /v1/token by the contract and everything else by `answer`; keeps what was asked."""

    def __init__(self, answer: Callable[[Call], Answer], lives: int = 3600) -> None:
        self.answer, self.lives = answer, lives
        self.tokens: list[str] = []
        self.asked: list[Call] = []

    def __call__(self, call: Call) -> Answer:
        if call.path == "/v1/token":
            form = {key: values[0] for key, values in parse_qs(call.body.decode()).items()}
            if form != {
                "grant_type": "client_credentials",
                "client_id": "oqhub",
                "client_secret": "made-in-a-test",
            }:
                return problem(401, "ARB-0401")
            self.tokens.append(f"t{len(self.tokens) + 1}")
            return (
                200,
                JSON,
                json.dumps(
                    {"access_token": self.tokens[-1], "token_type": "Bearer", "expires_in": self.lives}
                ).encode(),
            )
        self.asked.append(call)
        if call.headers.get("authorization") != f"Bearer {self.tokens[-1]}":
            return problem(401, "ARB-0401")
        return self.answer(call)


def problem(status: int, code: str, **headers: str) -> Answer:
    body = {
        "title": "no",
        "status": status,
        "code": code,
        "errors": [{"path": "/items/0", "message": "wrong"}],
    }
    return status, {"Content-Type": "application/problem+json", **headers}, json.dumps(body).encode()


def context(keys: KeyStore, url: str, state: dict[str, Any] | None = None) -> ConnectorContext:
    return ConnectorContext(url, mapping.manifest(), keys, NOW, uuid.uuid4, {} if state is None else state)


def query(call: Call) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(urlsplit(call.path).query).items()}


def test_walk_of_a_snapshot_and_where_the_next_one_begins(keys: KeyStore, wire: Wire) -> None:
    desk = Commission(lambda call: (200, JSON, PAGE_2 if "cursor" in query(call) else PAGE_1))
    with answering(desk) as url:
        told = context(keys, url)
        first = client.pull(wire, told, "cases", "")
        second = client.pull(wire, told, "cases", first.next_cursor)
        client.pull(wire, told, "cases", second.next_cursor)
    assert (first.more, second.more) == (True, False)
    assert [query(call) for call in desk.asked] == [
        {"limit": "100"},
        {"cursor": "b3BhcXVlLTE=", "limit": "100"},
        {"limit": "100", "updatedSince": "2026-02-27T17:35:00+08:00"},
    ]
    assert desk.tokens == ["t1"]
    assert len(mapping.read(first.messages[0], Known()).records) == 5
    json.dumps(told.state)


def test_a_dead_cursor_starts_again_ten_minutes_before_the_last_seen(keys: KeyStore, wire: Wire) -> None:
    desk = Commission(
        lambda call: problem(410, "ARB-0410") if "cursor" in query(call) else (200, JSON, PAGE_1)
    )
    stored = json.dumps({"cursor": "dead", "seen": "2026-02-12T17:30:00+08:00"})
    with answering(desk) as url:
        pulled = client.pull(wire, context(keys, url), "cases", stored)
    assert query(desk.asked[1]) == {"limit": "100", "updatedSince": "2026-02-12T17:20:00+08:00"}
    assert len(pulled.messages) == 1


def test_doubles_state_the_same_thing_with_the_same_version(keys: KeyStore, wire: Wire) -> None:
    page = json.loads(PAGE_1)
    page["items"] = page["items"][:1] * 2
    with answering(Commission(lambda _: (200, JSON, json.dumps(page).encode()))) as url:
        pulled = client.pull(wire, context(keys, url), "cases", "")
    one, two = mapping.read(pulled.messages[0], Known()).records
    assert (one.version, one.claims) == (two.version, two.claims)


def test_one_bad_case_refuses_only_itself(keys: KeyStore) -> None:
    page = json.loads(PAGE_1)
    page["items"][1]["claimAmount"] = "12000"
    message = client.RawMessage("arbitration_rest", "pull", "listCases", json.dumps(page).encode(), NOW)
    reading = mapping.read(message, Known())
    assert (len(reading.records), reading.parts, reading.refused) == (4, 5, False)
    assert [(each.path, each.scope) for each in reading.findings] == [("/items/1/claimAmount", "row")]


def test_404_of_a_case_deletes_nothing(keys: KeyStore, wire: Wire) -> None:
    case = json.dumps(json.loads(PAGE_1)["items"][0]).encode()
    desk = Commission(
        lambda call: (200, JSON, case) if call.path.endswith("007531") else problem(404, "ARB-0404")
    )
    with answering(desk) as url:
        told = context(keys, url)
        assert client.pull(wire, told, "case", "ARB-2026-000000").messages == ()
        (message,) = client.pull(wire, told, "case", "ARB-2026-007531").messages
    reading = mapping.read(message, Known())
    assert reading.case_key == "ARB-2026-007531" and len(reading.records) == 1


def test_401_fetches_a_token_once_and_no_more(keys: KeyStore, wire: Wire) -> None:
    desk = Commission(lambda _: problem(401, "ARB-0401"))
    with answering(desk) as url, pytest.raises(ConnectionError):
        client.pull(wire, context(keys, url), "cases", "")
    assert (len(desk.tokens), len(desk.asked)) == (2, 2)


def test_a_token_is_renewed_before_it_ends(keys: KeyStore, wire: Wire) -> None:
    desk = Commission(lambda _: (200, JSON, PAGE_2), lives=90)
    with answering(desk) as url:
        told = context(keys, url)
        client.pull(wire, told, "cases", "")
        later = ConnectorContext(
            url, told.manifest, keys, NOW + timedelta(seconds=31), uuid.uuid4, told.state
        )
        client.pull(wire, later, "cases", "")
    assert desk.tokens == ["t1", "t2"]


def test_wrong_credentials_are_said_so(tmp_path: Path, wire: Wire) -> None:
    for name in ("client_id", "client_secret"):
        (tmp_path / f"arbitration_rest.{name}.secret").write_text("wrong")
    with answering(Commission(lambda _: problem(500, "ARB-0503"))) as url, pytest.raises(NotLetIn) as refused:
        client.pull(wire, context(KeyStore(tmp_path), url), "cases", "")
    assert refused.value.kind == "refused"


@pytest.mark.parametrize(
    ("told", "seconds"), [("120", 120), ("Wed, 01 Apr 2026 01:05:00 GMT", 300), ("", 60), ("soon", 60)]
)
def test_slow_down_is_kept_until_its_time(keys: KeyStore, wire: Wire, told: str, seconds: int) -> None:
    desk = Commission(lambda _: problem(429, "ARB-0429", **({"Retry-After": told} if told else {})))
    with answering(desk) as url:
        ctx = context(keys, url)
        with pytest.raises(ConnectionError):
            client.pull(wire, ctx, "cases", "")
        assert ctx.state["not_before"] == (NOW + timedelta(seconds=seconds)).isoformat()
        with pytest.raises(Closed) as closed:
            client.pull(wire, ctx, "cases", "")
    assert closed.value.kind == "busy" and len(desk.asked) == 1


REQUEST = {
    "request_id": "d01bd18d-6521-48cf-bb26-a8b137fa151e",
    "mediation_no": "瓯栖调〔2026〕石坦0721号",
    "signed_on": "2026-02-03",
    "cause": "房屋租赁合同纠纷",
    "parties": [
        {"role": "applicant", "kind": "person", "name": "蔡玉玉", "id_number": "330399198910314772"},
        {"role": "respondent", "kind": "person", "name": "胡健英", "id_number": "330399195211091115"},
    ],
    "items": [{"payer": "胡健英", "payee": "蔡玉玉", "amount_fen": 428147, "due_date": "2026-02-13"}],
    "agreement": {
        "file_name": "调解协议书.pdf",
        "content_base64": base64.b64encode(b"%PDF-1.4 synthetic").decode(),
    },
}


def test_a_consent_award_request_follows_the_contract(keys: KeyStore, wire: Wire) -> None:
    desk = Commission(lambda _: (202, JSON, b'{"requestId": "x", "receivedAt": "2026-04-01T09:00:00+08:00"}'))
    with answering(desk) as url:
        told = context(keys, url)
        content = client.build("consent_award_request", REQUEST, told)
        assert content == client.build("consent_award_request", REQUEST, told)
        results = [client.send(wire, told, "consent_award_request", content) for _ in range(2)]
    assert [(each.outcome, each.text) for each in results] == [
        ("DELIVERED", "taken; wait for case.accepted")
    ] * 2
    assert [call.body for call in desk.asked] == [content, content]
    assert {call.headers["idempotency-key"] for call in desk.asked} == {REQUEST["request_id"]}
    example = json.loads((FOLDER / "a17_consent_award_request.json").read_bytes())
    sent = json.loads(content)
    assert set(sent) == set(example) and sent["totalFen"] == example["totalFen"]
    assert sent["agreement"]["sha256"] == example["agreement"]["sha256"]


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [(409, "ARB-0409", "PERMANENT"), (422, "ARB-0422", "PERMANENT"), (400, "ARB-0400", "PERMANENT"),
     (429, "ARB-0429", "RETRY"), (503, "ARB-0503", "RETRY"), (500, "ARB-0500", "RETRY")],
)  # fmt: skip
def test_outcomes_of_a_request(keys: KeyStore, wire: Wire, status: int, code: str, outcome: str) -> None:
    with answering(Commission(lambda _: problem(status, code))) as url:
        told = context(keys, url)
        result = client.send(
            wire, told, "consent_award_request", client.build("consent_award_request", REQUEST, told)
        )
    assert (result.outcome, result.code) == (outcome, code)
    assert "/items/0: wrong" in result.text


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"total_fen": 1}, "/totalFen"),
        ({"mediation_no": None}, "/mediationNo"),
        ({"parties": []}, "/parties"),
        ({"agreement": {"content_base64": "@@"}}, "/agreement/content"),
        ({"items": [{"payer": "a", "payee": "b", "amount_fen": 1.5}], "total_fen": 1}, "/items/0/amountFen"),
    ],
)
def test_requests_that_do_not_leave(keys: KeyStore, change: dict[str, Any], path: str) -> None:
    with pytest.raises(Refused) as refused:
        client.build("consent_award_request", {**REQUEST, **change}, context(keys, ""))
    assert path in [each.path for each in refused.value.findings]
