"""The bank's post: numbers, signatures, repeated pushes, fetching, faults; statements that chain."""

from __future__ import annotations

import json

import pytest

from tests.sandbox.hub_side import PARENT, BankEnd, order, until

pytest_plugins = ["tests.sandbox.link_fixtures"]
pytestmark = pytest.mark.slow  # each starts the stand-in and talks to it over the wire


def test_numbers_and_signatures(bank_link: BankEnd) -> None:
    bank_link.funded("S920", 1000)
    bank_link.act("deposit", parent=True, fen=500, payer={"name": "夏斌"}, masked=True)
    told = bank_link.wait("camt.054", 2)
    assert [one.seq for one in told] == [1, 2] and all(one.signed_well for one in told)
    assert told[1].one("Acct/Id/Othr/Id") == PARENT and told[1].one("RltdPties/Dbtr/Pty/Nm") == "夏*"
    assert "poss_dup" not in told[0].told


def test_pushed_again_until_taken(bank_link: BankEnd) -> None:
    bank_link.act("settings", hurry=1)
    bank_link.code = "E00205"
    bank_link.funded("S921", 1000)
    until(lambda: bank_link.book()["outbound"][0]["last_code"] == "E00205")
    bank_link.box.clock("2026-04-01T09:04:00+08:00")
    bank_link.box.order("tick")
    assert len(bank_link.messages("camt.054")) == 1
    bank_link.code = "E00206"
    bank_link.box.clock("2026-04-01T09:06:00+08:00")  # after 5 minutes
    # The next try counts from the bank's own note of this one's answer.
    until(lambda: bank_link.book()["outbound"][0]["last_code"] == "E00206")
    bank_link.code = "A00000"
    bank_link.box.clock("2026-04-01T09:22:00+08:00")  # and 15
    first, *again = bank_link.wait("camt.054", 3)
    assert all(one.told["poss_dup"] and one.told["requestId"] == first.told["requestId"] for one in again)
    until(lambda: bank_link.book()["outbound"][0]["state"] == "TAKEN")
    bank_link.box.clock("2026-04-01T12:00:00+08:00")
    bank_link.box.order("tick")
    assert len(bank_link.messages("camt.054")) == 3 and bank_link.book()["outbound"][0]["attempts"] == 3


def test_missed_messages_by_number(bank_link: BankEnd) -> None:
    account = bank_link.funded("S922", 1000)
    bank_link.act("report", account=account)
    bank_link.wait("camt.052")
    url = "/bank/escrow/v1/messages"
    told = bank_link.box.http.get(url, params={"afterSeq": 0}).json()
    assert [one["seq"] for one in told["messages"]] == [1, 2] and told["lastSeq"] == 2
    some = bank_link.box.http.get(url, params={"afterSeq": 0, "msgType": "camt.052.001.08", "max": 1}).json()
    assert [one["seq"] for one in some["messages"]] == [2]
    assert bank_link.box.http.get(url, params={"afterSeq": 2}).json() == {
        "code": "A00000", "message": "", "messages": [], "lastSeq": 2,
    }  # fmt: skip
    assert bank_link.box.http.get(url, params={"afterSeq": "x"}).json()["code"] == "E00201"


def test_faults_of_pushes(bank_link: BankEnd) -> None:
    bank_link.act("settings", hurry=3000)
    for kind in ("wrong_signature", "duplicate", "reset", "half_answer"):
        bank_link.box.order("faults", "bank", kind=kind, direction="push", operation="camt.054.001.08")
    bank_link.code = "E00301"
    account = bank_link.funded("S923", 1000)
    first = bank_link.wait("camt.054", 1)[0]
    assert not first.signed_well
    bank_link.code = "A00000"
    told = bank_link.wait("camt.054", 3)  # sent again properly, and twice
    assert all(one.signed_well for one in told[1:]) and told[2].told["poss_dup"]
    bank_link.act("deposit", account=account, fen=1)  # reset: no answer is read, so it comes again
    until(lambda: [row["state"] for row in bank_link.book()["outbound"]] == ["TAKEN", "TAKEN"])


def test_wrong_order(bank_link: BankEnd) -> None:
    account = bank_link.open("S924")
    bank_link.box.order("faults", "bank", kind="wrong_order", direction="push")
    bank_link.act("deposit", account=account, fen=1)
    bank_link.act("deposit", account=account, fen=2)
    assert [one.seq for one in bank_link.wait("camt.054", 2)] == [2, 1]


@pytest.mark.parametrize("kind", ["reset", "half_answer"])
def test_faults_of_answers(bank_link: BankEnd, kind: str) -> None:
    bank_link.box.order("faults", "bank", kind=kind, operation="subaccounts")
    with pytest.raises(Exception, match=r"."):
        bank_link.open("S925")
    assert bank_link.open("S925") == bank_link.book()["accounts"][-1]["account"]
    bank_link.box.order("faults", "bank", kind="reset", operation="subaccounts", point="before")
    with pytest.raises(Exception, match=r"."):
        bank_link.open("S926")
    assert len(bank_link.book()["accounts"]) == 2


