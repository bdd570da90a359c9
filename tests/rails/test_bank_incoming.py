"""What comes in from the bank's link: envelopes and their faults, status words, replies, our answers."""

from __future__ import annotations

import base64
import json
from dataclasses import replace

import pytest

from escrow.rails import Advice, Incoming
from tests.rails.bank_side import document, entry_xml, envelope, receive, statement_xml, trusting
from tests.rails.bench import BANK, BenchKeys, context, example, orders, our_key, self_signed

GOOD = statement_xml(entry_xml("1.00", "CRDT", "R1", "2026-04-10"), "0.00", "1.00")
TYPE = "camt.053.001.08"


def codes(advice: Advice) -> list[tuple[str, str]]:
    return [(finding.code, finding.path) for finding in advice.findings]


def reply(advice: Advice) -> dict:
    assert advice.reply is not None
    return json.loads(advice.reply.body)


def test_a_good_envelope():
    advice = receive(envelope(GOOD, TYPE))
    assert not advice.findings and len(advice.lines) == 1
    told = reply(advice)
    assert told["code"] == "A00000" and told["requestId"] == "OQB00000009001" == advice.message_id


def test_the_same_message_again_is_the_same_whatever_its_wrapping():
    first = receive(envelope(GOOD, TYPE))
    again = receive(envelope(GOOD, TYPE, poss_dup=True))
    other = receive(envelope(GOOD.replace(b"R1", b"R2"), TYPE))
    assert first.compare_digest == again.compare_digest != other.compare_digest


@pytest.mark.parametrize(
    ("changes", "code", "path", "told"),
    [
        ({"requestId": "x"}, "SCHEMA_VIOLATION", "/requestId", "E00201"),
        ({"msgType": "camt.099.001.01"}, "SCHEMA_VIOLATION", "/msgType", "E00201"),
        ({"sentAt": "2026"}, "SCHEMA_VIOLATION", "/sentAt", "E00201"),
        ({"seq": 0}, "SCHEMA_VIOLATION", "/seq", "E00201"),
        ({"seq": True}, "SCHEMA_VIOLATION", "/seq", "E00201"),
        ({"more": 1}, "SCHEMA_VIOLATION", "/more", "E00201"),
        ({"encoding": "UTF-16"}, "SCHEMA_VIOLATION", "/encoding", "E00201"),
        ({"encoding": "GB18030"}, "ENCODING_MISMATCH", "/encoding", "E00201"),
        ({"poss_dup": "yes"}, "SCHEMA_VIOLATION", "/poss_dup", "E00201"),
        ({"signature": {"alg": "x"}}, "SCHEMA_VIOLATION", "/signature", "E00201"),
        ({"payload": "@@"}, "BASE64_INVALID", "/payload", "E00201"),
        ({"payload": 5}, "SCHEMA_VIOLATION", "/payload", "E00201"),
        ({"payload": base64.b64encode(b"<a/>").decode()}, "DIGEST_MISMATCH", "/sha256", "E00205"),
        ({"institution": "OTHER"}, "WRONG_RECEIVER", "/institution", "E00201"),
        ({"sentAt": "20260410090000124"}, "SIGNATURE_INVALID", "/signature/value", "E00301"),
        ({"requestId": "OQB00000009002"}, "SIGNATURE_INVALID", "/signature/value", "E00301"),
        ({"signature": {"alg": "SM2-SM3", "keyId": "k", "value": "v"}}, "ALGORITHM_UNSUPPORTED", "/signature/alg", "E00301"),
        ({"signature": {"alg": "RSA2048-SHA256", "keyId": "NEW", "value": "AA=="}}, "CERT_UNKNOWN", "/signature/keyId", "E00301"),
    ],
)  # fmt: skip
def test_envelopes_refused(changes, code, path, told):
    advice = receive(envelope(GOOD, TYPE, **changes))
    assert codes(advice) == [(code, path)] and advice.refused
    assert reply(advice)["code"] == told and advice.lines == ()


@pytest.mark.parametrize(
    "key", ["requestId", "msgType", "seq", "sha256", "payload", "signature", "institution"]
)
def test_envelopes_with_a_key_left_out(key):
    told = envelope(GOOD, TYPE)
    del told[key]
    assert codes(receive(told)) == [("SCHEMA_VIOLATION", f"/{key}")]


