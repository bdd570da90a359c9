"""Alipay's side for tests: replies and notifies signed by a key that the test trusts."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any
from urllib.parse import quote_plus

from escrow.rails import Instruction, RailContext
from escrow.rails.alipay import signing
from schemas.money import Fen
from tests.rails.bench import ALIPAY, BenchKeys, beijing, context, our_key, self_signed

THEIRS = self_signed("alipay", our_key())
TRANSFER, QUERY = "alipay_fund_trans_uni_transfer_response", "alipay_fund_trans_common_query_response"

ONE = Instruction(
    number="OQAL202700000009",
    amount=Fen(5592701),
    debit_account="2088000000000000",
    payee_name="古丽娜尔·买买提",
    payee_account="10057702997",
    execute_on=date(2026, 3, 21),
    created_at=beijing("2026-03-21T10:00:00"),
    remark="瓯栖调〔2026〕南屏9008号",
)


def trusting(**more: Any) -> RailContext:
    """A context that trusts the test's own certificate as theirs."""
    return replace(context(ALIPAY, **more), keys=BenchKeys(alipay=[THEIRS]))


def node(**values: str) -> dict[str, str]:
    return {"code": "10000", "msg": "Success", "out_biz_no": ONE.number, **values}


def signed_reply(value: dict[str, Any], name: str = TRANSFER, serial: str = "") -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    serial = serial or signing.certificate_serial(THEIRS)
    return (
        f'{{"{name}":{text},"alipay_cert_sn":"{serial}","sign":"{signing.sign(text, our_key())}"}}'.encode()
    )


def business(**changes: Any) -> dict[str, Any]:
    told = {
        "out_biz_no": ONE.number,
        "product_code": "TRANS_ACCOUNT_NO_PWD",
        "biz_scene": "DIRECT_TRANSFER",
        "order_id": "2026",
        "status": "SUCCESS",
        "action_type": "FINISH",
        "trans_amount": "55927.01",
        "pay_date": "2026-03-21 10:04:00",
    }
    told.update(changes)
    return {key: value for key, value in told.items() if value is not None}


def notify_form(biz: dict[str, Any] | str, charset: str = "utf-8", **changes: str) -> dict[str, str]:
    """A signed form; `changes` are made before signing, except `sign`."""
    content = biz if isinstance(biz, str) else json.dumps(biz, ensure_ascii=False)
    form = {
        "notify_id": "N1",
        "utc_timestamp": "1774058640000",
        "msg_method": "alipay.fund.trans.order.changed",
        "app_id": "2021009900330399",
        "version": "1.1",
        "biz_content": content,
        "charset": charset,
        "msg_type": "",
        "sign_type": "RSA2",
        **{key: value for key, value in changes.items() if key != "sign"},
    }
    text = signing.canonical_text(form, ("sign", "sign_type"))
    form["sign"] = changes.get("sign", signing.sign(text, our_key(), charset))
    return form


def body_of(form: dict[str, str], charset: str = "utf-8") -> bytes:
    return "&".join(f"{key}={quote_plus(value, encoding=charset)}" for key, value in form.items()).encode()
