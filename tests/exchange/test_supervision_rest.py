"""Supervision 督办 over REST: from draft to close by the table, what is refused, who may; indicators entered and withdrawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

import case_registry
from exchange_api.app import make_app
from foundation.keys import KeyStore
from foundation.settings import Settings
from foundation.staff import add_staff
from foundation.unit_of_work import unit_of_work
from hub.pipeline import Hub
from tests.case_registry.make import PETITION, episode, person, take

OFFICE = "瓯栖县联合督查办"
Call = Callable[..., httpx.Response]


@pytest.fixture
def call(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[Call]:
    """REST as a person: ``call("officer", "GET", path, json=…)``."""
    hub = Hub(engine, KeyStore(tmp_path), Settings(database_url, "", tmp_path, 8600, "sandbox"))
    with unit_of_work(engine) as uow:
        for name, role, region in (
            ("officer", "supervision_officer", "330399"), ("second", "supervision_officer", ""),
            ("far", "supervision_officer", "330302"), ("clerk", "intake_clerk", ""), ("auditor", "auditor", ""),
        ):  # fmt: skip
            add_staff(uow, name, name, OFFICE, [role], "password-1", region=region)
    client = TestClient(make_app(hub), raise_server_exceptions=False)
    tokens: dict[str, str] = {}

    def asked(who: str, method: str, path: str, **more: Any) -> httpx.Response:
        if who not in tokens:
            tokens[who] = client.post("/v1/session", json={"id": who, "password": "password-1"}).json()[
                "token"
            ]
        headers = {"Authorization": f"Bearer {tokens[who]}", **more.pop("headers", {})}
        return client.request(method, f"/v1{path}", headers=headers, **more)

    yield asked
    client.close()


@pytest.fixture
def number(engine: Engine) -> str:
    with unit_of_work(engine) as uow:
        told = episode(
            "X1", "PETITION", parties=[person("江秀英")], opened_on="2026-03-20", place_code="330399001"
        )
        return str(take(uow, PETITION, told).disputes[0].number)


STEPS: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("issue", {"seal": "督查办印"}, "ISSUED"),
    ("sign_for", {"agency": "petition", "receipt": "收字1号"}, "SIGNED"),
    ("assign_handler", {"handler": "王一", "phone": "10012345678"}, "HANDLING"),
    ("urge", {"text": "请抓紧"}, "HANDLING"),
    ("report_result", {"result": "done", "papers": ["报告", "协议"], "head": "局长"}, "REPORTED"),
    ("start_verify", {"verifier": "officer", "verifier_agency": "supervision"}, "VERIFYING"),
    ("send_back", {"reason": "NO_PROOF", "text": "没有回访"}, "HANDLING"),
    ("report_result", {"result": "done", "papers": ["回访记录"], "head": "局长"}, "REPORTED"),
    ("start_verify", {"verifier": "officer", "verifier_agency": "supervision"}, "VERIFYING"),
    ("pass", {"record": "当事人确认", "reached": True}, "VERIFIED"),
    ("close", {"note": "已化解"}, "CLOSED"),
)


def test_from_draft_to_close(call: Call, number: str) -> None:
    table = call("officer", "GET", "/supervision/table").json()
    assert {"state": "VERIFIED", "event": "close"}.items() <= next(
        m for m in table["moves"] if m["event"] == "close"
    ).items()
    body = {
        "number": number,
        "level": "L3",
        "agency": "petition",
        "reason": table["codes"]["reason"][0],
        "why": "信访办理超期",
    }
    made = call("officer", "POST", "/supervision", json=body)
    assert made.status_code == 201 and made.headers["location"] == f"/v1/supervision/{made.json()['id']}"
    again = call("officer", "POST", "/supervision", json=body)
    assert (again.status_code, again.json()["code"]) == (
        409,
        "NOT_ALLOWED",
    ) and "problem+json" in again.headers["content-type"]
    path, tag = f"/supervision/{made.json()['id']}", made.headers["etag"]
    first = tag
    for event, proof, state in STEPS:
        if event == "send_back":
            proof = {**proof, "reason": table["codes"]["send_back"][0]}
        if event == "report_result":
            short = call(
                "officer", "POST", f"{path}/acts", json={"event": event, "proof": {**proof, "papers": []}}
            )
            assert short.status_code == 409 and "papers" in short.json()["detail"]
            proof = {**proof, "result": table["codes"]["result"][0]}
        done = call(
            "officer",
            "POST",
            f"{path}/acts",
            json={"event": event, "proof": proof},
            headers={"If-Match": tag},
        )
        assert done.status_code == 200 and done.json()["state"] == state, (event, done.text)
        assert done.headers["etag"] != tag
        tag = done.headers["etag"]
    late = call(
        "officer",
        "POST",
        f"{path}/acts",
        json={"event": "reopen", "proof": {"fact": "又来"}},
        headers={"If-Match": first},
    )
    assert late.status_code == 412
    read = call("auditor", "GET", path)
    assert read.headers["etag"] == tag and [line["event"] for line in read.json()["file"]] == [
        "draft",
        *(s[0] for s in STEPS),
    ]
    assert [c["state"] for c in call("officer", "GET", "/supervision?state=CLOSED").json()["cases"]] == [
        "CLOSED"
    ]
    times = {row["step"]: row["n"] for row in call("officer", "GET", "/supervision/times").json()["times"]}
    assert times == {"sign": 1, "answer": 2, "verify": 2}
    skipped = call("officer", "POST", f"{path}/acts", json={"event": "not_signed", "proof": {"rule": "SV02"}})
    assert skipped.status_code == 409, "what comes from the clock no person does"
    copied = call("officer", "POST", f"{path}/acts", json={"event": "copy_to", "proof": {"to": "nobody"}})
    assert copied.status_code == 403 and copied.json()["code"] == "NOT_SHARED"


def test_only_who_may(call: Call, number: str) -> None:
    body = {"number": number, "level": "L2", "agency": "petition", "reason": "RED_LAMP", "why": "超期"}
    assert call("auditor", "POST", "/supervision", json=body).status_code == 403
    assert call("clerk", "GET", "/supervision").status_code == 403
    assert call("far", "POST", "/supervision", json=body).status_code == 404
    assert call("officer", "POST", "/supervision", json={**body, "more": 1}).status_code == 422
    path = f"/supervision/{call('officer', 'POST', '/supervision', json=body).json()['id']}"
    act = {"event": "issue", "proof": {"seal": "印"}}
    assert call("officer", "POST", f"{path}/acts", json=act).status_code == 409, (
        "its author does not issue it at L2"
    )
    far, nothing = call("far", "GET", path), call("far", "GET", f"{path[:-4]}0000")
    assert far.status_code == nothing.status_code == 404
    assert call("far", "POST", f"{path}/acts", json=act).status_code == 404
    assert call("far", "GET", "/supervision").json() == {"cases": []}
    assert call("second", "POST", f"{path}/acts", json=act).json()["state"] == "ISSUED"


def test_indicators_are_entered_end_and_are_withdrawn(
    call: Call, number: str, engine: Engine, set_clock: Callable[[str], None]
) -> None:
    table = {
        each["id"]: each["words"] for each in call("officer", "GET", "/indicators/table").json()["indicators"]
    }
    assert {"U03", "U05", "U06", "U20"} <= set(table) and table["U05"] == ["words", "act"]
    entered = {}
    for indicator, step in (("U03", "市级"), ("U05", "words"), ("U20", "posts"), ("U06", "recorded")):
        body = {"number": number, "indicator": indicator, "step": step, "reason": "核实过", "source": "police",
                **({"until": "2026-04-10"} if indicator == "U20" else {})}  # fmt: skip
        answer = call("officer", "POST", "/indicators", json=body)
        assert answer.status_code == 201 and answer.json()["counts"], answer.text
        entered[indicator] = answer.json()["id"]
    assert grade(engine) == ("RED", {"U03", "U05", "U06", "U20"})
    wrong = {"number": number, "indicator": "U05", "step": "words", "reason": "x"}
    for more in (
        {"step": "shouts"},
        {"until": "2026-03-01"},
        {"until": "2026-09-01"},
        {"indicator": "U01"},
        {"reason": " "},
    ):
        assert call("officer", "POST", "/indicators", json={**wrong, **more}).status_code == 409, more
    assert call("far", "POST", "/indicators", json=wrong).status_code == 404
    assert (
        call("far", "POST", f"/indicators/{entered['U06']}/withdraw", json={"reason": "x"}).status_code == 404
    )
    assert (
        call("auditor", "POST", f"/indicators/{entered['U06']}/withdraw", json={"reason": "x"}).status_code
        == 403
    )
    assert (
        call("officer", "POST", f"/indicators/{entered['U06']}/withdraw", json={"reason": "误记"}).status_code
        == 200
    )
    assert (
        call("officer", "POST", f"/indicators/{entered['U06']}/withdraw", json={"reason": "误记"}).status_code
        == 409
    )
    assert grade(engine)[1] == {"U03", "U05", "U20"}
    set_clock("2026-04-11T00:30")
    with unit_of_work(engine) as uow:
        case_registry.watch_deadlines(uow)
    assert grade(engine)[1] == {"U03", "U05"}, "its last day is over"
    rows = call("officer", "GET", f"/indicators?number={number}").json()["indicators"]
    found = {row["indicator"]: (row["counts"], row["ended_by"], row["ended_reason"]) for row in rows}
    assert found["U06"] == (False, "officer", "误记") and found["U20"] == (False, "system", "end date")
    assert found["U03"] == (True, None, None) and date.fromisoformat(rows[1]["until"]) == date(2026, 4, 10)


def grade(engine: Engine) -> tuple[str, set[str]]:
    with unit_of_work(engine) as uow:
        (row,) = case_registry.factor_list(uow)
    return row["grade"], {each["id"] for each in row["indicators"]}
