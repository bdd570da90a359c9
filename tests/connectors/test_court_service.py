"""The court adapter's service: zeep against the served contract, and calls that are wrong."""

from __future__ import annotations

import hashlib

import httpx
import pytest
import zeep

from connectors.court_feed import mapping, service
from schemas.exchange import HttpRequest, Known
from schemas.findings import Refused
from tests.connectors.adapter_server import adapter_server
from tests.connectors.court_side import FILES, LATER, content, notice, push, text


def test_the_served_contract_by_zeep() -> None:
    archive = content("c07")
    told = {
        "sender": "3399",
        "batchNo": "B-1",
        "fileName": FILES[6][4:],
        "md5": hashlib.md5(archive).hexdigest(),
        "sentAt": "20260402010300",
        "content": archive,
    }
    with adapter_server(mapping, service, Known(), LATER) as (url, inbox):
        fy = zeep.Client(f"{url}?wsdl").service
        first, again = fy.ReceiveBatch(**told), fy.ReceiveBatch(**told)
        assert first.code == again.code == "C0000" and first.receiptNo == again.receiptNo == "R0000"
        other = content("c08")
        changed = {**told, "md5": hashlib.md5(other).hexdigest(), "content": other}
        assert fy.ReceiveBatch(**changed).code == "C0207"
        swapped = {**told, "md5": hashlib.md5(content("c28")).hexdigest(), "content": content("c28")}
        assert fy.ReceiveBatch(**swapped).code == "C0201"
        assert fy.ReceiveBatch(**{**told, "md5": "0" * 32}).code == "C0205"
        freeze = fy.ReceiveNotice(sender="3399", noticeId="N1", sentAt="20260409090000", xml=text("c17"))
        assert freeze.code == "C0000"
        quarantined = fy.ReceiveNotice(sender="3399", noticeId="N1", sentAt="20260409090000", xml=text("c18"))
        assert quarantined.code == "C0208"
        rows = fy.ReceiveNotice(sender="3399", noticeId="N2", sentAt="20260409090000", xml=text("c23"))
        path = "/民事案件/案件列表/R[2]/民事案件基本信息/诉讼标的金额"
        assert (rows.code, rows.message) == ("C0000", f"{path}=C0306")
        assert len(inbox.stored) == 8


@pytest.mark.parametrize(
    ("body", "action", "status", "code"),
    [
        (b"<not soap/>", "", 500, "C0201"),
        (b"\xff\xfe<", "", 500, "C0102"),
        (push("B", content("c07")).encode(), "ReceiveNotice", 200, "C0201"),
        (notice("N", text("c12")).encode(), "ReceiveNotice", 200, "C0101"),
        (notice("N", text("c11")).encode(), "ReceiveNotice", 200, "C0305"),
        (push("B", content("c07"), content="@@").encode(), "ReceiveBatch", 200, "C0201"),
        (b"<!DOCTYPE x><x/>", "", 500, "C0101"),
    ],
)
def test_bad_calls_are_answered_with_a_code(body: bytes, action: str, status: int, code: str) -> None:
    with adapter_server(mapping, service, Known(), LATER) as (url, _):
        headers = {"SOAPAction": f'"urn:ouqi-court:receiver:2019#{action}"'} if action else {}
        reply = httpx.post(url, content=body, headers=headers, trust_env=False)
    assert reply.status_code == status and f"<code>{code}</code>" in reply.text


def test_a_caller_from_elsewhere_is_refused() -> None:
    request = HttpRequest("POST", "/", {}, b"", LATER, client_address="192.0.2.7")
    with pytest.raises(Refused) as refused:
        service.unpack(request, Known())
    answer = service.refuse(refused.value.findings, request)
    assert answer.status == 500 and b"soap:Client" in answer.body
