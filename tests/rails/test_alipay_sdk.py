"""Against the vendor's SDK: the same canonical text and the same signature; and its faults are not ours."""

from __future__ import annotations

import base64
import json
from urllib.parse import parse_qsl

import pytest
from alipay.aop.api.domain.AlipayFundTransUniTransferModel import AlipayFundTransUniTransferModel
from alipay.aop.api.request.AlipayFundTransUniTransferRequest import AlipayFundTransUniTransferRequest
from alipay.aop.api.util import SignatureUtils
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.rails import Incoming
from escrow.rails.alipay import signing
from tests.rails.alipay_side import ONE, node, signed_reply, trusting
from tests.rails.bench import ALIPAY, context, our_key

WORDS = st.text(alphabet="王李张古丽娜尔·买提〔〕 abcXYZ019&=+%/\"'", min_size=1, max_size=16)


def sdk_key() -> str:
    pem = our_key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return "".join(pem.decode().splitlines()[1:-1])


@settings(max_examples=1000, deadline=None)
@given(
    st.dictionaries(st.text("abcdefghijklmnop_", min_size=1, max_size=12), WORDS, min_size=1, max_size=6),
    st.fixed_dictionaries(
        {"out_biz_no": WORDS, "trans_amount": WORDS, "remark": WORDS, "order_title": WORDS}
    ),
)
def test_canonical_text_equals_the_sdks(extra, business):
    """A thousand random requests: the SDK's own sign string is ours, character by character."""
    model = AlipayFundTransUniTransferModel()
    for key, value in business.items():
        setattr(model, key, value)
    request = AlipayFundTransUniTransferRequest(biz_model=model)
    request.udf_params = {key: value for key, value in extra.items() if key != "sign"}
    params = request.get_params()
    assert SignatureUtils.get_sign_content(params) == signing.canonical_text(params)


@pytest.mark.parametrize(
    "text", ["a=1&b=2", 'biz_content={"x":"瓯栖调〔2026〕"}&method=m', "x=" + "长" * 500]
)
def test_signature_equals_the_sdks(text):
    assert SignatureUtils.sign_with_rsa2(sdk_key(), text, "utf-8") == signing.sign(text, our_key())


def test_business_fields_are_those_of_the_sdks_model():
    request = ALIPAY.order(ONE, context(ALIPAY))
    content = json.loads(dict(parse_qsl(request.body.decode()))["biz_content"])
    model = AlipayFundTransUniTransferModel.from_alipay_dict(content)
    assert model.to_alipay_dict() == content


@pytest.mark.parametrize("digest", [hashes.MD5(), hashes.SHA1(), hashes.SHA224(), hashes.SHA512()])
def test_replies_signed_with_another_digest_are_refused(digest):
    """Fault 2 of the SDK: it takes MD5, SHA-1 and SHA-224 as RSA2."""
    text = json.dumps(node(status="SUCCESS"), separators=(",", ":"))
    value = base64.b64encode(our_key().sign(text.encode(), padding.PKCS1v15(), digest)).decode()
    raw = f'{{"alipay_fund_trans_uni_transfer_response":{text},"sign":"{value}"}}'.encode()
    advice = ALIPAY.verify(Incoming(raw, "reply", "order", ONE.number), trusting())
    assert [f.code for f in advice.findings] == ["SIGNATURE_INVALID"]
    assert advice.outcomes[0].outcome == "UNKNOWN"


def test_a_signed_reply_to_another_call_is_refused():
    """Fault 3: the SDK does not bind a reply to its method."""
    raw = signed_reply(node(status="SUCCESS"), "alipay_fund_trans_common_query_response")
    advice = ALIPAY.verify(Incoming(raw, "reply", "order", ONE.number), trusting())
    assert [f.code for f in advice.findings] == ["REPLY_MISMATCH"] and advice.outcomes[0].outcome == "UNKNOWN"


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({}, "UNKNOWN"),
        ({"code": "20000"}, "UNKNOWN"),
        ({"code": "10003"}, "IN_PROCESS"),
        ({"code": "10000"}, "UNKNOWN"),
    ],
)
def test_success_is_not_taken_for_granted(told, outcome):
    """Fault 4: is_success() is true for an empty reply, for 20000 and for 10003."""
    raw = signed_reply({**told, "out_biz_no": ONE.number})
    advice = ALIPAY.verify(Incoming(raw, "reply", "order", ONE.number), trusting())
    assert advice.outcomes[0].outcome == outcome


@pytest.mark.parametrize("status", [301, 404, 500, 502, 504])
def test_any_http_status_is_answered_for(status):
    """Fault 6: any HTTP status but 200 is a TypeError."""
    advice = ALIPAY.verify(Incoming(b"<html/>", "reply", "order", ONE.number, status), trusting())
    assert advice.outcomes[0].outcome == "UNKNOWN" and advice.findings[0].code == "NOT_JSON"


def test_certificate_mode_and_beijing_time():
    """Faults 1 and 14: certificate serials are there, and the time is Beijing's, whatever the machine's zone is."""
    form = dict(parse_qsl(ALIPAY.order(ONE, context(ALIPAY, "2026-03-21T10:00:00")).body.decode()))
    assert len(form["app_cert_sn"]) == 32 and len(form["alipay_root_cert_sn"]) == 32
    assert form["timestamp"] == "2026-03-21 10:00:00"


def test_pkcs8_keys_sign():
    """Fault 11: PKCS#8 keys are refused by the SDK; ours are kept so."""
    pem = our_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = serialization.load_pem_private_key(pem, None)
    assert signing.sign("a=1", key) == signing.sign("a=1", our_key())
