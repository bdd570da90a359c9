"""The procuratorate's client over the wire: results with signed receipts, lists with gaps."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from connectors.procuratorate_wss import client, mapping, names, trust
from connectors.procuratorate_wss.envelope import take_apart
from connectors.procuratorate_wss.freshness import check_user
from foundation.keys import KeyStore
from foundation.wire import Wire
from foundation.wss import registered, verify
from foundation.wss_sign import signed_envelope
from schemas.exchange import ConnectorContext, Known, RawMessage
from schemas.findings import Refused
from tests.connectors.answering_server import Answer, Call, answering
from tests.connectors.jcy_side import EXAMPLES, NOW, change, key_pair, known, payload_of, sign

SOAP_TYPE = {"Content-Type": "application/soap+xml; charset=utf-8"}


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    """The hub's key folder: our pair, their certificate, our password there."""
    store = KeyStore(tmp_path)
    store.make_pair("procuratorate_wss", "hub in a test")
    store.trust("procuratorate_wss", "jcy.crt", key_pair()[1].public_bytes(Encoding.PEM))
    (tmp_path / "procuratorate_wss.hub_password.secret").write_text("ours")
    return store


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def context(keys: KeyStore, url: str = "") -> ConnectorContext:
    return ConnectorContext(url, trust.manifest(), keys, NOW, uuid.uuid4, {})


def their_reply(payload: etree._Element, *, pair: str = "jcy") -> Answer:
    key, certificate = key_pair(pair)
    return 200, SOAP_TYPE, signed_envelope(payload, key=key, certificate=certificate, now=NOW)


def element(name: str, **fields: str) -> etree._Element:
    made = etree.Element(names.collab(name), nsmap={None: names.COLLAB})
    for field, text in fields.items():
        etree.SubElement(made, names.collab(field)).text = text
    return made


RESULT = {
    "native_id": "瓯栖检刑和〔2026〕5008号",
    "outcome": "PERFORMED",
    "amount_fen": 5592701,
    "paid_fen": 5592701,
}


def test_return_result_is_signed_anew_and_its_receipt_checked(keys: KeyStore, wire: Wire) -> None:
    seen: list[bytes] = []

    def answer(call: Call) -> Answer:
        seen.append(call.body)
        assert call.headers["content-type"].endswith(f'action="{names.COLLAB}:ReturnResult"')
        signed = verify(take_apart(call.body), registered([keys.certificate("procuratorate_wss")]))
        check_user(signed, NOW, names.OUTBOUND_USER, ["ours"], lambda _: False)
        digest = signed.body_digest.upper()
        return their_reply(element("Receipt", Code="J0000", ReceiptNo="JR1", Digest=digest))

    with answering(answer) as url:
        told = context(keys, url)
        content = client.build("ReturnResult", RESULT, told)
        results = [client.send(wire, told, "ReturnResult", content) for _ in range(2)]
    assert [(each.outcome, each.code, each.text) for each in results] == [("DELIVERED", "J0000", "JR1")] * 2
    readings = [
        mapping.read(
            RawMessage("procuratorate_wss", "file", "", raw, NOW),
            Known(certificates={"own": (keys.certificate("procuratorate_wss"),)}, profile="production"),
        )
        for raw in seen
    ]
    assert seen[0] != seen[1]
    assert readings[0].compare_digest == readings[1].compare_digest
    assert readings[0].meta["direction"] == "hub->partner"


def fault_of(who: str, code: str) -> Callable[[Call], Answer]:
    raw = (EXAMPLES / "j24_fault_from_jcy.xml").read_text("utf-8")
    raw = raw.replace("s:Sender", f"s:{who}").replace("J0404", code)
    return lambda _: (500 if who == "Receiver" else 400, SOAP_TYPE, raw.encode())


def receipt(code: str, **more: str) -> Callable[[Call], Answer]:
    return lambda _: their_reply(element("Receipt", Code=code, **more))


SENDINGS: list[tuple[Callable[[Call], Answer], str, str]] = [
    (fault_of("Sender", "J0404"), "PERMANENT", "J0404"),
    (fault_of("Receiver", "J0503"), "RETRY", "J0503"),
    (fault_of("Sender", "J0503"), "RETRY", "J0503"),
    (receipt("J0208"), "PERMANENT", "J0208"),
    (receipt("J0503"), "RETRY", "J0503"),
    (receipt("J0000", Digest="00" * 32), "PERMANENT", "DIGEST_MISMATCH"),
    (lambda _: their_reply(element("Receipt", Code="J0000"), pair="other"), "UNKNOWN", "CERT_UNKNOWN"),
    (lambda _: (200, SOAP_TYPE, b"<html/>"), "UNKNOWN", "SCHEMA_VIOLATION"),
    (lambda _: (502, {}, b"bad gateway"), "RETRY", "502"),
]


@pytest.mark.parametrize(("answer", "outcome", "code"), SENDINGS)
def test_outcomes_of_sending(
    keys: KeyStore, wire: Wire, answer: Callable[[Call], Answer], outcome: str, code: str
) -> None:
    with answering(answer) as url:
        told = context(keys, url)
        result = client.send(wire, told, "ReturnResult", client.build("ReturnResult", RESULT, told))
    assert (result.outcome, result.code) == (outcome, code)


def test_nobody_there_is_a_retry(keys: KeyStore, wire: Wire) -> None:
    told = context(keys, "http://127.0.0.1:1")
    assert (
        client.send(wire, told, "ReturnResult", client.build("ReturnResult", RESULT, told)).outcome == "RETRY"
    )
    with pytest.raises(ConnectionError):
        client.pull(wire, told, "messages", "0")


