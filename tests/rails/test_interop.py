"""Our bytes read by the stand-ins' own readers, and theirs by ours: two programs written from one contract."""

from __future__ import annotations

import json
from datetime import datetime
from types import SimpleNamespace
from urllib.parse import parse_qsl

from escrow.rails import Incoming
from sandbox.alipay import authority as wallet_authority
from sandbox.alipay import bill as wallet_bill
from sandbox.alipay import nodes, signing
from sandbox.bank import envelope as bank_envelope
from sandbox.bank import iso_payments
from tests.rails.alipay_side import ONE as WALLET_ONE
from tests.rails.bench import ALIPAY, BANK, context, our_key, self_signed
from tests.rails.test_bank_orders import ONE


def test_the_bank_takes_our_file():
    request = BANK.order(ONE, context(BANK))
    opened = bank_envelope.read(request.body, self_signed("hub", our_key()))
    file = iso_payments.read_pain001(bank_envelope.check_payload(opened))
    (paid,) = file.instructions
    assert file.fault == "" and opened.request_id == request.request_id
    assert (paid.e2e, paid.fen, paid.account, paid.payee_name) == (
        ONE.number,
        ONE.amount,
        ONE.debit_account,
        ONE.payee_name,
    )


def test_the_wallet_takes_our_request():
    form = dict(parse_qsl(ALIPAY.order(WALLET_ONE, context(ALIPAY)).body.decode()))
    content = signing.canonical(form, without=("sign",)).encode()
    certificate = self_signed("hub", our_key())
    assert signing.verifies(content, form["sign"], certificate)
    assert form["app_cert_sn"] == wallet_authority.serial_of(certificate)
    assert nodes.transfer_faults(json.loads(form["biz_content"])) == ""


def test_we_take_the_wallets_bill():
    def line(kind: str, fen: int, reference: str, trade: str) -> dict:
        at = "2026-03-21T10:04:00+08:00"
        return {
            "kind": kind, "fen": fen, "reference": reference, "trade_no": trade, "at": at, "created_at": at,
            "name": "王五", "identity": "10057702997", "title": "赔偿款", "remark": "备注",
        }  # fmt: skip

    lines = [
        line("payout", -5592701, "OQ1", "T1"),
        line("refund", 5592701, "OQ1", "T1"),
        line("top_up", 100, "OQ2T1", "T2"),
    ]
    text = wallet_bill.details(lines)
    advice = ALIPAY.statement(text.encode("gbk"), context(ALIPAY))
    assert not advice.findings and [one.signed for one in advice.lines] == [-5592701, 5592701, 100]
    assert [one.returned for one in advice.lines] == ["", "REFUND", ""]
    assert advice.lines[2].our_number == "OQ2T1"
    zipped = wallet_bill.Bills(None, SimpleNamespace(lines=lambda day: lines)).zip(datetime(2026, 3, 21))
    again = ALIPAY.verify(Incoming(zipped, "file"), context(ALIPAY))
    assert again.compare_digest == advice.compare_digest and again.lines == advice.lines
