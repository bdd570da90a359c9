"""The provincial gateway's stand-in on the wire: the token dance, quota, and its habits."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

import pytest

from tests.sandbox.conftest import Sandbox

pytestmark = pytest.mark.slow

API = "/gateway/gateway/api/001008010010001/dataSharing/abc123.htm"
PERSON = {"xm": "吴艳晓", "gmsfhm": "330399199312029976", "swbs": "1"}


def signed(sandbox: Sandbox, secret: str, **more: str) -> dict[str, str]:
    now = datetime.fromisoformat(sandbox.http.get("/control/clock").json()["at"])
    stamp = str(int(now.timestamp() * 1000))
    sign = hashlib.md5(f"OQHUB01{secret}{stamp}".encode()).hexdigest()
    return {"appKey": "OQHUB01", "sign": sign, "requestTime": stamp, **more}


def by_key(sandbox: Sandbox) -> dict[str, Any]:
    query = signed(sandbox, "test-only-secret")
    return dict(sandbox.http.get("/gateway/gateway/app/refreshTokenByKey.htm", params=query).json()["datas"])


def ask(sandbox: Sandbox, secret: str, **more: str) -> dict[str, Any]:
    form = signed(sandbox, secret, **{"additional": '{"matter":"m"}', "gmsfhm": "330399199312029976", **more})
    return dict(sandbox.http.post(API, data=form).json())


def test_sign_vector_of_the_contract() -> None:
    from sandbox.gateway.service import sign

    assert sign("OQHUB01", "test-only-secret", "1775000000000") == "1835c556ef9fcf84fc596750ced614cb"


def test_token_dance(sandbox: Sandbox) -> None:
    first = by_key(sandbox)
    query = signed(sandbox, first["refreshSecret"])
    second = sandbox.http.post("/gateway/app/refreshTokenBySec.htm", params=query).json()["datas"]
    assert "refreshSecret" not in second and isinstance(second["requestSecretEndTime"], str)
    assert ask(sandbox, first["requestSecret"])["code"] == "00"  # the old one lives 60 s more
    sandbox.clock("2026-04-01T09:01:30+08:00")
    assert ask(sandbox, first["requestSecret"])["code"] == "05"
    assert ask(sandbox, second["requestSecret"])["code"] == "00"
    sandbox.clock("2026-04-01T09:16:00+08:00")
    assert ask(sandbox, second["requestSecret"])["code"] == "05"
    sandbox.clock("2026-04-03T09:30:00+08:00")
    late = sandbox.http.get(
        "/gateway/app/refreshTokenBySec.htm", params=signed(sandbox, first["refreshSecret"])
    ).json()
    assert late["code"] == "14" and late["datas"] is None


@pytest.mark.parametrize("style", ["string", "array", "object"])
def test_persons_in_each_style(sandbox: Sandbox, style: str) -> None:
    sandbox.order("offer", "gateway", content=json.dumps({"code": "00", "data": [PERSON]}))
    sandbox.order("offer", "gateway", rules={"style": style})
    told = ask(sandbox, by_key(sandbox)["requestSecret"], xm="吴艳晓")
    data = json.loads(told["data"])[0] if style == "string" else told["data"]
    row = data[0] if isinstance(data, list) else data
    assert {key.lower(): value for key, value in row.items()}["swbs"] == "1"


def test_refusals(sandbox: Sandbox) -> None:
    secret = by_key(sandbox)["requestSecret"]
    assert ask(sandbox, secret)["msg"] == "无数据"
    assert ask(sandbox, "wrong")["code"] == "05"
    assert ask(sandbox, secret, additional="")["code"] == "01"
    assert ask(sandbox, secret, pageSize="101")["code"] == "01"
    assert ask(sandbox, secret, nobody="x")["code"] == "01"
    assert ask(sandbox, secret, requestTime="1775000000000")["code"] in ("05", "06")
    sandbox.order("offer", "gateway", rules={"denied": ["abc123"]})
    assert ask(sandbox, secret)["code"] == "08"
    sandbox.order("offer", "gateway", rules={"denied": [], "quota": 5})
    assert ask(sandbox, secret)["code"] == "12"


def test_html_while_upgrading_and_secret_ended_on_order(sandbox: Sandbox) -> None:
    secret = by_key(sandbox)["requestSecret"]
    sandbox.order("faults", "gateway", kind="fault", operation="dataSharing")
    reply = sandbox.http.post(API, data=signed(sandbox, secret, additional='{"matter":"m"}'))
    assert reply.status_code == 200 and reply.text.startswith("<html>")
    sandbox.order("offer", "gateway", expire="request")
    assert ask(sandbox, secret)["code"] == "05"
    told = sandbox.order("emit", "gateway", json={"code": "00", "data": [PERSON]})
    assert told["verdict"] == "OFFERED" and told["persons"] == [PERSON["gmsfhm"]]
    assert "no rows" in sandbox.refused("offer", "gateway", json={"code": "00", "data": None})
