"""The court's stand-in on the wire: tickets, cursor, re-offering, list, pushes and their re-delivery."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from datetime import datetime
from typing import Any

import pytest
import zeep
from lxml import etree

from tests.sandbox.conftest import Listener, Reply, Sandbox, Seen

EXAMPLES = "connectors/court_feed/examples"
RECEIVER = "urn:ouqi-court:receiver:2019"


def prelitigation(batch: str = "T1", mark: str = "339920269804007904", amount: str = "108852.00") -> str:
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<resource xmlns="http://dataexchange.court.gov.cn/2009/data"><brief><count>1</count>'
        f"<batch>{batch}</batch></brief><data><T_SQTJ_AJ><C_BH>Q{mark}</C_BH><C_AJBS>{mark}</C_AJBS>"
        "<C_AH>(2026)浙0399民诉前调1803号</C_AH><C_AJLB>9901</C_AJLB><C_FYBH>3399</C_FYBH><DT_LARQ>2026-03-13</DT_LARQ>"
        f"<C_LAAYMC>民间借贷纠纷</C_LAAYMC><N_SJBDJE>{amount}</N_SJBDJE><C_AJZT>调解中</C_AJZT>"
        "<C_YGMC>郑涛涛</C_YGMC><C_BGMC>叶英晓</C_BGMC><DT_CREATETIME>2026-03-12 18:03:07</DT_CREATETIME>"
        "<DT_UPDATETIME>2026-03-12 18:03:07</DT_UPDATETIME></T_SQTJ_AJ></data></resource>"
    )


def receiver_answer(code: str = "C0000", receipt: str = "R1") -> Any:
    def answer(seen: Seen) -> Reply:
        operation = seen.headers["soapaction"].strip('"').split("#")[1]
        body = (
            '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
            f'<{operation}Response xmlns="{RECEIVER}"><code>{code}</code><receiptNo>{receipt}</receiptNo>'
            f"</{operation}Response></soap:Body></soap:Envelope>"
        )
        return 200, "text/xml; charset=utf-8", body.encode()

    return answer


@pytest.fixture
def court(sandbox: Sandbox) -> Any:
    """zeep's client of the served WSDL: an independent reader of the contract."""
    return zeep.Client(f"{sandbox.url}/court/exchange?wsdl").service


def login(court: Any) -> str:
    reply = court.Login(user="oqhub", passwordMd5=hashlib.md5(b"test-only").hexdigest())
    assert reply.code == "C0000"
    return str(reply.ticket)


def test_second_login_kills_the_first_ticket_and_tickets_live_30_minutes(
    sandbox: Sandbox, court: Any
) -> None:
    assert court.Login(user="oqhub", passwordMd5="0" * 32).code == "C9001"
    first, second = login(court), login(court)
    with pytest.raises(zeep.exceptions.Fault) as dead:
        court.PullBatch(ticket=first, kind="AJXX")
    assert "C9003" in etree.tostring(dead.value.detail).decode()
    assert court.PullBatch(ticket=second, kind="AJXX").code == "C0000"
    sandbox.clock("2026-04-01T09:31:00+08:00")
    with pytest.raises(zeep.exceptions.Fault):
        court.PullBatch(ticket=second, kind="AJXX")


def test_files_are_offered_again_until_acknowledged(sandbox: Sandbox, court: Any) -> None:
    for number in range(3):
        sandbox.order("offer", "court", content=prelitigation(f"B{number}", f"33992026980400790{number}"))
    ticket = login(court)
    first = court.PullBatch(ticket=ticket, kind="SQTJ", cursor="", maxFiles=2)
    assert len(first.file) == 2 and first.more is True
    assert hashlib.md5(first.file[0].content).hexdigest() == first.file[0].md5
    with zipfile.ZipFile(io.BytesIO(first.file[0].content)) as archive:
        assert archive.namelist() == ["SQTJ_0001.xml"]
    court.AckBatch(ticket=ticket, fileName=first.file[0].fileName, result="0")
    again = court.PullBatch(ticket=ticket, kind="SQTJ", cursor=first.nextCursor, maxFiles=5)
    names = [each.fileName for each in again.file]
    assert len(names) == 2 and first.file[1].fileName in names and first.file[0].fileName not in names
    for name in names:
        court.AckBatch(ticket=ticket, fileName=name, result="0")
    empty = court.PullBatch(ticket=ticket, kind="SQTJ", cursor=again.nextCursor)
    assert empty.nextCursor == again.nextCursor and not empty.file
    assert court.AckBatch(ticket=ticket, fileName="no-such.zip", result="0").code == "C0404"


