"""The procuratorate's service: signed receipts and faults, what it will not unpack."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from connectors.procuratorate_wss import mapping, names, service
from connectors.procuratorate_wss.envelope import take_apart
from foundation.keys import KeyStore
from foundation.wss import registered, verify
from schemas.exchange import HttpAnswer, HttpRequest, Outcome
from schemas.findings import Finding, Refused
from tests.connectors.jcy_side import NOW, key_pair, known, payload_of, sign

ACTION = f'application/soap+xml; charset=utf-8; action="{names.COLLAB}:SubmitCase"'


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KeyStore]:
    """The hub's key folder: our pair, their certificate, our password there."""
    store = KeyStore(tmp_path)
    store.make_pair("procuratorate_wss", "hub in a test")
    store.trust("procuratorate_wss", "jcy.crt", key_pair()[1].public_bytes(Encoding.PEM))
    (tmp_path / "procuratorate_wss.hub_password.secret").write_text("ours")
    monkeypatch.setenv("CONCORD_KEY_DIR", str(tmp_path))
    service._keys.cache_clear()
    yield store
    service._keys.cache_clear()


def request(body: bytes, content_type: str = ACTION) -> HttpRequest:
    return HttpRequest("POST", service.PATH, {"content-type": content_type}, body, NOW)


def body_of(answer: HttpAnswer, keys: KeyStore) -> etree._Element:
    """The answer's payload, after its signature by the hub has been verified."""
    signed = verify(take_apart(answer.body), registered([keys.certificate("procuratorate_wss")]))
    return signed.payload


def fault_code(answer: HttpAnswer, keys: KeyStore) -> tuple[str, str, str]:
    fault = body_of(answer, keys)
    value = fault.findtext(f"{names.soap('Code')}/{names.soap('Value')}") or ""
    detail = fault.find(f"{names.soap('Detail')}/{names.collab('ServiceFault')}")
    assert detail is not None
    return value, detail.findtext(names.collab("Code")) or "", detail.findtext(names.collab("Field")) or ""


def test_receipt_is_signed_and_names_the_digest(keys: KeyStore) -> None:
    raw = sign(payload_of("j01_submit_1.xml"))
    (message,) = service.unpack(request(raw), known())
    assert (message.channel, message.operation) == ("push", "SubmitCase")
    reading = mapping.read(message, known())
    outcome = Outcome(reading.message_id, "ACCEPTED", (), "R0000000001", NOW, reading.reply_hint)
    receipts = [
        service.answer([replace(outcome, result=each)], request(raw)) for each in ("ACCEPTED", "DUPLICATE")
    ]
    for answer in receipts:
        receipt = body_of(answer, keys)
        told = {etree.QName(each).localname: each.text for each in receipt}
        assert answer.status == 200
        assert told["Code"] == "J0000" and told["ReceiptNo"] == "R0000000001"
        assert (told["Digest"] or "").lower() == reading.reply_hint["body_digest"]


REFUSALS = [
    (Finding("SAME_ID_OTHER_BYTES", "/SubmitCase/Head/MsgId", "x", "y"), 400, "J0208"),
    (Finding("ID_CHECK_DIGIT", "/SubmitCase/Case/Person[1]/IdNo", "x", "y"), 400, "J0305"),
    (Finding("NOT_FOUND", "/QueryProgress/CaseNo", "x", "y"), 400, "J0404"),
    (Finding("TOO_LARGE", "/", "x", "y"), 413, "J0413"),
    (Finding("RATE_LIMITED", "/", "x", "y"), 503, "J0503"),
    (Finding("UNKNOWN_FIELD", "/", "x", "y"), 400, "J0201"),
    (Finding("SIGNATURE_INVALID", "/Envelope", "x", "y"), 400, "wsse:FailedCheck"),
    (Finding("TIMESTAMP_EXPIRED", "/Envelope", "x", "y"), 400, "wsu:MessageExpired"),
    (Finding("CERT_UNKNOWN", "/Envelope", "x\x01", "y"), 400, "wsse:InvalidSecurityToken"),
]


@pytest.mark.parametrize(("finding", "status", "code"), REFUSALS, ids=lambda each: getattr(each, "code", ""))
def test_faults_have_code_field_and_signature(
    keys: KeyStore, finding: Finding, status: int, code: str
) -> None:
    answer = service.refuse((finding,), request(b""))
    value, told, field = fault_code(answer, keys)
    assert (answer.status, told, field) == (status, code, finding.path)
    assert value == ("s:Receiver" if code == "J0503" else "s:Sender")
    if code == "J0503":
        assert answer.headers["Retry-After"] == "60"


def test_quarantined_is_told_as_j0208(keys: KeyStore) -> None:
    finding = Finding("SAME_ID_OTHER_BYTES", "/SubmitCase/Head/MsgId", "JM1", "other")
    answer = service.answer([Outcome("JM1", "QUARANTINED", (finding,))], request(b""))
    assert fault_code(answer, keys)[1] == "J0208"


def test_progress_answer(keys: KeyStore) -> None:
    hint = {
        "case_no": "瓯栖检民支〔2026〕664号",
        "stage": "MEDIATING",
        "stage_time": "2026-03-02T09:00:00+08:00",
    }
    answer = service.answer([Outcome("Q1", "ACCEPTED", (), "R1", NOW, hint)], request(b""))
    told = {etree.QName(each).localname: each.text for each in body_of(answer, keys)}
    assert told == {"CaseNo": hint["case_no"], "Stage": hint["stage"], "StageTime": hint["stage_time"]}


@pytest.mark.parametrize(
    "content_type",
    ["", "text/xml", "multipart/related; type=\"application/xop+xml\"", "application/soap+xml; charset=gb18030",
     f'application/soap+xml; action="{names.COLLAB}:ReturnResult"', 'application/soap+xml; action="SubmitCase"'],
)  # fmt: skip
def test_other_content_types_are_refused(content_type: str) -> None:
    with pytest.raises(Refused) as refused:
        service.unpack(request(b"<a/>", content_type), known())
    assert refused.value.findings[0].path.startswith("header Content-Type")


def test_an_action_that_names_another_operation_is_refused() -> None:
    content_type = f'application/soap+xml; action="{names.COLLAB}:RevokeCase"'
    (message,) = service.unpack(request(sign(payload_of("j01_submit_1.xml")), content_type), known())
    assert [each.path for each in mapping.read(message, known()).findings] == ["/Envelope/Body"]


def test_wsdl_is_the_published_one() -> None:
    (endpoint,) = service.ENDPOINTS
    assert endpoint.wsdl == (names.CONTRACT / "collab-hub.wsdl").read_bytes()
