"""What happens at the bank beside payments: returns, moves, holds, deductions, reversals; ready-made messages."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from tests.sandbox.hub_side import PARENT, BankEnd, order, until

pytest_plugins = ["tests.sandbox.link_fixtures"]
pytestmark = pytest.mark.slow  # each starts the stand-in and talks to it over the wire
DATA = Path(__file__).parent / "data" / "bank"


def paid(link: BankEnd, case: str, e2e: str, fen: int = 1000) -> str:
    account = link.funded(case, fen)
    link.pay(order(e2e, account, fen))
    link.settled(e2e)
    return account


def test_a_return(bank_link: BankEnd) -> None:
    account = paid(bank_link, "S940", "OQR1")
    done = bank_link.act("return", e2e="OQR1", reason="AC01", text="账号户名不符")
    advice = bank_link.wait("pacs.004")[0]
    assert advice.one("TxInf/RtrId") == done["rtr_id"] and advice.one("RtrdIntrBkSttlmAmt") == "10.00"
    credit = bank_link.wait("camt.054", 3)[-1]
    assert credit.one("RtrInf/Rsn/Cd") == "AC01" and credit.one("SubFmlyCd") == "RRTN"
    assert credit.one("Refs/EndToEndId") == "OQR1" and credit.seq == advice.seq + 1
    assert bank_link.account(account)["ledger_fen"] == 1000 and bank_link.payment("OQR1")["state"] == "RTND"
    bank_link.box.refused("bank", "return", e2e="OQR1", fen=1)
    for new in (False, True):
        bank_link.act("return_again", rtr_id=done["rtr_id"], new_msg_id=new)
    advices = bank_link.wait("pacs.004", 3)
    assert [one.one("GrpHdr/MsgId") for one in advices] == ["OQP00001", "OQP00001", "OQP00002"]
    assert {one.one("TxInf/RtrId") for one in advices} == {done["rtr_id"]}


def test_a_smaller_return_in_two_steps(bank_link: BankEnd) -> None:
    account = paid(bank_link, "S941", "OQR2")
    assert "nothing" not in bank_link.box.refused("bank", "return", e2e="OQR2", fen=1001)
    bank_link.act("return", e2e="OQR2", fen=990, credit=False)
    assert bank_link.account(account)["ledger_fen"] == 0
    bank_link.act("return", e2e="OQR2", announce=False)
    assert bank_link.account(account)["ledger_fen"] == 990
    assert bank_link.payment("OQR2")["returned_fen"] == 990 and len(bank_link.wait("pacs.004")) == 1


def test_holds_and_deduction(bank_link: BankEnd) -> None:
    account, number = bank_link.funded("S942", 4_070_250), "(2026)浙0399执保12号"
    bank_link.act("freeze", account=account, fen=1_017_562, document_no=number)
    report = bank_link.wait("camt.052")[0]
    assert report.all("Bal/Tp/CdOrPrtry/Cd") == ["ITBD", "ITAV"] and report.all("Bal/Amt") == [
        "40702.50",
        "30526.88",
    ]
    balance = bank_link.box.http.get(f"/bank/escrow/v1/balances/{account}").json()
    assert (balance["ledgerFen"], balance["heldFen"], balance["availableFen"]) == (
        4_070_250,
        1_017_562,
        3_052_688,
    )
    bank_link.act("deduct", account=account, fen=1_000_000, document_no=number)
    taken = bank_link.wait("camt.054", 2)[1]
    assert taken.all("Refs/EndToEndId") == [] and number in taken.one("Ustrd")
    assert bank_link.account(account)["held_fen"] == 17_562
    bank_link.act("unfreeze", account=account, document_no=number)
    assert bank_link.account(account)["available_fen"] == 3_070_250
    bank_link.box.refused("bank", "unfreeze", account=account, document_no=number)


def test_moves_and_reversals(bank_link: BankEnd) -> None:
    account = bank_link.open("S943")
    bank_link.act("deposit", parent=True, fen=9_670_635, text="两笔调解款")
    bank_link.act("move", to=account, fen=6_849_975)
    moved = bank_link.wait("camt.054", 3)
    assert [one.one("Ntry/CdtDbtInd") for one in moved[1:]] == ["DBIT", "CRDT"]
    assert bank_link.account(PARENT)["ledger_fen"] == 2_820_660
    bank_link.act("deposit", account=account, fen=100)
    bank_link.act("reverse", account=account, ref="SVC0000002")
    wrong = bank_link.wait("camt.054", 5)[4]
    assert wrong.one("RvslInd") == "true" and wrong.one("Ntry/AcctSvcrRef") == "SVC0000002R"
    bank_link.box.refused("bank", "reverse", account=account, ref="SVC0000002")
    assert bank_link.account(account)["ledger_fen"] == 6_849_975 and bank_link.book()["balanced"]


def test_a_credit_that_never_comes(bank_link: BankEnd) -> None:
    account = bank_link.open("S944")
    bank_link.act("expect", account=account, fen=5_386_535, payer={"name": "温州南屏兴阀门制造有限公司"})
    report = bank_link.wait("camt.052")[0]
    assert report.one("Ntry/Sts/Cd") == "PDNG" and bank_link.account(account)["ledger_fen"] == 0


def test_credit_told_on_the_parent(bank_link: BankEnd) -> None:
    bank_link.act("settings", notify_on="parent")
    account = bank_link.funded("S945", 100)
    told = bank_link.wait("camt.054")[0]
    assert told.one("Acct/Id/Othr/Id") == PARENT and told.one("CdtrAcct/Id/Othr/Id") == account


@pytest.mark.parametrize(
    "bad", [{"fen": 0}, {"fen": -1}, {"fen": 1.5}, {"fen": True}, {"fen": "1"}, {}, {"fen": 1, "x": 1}]
)
def test_orders_that_make_no_sense(bank_link: BankEnd, bad: dict[str, object]) -> None:
    account = bank_link.open("S946")
    bank_link.box.refused("bank", "deposit", account=account, **bad)
    assert bank_link.book()["entries"] == []


def test_an_emitted_story(bank_link: BankEnd) -> None:
    """The messages of a published story, one after the other; the hub's own order numbers take the story's place."""
    bank_link.act("reserve", account="9900339900000130010")
    account = bank_link.open("S011")
    bank_link.act("settle", mode="manual", account=account)

    def emit(name: str, at: str) -> dict[str, object]:
        bank_link.box.clock(at)
        content = base64.b64encode((DATA / "story" / name).read_bytes()).decode()
        return bank_link.box.order("emit", "bank", content_base64=content)

    emit("01_camt054.xml", "2026-04-06T10:00:00+08:00")
    assert bank_link.account(account)["ledger_fen"] == 6_230_729
    bank_link.box.clock("2026-04-07T09:00:00+08:00")
    bank_link.pay(order("HUBORDER1", account, 6_230_729), msg_id="HUBFILE1")
    stated = emit("03_camt053.xml", "2026-04-07T23:30:00+08:00")
    assert stated["bound"] == {"OQ27000011I1": "HUBORDER1"} and stated["verdict"] == "A00000"
    assert bank_link.payment("HUBORDER1")["executions"] == 1
    advice = emit("04_pacs004.xml", "2026-04-09T10:00:00+08:00")
    assert bank_link.wait("pacs.004")[0].one("OrgnlMsgId") == "HUBFILE1" and advice["bound"]
    emit("05_camt054_return.xml", "2026-04-09T10:05:00+08:00")
    assert bank_link.account(account)["ledger_fen"] == 6_230_729
    assert emit("06_pacs004_again.xml", "2026-04-09T10:06:00+08:00")["applied"][0]["new"] is False  # type: ignore[index]
    bank_link.pay(order("HUBORDER2", account, 6_230_729, payee="9955000033040000000"))
    assert emit("08_camt053_2.xml", "2026-04-12T23:30:00+08:00")["bound"] == {"OQ27000011I2": "HUBORDER2"}
    book = bank_link.book()
    assert (
        bank_link.account(account)["ledger_fen"] == 0 and book["balanced"] and book["executed"]["count"] == 2
    )
    assert [(one["number"], one["closing_fen"]) for one in book["statements"]] == [(2, 0), (4, 0)]


def test_emitted_but_not_believed(bank_link: BankEnd) -> None:
    xml = (DATA / "story" / "03_camt053.xml").read_text("utf-8")
    why = bank_link.box.refused("emit", "bank", content=xml)
    assert "OQ27000011I1" in why and bank_link.book()["entries"] == []
    sent = bank_link.box.order("emit", "bank", content=xml, apply=False, bind_orders=False)
    assert sent["status"] == 200 and bank_link.messages("camt.053")[0].payload == xml.encode()
    bank_link.box.refused("emit", "bank", content=xml.replace("OPBD", "XXXXXXX"))
    broken = bank_link.box.order(
        "emit",
        "bank",
        content="<Document/>",
        msg_type="camt.053.001.08",
        checked=False,
        apply=False,
        bind_orders=False,
    )
    assert broken["status"] == 200
    offered = bank_link.box.order("offer", "bank", content=xml, apply=False, bind_orders=False)
    until(lambda: bank_link.book()["outbound"][-1]["state"] == "SHELVED")
    fetched = bank_link.box.http.get(
        "/bank/escrow/v1/messages", params={"afterSeq": offered["seq"] - 1}
    ).json()
    assert fetched["messages"][0]["requestId"] == offered["requestId"]


def test_money_for_the_wallet(bank_link: BankEnd) -> None:
    account = bank_link.funded("S947", 5_592_701)
    bank_link.pay(order("OQTOPUP1", account, 5_592_701, payee="9900339900000900001"))
    bank_link.settled("OQTOPUP1")
    wallet = bank_link.box.http.get("/control/alipay/book").json()
    assert wallet["balance_fen"] == 5_592_701 and wallet["lines"][0]["reference"] == "OQTOPUP1"


def test_acts_by_offer(bank_link: BankEnd) -> None:
    account = bank_link.open("S948")
    bank_link.box.order(
        "offer", "bank", deposit={"account": account, "fen": 5, "payer_name": "夏斌", "payer_account": "9955"}
    )
    bank_link.box.order("offer", "bank", policy={"mode": "manual", "times": 1})
    made = bank_link.box.order("offer", "bank", close_day={"day": "2026-04-01"})
    assert {one["account"] for one in made["statements"]} == {PARENT, account}
    again = bank_link.box.order("offer", "bank", act="report", account=account)
    assert again["told"] and bank_link.wait("camt.052")
    bank_link.box.refused("offer", "bank", act="nothing")
