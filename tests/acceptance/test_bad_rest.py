"""Acceptance 7: bad input to the REST part: a problem document with code and path, soon, and nothing is stored."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx
import pytest

from tests.acceptance.conftest import Api
from tests.acceptance.row_counts import counts, more

pytestmark = pytest.mark.slow
ORDER = {"mediation_number": "瓯栖调〔2026〕南屏1号", "rail": "bank", "fen": 100, "payee_key": "A1"}
AGREEMENT = {
    "total_fen": 100,
    "terms": "一次付清",
    "instalments": [{"no": 1, "due_on": "2026-04-20", "fen": 100, "payer": "R1", "payee": "A1"}],
}
MATTER = {
    "committee": "瓯栖县南屏人民调解委员会",
    "mediator": "叶调解",
    "cause": "相邻关系纠纷",
    "accepted_on": "2026-03-20",
    "parties": [
        {"key": "A1", "role": "applicant", "kind": "person", "name": "周忠"},
        {"key": "R1", "role": "respondent", "kind": "person", "name": "欧阳敏海"},
    ],
}
PLACES = {
    "order": ("cashier1", "/v1/orders", ORDER, "fen"),
    "agreement": ("mediator1", "/v1/matters/{matter}/agreements", AGREEMENT, "total_fen"),
}
SUMS = (
    "0",
    "-1",
    "1.001",
    "NaN",
    "Infinity",
    "1e3",
    '"100"',
    '"１００"',
    "true",
    "null",
    "[]",
    "9" * 400,
    "1" + "0" * 14,
)


@pytest.fixture(scope="module")
def matter(api: Api) -> str:
    """The id of a matter that the mediator sees: what he may not see would be no matter to him."""
    return str(api.hub.people.post("clerk1", "/v1/matters", MATTER)["id"])


@pytest.fixture(autouse=True)
def nothing_is_stored(api: Api, matter: str) -> Any:
    for person in ("cashier1", "mediator1", "clerk1"):
        api.hub.people.get(person, "/v1/clock")  # logged in once, so that no session is made later
    before = counts(api.engine)
    yield
    assert more(before, counts(api.engine)) == {}


def call(
    api: Api, method: str, path: str, body: bytes | None = None, person: str = "cashier1", **headers: str
) -> dict[str, Any]:
    """Send; the answer must be a problem in good form and in time. Returns it."""
    told = {
        "Authorization": f"Bearer {api.hub.people._token(person)}",
        "Content-Type": "application/json",
        **headers,
    }
    began = time.monotonic()
    answer = httpx.request(
        method, api.hub.url + path, content=body, headers=told, timeout=30, trust_env=False
    )
    took = time.monotonic() - began
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["code"]
    assert took < 2.0, f"took {took:.1f} s"
    return problem


def first_path(problem: dict[str, Any]) -> str:
    return str(problem["errors"][0]["path"])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", SUMS, ids=lambda value: value[:12])
def test_sums(api: Api, matter: str, place: str, value: str) -> None:
    person, path, right, field = PLACES[place]
    body = json.dumps({**right, field: "HERE"}).replace('"HERE"', value).encode()
    problem = call(api, "POST", path.format(matter=matter), body, person)
    assert problem["code"] in ("SCHEMA_VIOLATION", "JSON_NOT_WELL_FORMED")
    assert first_path(problem).startswith("/body")


def test_an_unknown_field_and_an_unknown_code(api: Api) -> None:
    problem = call(api, "POST", "/v1/orders", json.dumps({**ORDER, "fenn": 1}).encode())
    assert (problem["code"], first_path(problem)) == ("SCHEMA_VIOLATION", "/body/fenn")
    problem = call(api, "POST", "/v1/orders", json.dumps({**ORDER, "rail": "nobody"}).encode())
    assert (problem["status"], problem["code"], first_path(problem)) == (404, "NOT_FOUND", "rail")


BODIES = {
    "key twice": (b'{"fen": 1, "fen": 2}', "JSON_DUPLICATE_KEY"),
    "not JSON": ("这不是".encode(), "JSON_NOT_WELL_FORMED"),
    "cut off": (b'{"fen": 1', "JSON_NOT_WELL_FORMED"),
    "deep": (b'{"a":' * 50_000, "TOO_DEEP"),
    "deep list": (b"[" * 200_000, "TOO_DEEP"),
    "not UTF-8": (b'{"fen": "\xff\xfe"}', "ENCODING_MISMATCH"),
    "UTF-16": ('{"fen": 1}'.encode("utf-16"), "ENCODING_MISMATCH"),
    "NUL bytes": (b'{"rail": "\x00"}', "JSON_NOT_WELL_FORMED"),
    "written NUL": (b'{"rail": "\\u0000"}', "JSON_NOT_WELL_FORMED"),
    "lone surrogate": (b'{"rail": "\\ud800"}', "JSON_NOT_WELL_FORMED"),
    "too large": (b'{"rail": "' + b"a" * 1_100_000 + b'"}', "TOO_LARGE"),
    "far too large": (b" " * 20_000_000, "TOO_LARGE"),
    "a list": (b"[]", "SCHEMA_VIOLATION"),
    "empty": (b"", "SCHEMA_VIOLATION"),
    "a number of 10000 digits": (b'{"fen": ' + b"9" * 10_000 + b"}", "JSON_NOT_WELL_FORMED"),
}


@pytest.mark.parametrize("name", BODIES)
def test_bodies(api: Api, name: str) -> None:
    body, code = BODIES[name]
    problem = call(api, "POST", "/v1/orders", body)
    assert problem["code"] == code
    assert first_path(problem).startswith("/body")


@pytest.mark.parametrize(
    "media", ("text/plain", "application/xml", "multipart/form-data; boundary=x", "", "application/jso")
)
def test_content_types(api: Api, media: str) -> None:
    problem = call(api, "POST", "/v1/orders", json.dumps(ORDER).encode(), **{"Content-Type": media})
    assert (problem["status"], first_path(problem)) == (415, "header Content-Type")


def test_heads_and_addresses(api: Api) -> None:
    assert call(api, "GET", "/v1/escrows", **{"X-Much": "a" * 60_000})["status"] == 431
    assert call(api, "GET", "/v1/escrows?state=" + "a" * 9_000)["status"] == 414
    assert call(api, "GET", "/v1/escrows?state=%00")["code"] == "SCHEMA_VIOLATION"
    assert call(api, "GET", "/v1/escrows?state=%ff%fe")["code"] == "ENCODING_MISMATCH"
    assert call(api, "GET", "/v1/orders/%00")["status"] == 422
    assert first_path(call(api, "GET", "/v1/orders/x")) == "/path/order_id"
    assert first_path(call(api, "GET", "/v1/escrows?limit=NaN")) == "/query/limit"
    assert call(api, "GET", "/v1/nothing")["code"] == "HTTP_404"
    assert call(api, "DELETE", "/v1/orders")["code"] == "HTTP_405"
    assert call(api, "GET", "/v1/disputes?cursor=nonsense")["code"] == "NOT_FOUND"


@pytest.mark.parametrize("token", ("", "Bearer", "Bearer x", "Basic eDp5", "Bearer " + "a" * 4000))
def test_nobody_gets_in(api: Api, token: str) -> None:
    problem = call(api, "POST", "/v1/orders", json.dumps(ORDER).encode(), Authorization=token)
    assert (problem["status"], problem["code"]) == (401, "NOT_LOGGED_IN")


def test_the_wrong_person_and_the_wrong_password(api: Api) -> None:
    problem = call(api, "POST", "/v1/orders", json.dumps(ORDER).encode(), person="clerk1")
    assert (problem["status"], problem["code"]) == (403, "FORBIDDEN")
    problem = call(api, "POST", "/v1/session", b'{"id": "cashier1", "password": "wrong"}')
    assert (problem["status"], problem["code"]) == (401, "NOT_LOGGED_IN")
