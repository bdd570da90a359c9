"""All 24 examples of the bank's contract, against what their side files say."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from escrow.rails import Advice, Incoming, KnownOrder, LastStatement
from schemas.findings import Refused
from schemas.money import Fen
from tests.rails.bench import (
    BANK,
    beijing,
    context,
    example,
    examples,
    expected,
    orders,
    report,
    sent,
    told_report,
)

BATCH = orders(
    OQ26000034I1=2593378,
    OQ26000068I1=11291875,
    OQ26000085I1=1795511,
    OQ26000289I1=6190950,
    OQ26000442I1=5103150,
)


def read(name: str, **more) -> Advice:
    """An example as it comes in: envelopes by callback, documents as files."""
    channel = "callback" if name.endswith(".json") else "file"
    return BANK.verify(Incoming(example(BANK, name), channel), context(BANK, **more))


def reply_code(advice: Advice) -> str:
    assert advice.reply is not None
    return json.loads(advice.reply.body)["code"]


@pytest.mark.parametrize("name", examples(BANK))
def test_the_copies_are_the_contracts(name):
    assert hashlib.sha256(example(BANK, name)).hexdigest() == expected(BANK, name)["sha256"]


def test_b01_batch():
    raw = example(BANK, "b01_pain001_batch.xml")
    request = BANK.wrap(raw, context(BANK))
    assert request.document == raw
    assert raw.count(b"<CdtTrfTxInf>") == expected(BANK, "b01_pain001_batch.xml")["expected"]["txs"]


def test_b02_partial_report():
    advice = read("b02_pain002_partial.xml", known_order=BATCH)
    told = expected(BANK, "b02_pain002_partial.xml")["expected"]["per_tx"]
    assert {o.number: o.rail_status for o in advice.outcomes} == told
    by_number = {o.number: o for o in advice.outcomes}
    refused = by_number["OQ26000068I1"]
    assert (refused.outcome, refused.reason_code, refused.may_repeat) == ("REFUSED", "AC04", False)
    assert by_number["OQ26000034I1"].outcome == by_number["OQ26000289I1"].outcome == "IN_PROCESS"
    assert advice.batch and (advice.batch.batch_id, advice.batch.outcome) == ("OQHUB2026040101", "UNKNOWN")
    assert not advice.findings


def test_b03_group_refused_as_a_duplicate():
    advice = read("b03_pain002_group_reject.xml")
    assert advice.outcomes == () and advice.batch
    assert (
        advice.batch.batch_id,
        advice.batch.rail_status,
        advice.batch.reason_code,
        advice.batch.outcome,
    ) == (
        "OQHUB2026040101X",
        "RJCT",
        "DU01",
        "UNKNOWN",
    )


def test_b04_done_by_the_banks_word():
    advice = read("b04_pain002_timeout_unknown.xml", known_order=BATCH)
    (one,) = advice.outcomes
    assert (one.number, one.rail_status, one.outcome, one.amount) == ("OQ26000085I1", "ACSC", "DONE", 1795511)
    assert advice.lines == ()


def test_b05_deposits():
    told = expected(BANK, "b05_camt054_deposits.xml")["expected"]
    advice = read("b05_camt054_deposits.xml")
    assert len(advice.lines) == told["entries"]
    assert [i for i, line in enumerate(advice.lines, 1) if not line.own_account] == told["suspense_entries"]
    assert sum(line.own_account for line in advice.lines) == told["matched_by_account"]
    assert all(line.booked and line.direction == "CRDT" and line.our_number is None for line in advice.lines)
    assert advice.lines[0].account == "9900339900000120002" and advice.lines[0].party_name == "项丽"
    assert any("*" in line.party_name for line in advice.lines)
    assert len({line.key for line in advice.lines}) == 16


def test_b06_statement_proves_the_payout():
    told = expected(BANK, "b06_camt053_subaccount.xml")["expected"]
    advice = read("b06_camt053_subaccount.xml")
    (info,) = advice.statements
    assert (info.opening, info.closing, info.sequence, info.kind) == (
        told["opening_fen"],
        told["closing_fen"],
        1,
        "statement",
    )
    assert len(advice.lines) == told["entries"]
    assert [ln.our_number for ln in advice.lines if ln.direction == "DBIT" and ln.booked] == told["proves"]


def last_of_b06(account):
    info = BANK.statement(example(BANK, "b06_camt053_subaccount.xml"), context(BANK)).statements[0]
    assert account == info.account
    return LastStatement(info.sequence or 0, info.closing or Fen(0), frozenset({1}))


def test_b07_gap_and_broken_chain():
    advice = read("b07_camt053_gap.xml", last_statement=last_of_b06)
    assert report(advice.findings) == told_report(BANK, "b07_camt053_gap.xml")
    assert advice.refused


def test_b08_balance_wrong():
    advice = read("b08_camt053_balance_wrong.xml")
    assert report(advice.findings) == told_report(BANK, "b08_camt053_balance_wrong.xml")
    assert advice.refused


def test_b09_intraday_is_a_forecast():
    advice = read("b09_camt052_intraday.xml")
    assert [line.booked for line in advice.lines] == [False]
    assert advice.statements[0].kind == "report" and advice.statements[0].interim == 5386535


def test_b10_return_is_announced():
    advice = read("b10_pacs004_return.xml", known_order=BATCH)
    (back,) = advice.returns
    assert (advice.kind, back.number, back.amount, back.return_id, back.reason_code, back.short) == (
        "return",
        "OQ26000034I1",
        2593378,
        "OQP00001R",
        "AC01",
        False,
    )
    assert not advice.findings and not advice.lines and not advice.outcomes


def test_b11_return_credit_proves():
    advice = read("b11_camt054_return_credit.xml")
    (line,) = advice.lines
    told = expected(BANK, "b11_camt054_return_credit.xml")["expected"]["amount_fen"]
    assert (line.amount, line.booked, line.returned, line.our_number) == (told, True, "AC01", "OQ26000034I1")


@pytest.mark.parametrize("name", ["b12_pacs004_over_amount.xml", "b13_pacs004_unknown_payment.xml"])
def test_b12_b13_returns_that_cannot_be(name):
    advice = read(name, known_order=BATCH)
    assert report(advice.findings) == told_report(BANK, name)
    assert advice.returns == () and advice.lines == ()


def test_b14_envelope():
    advice = read("b14_envelope_valid.json")
    assert reply_code(advice) == expected(BANK, "b14_envelope_valid.json")["expected"]["reply_code"]
    assert (advice.message_id, advice.last_sequence, advice.message_type) == (
        "OQB00000000014",
        14,
        "camt.054.001.08",
    )
    assert len(advice.lines) == 1 and not advice.findings


@pytest.mark.parametrize(
    "name", ["b15_envelope_bad_sha.json", "b16_envelope_bad_sig.json", "b17_envelope_type_lies.json"]
)
def test_b15_b16_b17_envelopes_refused(name):
    advice = read(name)
    assert report(advice.findings) == told_report(BANK, name)
    assert reply_code(advice) == told_report(BANK, name)[0]["partner_code"]
    assert advice.lines == () and advice.outcomes == () and advice.refused


def test_b18_old_host():
    advice = read("b18_envelope_gb18030.json")
    told = expected(BANK, "b18_envelope_gb18030.json")["expected"]
    assert reply_code(advice) == told["reply_code"]
    assert advice.statements[0].closing == told["closing_fen"]
    assert "调解" in advice.lines[0].text or advice.lines[0].party_name


def test_b19_one_credit_for_two_cases():
    advice = read("b19_camt054_one_credit_two_cases.xml")
    (line,) = advice.lines
    assert (line.amount, line.own_account) == (
        expected(BANK, "b19_camt054_one_credit_two_cases.xml")["expected"]["sum_fen"],
        False,
    )


def test_b20_a_third_person_pays_short():
    advice = read("b20_camt054_short_payment.xml")
    (line,) = advice.lines
    assert line.amount == expected(BANK, "b20_camt054_short_payment.xml")["expected"]["amount_fen"]
    assert (line.party_name, line.account, line.own_account) == ("代付人徐先生", "9900339900000120013", True)


def test_b21_never_leaves():
    with pytest.raises(Refused) as caught:
        BANK.wrap(example(BANK, "b21_pain001_bad_ctrlsum.xml"), context(BANK))
    assert report(caught.value.findings) == told_report(BANK, "b21_pain001_bad_ctrlsum.xml")


def test_b22_wrong_version():
    advice = read("b22_camt053_bad_namespace.xml")
    assert [{**row, "expected": "", "action": ""} for row in report(advice.findings)] == [
        {**row, "expected": "", "action": ""} for row in told_report(BANK, "b22_camt053_bad_namespace.xml")
    ]
    assert report(advice.findings) == told_report(BANK, "b22_camt053_bad_namespace.xml")


def test_b23_reversal():
    advice = read("b23_camt053_reversal.xml")
    (line,) = advice.lines
    assert (line.reversal, line.direction, line.amount, line.document_no) == (True, "DBIT", 3905300, "")
    assert advice.statements[0].closing == 0 and not advice.findings


@pytest.mark.parametrize(
    ("minutes", "statement", "outcome"),
    [(29, False, "UNKNOWN"), (29, True, "UNKNOWN"), (31, False, "UNKNOWN"), (31, True, "NOT_SENT")],
)
def test_b24_not_found(minutes, statement, outcome):
    known = sent("OQ26000289I1", 6190950, "2026-04-01T09:00:00", statement_taken=statement)
    ctx = context(BANK, f"2026-04-01T09:{minutes:02d}:30", known_order=orders(OQ26000289I1=known))
    asked = Incoming(example(BANK, "b24_query_not_found.json"), "reply", "ask", "OQ26000289I1")
    (one,) = BANK.verify(asked, ctx).outcomes
    assert (one.outcome, one.may_repeat) == (outcome, outcome == "NOT_SENT")


def test_b24_says_nothing_of_an_order_we_do_not_know():
    asked = Incoming(example(BANK, "b24_query_not_found.json"), "reply", "ask", "OQ26000289I1")
    assert BANK.verify(asked, context(BANK)).outcomes[0].outcome == "UNKNOWN"
    assert KnownOrder("X", Fen(1)).sent_at is None and beijing("2026-04-01T09:00:00").tzinfo


def test_every_example_is_used_here():
    source = Path(__file__).read_text("utf-8")
    assert [name for name in examples(BANK) if name not in source] == []
