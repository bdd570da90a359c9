"""What the stand-ins send over the wire, read by the hub's rails: two readings of the same contracts must meet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.x509 import load_pem_x509_certificate

from escrow.rails import Incoming
from tests.rails.bench import ALIPAY, BANK, BenchKeys, context, orders, sent
from tests.sandbox.hub_side import PARENT, BankEnd, camt055, order, until
from tests.sandbox.wallet_side import WalletEnd

pytest_plugins = ["tests.sandbox.link_fixtures"]
pytestmark = pytest.mark.slow  # each starts the stand-in and talks to it over the wire


def test_the_bank_rail_reads_all_the_bank_says(bank_link: BankEnd) -> None:
    account, number = bank_link.funded("S970", 100_000), "(2026)浙0399执保12号"
    bank_link.pay(order("OQV1", account, 40_000), order("OQV2", account, 70_000))
    bank_link.settled("OQV1")
    bank_link.act("settle", mode="hold", times=1)
    bank_link.pay(order("OQV3", account, 100), msg_id="MV3")
    bank_link.post(bank_link.envelope(camt055("MV3", "MV3P1", "OQV3"), "camt.055.001.09"))
    bank_link.act("return", e2e="OQV1", fen=39_900)
    bank_link.act("freeze", account=account, fen=5_000, document_no=number)
    bank_link.act("deduct", account=account, fen=5_000, document_no=number)
    wrong = bank_link.act("deposit", account=account, fen=77)
    bank_link.act("reverse", entry=wrong["entry"])
    bank_link.act("deposit", parent=True, fen=300)
    bank_link.act("expect", account=account, fen=1)
    bank_link.act("close_day", encoding="GB18030")
    until(lambda: all(row["state"] == "TAKEN" for row in bank_link.book()["outbound"]))

    path = bank_link.box.var / "sandbox" / "certs" / "bank.crt"
    keys = BenchKeys(bank_direct=[load_pem_x509_certificate(path.read_bytes())])
    known = orders(OQV1=40_000, OQV2=70_000, OQV3=100)
    ctx = replace(context(BANK, "2026-04-01T23:40:00"), keys=keys, known_order=known)
    advices = [BANK.verify(Incoming(seen.body), ctx) for seen in bank_link.listener.seen]
    assert [finding for advice in advices for finding in advice.findings] == []
    assert {advice.kind for advice in advices} == {"outcome", "statement", "return", "cancel_answer"}
    last = {one.number: one.outcome for advice in advices for one in advice.outcomes}
    assert last == {"OQV1": "DONE", "OQV2": "REFUSED", "OQV3": "IN_PROCESS"}
    assert [one.answer for advice in advices for one in advice.cancels] == ["CANCELLED"]
    _same_as_the_book(bank_link, account, advices)


def _same_as_the_book(link: BankEnd, account: str, advices: list[Any]) -> None:
    lines = {line.key: line for advice in advices for line in advice.lines if line.booked}
    for number in (account, PARENT):
        told = sum(int(line.signed) for line in lines.values() if line.account == number)
        assert told == link.account(number)["ledger_fen"]
    ours = [line for line in lines.values() if line.account == account]
    assert [bool(line.returned) for line in ours].count(True) == 1
    assert [line.reversal for line in ours].count(True) == 1
    assert [line.document_no for line in ours if line.document_no] == ["(2026)浙0399执保12号"]
    (stated,) = [s for a in advices for s in a.statements if s.kind == "statement" and s.account == account]
    assert int(stated.closing) == link.account(account)["ledger_fen"] and stated.sequence == 1


def test_the_wallet_rail_reads_all_the_wallet_says(wallet_link: WalletEnd) -> None:
    here = wallet_link.box.var / "sandbox" / "certs"
    keys = BenchKeys(alipay=[load_pem_x509_certificate((here / "alipay.crt").read_bytes())])
    known = orders(OQAL90=sent("OQAL90", 10_000, "2026-04-01T09:00:00"))
    ctx = replace(context(ALIPAY, "2026-04-02T10:00:00"), keys=keys, known_order=known)
    form = wallet_link.form("alipay.fund.trans.uni.transfer", {"out_biz_no": "OQAL90"})
    refused = ALIPAY.verify(Incoming(wallet_link.post(form).content, "reply", "order", "OQAL90"), ctx)
    assert [one.outcome for one in refused.outcomes] != ["DONE"]
    wallet_link.transfer("OQAL90")
    wallet_link.box.order("emit", "alipay", out_biz_no="OQAL90", charset="GBK")
    until(lambda: len(wallet_link.notifies()) == 2)
    for seen in wallet_link.listener.seen:
        advice = ALIPAY.verify(Incoming(seen.body), ctx)
        assert not advice.findings and advice.ask == ("OQAL90",)
    wallet_link.box.clock("2026-04-02T10:00:00+08:00")
    packed = wallet_link.box.http.get(wallet_link.bill("2026-04-01")["bill_download_url"]).content
    bill = ALIPAY.statement(packed, ctx)
    assert not bill.findings
    assert [(line.our_number, int(line.signed)) for line in bill.lines][1:] == [("OQAL90", -10_000)]
