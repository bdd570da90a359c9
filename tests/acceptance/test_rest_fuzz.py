"""Acceptance 7: what the API's own description allows, and what it does not, at every REST operation."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.acceptance.conftest import Api
from tests.acceptance.row_counts import counts, more

pytestmark = pytest.mark.slow
CALLS = 250
ALL_WITHIN_S = 50.0
WITHIN_S = 2.0
# These stop the time or the session that the other calls stand on, or call partners that are not there.
LEFT_OUT = {("put", "/v1/clock"), ("delete", "/v1/session"), ("post", "/v1/jobs/{name}")}
PEOPLE = (
    "clerk1",
    "mediator1",
    "reviewer1",
    "cashier1",
    "checker1",
    "releaser1",
    "supervisor1",
    "auditor1",
    "operator1",
)
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=50),
    st.sampled_from(
        ["", "\x00", "0", "-1", "1.001", "NaN", "x" * 5000, "' OR 1=1", "2026-02-30", "[]", "../x", "\u202e"]
    ),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)


def values(schema: dict[str, Any], whole: dict[str, Any], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values that a schema allows, near enough; one in eight is junk instead."""
    right = _right(schema, whole, depth)
    return st.integers(0, 7).flatmap(lambda dice: JUNK if dice == 0 and depth > 0 else right)


def _right(schema: dict[str, Any], whole: dict[str, Any], depth: int) -> st.SearchStrategy[Any]:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _right(whole["components"]["schemas"][name], whole, depth)
    if "anyOf" in schema:
        return st.one_of(*(_right(each, whole, depth) for each in schema["anyOf"]))
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if kind == "object" and depth < 6:
        names = schema.get("properties", {})
        wanted = {
            name: values(each, whole, depth + 1)
            for name, each in names.items()
            if name in schema.get("required", ())
        }
        may = {name: values(each, whole, depth + 1) for name, each in names.items() if name not in wanted}
        return st.fixed_dictionaries(wanted, optional=may)
    if kind == "array" and depth < 6:
        return st.lists(values(schema.get("items", {}), whole, depth + 1), min_size=0, max_size=3)
    return _plain(schema, kind)


def _plain(schema: dict[str, Any], kind: str | None) -> st.SearchStrategy[Any]:
    if kind == "integer":
        least = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
        return st.integers(least, min(schema.get("maximum", 10**9), 10**15))
    if kind == "boolean":
        return st.booleans()
    if kind == "string":
        if schema.get("format") == "uuid":
            return st.uuids().map(str)
        if schema.get("format") in ("date", "date-time"):
            return st.sampled_from(
                ["2026-04-01", "2026-04-01T09:00:00+08:00", "0001-01-01", "9999-12-31T23:59:59Z"]
            )
        if "pattern" in schema:
            return st.from_regex(schema["pattern"], fullmatch=True).map(lambda found: found[:40])
        return st.text(min_size=schema.get("minLength", 0), max_size=min(schema.get("maxLength", 60), 60))
    return JUNK


def operations(whole: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, told)
        for path, methods in sorted(whole["paths"].items())
        for method, told in methods.items()
        if (method, path) not in LEFT_OUT
    ]


@st.composite
def requests(
    draw: st.DrawFn, whole: dict[str, Any], listed: list[tuple[str, str, dict[str, Any]]]
) -> dict[str, Any]:
    method, path, told = draw(st.sampled_from(listed))
    query = {}
    for each in told.get("parameters", ()):
        if each["in"] == "path":
            value = str(draw(values(each["schema"], whole, 1)))
            path = path.replace(f"{{{each['name']}}}", quote(value, safe="") or "x")
        elif each["in"] == "query" and (each.get("required") or draw(st.booleans())):
            value = draw(values(each["schema"], whole, 1))
            query[each["name"]] = value if isinstance(value, str | int) else json.dumps(value)
    body = None
    if "requestBody" in told:
        (content,) = told["requestBody"]["content"].values()
        body = draw(values(content["schema"], whole, 0))
    return {
        "method": method.upper(),
        "path": path,
        "query": query,
        "body": body,
        "person": draw(st.sampled_from(PEOPLE)),
    }


def test_every_operation(api: Api) -> None:
    whole = httpx.get(f"{api.hub.url}/openapi.json", timeout=30, trust_env=False).json()
    listed = operations(whole)
    assert len(listed) > 40
    for person in PEOPLE:
        api.hub.people.get(person, "/v1/clock")  # logged in once, so that no session is made later
    until = time.monotonic() + ALL_WITHIN_S
    seen: set[str] = set()

    @settings(max_examples=CALLS, deadline=None, database=None, phases=[Phase.generate, Phase.shrink], print_blob=True,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(requests(whole, listed))
    def each(request: dict[str, Any]) -> None:
        if time.monotonic() > until:
            return  # bounded: what was not reached this time is reached another time
        seen.add(request["method"] + request["path"].split("?")[0])
        note(json.dumps(request, ensure_ascii=True, default=str))
        before = counts(api.engine)
        began = time.monotonic()
        answer = _call(api, request)
        took = time.monotonic() - began
        assert answer.status_code < 500, answer.text
        if took > WITHIN_S:  # once more: other tests run on this machine too
            began = time.monotonic()
            _call(api, request)
            took = time.monotonic() - began
        assert took < WITHIN_S, f"took {took:.1f} s"
        if answer.status_code >= 400:
            assert answer.headers["content-type"] == "application/problem+json", answer.text
            told = answer.json()
            assert told["code"] and told["status"] == answer.status_code
            if answer.status_code == 422:
                assert told["errors"] and all(one["path"] for one in told["errors"]), told
            assert more(before, counts(api.engine)) == {}, "refused, and yet it left something"

    each()
    print(f"{len(seen)} addresses")


def _call(api: Api, request: dict[str, Any]) -> httpx.Response:
    token = api.hub.people._token(request["person"])
    body = b"" if request["body"] is None else json.dumps(request["body"]).encode("utf-8")
    return httpx.request(
        request["method"],
        api.hub.url + request["path"],
        params=request["query"],
        content=body,
        headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        timeout=30,
        trust_env=False,
    )