@pytest.mark.parametrize("raw", [b"", b"[]", b"nonsense", b'{"a":1,"a":2}', b"\xff\xfe", b"{" * 500, b'"x"'])
def test_rubbish_is_a_finding(raw):
    advice = BANK.verify(Incoming(raw), context(BANK))
    assert advice.findings and reply(advice)["code"] == "E00201"


XXE = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><Document>&x;</Document>'


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (XXE, "XML_DTD_FORBIDDEN"),
        (b"<a", "XML_NOT_WELL_FORMED"),
        (GOOD.replace(b"<Id>T1</Id>", b""), "SCHEMA_VIOLATION"),
    ],
)
def test_signed_payloads_that_cannot_be_taken(payload, code):
    advice = receive(envelope(payload, TYPE))
    assert [c for c, _ in codes(advice)] == [code] and reply(advice)["code"] == "E00201"


def test_a_wrong_element_is_named_by_its_path():
    advice = receive(envelope(GOOD.replace(b"<Cd>BOOK</Cd>", b"<Bad>BOOK</Bad>"), TYPE))
    assert codes(advice) == [("SCHEMA_VIOLATION", "/BkToCstmrStmt/Stmt/Ntry/Sts/Bad")]


def test_keys_overlap_while_they_rotate():
    old = self_signed("OQNCB-2026-01", our_key(), 30)
    new = self_signed("OQNCB-2026-02", our_key())
    told = json.dumps(envelope(GOOD, TYPE)).encode()
    for trusted, at, good in (
        ([old], "2026-01-20T09:00:00", True),
        ([old], "2026-04-10T09:00:00", False),
        ([old, new], "2026-04-10T09:00:00", True),
        ([], "2026-04-10T09:00:00", False),
    ):
        ctx = replace(context(BANK, at), keys=BenchKeys(bank_direct=trusted))
        assert (not BANK.verify(Incoming(told), ctx).findings) == good


def report_xml(word: str, number: str = "OQ1", yuan: str = "1.00", group: str = "") -> bytes:
    return document(
        "<CstmrPmtStsRpt><GrpHdr><MsgId>R1</MsgId><CreDtTm>2026-04-10T09:00:00</CreDtTm></GrpHdr>"
        f"<OrgnlGrpInfAndSts><OrgnlMsgId>B1</OrgnlMsgId><OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>{group}</OrgnlGrpInfAndSts>"
        f"<OrgnlPmtInfAndSts><OrgnlPmtInfId>B1P1</OrgnlPmtInfId><TxInfAndSts><OrgnlEndToEndId>{number}</OrgnlEndToEndId>"
        f"<TxSts>{word}</TxSts><OrgnlTxRef><Amt><InstdAmt Ccy='CNY'>{yuan}</InstdAmt></Amt></OrgnlTxRef></TxInfAndSts>"
        "</OrgnlPmtInfAndSts></CstmrPmtStsRpt>",
        "pain.002.001.10",
    )


@pytest.mark.parametrize(
    ("word", "outcome"),
    [("ACTC", "ACCEPTED"), ("ACCP", "ACCEPTED"), ("ACSP", "IN_PROCESS"), ("PDNG", "IN_PROCESS"), ("ACSC", "DONE"),
     ("RJCT", "REFUSED"), ("ACWC", "UNKNOWN"), ("RCVD", "UNKNOWN")],
)  # fmt: skip
def test_words_of_a_report(word, outcome):
    advice = receive(envelope(report_xml(word), "pain.002.001.10"))
    assert [o.outcome for o in advice.outcomes] == [outcome]


def test_a_report_about_orders_that_are_not_ours():
    known = orders(OQ1=100)
    other = receive(envelope(report_xml("ACSC", "OQ2"), "pain.002.001.10"), known_order=known)
    assert codes(other)[0][0] == "UNKNOWN_ORIGINAL" and other.outcomes == () and not other.refused
    assert codes(other)[0][1] == "/CstmrPmtStsRpt/OrgnlPmtInfAndSts/TxInfAndSts/OrgnlEndToEndId"
    wrong = receive(envelope(report_xml("ACSC", "OQ1", "1.01"), "pain.002.001.10"), known_order=known)
    assert codes(wrong)[0][0] == "AMOUNT_MISMATCH" and wrong.outcomes == ()
    assert reply(wrong)["code"] == "A00000"