def test_habit_11_performed_needs_the_paid_sum_and_proof(keys: KeyStore) -> None:
    told = context(keys)
    for body, path in (
        ({**RESULT, "paid_fen": None}, "/ReturnResult/PaidAmount"),
        ({**RESULT, "paid_fen": 5592700}, "/ReturnResult/PaidAmount"),
        ({**RESULT, "outcome": "DONE"}, "/ReturnResult/Outcome"),
        ({**RESULT, "native_id": ""}, "/ReturnResult/CaseNo"),
    ):
        with pytest.raises(Refused) as refused:
            client.build("ReturnResult", body, told)
        assert refused.value.findings[0].path == path
    content = client.build("ReturnResult", {**RESULT, "statement_refs": ["SL-1"]}, told).decode()
    assert "PaymentProof" in content
    proof = content.split("Content>")[1].split("<")[0]
    assert "流水：SL-1" in base64.b64decode(proof).decode()
    client.build("ReturnResult", {**RESULT, "outcome": "DEFAULTED", "paid_fen": 100}, told)


def test_sequence_of_ours_rises_and_is_kept(keys: KeyStore) -> None:
    told = context(keys)
    for number in (1, 2):
        assert f"Seq>{number}<".encode() in client.build("ReturnResult", RESULT, told)
    assert told.state["sent_seq"] == 2


def list_reply(items: list[tuple[int, bytes]], last: int, gaps: tuple[int, ...] = ()) -> etree._Element:
    page = element("ListMessagesResponse")
    for seq, raw in items:
        item = etree.SubElement(page, names.collab("Item"))
        told = (
            ("Seq", str(seq)),
            ("MsgId", f"L{seq}"),
            ("Kind", "SubmitCase"),
            ("Envelope", base64.b64encode(raw).decode()),
        )
        for field, text in told:
            etree.SubElement(item, names.collab(field)).text = text
    etree.SubElement(page, names.collab("LastSeq")).text = str(last)
    for gap in gaps:
        etree.SubElement(page, names.collab("Gap")).text = str(gap)
    return page


def test_pull_takes_whole_envelopes_and_passes_over_the_gap(keys: KeyStore, wire: Wire) -> None:
    asked: list[str] = []
    raw = sign(change(payload_of("j01_submit_1.xml"), "Head/MsgId", "L50"))

    def answer(call: Call) -> Answer:
        signed = verify(take_apart(call.body), registered([keys.certificate("procuratorate_wss")]))
        asked.append(signed.payload.findtext(names.collab("SinceSeq")) or "")
        return their_reply(list_reply([(50, raw)], 53, (51, 52)))

    with answering(answer) as url:
        told = context(keys, url)
        pulled = client.pull(wire, told, "messages", "49")
    assert asked == ["49"]
    assert (pulled.next_cursor, pulled.more, len(pulled.messages)) == ("53", False, 1)
    assert told.state["gap"] == [51, 52]
    (message,) = pulled.messages
    assert (message.content, message.operation, message.channel) == (raw, "SubmitCase", "pull")
    # A nonce that came by push before is no replay here: the page itself is signed and fresh.
    reading = mapping.read(message, known(seen_nonce=lambda _: True))
    assert not reading.findings and reading.message_id == "L50"


def test_a_full_page_goes_on_from_its_last_item(keys: KeyStore, wire: Wire) -> None:
    items = [(seq, b"<x/>") for seq in range(1, names.LIST_MAX + 1)]
    with answering(lambda _: their_reply(list_reply(items, 900))) as url:
        pulled = client.pull(wire, context(keys, url), "messages", "")
    assert (pulled.next_cursor, pulled.more) == ("200", True)


def test_a_page_with_a_wrong_signature_is_quarantined_and_the_cursor_stays(
    keys: KeyStore, wire: Wire
) -> None:
    with answering(lambda _: their_reply(list_reply([], 53), pair="other")) as url:
        pulled = client.pull(wire, context(keys, url), "messages", "7")
    assert pulled.next_cursor == "7"
    (message,) = pulled.messages
    assert [each.code for each in mapping.read(message, known()).findings] == ["CERT_UNKNOWN"]


def test_a_fault_instead_of_a_page(keys: KeyStore, wire: Wire) -> None:
    with answering(fault_of("Receiver", "J0503")) as url, pytest.raises(client.Away) as away:
        client.pull(wire, context(keys, url), "messages", "7")
    assert away.value.kind == "busy"


def test_an_inner_envelope_that_does_not_verify_refuses_only_its_item() -> None:
    good = sign(change(payload_of("j01_submit_1.xml"), "Head/MsgId", "L1"))
    bad = sign(change(payload_of("j05_submit_5.xml"), "Head/MsgId", "L2"), pair="other")
    key, certificate = key_pair()
    page = signed_envelope(list_reply([(1, good), (2, bad)], 2), key=key, certificate=certificate, now=NOW)
    reading = mapping.read(RawMessage("procuratorate_wss", "reply", "", page, NOW), known())
    assert not reading.refused and len(reading.records) == 1
    assert [(each.code, each.scope) for each in reading.findings] == [("CERT_UNKNOWN", "row")]
    assert reading.findings[0].path.startswith("/ListMessagesResponse/Item[2]/Envelope/")


def test_what_a_client_is_handed_is_json(keys: KeyStore) -> None:
    told = context(keys)
    client.build("ReturnResult", RESULT, told)
    assert json.loads(json.dumps(told.state)) == told.state