def test_rejected_file_comes_once_more_the_next_day_and_old_ones_are_dropped(
    sandbox: Sandbox, court: Any
) -> None:
    sandbox.order("offer", "court", content=prelitigation())
    ticket = login(court)
    name = court.PullBatch(ticket=ticket, kind="SQTJ").file[0].fileName
    court.AckBatch(ticket=ticket, fileName=name, result="1")
    assert not court.PullBatch(ticket=ticket, kind="SQTJ").file
    sandbox.clock("2026-04-02T00:10:00+08:00")
    ticket = login(court)
    assert court.PullBatch(ticket=ticket, kind="SQTJ").file[0].fileName == name
    sandbox.order("offer", "court", content=prelitigation("B9"))
    sandbox.clock("2026-04-10T00:10:00+08:00")
    assert not [f for f in court.PullBatch(ticket=login(court), kind="SQTJ").file if "B9" in f.fileName]


def test_result_is_kept_once_and_judged(sandbox: Sandbox, court: Any) -> None:
    sandbox.order("offer", "court", content=prelitigation())
    ticket = login(court)
    told = {
        "requestId": "R-1",
        "caseMark": "339920269804007904",
        "resultCode": "02",
        "resultDate": "2026-04-10",
    }
    told["organisation"] = "瓯栖县江蓠镇人民调解委员会"
    first = court.SubmitMediationResult(ticket=ticket, **told)
    second = court.SubmitMediationResult(ticket=login(court), **told)
    assert first.code == second.code == "C0000" and first.receiptNo == second.receiptNo
    assert court.SubmitMediationResult(ticket=login(court), **{**told, "amount": "1.00"}).code == "C0208"
    books = sandbox.books("court", operation="SubmitMediationResult")
    assert [(each["request_id"], each["differs"]) for each in books["duplicates"]] == [
        ("R-1", False),
        ("R-1", True),
    ]
    other = court.SubmitMediationResult(ticket=login(court), **{**told, "requestId": "R-2", "amount": "5.00"})
    assert other.code == "C0000"
    last = sandbox.books("court", operation="SubmitMediationResult")["entries"][-1]
    assert last["findings"][0]["code"] == "CONCESSION_DISCLOSED"
    bad = court.SubmitMediationResult(ticket=login(court), **{**told, "requestId": "R-3", "amount": "-1"})
    assert bad.code == "C0306"


def test_query_case_knows_what_was_sent(sandbox: Sandbox, court: Any) -> None:
    ticket = login(court)
    assert court.QueryCase(ticket=ticket, caseMark="339920269804007904").code == "C0404"
    sandbox.order("offer", "court", content=prelitigation())
    found = court.QueryCase(ticket=ticket, caseMark="339920269804007904")
    assert found.code == "C0000" and "郑涛涛" in found.xml


def test_wrong_envelopes_are_refused_with_a_fault(sandbox: Sandbox) -> None:
    headers = {"Content-Type": "text/xml", "SOAPAction": '"urn:ouqi-court:exchange:2019#Login"'}
    envelope = '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>{}</soap:Body></soap:Envelope>'
    bodies = [
        "<!DOCTYPE x []>" + envelope.format('<Login xmlns="urn:ouqi-court:exchange:2019"/>'),
        envelope.format('<Login xmlns="urn:ouqi-court:exchange:2019"><user>a</user></Login>'),
        envelope.format('<PullBatch xmlns="urn:ouqi-court:exchange:2019"><ticket/><kind/></PullBatch>'),
        "no xml",
    ]
    for body in bodies:
        reply = sandbox.http.post("/court/exchange", content=body.encode(), headers=headers)
        assert reply.status_code == 500 and b"soap:Client" in reply.content, body
    assert all(each["verdict"].startswith("REFUSED") for each in sandbox.books("court")["entries"])


