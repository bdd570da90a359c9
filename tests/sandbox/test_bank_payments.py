"""Payment orders at the bank: taken, answered, executed once, refused for the reasons of its contract."""

from __future__ import annotations

import pytest

from tests.sandbox.hub_side import BankEnd, camt055, order, pain001, until

pytest_plugins = ["tests.sandbox.link_fixtures"]
pytestmark = pytest.mark.slow  # each starts the stand-in and talks to it over the wire


def test_a_payment_goes_its_whole_way(bank_link: BankEnd) -> None:
    account = bank_link.funded("S900", 7_780_135)
    assert bank_link.pay(order("OQ1", account, 2_593_378))["code"] == "A00000"
    bank_link.settled("OQ1")
    reports = bank_link.wait("pain.002", 2)
    assert [one.one("TxSts") for one in reports[:2]] == ["ACSP", "ACSC"]
    debit = bank_link.wait("camt.054", 2)[1]
    assert debit.one("Ntry/CdtDbtInd") == "DBIT" and debit.one("Refs/EndToEndId") == "OQ1"
    assert bank_link.account(account)["ledger_fen"] == 7_780_135 - 2_593_378
    book = bank_link.book()
    assert book["balanced"] and book["executed"]["count"] == 1 and book["executed"]["more_than_once"] == []
    reply = bank_link.box.http.get("/bank/escrow/v1/payments/OQ1", params={"bizDate": "20260401"}).json()
    assert (reply["code"], reply["status"]) == ("A00000", "ACSC") and reply["bankRef"]


def test_same_request_same_answer_and_paid_once(bank_link: BankEnd) -> None:
    account = bank_link.funded("S901", 1000)
    told = bank_link.envelope(
        pain001(order("OQ2", account, 400), msg_id="M2"), "pain.001.001.09", "REQUEST0000002"
    )
    first = bank_link.post(told)
    bank_link.settled("OQ2")
    assert bank_link.post(told | {"poss_dup": True}) == first
    other = bank_link.envelope(
        pain001(order("OQ3", account, 400), msg_id="M3"), "pain.001.001.09", "REQUEST0000002"
    )
    assert bank_link.post(other)["code"] == "E00208"
    again = bank_link.pay(order("OQ2", account, 400), msg_id="M2")  # the file once more under a new request
    assert again["code"] == "A00000"
    until(lambda: any("DU01" in one.all("Rsn/Cd") for one in bank_link.messages("pain.002")))
    duplicate = next(one for one in bank_link.messages("pain.002") if "DU01" in one.all("Rsn/Cd"))
    assert duplicate.one("GrpSts") == "RJCT"
    bank_link.pay(order("OQ2", account, 400), msg_id="M4")  # the payment once more in another file
    until(lambda: bank_link.payment("OQ2")["submissions"] == 2)
    assert bank_link.payment("OQ2")["executions"] == 1 and bank_link.account(account)["ledger_fen"] == 600


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"sha256": "0" * 64}, "E00205"),
        ({"signature": {"alg": "RSA2048-SHA256", "keyId": "HUB-1", "value": "AAAA"}}, "E00301"),
        ({"signature": {"alg": "SM2-SM3", "keyId": "HUB-1", "value": "AAAA"}}, "E00301"),
        ({"requestId": "short"}, "E00201"),
        ({"extra": 1}, "E00201"),
        ({"seq": 0}, "E00201"),
        ({"payload": "%%%"}, "E00201"),
    ],
)
def test_envelopes_that_are_not_taken(bank_link: BankEnd, changes: dict[str, object], code: str) -> None:
    told = bank_link.envelope(pain001(order("OQ4", "1", 1)), "pain.001.001.09") | changes
    assert bank_link.post(told)["code"] == code
    assert bank_link.book()["payments"] == []


