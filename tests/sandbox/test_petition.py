"""The petition office's stand-in on the wire."""

from __future__ import annotations

import json
from typing import Any

import pytest
import zeep
from requests import Session

from tests.sandbox.conftest import Listener, Reply, Sandbox, Seen

pytestmark = pytest.mark.slow

ROW: dict[str, Any] = {
    "XFJBH": "XF33039920260360004", "XFRXM": "朱福", "XFRQ": "2026-03-14", "XFXS": "02", "RS": 1, "NRFL": "0501",
    "WTSD": "330399102", "NR": "要求赔偿92018.00元", "CFXF": "0", "BLZT": "02", "CZLX": "A", "BBH": 1,
    "FJ": [{"WJM": "a.txt", "WJNR": "YWJj"}],
}  # fmt: skip


def answer(result: str) -> Any:
    def made(seen: Seen) -> Reply:
        name = seen.headers["soapaction"].strip('"').rsplit("/", 1)[1]
        body = (
            '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
            f'<{name}Response xmlns="http://tempuri.org/"><{name}Result>{result}</{name}Result></{name}Response>'
            "</soap:Body></soap:Envelope>"
        )
        return 200, "text/xml; charset=utf-8", body.encode()

    return made


def client(sandbox: Sandbox, token: str = "test-only") -> Any:
    session = Session()
    session.headers["X-XF-Token"] = token
    transport = zeep.Transport(session=session)
    return zeep.Client(f"{sandbox.url}/petition/XfService.asmx?wsdl", transport=transport).service


def test_list_one_file_and_feedback(sandbox: Sandbox) -> None:
    office = client(sandbox)
    sandbox.order(
        "offer",
        "petition",
        rows=[ROW, {**ROW, "BBH": "2", "BLZT": "03"}, {**ROW, "XFJBH": "XF33039920260360005"}],
    )
    window = {"KSSJ": "2026-04-01 09:00:00", "JSSJ": "2026-04-01 09:10:00", "PageIndex": 0, "PageSize": 50}
    listed = json.loads(office.GetXfjList(Jsonstring=json.dumps(window)))
    assert (
        listed["Result"] == "1" and listed["Total"] == "2" and [r["BBH"] for r in listed["Rows"]] == ["2", 1]
    )
    assert json.loads(office.GetXfj(jsonString='{"XFJBH":"XF33039920260360004"}'))["Rows"][0]["BLZT"] == "03"
    file = json.loads(office.GetFj(Jsonstring='{"XFJBH":"XF33039920260360004","WJM":"a.txt"}'))
    assert file["WJNR"] == "YWJj"
    told = {
        "XFJBH": "XF33039920260360004",
        "FKNR": "已受理",
        "FKSJ": "2026-04-01 09:00",
        "FKDW": "瓯栖县司法局",
    }
    for _ in range(2):
        assert json.loads(office.FeedbackXfj(Jsonstring=json.dumps(told))) == {"Result": "1", "Message": ""}
    assert len(sandbox.books("petition", operation="FeedbackXfj")["duplicates"]) == 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("not json", "E01"),
        ('{"XFJBH":"XF33039920260360004","XFJBH":"1"}', "E01"),
        ('{"XFJBH":"XF33039920260360004","FKNR":"x","FKSJ":"2026-04-01 09:00"}', "E02"),
        ('{"XFJBH":"XF33039920260360004","FKNR":"x","FKSJ":"02APR26","FKDW":"d"}', "E04"),
        ('{"XFJBH":"XF33039920260369999","FKNR":"x","FKSJ":"2026-04-01 09:00","FKDW":"d"}', "E03"),
    ],
)
def test_refusals_come_with_http_200(sandbox: Sandbox, text: str, code: str) -> None:
    sandbox.order("offer", "petition", rows=[ROW])
    told = json.loads(client(sandbox).FeedbackXfj(Jsonstring=text))
    assert told["Result"] == "0" and told["Message"].startswith(code)


