"""The procuratorate's stand-in on the wire: its signatures are read, and its reading tested, by other code than its own."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from lxml import etree
from zeep.exceptions import SignatureVerificationFailed
from zeep.wsse.signature import _make_verify_key, _verify_envelope_with_key

from sandbox.certificates import name_of, pem_of, rsa_key, self_signed
from sandbox.procuratorate.messages import NS
from sandbox.procuratorate.verifier import Verifier
from sandbox.procuratorate.wss import Signer, WssTrouble, body_digest, canonical
from sandbox.soap import SOAP12, element, parse_xml
from tests.sandbox.conftest import Listener, Reply, Sandbox, Seen

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "connectors/procuratorate_wss/examples"
PACK_CERTIFICATE = Path(__file__).parent / "data/jcy.test.crt"
PACK_TIME = datetime(2026, 3, 2, 1, 0, 10, tzinfo=UTC)


@pytest.fixture
def hub_signer(sandbox: Sandbox) -> Signer:
    home = sandbox.var / "hub"
    key = rsa_key(home / "hub.key")
    certificate = self_signed(home / "hub.crt", key, name_of("hub", "test", "test"))
    sandbox.order("offer", "procuratorate", trust_certificate=pem_of(certificate).decode())
    return Signer(key, certificate, "hub", "test-only")


def result(number: str = "H1", outcome: str = "AGREED", **more: str) -> etree._Element:
    root = element(NS, "ReturnResult", [])
    head = etree.SubElement(root, f"{{{NS}}}Head")
    for name, text in (
        ("MsgId", number),
        ("Seq", "1"),
        ("SendOrg", "OQHUB"),
        ("SendTime", "2026-04-01T09:00:00+08:00"),
    ):
        etree.SubElement(head, f"{{{NS}}}{name}").text = text
    told = {"CaseNo": "瓯栖检刑和〔2026〕5008号", "Outcome": outcome, "OutcomeDate": "2026-04-01", **more}
    for name, text in told.items():
        etree.SubElement(root, f"{{{NS}}}{name}").text = text
    return root


def case(number: str = "SCJ08", seq: int = 9002) -> str:
    return (
        f'<SubmitCase xmlns="{NS}"><Head><MsgId>{number}</MsgId><Seq>{seq}</Seq><SendOrg>330399J</SendOrg>'
        "<SendTime>2026-03-10T09:00:00+08:00</SendTime></Head><Case><CaseNo>瓯栖检刑和〔2026〕5008号</CaseNo>"
        "<BizType>XSHJ</BizType><Facts>x</Facts><AcceptDate>2026-03-09</AcceptDate><Deadline>2026-04-08</Deadline>"
        "<Sealed>false</Sealed><Handler>a</Handler><Person><Role>BHR</Role><Name>周秀军</Name><IdType>01</IdType></Person>"
        "<Person><Role>FZXYR</Role><Name>项鑫㛃</Name><IdType>01</IdType></Person></Case></SubmitCase>"
    )


def post(sandbox: Sandbox, signer: Signer, payload: etree._Element, **how: Any) -> Any:
    now = datetime.fromisoformat(sandbox.http.get("/control/clock").json()["at"])
    body = signer.sign(payload, now, **how)
    return sandbox.http.post(
        "/procuratorate/collab", content=body, headers={"Content-Type": "application/soap+xml"}
    )


def test_reads_the_published_examples_as_their_side_files_say() -> None:
    certificate = x509.load_pem_x509_certificate(PACK_CERTIFICATE.read_bytes())
    seen: set[str] = set()

    def twice(nonce: str) -> bool:
        return nonce in seen or bool(seen.add(nonce))

    verifier = Verifier([certificate], PACK_TIME, ("jcy330399", "test-only"), twice)
    words = {
        "j13": "SIGNATURE_INVALID",
        "j14": "TIMESTAMP_EXPIRED",
        "j16": "SIGNATURE_MISSING",
        "j17": "CERT_UNKNOWN",
    }
    for path in sorted(EXAMPLES.glob("j*.xml")):
        name, root = path.name[:3], parse_xml(path.read_bytes())
        if name in ("j15", "j24"):
            continue
        if name in words:
            with pytest.raises(WssTrouble) as trouble:
                verifier.check(root)
            assert trouble.value.word == words[name]
        else:
            verifier.check(root)
    replayed = parse_xml((EXAMPLES / "j01_submit_1.xml").read_bytes())
    with pytest.raises(WssTrouble, match="AfXN"):
        verifier.check(replayed)


def test_a_signature_over_another_part_than_the_one_read_is_refused() -> None:
    certificate = x509.load_pem_x509_certificate(PACK_CERTIFICATE.read_bytes())
    root = parse_xml((EXAMPLES / "j01_submit_1.xml").read_bytes())
    body = root.find(f"{{{SOAP12}}}Body")
    assert body is not None
    wrapper = etree.SubElement(root[0], "Wrapper")
    wrapper.append(body)
    forged = etree.SubElement(root, f"{{{SOAP12}}}Body")
    forged.append(etree.fromstring(case()))
    verifier = Verifier([certificate], PACK_TIME, ("jcy330399", "test-only"), lambda _: False)
    with pytest.raises(WssTrouble, match="not signed"):
        verifier.check(root)


def test_result_is_taken_once_and_answered_signed(sandbox: Sandbox, hub_signer: Signer) -> None:
    sandbox.order("offer", "procuratorate", content=case())
    first, second = post(sandbox, hub_signer, result()), post(sandbox, hub_signer, result())
    assert first.status_code == second.status_code == 200
    root = etree.fromstring(first.content)
    ours = sandbox.order("offer", "procuratorate", certificate=True)["pem"]
    _verify_envelope_with_key(root, _make_verify_key(ours.encode()))
    receipts = [etree.fromstring(each.content).findtext(f".//{{{NS}}}ReceiptNo") for each in (first, second)]
    assert receipts[0] and receipts[0] == receipts[1]
    assert root.findtext(f".//{{{NS}}}Digest") == body_digest(
        etree.fromstring(hub_signer.sign(result(), PACK_TIME))
    )
    other = post(sandbox, hub_signer, result(outcome="FAILED"))
    assert other.status_code == 400 and b"J0208" in other.content and b"Sender" in other.content
    twice = sandbox.books("procuratorate", operation="ReturnResult")["duplicates"]
    assert [each["differs"] for each in twice] == [False, True]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (result("A", CaseNo="瓯栖检刑和〔2026〕1号"), "J0404"),
        (result("B", "PERFORMED", Amount="10.00"), "J0201"),
        (result("C", "PERFORMED", Amount="10.00", PaidAmount="9.99"), "J0201"),
        (result("D", "DONE"), "J0201"),
        (result("E", Amount="1.001"), "J0201"),
        (result("F", Amount="-1"), "J0201"),
    ],
)
def test_refuses_by_the_contract(
    sandbox: Sandbox, hub_signer: Signer, payload: etree._Element, code: str
) -> None:
    sandbox.order("offer", "procuratorate", content=case())
    assert code in post(sandbox, hub_signer, payload).text


def test_security_of_the_hub_is_checked(sandbox: Sandbox, hub_signer: Signer) -> None:
    sandbox.order("offer", "procuratorate", content=case())
    assert "wsse:FailedCheck" in post(sandbox, hub_signer, result(), broken=True).text
    assert "wsse:InvalidSecurity" in post(sandbox, hub_signer, result(), with_user=False).text
    stranger = Signer(
        hub_signer.key,
        self_signed(sandbox.var / "x.crt", hub_signer.key, name_of("x", "x", "x")),
        "hub",
        "test-only",
    )
    assert "wsse:InvalidSecurityToken" in post(sandbox, stranger, result()).text
    wrong = Signer(hub_signer.key, hub_signer.certificate, "hub", "other")
    assert "wsse:FailedAuthentication" in post(sandbox, wrong, result()).text
    old = hub_signer.sign(result(), datetime(2026, 4, 1, 0, 50, tzinfo=UTC))
    assert "wsu:MessageExpired" in sandbox.http.post("/procuratorate/collab", content=old).text
    assert all(each["findings"] for each in sandbox.books("procuratorate")["entries"])


def test_list_with_gaps_holds_signed_envelopes(sandbox: Sandbox, hub_signer: Signer) -> None:
    sandbox.order("offer", "procuratorate", content=case("M1", 50))
    sandbox.order("offer", "procuratorate", content=case("M2", 53), gap=[51, 52])
    question = element(NS, "ListMessages", [("SinceSeq", "49"), ("Max", "200")])
    reply = etree.fromstring(post(sandbox, hub_signer, question).content)
    assert [each.text for each in reply.iter(f"{{{NS}}}Gap")] == ["51", "52"]
    assert reply.findtext(f".//{{{NS}}}LastSeq") == "53"
    ours = sandbox.order("offer", "procuratorate", certificate=True)["pem"]
    items = [base64.b64decode(each.text or "") for each in reply.iter(f"{{{NS}}}Envelope")]
    assert len(items) == 2
    for item in items:
        _verify_envelope_with_key(etree.fromstring(item), _make_verify_key(ours.encode()))
    again = etree.fromstring(
        post(sandbox, hub_signer, element(NS, "ListMessages", [("SinceSeq", "53")])).content
    )
    assert not list(again.iter(f"{{{NS}}}Item")) and again.findtext(f".//{{{NS}}}LastSeq") == "53"


def receipt_for(signer: Signer, sandbox: Sandbox, **how: Any) -> Any:
    def answer(seen: Seen) -> Reply:
        body = etree.fromstring(seen.body).find(f"{{{SOAP12}}}Body")
        digest = hashlib.sha256(canonical(body)).hexdigest().upper()  # type: ignore[arg-type]
        fields = [("Code", "J0000"), ("ReceiptNo", "R1"), ("Digest", how.get("digest", digest))]
        now = datetime.fromisoformat(sandbox.http.get("/control/clock").json()["at"])
        reply = signer.sign(
            element(NS, "Receipt", fields), now, with_user=False, broken=how.get("broken", False)
        )
        return 200, "application/soap+xml", reply

    return answer


def test_push_is_signed_afresh_until_a_proved_receipt(
    sandbox: Sandbox, hub: Listener, hub_signer: Signer
) -> None:
    hub.answer = receipt_for(hub_signer, sandbox, broken=True)
    whole = (EXAMPLES / "j01_submit_1.xml").read_text("utf-8")
    sent = sandbox.order("emit", "procuratorate", content=whole)
    assert sent["state"] == "PENDING" and sent["code"] == "UNPROVED" and sent["message_id"] == "JM00000"
    hub.answer = receipt_for(hub_signer, sandbox)
    sandbox.clock("2026-04-01T09:01:05+08:00")
    sandbox.tick_until(lambda: not sandbox.order("offer", "procuratorate", waiting=True)["deliveries"])
    ours = sandbox.order("offer", "procuratorate", certificate=True)["pem"]
    first, second = (etree.fromstring(seen.body) for seen in hub.seen)
    _verify_envelope_with_key(second, _make_verify_key(ours.encode()))
    assert body_digest(first) == body_digest(second) == body_digest(parse_xml(whole.encode()))
    assert hub.seen[0].body != hub.seen[1].body and "action=" in hub.seen[0].headers["content-type"]
    hub.answer = receipt_for(hub_signer, sandbox, digest="00")
    noted = sandbox.order("emit", "procuratorate", content=whole)
    assert noted["findings"][0]["code"] == "DIGEST_MISMATCH"


def test_wrong_signature_and_sender_fault(sandbox: Sandbox, hub: Listener, hub_signer: Signer) -> None:
    fault = b'<s:Envelope xmlns:s="%s"><s:Body><s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code></s:Fault></s:Body></s:Envelope>'
    hub.answer = lambda _: (400, "application/soap+xml", fault % SOAP12.encode())
    sandbox.order("faults", "procuratorate", kind="wrong_signature", direction="push")
    sent = sandbox.order("emit", "procuratorate", content=case())
    assert sent["state"] == "FINAL" and sent["findings"][0]["code"] == "SIGNATURE_MISSING"
    ours = sandbox.order("offer", "procuratorate", certificate=True)["pem"]
    with pytest.raises(SignatureVerificationFailed):
        _verify_envelope_with_key(etree.fromstring(hub.seen[0].body), _make_verify_key(ours.encode()))