def test_list_pages_and_habits(sandbox: Sandbox) -> None:
    rows = [
        {"rnum": n, "ajbs": f"33992026990100{n:04d}", "ah": f"(2026)浙0399民诉前调{n}号", "ajlb": "9901"}
        for n in range(5)
    ]
    sandbox.order("offer", "court", list_rows=rows)
    page = sandbox.http.get("/court/cdfb", params={"token": "test-only", "pageSize": 2, "pageNum": 1}).json()
    assert page["code"] == 200 and page["content"]["pageNum:"] == 1 and len(page["content"]["list"]) == 2
    second = sandbox.http.get(
        "/court/cdfb", params={"token": "test-only", "pageSize": 2, "pageNum": 2}
    ).json()
    assert second["content"]["pageNum"] == 2
    later = {"token": "test-only", "gxsj": "20260401235959"}
    assert sandbox.http.get("/court/cdfb", params=later).json()["content"]["list"] == []
    assert sandbox.http.get("/court/cdfb", params={"token": "x"}).json()["code"] == 401
    assert "not as the contract" in sandbox.refused("offer", "court", list_rows=[{"rnum": "one"}])


def test_batch_push_is_the_same_again_and_redelivered_at_the_full_hour(
    sandbox: Sandbox, hub: Listener
) -> None:
    hub.answer = lambda _: (503, "text/plain", b"busy")
    first = sandbox.order("emit", "court", operation="ReceiveBatch", kind="SQTJ", content=prelitigation())
    assert first["state"] == "PENDING" and first["message_id"] == "T1"
    sandbox.http.post("/control/tick")
    assert len(hub.seen) == 1
    hub.answer = receiver_answer()
    sandbox.clock("2026-04-01T10:00:01+08:00")
    sandbox.tick_until(lambda: len(hub.seen) == 2)
    assert hub.seen[0].body == hub.seen[1].body
    sandbox.tick_until(lambda: not sandbox.order("offer", "court", waiting=True)["deliveries"])
    again = sandbox.order("emit", "court", kind="SQTJ", content=prelitigation())
    assert again["state"] == "DONE" and hub.seen[2].body == hub.seen[0].body
    root = etree.fromstring(hub.seen[0].body)
    told = {etree.QName(each).localname: each.text for each in root[0][0]}
    content = base64.b64decode(told["content"])
    assert told["md5"] == hashlib.md5(content).hexdigest() and told["fileName"].startswith(
        "SQTJ_export_20260311000000_"
    )
    hub.answer = receiver_answer(receipt="R2")
    changed = sandbox.order("emit", "court", kind="SQTJ", content=prelitigation())
    assert changed["findings"][0]["code"] == "RECEIPT_CHANGED"
    other = sandbox.order("emit", "court", kind="SQTJ", content=prelitigation(amount="1.00"))
    assert other["message_id"] == "T1" and not other["findings"]


def test_notice_is_repeated_every_minute_for_half_an_hour(sandbox: Sandbox, hub: Listener) -> None:
    hub.answer = lambda _: (503, "text/plain", b"")
    notice = "<协助执行 xmlns='http://dataexchange.court.gov.cn/2009/data'><协助执行记录><R><编号>F1</编号></R></协助执行记录></协助执行>"
    sent = sandbox.order("emit", "court", content=notice)
    due = datetime.fromisoformat("2026-04-01T09:01:00+08:00").timestamp()
    assert sent["message_id"] == "F1" and sent["next_at"] == pytest.approx(due, abs=5)
    assert b"ReceiveNotice" in hub.seen[0].body
    sandbox.clock("2026-04-01T09:31:30+08:00")
    sandbox.tick_until(lambda: not sandbox.order("offer", "court", waiting=True)["deliveries"])
    assert len(hub.seen) == 2


def test_final_codes_are_not_repeated(sandbox: Sandbox, hub: Listener) -> None:
    hub.answer = receiver_answer("C0208", "")
    assert sandbox.order("emit", "court", content=prelitigation())["state"] == "FINAL"
    hub.answer = receiver_answer("C0205", "")
    assert sandbox.order("emit", "court", content=prelitigation("T2"))["state"] == "PENDING"
