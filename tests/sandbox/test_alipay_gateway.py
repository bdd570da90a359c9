"""The wallet's gateway: the door, transfers that are made once, queries, scripted answers."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from tests.sandbox.hub_side import until
from tests.sandbox.wallet_side import WalletEnd, transfer_biz

pytest_plugins = ["tests.sandbox.link_fixtures"]
pytestmark = pytest.mark.slow  # each starts the stand-in and talks to it over the wire
TRANSFER = "alipay.fund.trans.uni.transfer"


def test_a_transfer_is_made_once(wallet_link: WalletEnd) -> None:
    first = wallet_link.transfer("OQAL1", "642.98")
    assert (first["code"], first["status"], first["out_biz_no"]) == ("10000", "SUCCESS", "OQAL1")
    assert wallet_link.transfer("OQAL1", "642.98") == first
    other = wallet_link.transfer("OQAL1", "642.99")
    assert (other["code"], other["sub_code"]) == ("40004", "PAYMENT_INFO_INCONSISTENCY")
    book = wallet_link.book()
    assert book["balance_fen"] == 100_000 - 64_298 and book["balanced"]
    assert [(one["executions"], one["requests"]) for one in book["orders"]] == [(1, 3)]
    found = wallet_link.query("OQAL1")
    assert (found["status"], found["trans_amount"], found["pay_date"]) == (
        "SUCCESS",
        "642.98",
        first["trans_date"],
    )
    by_id = wallet_link.call("alipay.fund.trans.common.query", {"order_id": first["order_id"]})
    assert by_id["out_biz_no"] == "OQAL1"


def test_the_door(wallet_link: WalletEnd) -> None:
    """Refused unsigned, nothing in the book."""
    good = wallet_link.form(TRANSFER, transfer_biz("OQAL2"))
    wrong = {
        "isv.invalid-signature": good | {"sign": good["sign"][::-1]},
        "isv.invalid-app-id": wallet_link.form(TRANSFER, transfer_biz("OQAL2"), app_id="2021000000000000"),
        "isv.invalid-app-cert-sn": wallet_link.form(TRANSFER, transfer_biz("OQAL2"), app_cert_sn="0" * 32),
        "isv.invalid-alipay-root-cert-sn": wallet_link.form(
            TRANSFER, transfer_biz("OQAL2"), alipay_root_cert_sn=wallet_link.root_serial.split("_")[0]
        ),
        "isv.missing-app-cert-sn": wallet_link.form(TRANSFER, transfer_biz("OQAL2"), app_cert_sn=""),
        "isv.insufficient-isv-permissions": wallet_link.form("alipay.trade.pay", {}),
        "isv.invalid-signature-type": wallet_link.form(TRANSFER, transfer_biz("OQAL2"), sign_type="RSA"),
    }
    for sub_code, fields in wrong.items():
        told = json.loads(wallet_link.post(fields).content)
        assert told["error_response"]["sub_code"] == sub_code and told["sign"] == ""
    changed = good | {"biz_content": good["biz_content"].replace("100.00", "900.00")}
    assert "error_response" in wallet_link.post(changed).json()
    assert wallet_link.book()["orders"] == []


@pytest.mark.parametrize(
    ("changes", "sub_code"),
    [
        ({"trans_amount": "100"}, "INVALID_PARAMETER"),
        ({"trans_amount": "0.09"}, "EXCEED_LIMIT_SM_AMOUNT"),
        ({"trans_amount": "1.001"}, "INVALID_PARAMETER"),
        ({"trans_amount": -1}, "INVALID_PARAMETER"),
        ({"trans_amount": "NaN"}, "INVALID_PARAMETER"),
        ({"trans_amount": "1000.01"}, "PAYER_BALANCE_NOT_ENOUGH"),
        ({"out_biz_no": "a b"}, "INVALID_PARAMETER"),
        ({"product_code": "OTHER"}, "INVALID_PARAMETER"),
        ({"unknown": "x"}, "INVALID_PARAMETER"),
        ({"payee_info": {"identity": "1", "identity_type": "ALIPAY_LOGON_ID"}}, "INVALID_PARAMETER"),
        ({"payee_info": {"identity": "1", "identity_type": "PHONE", "name": "章磊"}}, "INVALID_PARAMETER"),
        ({"payee_info": {"identity": "1", "identity_type": "ALIPAY_LOGON_ID", "name": "项鑫㛃"}}, "PAYEE_USER_INFO_ERROR"),
        ({"payee_info": {"identity": "absent", "identity_type": "ALIPAY_LOGON_ID", "name": "章磊"}}, "PAYEE_NOT_EXIST"),
        ({"payee_info": {"identity": "10057701887", "identity_type": "ALIPAY_LOGON_ID", "name": "章累"}}, "PAYEE_USER_INFO_ERROR"),
    ],
)  # fmt: skip
def test_refusals(wallet_link: WalletEnd, changes: dict[str, object], sub_code: str) -> None:
    wallet_link.act("payee", identity="absent", status="absent")
    wallet_link.act("payee", identity="10057701887", name="章磊")
    node = wallet_link.call(TRANSFER, transfer_biz("OQAL3") | changes)
    assert (node["code"], node["sub_code"]) == ("40004", sub_code)
    assert wallet_link.book()["balance_fen"] == 100_000
    if changes.get("out_biz_no") is None:
        assert wallet_link.query("OQAL3")["sub_code"] == "ORDER_NOT_EXIST"


def test_short_balance_then_the_same_number(wallet_link: WalletEnd) -> None:
    assert wallet_link.transfer("OQAL4", "2000.00")["sub_code"] == "PAYER_BALANCE_NOT_ENOUGH"
    wallet_link.act("top_up", fen=100_000)
    assert wallet_link.transfer("OQAL4", "2000.00")["status"] == "SUCCESS"


def test_system_error_but_paid(wallet_link: WalletEnd) -> None:
    """The story of a payout that answers with an error, is dealing, is told of, and was paid once."""
    wallet_link.act(
        "script",
        next=[
            {"method": "transfer", "answer": "SYSTEM_ERROR", "apply": True},
            {"method": "query", "answer": "DEALING"},
        ],
    )
    wallet_link.act("settings", notify="manual")
    told = wallet_link.transfer("OQAL5")
    assert (told["code"], told["sub_code"]) == ("40004", "SYSTEM_ERROR") and "status" not in told
    assert wallet_link.query("OQAL5")["status"] == "DEALING"
    sent = wallet_link.box.order("emit", "alipay", out_biz_no="OQAL5")
    assert sent["verdict"] == "success"
    assert wallet_link.query("OQAL5")["status"] == "SUCCESS"
    assert wallet_link.transfer("OQAL5")["status"] == "SUCCESS"
    assert wallet_link.book()["balance_fen"] == 90_000


def test_other_scripted_answers(wallet_link: WalletEnd) -> None:
    wallet_link.act(
        "script",
        next=[
            {"method": "transfer", "answer": "aop.ACQ.SYSTEM_ERROR"},
            {"method": "transfer", "answer": "DEALING"},
            {"method": "transfer", "node": {"code": "10000", "msg": "Success", "out_biz_no": "OTHER", "status": "SUCCESS"}, "bind": False},
            {"method": "query", "answer": "ORDER_NOT_EXIST", "times": 2},
        ],
    )  # fmt: skip
    assert wallet_link.transfer("OQAL6")["code"] == "20000"
    assert wallet_link.transfer("OQAL6")["status"] == "DEALING"
    assert wallet_link.book()["balance_fen"] == 100_000
    assert wallet_link.transfer("OQAL7")["out_biz_no"] == "OTHER"
    assert [wallet_link.query("OQAL6").get("sub_code") for _ in range(3)] == ["ORDER_NOT_EXIST"] * 2 + [None]
    wallet_link.act("finish", out_biz_no="OQAL6", status="FAIL")
    assert wallet_link.query("OQAL6")["status"] == "FAIL" and wallet_link.book()["balance_fen"] == 90_000
    wallet_link.act(
        "script", next=[{"method": "transfer", "sign": "bad"}, {"method": "transfer", "sign": "none"}]
    )
    node, good = wallet_link.opened(
        wallet_link.post(wallet_link.form(TRANSFER, transfer_biz("OQAL8"))).content
    )
    assert node["status"] == "SUCCESS" and not good
    assert wallet_link.post(wallet_link.form(TRANSFER, transfer_biz("OQAL9"))).json()["sign"] == ""


def test_a_ready_made_reply_is_signed_for_the_hubs_order(wallet_link: WalletEnd) -> None:
    node = {
        "code": "20000",
        "msg": "Service Currently Unavailable",
        "sub_code": "aop.ACQ.SYSTEM_ERROR",
        "out_biz_no": "S",
    }
    reply = {"alipay_fund_trans_uni_transfer_response": node, "alipay_cert_sn": "x", "sign": "y"}
    wallet_link.box.order("offer", "alipay", content=json.dumps(reply))
    wallet_link.box.order(
        "offer",
        "alipay",
        next=[{"method": "query", "response": {**node, "code": "10000", "status": "DEALING"}}],
    )
    told = wallet_link.transfer("OQAL10")
    assert told == node | {"out_biz_no": "OQAL10"} and wallet_link.query("OQAL10")["status"] == "DEALING"
    wallet_link.box.order(
        "emit", "alipay", out_biz_no="OQAL10", status="SUCCESS", pay_date="2026-04-01 09:04:00"
    )
    found = wallet_link.query("OQAL10")
    assert (found["status"], found["pay_date"]) == ("SUCCESS", "2026-04-01 09:04:00")
    assert wallet_link.book()["balance_fen"] == 90_000


def test_money_comes_back(wallet_link: WalletEnd) -> None:
    wallet_link.transfer("OQAL11")
    wallet_link.act("finish", out_biz_no="OQAL11", status="REFUND")
    found = wallet_link.query("OQAL11")
    assert (found["status"], found["fail_reason"]) == ("REFUND", "银行退票")
    assert wallet_link.book()["balance_fen"] == 100_000
    wallet_link.box.refused("alipay", "finish", out_biz_no="OQAL11", status="FAIL")


def test_too_many_calls_are_unknown(wallet_link: WalletEnd) -> None:
    wallet_link.act("settings", rate_per_s=3)
    codes = [wallet_link.query("NONE")["code"] for _ in range(5)]
    assert codes == ["40004"] * 3 + ["20000"] * 2


def test_faults_on_the_wire(wallet_link: WalletEnd) -> None:
    form = wallet_link.form(TRANSFER, transfer_biz("OQAL12"))
    for kind, times in (
        ("fault", 1),
        ("http_500", 1),
        ("wrong_signature", 1),
        ("reset", 1),
        ("half_answer", 1),
    ):
        wallet_link.box.order("faults", "alipay", kind=kind, operation="transfer", times=times)
    told, good = wallet_link.opened(wallet_link.post(form).content)
    assert told["code"] == "20000" and good
    assert wallet_link.post(form).status_code == 500
    told, good = wallet_link.opened(wallet_link.post(form).content)
    assert told["status"] == "SUCCESS" and not good
    for _ in range(2):
        with pytest.raises(Exception, match=r"."):
            wallet_link.post(form)
    assert wallet_link.transfer("OQAL12")["status"] == "SUCCESS"
    assert wallet_link.book()["balance_fen"] == 90_000


def test_a_gbk_application(wallet_link: WalletEnd) -> None:
    """Signature over the bytes of the charset named, in both directions."""
    import base64

    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    from tests.sandbox.wallet_side import canonical

    fields = wallet_link.form(TRANSFER, transfer_biz("OQAL13"), charset="GBK")
    content = canonical(fields, ("sign",)).encode("gbk")
    fields["sign"] = base64.b64encode(
        wallet_link.key.sign(content, padding.PKCS1v15(), hashes.SHA256())
    ).decode()
    reply = wallet_link.box.http.post(
        "/alipay/gateway.do", content=urlencode(fields, encoding="gbk").encode(),
        headers={"Content-Type": "application/x-www-form-urlencoded;charset=GBK"},
    )  # fmt: skip
    assert '"status":"SUCCESS"' in reply.content.decode("gbk")
    assert wallet_link.book()["orders"][0]["name"] == "章磊"
    until(lambda: bool(wallet_link.notifies()))