def test_statements_chain_without_holes(bank_link: BankEnd) -> None:
    account = bank_link.funded("S927", 7_780_135)
    bank_link.pay(order("OQS1", account, 2_593_378))
    bank_link.settled("OQS1")
    made = bank_link.act("close_day", date="2026-04-01")["statements"]
    assert {one["account"]: one["number"] for one in made} == {account: 1, PARENT: 1}
    assert bank_link.act("close_day", date="2026-04-01")["statements"] == []
    bank_link.act("deposit", account=account, fen=5)  # after the close: the next day's business
    bank_link.box.clock("2026-04-03T09:00:00+08:00")
    quiet = bank_link.act("close_day", date="2026-04-03")["statements"]
    assert [(one["account"], one["number"], one["opening_fen"], one["closing_fen"]) for one in quiet] == [
        (PARENT, 2, 0, 0), (account, 2, 5_186_757, 5_186_762),
    ]  # fmt: skip
    told = [one for one in bank_link.wait("camt.053", 4) if one.one("Acct/Id/Othr/Id") == account]
    assert [one.one("ElctrncSeqNb") for one in told] == ["1", "2"]
    assert told[0].all("Bal/Amt") == ["0.00", "51867.57"] and told[1].all("Bal/Amt") == [
        "51867.57",
        "51867.62",
    ]
    assert told[0].all("Refs/EndToEndId") == ["NOTPROVIDED", "OQS1"]
    assert told[0].one("TtlDbtNtries/Sum") == "25933.78"


def test_nights_by_the_clock_and_the_old_host(bank_link: BankEnd) -> None:
    bank_link.act("settings", night="auto", night_encoding="GB18030")
    account = bank_link.funded("S928", 2_525_765)
    bank_link.act("deposit", account=account, fen=100, text="调解款" * 15)
    bank_link.box.order("tick")
    bank_link.box.clock("2026-04-03T23:31:00+08:00")
    told = bank_link.wait("camt.053", 4)  # three nights of the parent, one of the sub-account
    assert {one.told["encoding"] for one in told} == {"GB18030"}
    assert b'encoding="GB18030"' in told[0].payload
    ours = next(one for one in told if one.one("Acct/Id/Othr/Id") == account)
    assert ours.all("Ustrd") == ["转账", ("调解款" * 15)[:35]]
    assert ours.told["sentAt"].startswith("202604012330")


def test_a_night_with_mistakes(bank_link: BankEnd) -> None:
    account = bank_link.funded("S929", 100)
    bank_link.act("deposit", account=account, fen=7)
    bank_link.act("close_day", omit=["SVC0000001"], double=["SVC0000002"], skip_numbers=1)
    told = next(one for one in bank_link.wait("camt.053", 2) if one.one("Acct/Id/Othr/Id") == account)
    assert told.all("Ntry/Amt") == ["0.07", "0.07"] and told.one("ElctrncSeqNb") == "2"
    assert told.all("Bal/Amt") == ["0.00", "1.07"]


def test_rotated_key(bank_link: BankEnd) -> None:
    account = bank_link.funded("S930", 1)
    assert bank_link.act("rotate_key")["keyId"] == "OQNCB-2026-02"
    bank_link.act("deposit", account=account, fen=2)
    told = bank_link.wait("camt.054", 2)
    assert [one.told["signature"]["keyId"] for one in told] == ["OQNCB-2026-01", "OQNCB-2026-02"]
    assert all(one.signed_well for one in told)


def test_books_keep_both_directions(bank_link: BankEnd) -> None:
    account = bank_link.funded("S931", 1)
    bank_link.pay(order("OQT1", account, 1))
    bank_link.settled("OQT1")
    bank_link.wait("pain.002", 2)
    until(lambda: all(row["state"] == "TAKEN" for row in bank_link.book()["outbound"]))
    page = bank_link.box.books("bank", limit=100)
    assert page["book"]["executed"] == {"count": 1, "fen": 1, "more_than_once": [], "same_payee_and_sum": []}
    assert "book" not in bank_link.box.books("bank", since=1) and "book" in bank_link.box.books("alipay")
    entries = page["entries"]
    assert [e["operation"] for e in entries if e["direction"] == "in"] == ["subaccounts", "messages"]
    sent = [e for e in entries if e["direction"] == "out"]
    assert [json.loads(e["body"])["seq"] for e in sent] == [1, 2, 3, 4] and {e["verdict"] for e in sent} == {
        "A00000"
    }
