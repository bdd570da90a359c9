"""Against the vendor's SDK: the same canonical text, the same signature, the same business fields. Its faults:
test_alipay_faults."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

import pytest
from alipay.aop.api.domain.AlipayFundTransUniTransferModel import AlipayFundTransUniTransferModel
from alipay.aop.api.request.AlipayFundTransUniTransferRequest import AlipayFundTransUniTransferRequest
from alipay.aop.api.util import SignatureUtils
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.rails.alipay import signing
from tests.rails.alipay_side import ONE
from tests.rails.bench import ALIPAY, context, our_key

WORDS = st.text(alphabet="王李张古丽娜尔·买提〔〕 abcXYZ019&=+%/\"'", min_size=1, max_size=16)


def sdk_key() -> str:
    pem = our_key().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    return "".join(pem.decode().splitlines()[1:-1])


EXTRA = st.dictionaries(st.text("abcdefghijklmnop_", min_size=1, max_size=12), WORDS, min_size=1, max_size=6)
BUSINESS = st.fixed_dictionaries(
    {"out_biz_no": WORDS, "trans_amount": WORDS, "remark": WORDS, "order_title": WORDS}
)


def params_of(extra, business):
    """A request's parameters as the SDK makes them."""
    model = AlipayFundTransUniTransferModel()
    for key, value in business.items():
        setattr(model, key, value)
    request = AlipayFundTransUniTransferRequest(biz_model=model)
    request.udf_params = {key: value for key, value in extra.items() if key != "sign"}
    return request.get_params()


@settings(max_examples=1000, deadline=None)
@given(EXTRA, BUSINESS)
def test_canonical_text_equals_the_sdks(extra, business):
    """A thousand random requests: the SDK's own sign string is ours, character by character."""
    params = params_of(extra, business)
    assert SignatureUtils.get_sign_content(params) == signing.canonical_text(params)


def same_signature(extra, business):
    text = signing.canonical_text(params_of(extra, business))
    assert SignatureUtils.sign_with_rsa2(sdk_key(), text, "utf-8") == signing.sign(text, our_key())


# The SDK takes a tenth of a second for a signature: a thousand of them are made in the long runs.
test_signature_equals_the_sdks = settings(max_examples=20, deadline=None)(
    given(EXTRA, BUSINESS)(same_signature)
)
test_a_thousand_signatures_equal_the_sdks = pytest.mark.long(
    settings(max_examples=1000, deadline=None)(given(EXTRA, BUSINESS)(same_signature))
)


@pytest.mark.parametrize(
    "text", ["a=1&b=2", 'biz_content={"x":"瓯栖调〔2026〕"}&method=m', "x=" + "长" * 500]
)
def test_signature_of_odd_texts_equals_the_sdks(text):
    assert SignatureUtils.sign_with_rsa2(sdk_key(), text, "utf-8") == signing.sign(text, our_key())


def test_business_fields_are_those_of_the_sdks_model():
    request = ALIPAY.order(ONE, context(ALIPAY))
    content = json.loads(dict(parse_qsl(request.body.decode()))["biz_content"])
    model = AlipayFundTransUniTransferModel.from_alipay_dict(content)
    assert model.to_alipay_dict() == content
