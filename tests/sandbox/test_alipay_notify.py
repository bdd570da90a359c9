"""Notifies and bills of the wallet, its certificates, and its book after kill -9."""

from __future__ import annotations

import base64
import io
import json
import re
import signal
import zipfile
from pathlib import Path

import pytest
from asn1crypto import pem
from asn1crypto import x509 as asn1_x509
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_certificate

from tests.sandbox.conftest import Listener, Sandbox, free_port
from tests.sandbox.hub_side import until
from tests.sandbox.test_bank_kill import start
from tests.sandbox.wallet_side import WalletEnd

pytest_plugins = ["tests.sandbox.link_fixtures"]
pytestmark = pytest.mark.slow  # each starts the stand-in and talks to it over the wire


def test_repeated_until_success(wallet_link: WalletEnd) -> None:
    wallet_link.act("settings", hurry=1)
    wallet_link.word = b"success\n"
    wallet_link.transfer("OQAL20")
    until(lambda: wallet_link.book()["notifies"][0]["attempts"] == 1)
    wallet_link.box.clock("2026-04-01T09:03:00+08:00")
    wallet_link.box.order("tick")
    assert len(wallet_link.notifies()) == 1
    wallet_link.word = b"success"
    wallet_link.box.clock("2026-04-01T09:05:00+08:00")  # after 4 minutes
    until(lambda: len(wallet_link.notifies()) == 2)
    first, again = wallet_link.notifies()
    assert first["notify_id"] == again["notify_id"] and first["verified"] == again["verified"] == "True"
    biz = json.loads(first["biz_content"])
    assert (biz["out_biz_no"], biz["status"], biz["action_type"], biz["trans_amount"]) == (
        "OQAL20", "SUCCESS", "FINISH", "100.00",
    )  # fmt: skip
    until(lambda: wallet_link.book()["notifies"][0]["state"] == "TAKEN")
    wallet_link.box.clock("2026-04-02T09:00:00+08:00")
    wallet_link.box.order("tick")
    assert len(wallet_link.notifies()) == 2
    wallet_link.act("resend", notify_id=first["notify_id"])  # at least once: even a taken one may come again
    until(lambda: len(wallet_link.notifies()) == 3)


def test_awkward_notifies(wallet_link: WalletEnd) -> None:
    wallet_link.transfer("OQAL21")
    until(lambda: len(wallet_link.notifies()) == 1)
    for changes in (
        {"charset": "GBK"}, {"sign": "bad"}, {"trans_amount": "100.01"}, {"app_id": "2021000000000000"},
        {"new_field_0": "x"}, {"status": "FAIL", "pay_date": "2026-03-31 10:00:00", "fail_reason": "收款账号状态异常"},
    ):  # fmt: skip
        wallet_link.box.order("emit", "alipay", out_biz_no="OQAL21", **changes)
    # At least once: one that a busy machine answers late comes again.
    forms = list({one["notify_id"]: one for one in wallet_link.notifies()}.values())
    assert [one["verified"] for one in forms] == ["True", "True", "False", "True", "True", "True", "True"]
    assert forms[1]["charset"] == "GBK" and forms[4]["app_id"] == "2021000000000000"
    assert len({one["notify_id"] for one in forms}) == 7
    assert wallet_link.query("OQAL21")["status"] == "SUCCESS"  # a notify alone changes nothing that is over
    wallet_link.box.refused("emit", "alipay", out_biz_no="NONE")


def test_a_storys_form_is_bound_to_the_hubs_order(wallet_link: WalletEnd) -> None:
    wallet_link.act("settings", notify="manual")
    wallet_link.act("script", next=[{"method": "transfer", "answer": "DEALING"}])
    wallet_link.transfer("HUBNO1", "559.27")
    biz = {
        "out_biz_no": "STORY9",
        "order_id": "9",
        "status": "SUCCESS",
        "trans_amount": "559.27",
        "pay_date": "2026-04-01 09:04:00",
    }
    form = f"notify_id=SCN08&charset=utf-8&sign_type=RSA2&app_id=2021009900330399&biz_content={json.dumps(biz)}&sign=old"
    content = base64.b64encode(form.replace(" ", "+").encode()).decode()
    sent = wallet_link.box.order("emit", "alipay", content_base64=content)
    assert sent["bound"] == {"STORY9": "HUBNO1"} and sent["verdict"] == "success"
    told = wallet_link.notifies()[0]
    assert told["verified"] == "True" and json.loads(told["biz_content"])["out_biz_no"] == "HUBNO1"
    found = wallet_link.query("HUBNO1")
    assert (found["status"], found["pay_date"]) == ("SUCCESS", "2026-04-01 09:04:00")
    wallet_link.box.order("emit", "alipay", content_base64=content.replace("\n", ""), as_is=True)
    assert wallet_link.notifies()[1]["verified"] == "False"