def test_payloads_that_are_not_taken(bank_link: BankEnd) -> None:
    good = pain001(order("OQ5", "1", 1))
    lies = bank_link.envelope(good, "camt.055.001.09")
    unfit = bank_link.envelope(good.replace(b"<PmtMtd>TRF", b"<PmtMtd>XXX"), "pain.001.001.09")
    typed = bank_link.envelope(
        good.replace(b"\n<Doc", b'\n<!DOCTYPE d [<!ENTITY a "b">]><Doc'), "pain.001.001.09"
    )
    ours = bank_link.envelope(good, "camt.053.001.08")
    assert {bank_link.post(one)["code"] for one in (lies, unfit, typed, ours)} == {"E00201"}


def test_control_sum_and_count(bank_link: BankEnd) -> None:
    account = bank_link.funded("S902", 1000)
    for number, broken in enumerate(({"ctrl_sum": "4.01"}, {"count_": "2"})):
        payload = pain001(order(f"OQ6{number}", account, 400), **broken)
        assert bank_link.post(bank_link.envelope(payload, "pain.001.001.09"))["code"] == "A00000"
    reports = bank_link.wait("pain.002", 2)
    assert [one.one("Rsn/Cd") for one in reports] == ["AM10", "AM10"]
    assert bank_link.book()["payments"] == [] and bank_link.account(account)["ledger_fen"] == 1000


def test_refusals_by_reason(bank_link: BankEnd) -> None:
    account = bank_link.funded("S903", 1000)
    bank_link.act("payee", account="9955000000000000001", name="李四")
    bank_link.act("payee", account="9955000000000000002", status="closed")
    bank_link.act("payee", account="9955000000000000003", status="frozen")
    bank_link.act("freeze", account=account, fen=700, document_no="(2026)浙0399执保1号")
    bank_link.pay(
        order("OQA", account, 1001), order("OQB", account, 500), order("OQC", account, 1, payee="9955000000000000001"),
        order("OQD", account, 1, payee="9955000000000000002"), order("OQE", account, 1, payee="9955000000000000003"),
        order("OQF", "9900339900000999999", 1), order("OQG", account, 300),
    )  # fmt: skip
    bank_link.settled("OQG")
    reasons = {one["e2e"]: one["reason"] for one in bank_link.book()["payments"]}
    assert reasons == {
        "OQA": "AM04", "OQB": "OQ30", "OQC": "AC01", "OQD": "AC04", "OQE": "AC06", "OQF": "AC01", "OQG": "",
    }  # fmt: skip
    report = bank_link.wait("pain.002")[0]
    assert report.one("GrpSts") == "PART" and report.all("Rsn/Prtry") == ["OQ30"]


def test_money_is_promised_once(bank_link: BankEnd) -> None:
    account = bank_link.funded("S904", 1000)
    bank_link.pay(order("OQH", account, 600), order("OQI", account, 600))
    bank_link.settled("OQH")
    assert bank_link.payment("OQI")["reason"] == "AM04" and bank_link.account(account)["ledger_fen"] == 400


def test_manners(bank_link: BankEnd) -> None:
    account = bank_link.funded("S905", 10_000)
    bank_link.act("settle", mode="refuse", reason="AC04", text="收款账户已销户", times=1)
    bank_link.act("settle", mode="hold", times=1)
    bank_link.act("settle", mode="manual", times=1)
    bank_link.act("settle", mode="never_answer", times=1)
    bank_link.act("settle", mode="unknown", times=1)
    answers = [bank_link.pay(order(f"OQM{n}", account, 100 + n))["code"] for n in range(5)]
    assert answers == ["A00000"] * 4 + ["U00999"]
    bank_link.settled("OQM3")
    bank_link.settled("OQM4")
    states = [bank_link.payment(f"OQM{n}")["state"] for n in range(5)]
    assert states == ["RJCT", "PDNG", "ACSP", "ACSC", "ACSC"]
    bank_link.wait("camt.054", 2)
    told = {e2e for one in bank_link.messages() for e2e in one.all("OrgnlEndToEndId") + one.all("EndToEndId")}
    assert told == {"OQM0", "OQM1", "OQM4", "NOTPROVIDED"}
    bank_link.act("release", e2e="OQM1")
    bank_link.settled("OQM1")


