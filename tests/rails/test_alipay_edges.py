"""Alipay beyond the examples: exact request bytes, forms of notifies, bound replies, odd bills, serials."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from urllib.parse import parse_qsl, quote

import pytest

from escrow.rails import Advice, Incoming
from escrow.rails.alipay import signing
from schemas.findings import Refused
from schemas.money import Fen
from tests.rails.alipay_side import ONE, QUERY, body_of, business, node, notify_form, signed_reply, trusting
from tests.rails.bench import (
    ALIPAY,
    context,
    contract_certificate,
    example,
    orders,
    sent,
)

# --- requests ------------------------------------------------------------------------------------------------------

STAND_IN = {
    "app_cert_sn": "e452db5c49091461a7e10760bdfc4a9b",
    "alipay_root_cert_sn": "7c92cf1eee8d99cc85f8355a3d6e4b86_d279186428a75016b17e4df5ea43d080",
}


def test_the_storys_request_byte_for_byte():
    """All bytes up to the signature; and the story's signature verifies over our own text."""
    raw = example(ALIPAY, "stories/S08_03_transfer.form")
    ctx = replace(context(ALIPAY, "2026-03-21T10:00:00"), settings=STAND_IN)
    request = ALIPAY.order(ONE, ctx)
    assert request.body.split(b"&sign=")[0] == raw.split(b"&sign=")[0]
    form = dict(parse_qsl(request.body.decode(), strict_parsing=True))
    theirs = dict(parse_qsl(raw.decode(), strict_parsing=True))["sign"]
    assert signing.verify(
        signing.canonical_text(form).encode(), theirs, [contract_certificate("alipay", "app")], ctx.now
    )
    assert (request.method, request.path, request.number) == ("POST", "/gateway.do", ONE.number)


def test_what_is_approved_does_not_hang_on_the_time():
    early, late = context(ALIPAY, "2026-03-21T10:00:00"), context(ALIPAY, "2026-03-22T10:00:00")
    assert ALIPAY.order(ONE, early).document == ALIPAY.order(ONE, late).document
    assert ALIPAY.wrap(ALIPAY.order(ONE, early).document, early).body == ALIPAY.order(ONE, early).body


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"amount": Fen(9)}, "LIMIT_EXCEEDED"),
        ({"amount": Fen(10**12)}, "LIMIT_EXCEEDED"),
        ({"number": "OQ-1"}, "SCHEMA_VIOLATION"),
        ({"number": "O" * 65}, "SCHEMA_VIOLATION"),
        ({"payee_name": ""}, "FIELD_MISSING"),
        ({"payee_account": ""}, "FIELD_MISSING"),
        ({"payee_account_kind": "card"}, "CODE_UNKNOWN"),
        ({"remark": "款" * 201}, "SCHEMA_VIOLATION"),
    ],
)
def test_what_is_not_made(changes, code):
    with pytest.raises(Refused) as caught:
        ALIPAY.order(replace(ONE, **changes), context(ALIPAY))
    assert caught.value.findings[0].code == code


@pytest.mark.parametrize(
    "document", [b"{}", b"[]", b'{"product_code":"OTHER","biz_scene":"DIRECT_TRANSFER"}']
)
def test_another_business_is_not_wrapped(document):
    with pytest.raises(Refused):
        ALIPAY.wrap(document, context(ALIPAY))


def test_query_and_bill_link():
    form = dict(parse_qsl(ALIPAY.ask(ONE, context(ALIPAY)).body.decode()))
    assert form["method"] == "alipay.fund.trans.common.query"
    assert json.loads(form["biz_content"]) == {
        "product_code": "TRANS_ACCOUNT_NO_PWD",
        "biz_scene": "DIRECT_TRANSFER",
        "out_biz_no": ONE.number,
    }
    form = dict(parse_qsl(ALIPAY.bill_link(date(2026, 3, 21), context(ALIPAY)).body.decode()))
    assert json.loads(form["biz_content"]) == {"bill_type": "trade", "bill_date": "2026-03-21"}


# --- notifies ------------------------------------------------------------------------------------------------------

KNOWN = orders(**{ONE.number: sent(ONE.number, 5592701, "2026-03-21T10:00:00")})


def notified(raw: bytes, query: str = "") -> Advice:
    return ALIPAY.verify(Incoming(raw, query=query), trusting(known_order=KNOWN))


def codes(advice: Advice) -> list[tuple[str, str]]:
    return [(finding.code, finding.path) for finding in advice.findings]


@pytest.mark.parametrize("charset", ["utf-8", "GBK", "UTF-8", "gbk"])
def test_both_charsets_with_chinese_text(charset):
    biz = business(status="FAIL", fail_reason="收款账号状态异常")
    advice = notified(body_of(notify_form(biz, charset), charset))
    assert not advice.findings and advice.outcomes[0].reason == "收款账号状态异常"