def test_the_bill(wallet_link: WalletEnd) -> None:
    wallet_link.transfer("OQAL22", "642.98")
    wallet_link.transfer("OQAL23", "0.10")
    wallet_link.act("finish", out_biz_no="OQAL23", status="REFUND")
    assert wallet_link.bill("2026-04-01")["sub_code"] == "isp.bill_not_exist"
    wallet_link.box.clock("2026-04-02T09:59:00+08:00")
    assert wallet_link.bill("2026-04-01")["code"] == "40004"
    wallet_link.box.clock("2026-04-02T10:00:00+08:00")
    url = wallet_link.bill("2026-04-01")["bill_download_url"]
    packed = zipfile.ZipFile(io.BytesIO(wallet_link.box.http.get(url).content))
    names = [name.encode("cp437").decode("gbk") for name in packed.namelist()]
    assert names == ["2088000000000000" + f"0156_20260401_业务明细{tail}.csv" for tail in ("", "(汇总)")]
    lines = packed.read(packed.namelist()[0]).decode("gbk").split("\r\n")
    rows = [line.split(",") for line in lines if line and not line.startswith("#")]
    assert len(rows[0]) == 25 and [len(row) for row in rows] == [25] * 5
    assert [(row[1], row[11]) for row in rows[1:]] == [
        ("TOPUP00000001\t", "1000.00"), ("OQAL22\t", "-642.98"), ("OQAL23\t", "-0.10"), ("OQAL23\t", "0.10"),
    ]  # fmt: skip
    assert rows[2][0].endswith("\t") and rows[2][10] == "章*(100******87)" and rows[4][21]
    assert lines[0].startswith("#") and lines[-2] == "#交易合计：4笔"
    assert wallet_link.box.http.get("/alipay/bill/none").status_code == 404
    assert wallet_link.bill("2026-04-02")["code"] == "40004"
    wallet_link.act("open_bill", date="2026-04-02")
    assert wallet_link.bill("2026-04-02")["code"] == "10000"
    assert wallet_link.bill("yesterday")["sub_code"] == "INVALID_PARAMETER"


def test_certificates(wallet_link: WalletEnd) -> None:
    here = wallet_link.box.var / "sandbox" / "certs"
    blocks = re.findall(
        rb"-----BEGIN.*?END CERTIFICATE-----\n", (here / "alipay_root.crt").read_bytes(), re.S
    )
    assert len(blocks) == 3
    with pytest.raises(ValueError, match=r"."):
        load_pem_x509_certificate(blocks[1]).serial_number  # noqa: B018
    read = [asn1_x509.Certificate.load(pem.unarmor(block)[2]) for block in blocks]
    assert [one["signature_algorithm"].signature_algo for one in read] == [
        "rsassa_pkcs1v15",
        "ecdsa",
        "rsassa_pkcs1v15",
    ]
    root = load_der_x509_certificate(read[0].dump())
    before = wallet_link.book()["cert_sn"]
    gateway = load_pem_x509_certificate((here / "alipay.crt").read_bytes())
    gateway.verify_directly_issued_by(root)
    assert wallet_link.act("renew_certificate")["cert_sn"] != before
    renewed = load_pem_x509_certificate((here / "alipay.crt").read_bytes())
    renewed.verify_directly_issued_by(root)
    assert wallet_link.transfer("OQAL24")["status"] == "SUCCESS"


@pytest.mark.slow
def test_paid_once_after_kill_9(tmp_path: Path, hub: Listener) -> None:
    port = free_port()
    process = start(tmp_path, hub.url, port)
    try:
        end = WalletEnd(Sandbox(f"http://127.0.0.1:{port}", tmp_path), hub)
        end.act("settings", hurry=2000)
        end.act("top_up", fen=100_000)
        end.word = b"fail"
        first = end.transfer("OQAL25")
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process = start(tmp_path, hub.url, port)
        end = WalletEnd(Sandbox(f"http://127.0.0.1:{port}", tmp_path), hub)
        assert end.transfer("OQAL25") == first and end.query("OQAL25")["status"] == "SUCCESS"
        until(lambda: end.book()["notifies"][0]["state"] == "TAKEN")
        assert end.book()["balance_fen"] == 90_000 and end.book()["balanced"]
        assert {one["verified"] for one in end.notifies()} == {"True"}
    finally:
        process.kill()
        process.wait(10)
