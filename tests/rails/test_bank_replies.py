"""The bank's replies to our own requests, at their edges."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from escrow.rails import Advice, Incoming
from schemas.money import Fen
from tests.rails.bank_side import account_xml, envelope, trusting
from tests.rails.bench import BANK, context, orders, sent
from tests.rails.test_bank_incoming import GOOD, TYPE, codes

# --- replies to our own requests -----------------------------------------------------------------------------------


def answered(operation: str, told: object, number: str = "OQ1", status: int = 200, **more) -> Advice:
    raw = told if isinstance(told, bytes) else json.dumps(told).encode()
    return BANK.verify(Incoming(raw, "reply", operation, number, status), context(BANK, **more))


@pytest.mark.parametrize(
    ("code", "outcome", "repeat"),
    [("A00000", "ACCEPTED", False), ("A00001", "ACCEPTED", False), ("E00201", "NOT_SENT", True), ("E00205", "NOT_SENT", True),
     ("E00301", "NOT_SENT", True), ("E00429", "NOT_SENT", True), ("E00503", "NOT_SENT", True), ("E00208", "UNKNOWN", False),
     ("U00999", "UNKNOWN", False), ("E00404", "UNKNOWN", False), ("Z99999", "UNKNOWN", False)],
)  # fmt: skip
def test_acknowledgements(code, outcome, repeat):
    advice = answered("order", {"requestId": "R", "code": code, "message": "m", "bankRef": None})
    (one,) = advice.outcomes
    assert (one.number, one.outcome, one.may_repeat) == ("OQ1", outcome, repeat)
    assert advice.ask == (("OQ1",) if outcome == "UNKNOWN" else ())


@pytest.mark.parametrize(
    ("told", "status"),
    [(b"<html>busy</html>", 200), (b"", 200), ({"requestId": "R", "code": "A00000", "message": "m"}, 500), ([], 200),
     ({"code": 5}, 200), (b'{"code":"A00000","code":"E00201"}', 200)],
)  # fmt: skip
@pytest.mark.parametrize("operation", ["order", "ask"])
def test_what_is_no_reply_leaves_it_unknown(told, status, operation):
    advice = answered(operation, told, status=status)
    assert [o.outcome for o in advice.outcomes] == ["UNKNOWN"] and advice.ask == ("OQ1",) and advice.findings


def asked(**told) -> Advice:
    return answered("ask", {"code": "A00000", "message": "m", "endToEndId": "OQ1", "status": None, **told})


@pytest.mark.parametrize(
    ("word", "outcome"),
    [
        ("ACSC", "DONE"),
        ("RJCT", "REFUSED"),
        ("PDNG", "IN_PROCESS"),
        ("ACTC", "ACCEPTED"),
        ("XXXX", "UNKNOWN"),
    ],
)
def test_queries(word, outcome):
    (one,) = asked(status=word, reason="AC01", bankRef="S1", bookedAt="2026-04-10T09:00:00").outcomes
    assert (one.outcome, one.rail_reference, one.reason_code) == (outcome, "S1", "AC01") and one.at


def test_queries_that_say_nothing():
    assert asked().outcomes[0].outcome == "UNKNOWN"
    assert asked(code="U00999", status="RJCT").outcomes[0].outcome == "UNKNOWN"
    assert asked(code="E00429", status="RJCT").outcomes[0].outcome == "UNKNOWN"


def test_a_reply_about_another_payment():
    advice = asked(endToEndId="OQ2", status="RJCT")
    assert codes(advice) == [("REPLY_MISMATCH", "/endToEndId")] and advice.outcomes[0].outcome == "UNKNOWN"


def test_a_returned_payment():
    known = orders(OQ1=sent("OQ1", 500, "2026-04-01T09:00:00"))
    told = {"code": "A00000", "message": "m", "endToEndId": "OQ1", "status": "RTND", "reason": "AC04"}
    advice = answered("ask", told, known_order=known)
    assert advice.kind == "return" and advice.returns[0].amount == 500


def test_subaccount_balance_and_missed():
    opened = answered(
        "open_subaccount",
        {"requestId": "R1", "code": "A00000", "message": "", "subaccount": "99", "openedOn": "x"},
    )
    assert (opened.kind, opened.subaccount, opened.code) == ("subaccount", "99", "A00000")
    refused = answered(
        "open_subaccount", {"requestId": "R1", "code": "E00201", "message": "no", "subaccount": None}
    )
    assert refused.subaccount == "" and refused.code == "E00201"
    told = {
        "code": "A00000",
        "account": "99",
        "ledgerFen": 500,
        "availableFen": 300,
        "heldFen": 200,
        "asOf": "t",
    }
    look = answered("balance", told, "99").balance
    assert look and (look.ledger, look.available, look.held) == (Fen(500), Fen(300), Fen(200))
    assert codes(answered("balance", told, "98")) == [("REPLY_MISMATCH", "/account")]
    page = {"code": "A00000", "messages": [envelope(GOOD, TYPE)], "lastSeq": 9001}
    advice = answered("missed", page)
    assert advice.last_sequence == 9001 and len(advice.messages) == 1
    assert not BANK.verify(advice.messages[0], trusting()).findings


def test_not_found_after_grace_needs_the_statement():
    told = {"code": "E00404", "message": "无", "endToEndId": "OQ1", "status": None}
    at = "2026-04-10T09:00:00"
    for minutes, taken, outcome in ((20, True, "UNKNOWN"), (31, False, "UNKNOWN"), (31, True, "NOT_SENT")):
        known = sent("OQ1", 1, at, statement_taken=taken)
        known = replace(known, sent_at=known.sent_at - timedelta(minutes=minutes))
        assert answered("ask", told, at=at, known_order=orders(OQ1=known)).outcomes[0].outcome == outcome


def test_accounts_are_written_as_the_contract_does():
    assert "VSA" in account_xml()