@pytest.mark.parametrize(
    ("group", "outcome"),
    [
        ("", "UNKNOWN"),
        ("<GrpSts>PART</GrpSts>", "UNKNOWN"),
        ("<GrpSts>RJCT</GrpSts><StsRsnInf><Rsn><Cd>AM10</Cd></Rsn></StsRsnInf>", "REFUSED"),
        ("<GrpSts>RJCT</GrpSts><StsRsnInf><Rsn><Cd>DU01</Cd></Rsn></StsRsnInf>", "UNKNOWN"),
        ("<GrpSts>ACSP</GrpSts>", "IN_PROCESS"),
    ],
)
def test_words_of_a_group(group, outcome):
    advice = receive(envelope(report_xml("ACSP", group=group), "pain.002.001.10"))
    assert advice.batch and advice.batch.outcome == outcome


def return_xml(sent_yuan: str, back_yuan: str, message: str = "P1") -> bytes:
    return document(
        f"<PmtRtr><GrpHdr><MsgId>{message}</MsgId><CreDtTm>2026-04-10T09:00:00</CreDtTm><NbOfTxs>1</NbOfTxs>"
        "<SttlmInf><SttlmMtd>CLRG</SttlmMtd></SttlmInf></GrpHdr><TxInf><RtrId>RTR1</RtrId><OrgnlEndToEndId>OQ1</OrgnlEndToEndId>"
        f"<OrgnlIntrBkSttlmAmt Ccy='CNY'>{sent_yuan}</OrgnlIntrBkSttlmAmt><RtrdIntrBkSttlmAmt Ccy='CNY'>{back_yuan}</RtrdIntrBkSttlmAmt>"
        "<RtrRsnInf><Rsn><Cd>AC04</Cd></Rsn></RtrRsnInf></TxInf></PmtRtr>",
        "pacs.004.001.09",
    )


def test_returns_have_one_identity_however_often_they_come():
    first = receive(envelope(return_xml("5.00", "5.00"), "pacs.004.001.09"))
    again = receive(envelope(return_xml("5.00", "5.00", "P2"), "pacs.004.001.09"))
    assert [r.return_id for r in first.returns] == [r.return_id for r in again.returns] == ["RTR1"]


def test_a_smaller_return_is_for_a_person():
    (back,) = receive(envelope(return_xml("5.00", "4.90"), "pacs.004.001.09")).returns
    assert back.short and back.amount == 490 and back.original_amount == 500


def cancel_xml(word: str, overall: str) -> bytes:
    def party(name: str) -> str:
        return f"<{name}><Pty><Nm>x</Nm></Pty></{name}>"

    return document(
        f"<RsltnOfInvstgtn><Assgnmt><Id>A1</Id>{party('Assgnr')}{party('Assgne')}<CreDtTm>2026-04-10T09:00:00</CreDtTm></Assgnmt>"
        f"<Sts><Conf>{overall}</Conf></Sts><CxlDtls><OrgnlPmtInfAndSts><OrgnlPmtInfId>B1P1</OrgnlPmtInfId><TxInfAndSts>"
        f"<OrgnlEndToEndId>OQ1</OrgnlEndToEndId><TxCxlSts>{word}</TxCxlSts></TxInfAndSts></OrgnlPmtInfAndSts></CxlDtls></RsltnOfInvstgtn>",
        "camt.029.001.10",
    )


@pytest.mark.parametrize(
    ("word", "overall", "answer", "ask"),
    [
        ("ACCR", "CNCL", "CANCELLED", ("OQ1",)),
        ("RJCR", "RJCR", "REFUSED", ()),
        ("PDCR", "PDCR", "PENDING", ("OQ1",)),
    ],
)
def test_answers_to_a_cancellation(word, overall, answer, ask):
    advice = receive(envelope(cancel_xml(word, overall), "camt.029.001.10"))
    assert advice.kind == "cancel_answer" and [c.answer for c in advice.cancels] == [answer]
    assert advice.ask == ask and advice.outcomes == ()


def test_our_own_messages_are_not_the_banks():
    raw = example(BANK, "b01_pain001_batch.xml")
    assert codes(receive(envelope(raw, "pain.001.001.09"))) == [("SCHEMA_VIOLATION", "/Document")]


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ("ACCEPTED", "A00000"),
        ("DUPLICATE", "A00000"),
        ("PARKED", "A00000"),
        ("QUARANTINED", "E00208"),
        ("UNAVAILABLE", "E00503"),
    ],
)
def test_our_answers(result, code):
    advice = receive(envelope(GOOD, TYPE))
    assert json.loads(BANK.answer(advice, result, trusting()).body)["code"] == code