def test_plus_and_blank_in_the_signature():
    """Habit 6: a + that was not encoded, and one that a relay made a blank of."""
    for seed in range(50):
        form = notify_form(business(), notify_id=f"N{seed}")
        if "+" in form["sign"]:
            break
    head, sign = body_of({**form, "sign": ""}).removesuffix(b"&sign="), form["sign"]
    for written in (quote(sign, safe="+"), quote(sign.replace("+", " "), safe=""), quote(sign, safe="")):
        assert not notified(head + b"&sign=" + written.encode()).findings


def test_relayed_as_a_query_string():
    assert not notified(b"", body_of(notify_form(business())).decode()).findings


@pytest.mark.parametrize(
    ("form", "code"),
    [
        (notify_form(business(), sign=""), ("SIGNATURE_MISSING", "sign")),
        (notify_form(business(), sign="AAAA"), ("SIGNATURE_INVALID", "sign")),
        (notify_form(business(), sign_type="RSA"), ("ALGORITHM_UNSUPPORTED", "sign_type")),
        (notify_form(business(), app_id="2021000000000000"), ("WRONG_RECEIVER", "app_id")),
        (notify_form(business(), notify_id=""), ("SCHEMA_VIOLATION", "notify_id")),
        (notify_form(business(), msg_method="other"), ("CODE_UNKNOWN", "msg_method")),
        (notify_form(business(status="NEW")), ("CODE_UNKNOWN", "biz_content/status")),
        (notify_form(business(out_biz_no=None)), ("SCHEMA_VIOLATION", "biz_content/out_biz_no")),
        (notify_form(business(trans_amount="55927.1")), ("AMOUNT_UNREADABLE", "biz_content/trans_amount")),
        (notify_form(business(trans_amount=55927)), ("SCHEMA_VIOLATION", "biz_content/trans_amount")),
        (notify_form(business(trans_amount="55927.02")), ("AMOUNT_MISMATCH", "biz_content/trans_amount")),
        (notify_form(business(out_biz_no="OTHER")), ("UNKNOWN_ORIGINAL", "biz_content/out_biz_no")),
        (notify_form("not json"), ("JSON_NOT_WELL_FORMED", "biz_content")),
        (notify_form('{"a":1,"a":2}'), ("JSON_DUPLICATE_KEY", "biz_content/a")),
        (notify_form("[]"), ("SCHEMA_VIOLATION", "biz_content")),
    ],
)
def test_notifies_refused(form, code):
    advice = notified(body_of(form))
    assert codes(advice) == [code] and advice.refused
    assert advice.reply and advice.reply.body == (b"success" if code[0] == "AMOUNT_MISMATCH" else b"fail")


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"a=1&a=2", "FORM_DUPLICATE_FIELD"),
        (b"charset=utf-16&a=1", "ENCODING_MISMATCH"),
        (b"a=%ff%fe", "ENCODING_MISMATCH"),
        (b"", "SIGNATURE_MISSING"),
        (b"x=" + b"a" * 300_000, "TOO_LARGE"),
    ],
)
def test_rubbish_is_a_finding(raw, code):
    advice = notified(raw)
    assert [c for c, _ in codes(advice)] == [code] and advice.reply and advice.reply.body == b"fail"


def test_a_repeated_notify_is_the_same_whatever_its_signature():
    first, again = (
        notified(body_of(notify_form(business()))),
        notified(body_of(notify_form(business(), version="1.2"))),
    )
    other = notified(body_of(notify_form(business(pay_date="2026-03-21 10:05:00"))))
    assert first.compare_digest == again.compare_digest != other.compare_digest
    assert first.message_id == "N1"


def test_answers_after_the_cores_verdict():
    advice = notified(body_of(notify_form(business())))
    bodies = {
        r: ALIPAY.answer(advice, r, trusting()).body
        for r in ("ACCEPTED", "DUPLICATE", "QUARANTINED", "UNAVAILABLE", "PARKED")
    }
    assert bodies["ACCEPTED"] == bodies["DUPLICATE"] == bodies["QUARANTINED"] == b"success"
    assert bodies["UNAVAILABLE"] == bodies["PARKED"] == b"fail"


# --- replies -------------------------------------------------------------------------------------------------------