def test_closed_letters_take_no_feedback_and_errors_may_be_no_json(sandbox: Sandbox) -> None:
    sandbox.order("offer", "petition", rows=[{**ROW, "BLZT": "05"}])
    sandbox.order("offer", "petition", rules={"odd_errors": True})
    told = {"XFJBH": ROW["XFJBH"], "FKNR": "x", "FKSJ": "2026-04-01 09:00", "FKDW": "d"}
    assert client(sandbox).FeedbackXfj(Jsonstring=json.dumps(told)).startswith("Result=0;Message=E06")


def test_token_changes_on_the_first_and_the_old_one_lives_a_day_longer(sandbox: Sandbox) -> None:
    old = client(sandbox)
    sandbox.order("offer", "petition", rows=[ROW])
    sandbox.order("offer", "petition", token={"month": "2026-05", "value": "may"})
    question = '{"XFJBH":"XF33039920260360004"}'
    sandbox.clock("2026-05-01T12:00:00+08:00")
    new = client(sandbox, "may")
    assert json.loads(old.GetXfj(jsonString=question))["Result"] == "1"
    assert json.loads(new.GetXfj(jsonString=question))["Result"] == "1"
    sandbox.clock("2026-05-02T12:00:00+08:00")
    with pytest.raises(zeep.exceptions.TransportError):
        old.GetXfj(jsonString=question)
    assert json.loads(new.GetXfj(jsonString=question))["Result"] == "1"


def test_the_parameter_names_of_the_wsdl_count(sandbox: Sandbox) -> None:
    body = (
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        '<GetXfj xmlns="http://tempuri.org/"><Jsonstring>{}</Jsonstring></GetXfj></soap:Body></soap:Envelope>'
    )
    headers = {
        "X-XF-Token": "test-only",
        "SOAPAction": '"http://tempuri.org/GetXfj"',
        "Content-Type": "text/xml",
    }
    reply = sandbox.http.post("/petition/XfService.asmx", content=body, headers=headers)
    assert reply.status_code == 500 and "jsonString" in reply.text


def test_push_until_result_1_with_other_blanks_and_key_order(sandbox: Sandbox, hub: Listener) -> None:
    hub.answer = answer('{"Result":"0","Message":"E99:忙"}')
    sent = sandbox.order("emit", "petition", operation="AddXfj", json=ROW)
    assert (
        sent["state"] == "PENDING"
        and sent["code"] == "E99"
        and sent["message_id"] == "XF33039920260360004|1|A"
    )
    hub.answer = answer('{"Result":"1","Message":""}')
    sandbox.clock("2026-04-01T09:10:05+08:00")
    sandbox.tick_until(lambda: not sandbox.order("offer", "petition", waiting=True)["deliveries"])
    assert len(hub.seen) == 2 and hub.seen[0].headers["x-xf-token"] == "test-only"
    first, second = (seen.body.decode().split("<Jsonstring>")[1].split("</")[0] for seen in hub.seen)
    assert first != second and json.loads(first) == json.loads(second) == ROW
    assert client(sandbox).GetXfj(jsonString=json.dumps({"XFJBH": ROW["XFJBH"]}))


def test_revoke_closes_and_bad_json_goes_out_as_it_is(sandbox: Sandbox, hub: Listener) -> None:
    hub.answer = answer('{"Result":"1","Message":""}')
    sandbox.order("emit", "petition", operation="AddXfj", json=ROW)
    told = {"XFJBH": ROW["XFJBH"], "CHYY": "信访人撤回", "CHSJ": "2026-04-02 09:30"}
    sandbox.order("emit", "petition", operation="RevokeXfj", json=told)
    found = json.loads(client(sandbox).GetXfj(jsonString=json.dumps({"XFJBH": ROW["XFJBH"]})))
    assert found["Rows"][0]["BLZT"] == "09"
    twice = '{"XFJBH":"1","XFJBH":"2"}'
    sandbox.order("emit", "petition", operation="AddXfj", content=twice)
    assert '"XFJBH":"1","XFJBH":"2"' in hub.seen[-1].body.decode()
    raw = sandbox.order(
        "emit", "petition", operation="AddXfj", raw=True, content="<x", headers={"X-XF-Token": "no"}
    )
    assert (
        raw["verdict"] == "RAW" and hub.seen[-1].body == b"<x" and hub.seen[-1].headers["x-xf-token"] == "no"
    )