def test_a_missing_answer_leaves_the_first_file_standing(bank_link: BankEnd) -> None:
    account = bank_link.funded("S906", 1000)
    told = bank_link.envelope(pain001(order("OQN", account, 100)), "pain.001.001.09")
    bank_link.box.order("faults", "bank", kind="http_500", operation="messages", point="after")
    reply = bank_link.box.http.post("/bank/escrow/v1/messages", json=told)
    assert reply.status_code == 500
    bank_link.settled("OQN")
    assert bank_link.post(told)["code"] == "A00000"
    assert bank_link.payment("OQN")["executions"] == 1 and bank_link.payment("OQN")["submissions"] == 1


def test_windows(bank_link: BankEnd) -> None:
    account = bank_link.funded("S907", 2_000_000_000)
    bank_link.pay(order("OQW1", account, 100, on="2026-04-02"), order("OQW2", account, 100, on="2026-03-20"))
    bank_link.settled("OQW2")  # a past date is today
    assert bank_link.payment("OQW1")["state"] == "ACSP"
    bank_link.box.clock("2026-04-01T22:40:00+08:00")
    bank_link.pay(order("OQW3", account, 200), order("OQW4", account, 500_000_000))
    until(lambda: bank_link.payment("OQW4")["state"] == "PDNG")
    assert bank_link.payment("OQW3")["state"] == "ACSP"
    bank_link.box.clock("2026-04-02T00:31:00+08:00")
    bank_link.settled("OQW3")
    bank_link.settled("OQW1")
    assert bank_link.payment("OQW4")["state"] == "PDNG"
    bank_link.box.clock("2026-04-02T08:31:00+08:00")
    bank_link.settled("OQW4")


def test_cancelling(bank_link: BankEnd) -> None:
    account = bank_link.funded("S908", 1000)
    bank_link.act("settle", mode="hold", account=account)
    bank_link.pay(order("OQX", account, 100), msg_id="MX")
    bank_link.act("settle", mode="auto", account=account)
    bank_link.pay(order("OQY", account, 100), msg_id="MY")
    bank_link.settled("OQY")
    for original, e2e in (("MX", "OQX"), ("MY", "OQY")):
        bank_link.post(bank_link.envelope(camt055(original, f"{original}P1", e2e), "camt.055.001.09"))
    answers = bank_link.wait("camt.029", 2)
    assert [one.one("Conf") for one in answers] == ["CNCL", "RJCR"]
    assert [bank_link.payment(e2e)["state"] for e2e in ("OQX", "OQY")] == ["CANC", "ACSC"]
    assert bank_link.account(account)["ledger_fen"] == 900


def test_subaccounts(bank_link: BankEnd) -> None:
    first = bank_link.open("S909")
    assert bank_link.open("S909") == first and bank_link.open("S909", "OTHERREQUEST1") == first
    bank_link.act("reserve", account="9900339900000130004", case_ref="S005")
    assert bank_link.open("S910") != "9900339900000130004" and bank_link.open("S005") == "9900339900000130004"
    bad = bank_link.box.http.post(
        "/bank/escrow/v1/subaccounts", json={"requestId": "X", "expectedFen": -1}
    ).json()
    assert bad["code"] == "E00201" and bad["subaccount"] is None
    balance = bank_link.box.http.get(f"/bank/escrow/v1/balances/{first}").json()
    assert balance["code"] == "A00000" and balance["ledgerFen"] == 0
    assert bank_link.box.http.get("/bank/escrow/v1/balances/1").json()["code"] == "E00404"


def test_too_many_calls(bank_link: BankEnd) -> None:
    bank_link.act("settings", rate_per_s=5)
    codes = [
        bank_link.box.http.get("/bank/escrow/v1/payments/NONE", params={"bizDate": "20260401"}).json()["code"]
        for _ in range(8)
    ]
    assert codes.count("E00404") == 5 and codes.count("E00429") == 3