def replied(raw: bytes, operation: str = "order", **more) -> Advice:
    return ALIPAY.verify(Incoming(raw, "reply", operation, ONE.number), trusting(known_order=KNOWN, **more))


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({"status": "SUCCESS"}, "DONE"),
        ({"status": "DEALING"}, "IN_PROCESS"),
        ({"status": "WAIT_PAY"}, "IN_PROCESS"),
        ({"status": "FAIL"}, "REFUSED"),
        ({"status": "CLOSED"}, "REFUSED"),
        ({"status": "SOMETHING"}, "UNKNOWN"),
        ({"code": "10003"}, "IN_PROCESS"),
        ({"code": "20000", "sub_code": "isp.unknow-error"}, "UNKNOWN"),
        ({"code": "40004", "sub_code": "SYSTEM_ERROR"}, "UNKNOWN"),
        ({"code": "40004", "sub_code": "PAYEE_NOT_EXIST"}, "REFUSED"),
        ({"code": "40004", "sub_code": "EXCEED_LIMIT_SM_AMOUNT"}, "REFUSED"),
        ({"code": "40004", "sub_code": "PAYMENT_INFO_INCONSISTENCY"}, "UNKNOWN"),
        ({"code": "40004", "sub_code": "A_NEW_ONE"}, "UNKNOWN"),
        ({"code": "99999"}, "UNKNOWN"),
    ],
)
def test_words_of_the_gateway(told, outcome):
    (one,) = replied(signed_reply(node(**told))).outcomes
    assert one.outcome == outcome


def test_new_keys_in_a_reply_are_no_trouble():
    (one,) = replied(signed_reply(node(status="SUCCESS", new_key="x"))).outcomes
    assert one.outcome == "DONE"


def test_a_refusal_that_names_no_order_is_not_believed():
    """A signed refusal of another call must never make us pay twice."""
    told = {"code": "40004", "sub_code": "PAYEE_NOT_EXIST"}
    advice = replied(signed_reply(told))
    assert codes(advice)[0][0] == "REPLY_MISMATCH" and advice.outcomes[0].outcome == "UNKNOWN"


def test_another_sum_is_not_believed():
    advice = replied(signed_reply(node(status="SUCCESS", trans_amount="1.00"), QUERY), "ask")
    assert (
        codes(advice) == [("AMOUNT_MISMATCH", f"{QUERY}/trans_amount")]
        and advice.outcomes[0].outcome == "UNKNOWN"
    )


def test_the_exact_bytes_are_signed():
    good = signed_reply(node(status="SUCCESS", sub_msg="成功"))
    assert not replied(good).findings
    for altered in (good.replace(b":", b": ", 3), good.replace("成功".encode(), b"\\u6210\\u529f")):
        assert codes(replied(altered))[0][0] == "SIGNATURE_INVALID"
    spaced = good.replace(b'{"alipay_fund', b'{ "alipay_fund', 1).replace(b',"sign"', b' , "sign"')
    assert not replied(spaced).findings


def test_unsigned_and_doubled():
    text = signed_reply(node(status="SUCCESS"))
    assert codes(replied(text.replace(b'"sign":', b'"sing":')))[0][0] == "SIGNATURE_MISSING"
    doubled = text[:-1] + b"," + text[1:]
    assert codes(replied(doubled))[0][0] == "JSON_DUPLICATE_KEY"


def test_a_renewed_certificate_is_a_task():
    advice = replied(signed_reply(node(status="SUCCESS"), serial="0" * 32))
    assert [n.code for n in advice.notes] == ["CERT_UNKNOWN"] and advice.outcomes[0].outcome == "DONE"
    stranger = replied(signed_reply(node(status="SUCCESS"), serial="0" * 32).replace(b"SUCCESS", b"FAILURE"))
    assert [f.code for f in stranger.findings] == ["SIGNATURE_INVALID"]
    assert [n.code for n in stranger.notes] == ["CERT_UNKNOWN"] and stranger.outcomes[0].outcome == "UNKNOWN"


def test_refused_at_the_door_when_asking_says_nothing():
    raw = example(ALIPAY, "p28_transfer_error_response.json")
    assert replied(raw, "ask").outcomes[0].outcome == "UNKNOWN"
    assert replied(raw.replace(b"40002", b"20000")).outcomes[0].outcome == "UNKNOWN"


def test_link_to_the_bill():
    raw = signed_reply(
        {"code": "10000", "bill_download_url": "http://x/bill"},
        "alipay_data_dataservice_bill_downloadurl_query_response",
    )
    advice = ALIPAY.verify(Incoming(raw, "reply", "bill_link"), trusting())
    assert (advice.kind, advice.link) == ("link", "http://x/bill")


def test_story_of_the_system_error():
    """S08: unknown, in process, a hint, done by the rail's word; one number all the way."""
    number = "OQAL202700000009"
    ctx = context(ALIPAY, "2026-03-21T10:05:05", known_order=KNOWN)

    def told(name: str, operation: str = "") -> Advice:
        channel = "reply" if operation else "callback"
        return ALIPAY.verify(
            Incoming(example(ALIPAY, f"stories/S08_{name}"), channel, operation, number), ctx
        )

    assert [o.outcome for o in told("04_system_error.json", "order").outcomes] == ["UNKNOWN"]
    assert [o.outcome for o in told("05_query_dealing.json", "ask").outcomes] == ["IN_PROCESS"]
    hint = told("06_notify.form")
    assert hint.kind == "notice" and hint.ask == (number,) and hint.reply and hint.reply.body == b"success"
    assert [o.outcome for o in told("07_query_success.json", "ask").outcomes] == ["DONE"]
