"""The petition adapter on the wire: its client against the office's stand-in, its service against zeep."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import zeep

from connectors.petition_asmx import client, mapping, service
from connectors.petition_asmx.client import OfficeAway
from foundation.wire import Wire
from schemas.exchange import ConnectorContext, HttpRequest, Known, Outcome
from schemas.findings import Refused
from tests.connectors.adapter_server import adapter_server
from tests.connectors.petition_side import EXAMPLES, LATER, content, envelope, told
from tests.connectors.stand_in import StandIn, stand_in

pytestmark = pytest.mark.slow
NINE = datetime.fromisoformat("2026-04-01T09:00:00+08:00")
MANIFEST = tomllib.loads((EXAMPLES.parent / "partner.toml").read_text("utf-8"))
KNOWN = Known(secrets={"token": "this-month", "token.old": "last-month"})


@dataclass
class SecretsOnly:
    """The shared secret of the sandbox, as the key store gives it."""

    told: dict[str, str] = field(default_factory=lambda: {"petition_asmx.token": "test-only"})

    def secret(self, name: str) -> str:
        return self.told[name]


def context(url: str, now: datetime = NINE) -> ConnectorContext:
    return ConnectorContext(url, MANIFEST, SecretsOnly(), now, lambda: UUID(int=7))  # type: ignore[arg-type]


@pytest.fixture
def office(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with stand_in(tmp_path, tmp_path_factory.getbasetemp() / "stand-in-keys") as made:
        yield made


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def rows(count: int) -> list[dict[str, Any]]:
    return [{**told("x01"), "XFJBH": f"XF330399202603{n:05d}"} for n in range(count)]


def test_windows_overlap_and_pages_follow(office: StandIn, wire: Wire) -> None:
    office.order("offer", "petition", rows=rows(53), changed_at="2026-04-01T08:00:00+08:00")
    ctx = context(f"{office.url}/petition")
    first = client.pull(wire, ctx, "petitions", "")
    assert first.more and json.loads(first.next_cursor)["page"] == 1
    last = client.pull(wire, ctx, "petitions", first.next_cursor)
    assert not last.more and last.next_cursor == "2026-04-01 09:00:00"
    read = [mapping.read(m, Known()) for m in (*first.messages, *last.messages)]
    assert [len(each.records) for each in read] == [50, 3]
    # changed three minutes before the window's end, seen only now: the overlap finds it
    office.order("offer", "petition", rows=[told("x12")], changed_at="2026-04-01T08:57:00+08:00")
    later = replace(ctx, now=NINE + timedelta(minutes=10))
    (message,) = client.pull(wire, later, "petitions", last.next_cursor).messages
    assert mapping.read(message, Known()).records[0].native_id == told("x12")["XFJBH"]
    none = client.pull(wire, replace(ctx, now=NINE + timedelta(hours=2)), "petitions", "2026-04-01 11:00:00")
    assert none.messages == () and none.next_cursor == "2026-04-01 11:00:00"
    client.acknowledge(wire, ctx, message, Outcome("x", "ACCEPTED"))


def test_one_petition_can_be_asked_for(office: StandIn, wire: Wire) -> None:
    office.order("offer", "petition", rows=[told("x04")])
    ctx = context(f"{office.url}/petition")
    message = client.get_petition(wire, ctx, told("x04")["XFJBH"])
    assert mapping.read(message, Known()).records[0].native_id == told("x04")["XFJBH"]
    attachment = client.get_attachment(wire, ctx, told("x04")["XFJBH"], "申诉材料.txt")
    assert attachment["MD5"] == told("x04")["FJ"][0]["MD5"]
    with pytest.raises(OfficeAway) as away:
        client.get_petition(wire, ctx, "XF33039920260399999")
    assert away.value.kind == "refused"


def test_feedback_and_its_refusals(office: StandIn, wire: Wire) -> None:
    office.order("offer", "petition", rows=[told("x01"), {**told("x04"), "BLZT": "05"}])
    ctx = context(f"{office.url}/petition")
    body = {
        "native_id": told("x01")["XFJBH"],
        "event": "dispute_linked",
        "stage": "IN_ARBITRATION",
        "on": "2026-04-23T09:00:00+08:00",
        "amount_fen": 6649710,
        "offers": "愿付六万",
        "narrative": "私下和解",
    }
    made = client.build("FeedbackXfj", body, ctx)
    assert made == client.build("FeedbackXfj", body, ctx)
    text = made.decode()
    for wanted in ("案件在劳动仲裁程序中", "2026-04-23 09:00", "瓯栖县司法局"):
        assert wanted in text
    assert "愿付" not in text and "私下" not in text and "66497" not in text
    assert client.send(wire, ctx, "FeedbackXfj", made).outcome == "DELIVERED"
    closed = client.build("FeedbackXfj", {**body, "native_id": told("x04")["XFJBH"]}, ctx)
    result = client.send(wire, ctx, "FeedbackXfj", closed)
    assert (result.outcome, result.code) == ("PERMANENT", "E06")
    office.order("offer", "petition", rules={"odd_errors": True})
    assert client.send(wire, ctx, "FeedbackXfj", closed).outcome == "PERMANENT"
    for wrong in ({**body, "stage": ""}, {**body, "native_id": ""}):
        with pytest.raises(Refused):
            client.build("FeedbackXfj", wrong, ctx)
    with pytest.raises(Refused):
        client.build("AddXfj", body, ctx)


@pytest.mark.parametrize("event", MANIFEST["notices"])
def test_every_notice_has_its_words(event: str) -> None:
    body = {"native_id": "XF33039920260103156", "event": event, "stage": "MEDIATING"}
    assert client.build(MANIFEST["notices"][event], body, context("")).startswith(b"<?xml")


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [("reset", "UNKNOWN"), ("half_answer", "UNKNOWN"), ("http_500", "UNKNOWN"), ("fault", "UNKNOWN"), ("wrong_signature", "RETRY")],
)  # fmt: skip
def test_sending_into_trouble(office: StandIn, wire: Wire, kind: str, outcome: str) -> None:
    office.order("offer", "petition", rows=[told("x01")])
    ctx = context(f"{office.url}/petition")
    made = client.build("FeedbackXfj", {"native_id": told("x01")["XFJBH"], "event": "agreed"}, ctx)
    office.order("faults", "petition", kind=kind, times=1, operation="FeedbackXfj")
    assert client.send(wire, ctx, "FeedbackXfj", made).outcome == outcome
    assert client.send(wire, ctx, "FeedbackXfj", made).outcome == "DELIVERED"
    assert client.send(wire, context("http://127.0.0.1:1"), "FeedbackXfj", made).outcome == "RETRY"


def test_outages_are_told_apart(office: StandIn, wire: Wire) -> None:
    for url, kind in (("http://127.0.0.1:1", "unreachable"), (f"{office.url}/petition", "refused")):
        ctx = context(url)
        ctx.keys.told["petition_asmx.token"] = "wrong"  # type: ignore[attr-defined]
        with pytest.raises(OfficeAway) as away:
            client.pull(wire, ctx, "petitions", "")
        assert away.value.kind == kind
    office.order("faults", "petition", kind="fault", times=1, operation="GetXfjList")
    with pytest.raises(OfficeAway) as away:
        client.pull(wire, context(f"{office.url}/petition"), "petitions", "")
    assert away.value.kind == "unreachable"


def test_the_served_contract_by_zeep() -> None:
    text = json.dumps(told("x01"), ensure_ascii=False)
    other = json.dumps({**told("x01"), "ZRDW": "另一单位"}, ensure_ascii=False)
    with adapter_server(mapping, service, KNOWN, LATER) as (url, inbox):
        made = zeep.Client(f"{url}?wsdl")
        made.transport.session.headers["X-XF-Token"] = "this-month"
        xf = made.service
        assert xf.AddXfj(Jsonstring=text) == '{"Result":"1","Message":""}'
        assert xf.AddXfj(Jsonstring=json.dumps(told("x01"), indent=2)) == '{"Result":"1","Message":""}'
        again = json.loads(xf.AddXfj(Jsonstring=other))
        assert (again["Result"], again["Message"]) == ("0", "E09")
        assert json.loads(xf.UpdateXfj(Jsonstring=json.dumps(told("x07"))))["Result"] == "1"
        assert json.loads(xf.RevokeXfj(Jsonstring=json.dumps(told("x11"))))["Result"] == "1"
        for name, code in (
            ("x14", "E02"),
            ("x15", "E05"),
            ("x16", "E03"),
            ("x17", "E07"),
            ("x18", "E08"),
            ("x19", "E04"),
        ):
            reply = json.loads(xf.AddXfj(Jsonstring=json.dumps(told(name), ensure_ascii=False)))
            assert (reply["Result"], reply["Message"]) == ("0", code) and "Jsonstring/" in reply["Detail"]
        assert json.loads(xf.AddXfj(Jsonstring="{'a':1}"))["Message"] == "E01"
        assert len(inbox.stored) == 12
        made.transport.session.headers["X-XF-Token"] = "wrong"
        assert json.loads(xf.AddXfj(Jsonstring=text))["Message"] == "E99"
        assert len(inbox.stored) == 12


@pytest.mark.parametrize(
    ("body", "action", "status", "wanted"),
    [
        (b"<not soap/>", "", 500, "soap:Client"),
        (b"\xff\xfe<", "AddXfj", 200, "E01"),
        (b"<!DOCTYPE x><x/>", "AddXfj", 200, "XML_DTD_FORBIDDEN"),
        (envelope("AddXfj", "{}").encode(), "UpdateXfj", 200, "SOAPAction=SCHEMA_VIOLATION"),
        (envelope("GetXfjList", "{}").encode(), "", 500, "SCHEMA_VIOLATION"),
        (envelope("AddXfj", "[]").encode(), "AddXfj", 200, "E01"),
    ],
)
def test_bad_calls_are_answered_with_a_code(body: bytes, action: str, status: int, wanted: str) -> None:
    with adapter_server(mapping, service, KNOWN, LATER) as (url, _):
        headers = {"X-XF-Token": "this-month"} | (
            {"SOAPAction": f'"http://tempuri.org/{action}"'} if action else {}
        )
        reply = httpx.post(url, content=body, headers=headers, trust_env=False)
    assert reply.status_code == status and wanted in reply.text


def test_the_old_token_is_good_for_the_first_day_of_the_month_only() -> None:
    def unpack(token: str, at: str) -> bool:
        headers = {"x-xf-token": token} if token else {}
        request = HttpRequest("POST", "/", headers, content("x01"), datetime.fromisoformat(at))
        try:
            return bool(service.unpack(request, KNOWN))
        except Refused:
            return False

    assert unpack("this-month", "2026-05-20T10:00:00+08:00")
    assert unpack("last-month", "2026-05-01T23:59:59+08:00")
    assert not unpack("last-month", "2026-05-02T00:00:00+08:00")
    assert not unpack("", "2026-05-01T10:00:00+08:00")
    assert unpack("last-month", "2026-04-30T16:00:00+00:00")
