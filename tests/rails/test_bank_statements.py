"""Statements of the bank link: chains, numbers, batch bookings, court deductions, and lines that are amiss."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escrow.rails import Advice, LastStatement
from schemas.money import Fen
from tests.rails.bank_side import (
    ACCOUNT,
    PARENT,
    account_xml,
    balance_xml,
    document,
    entry_xml,
    statement_xml,
)
from tests.rails.bench import BANK, context, example

DAY = "2026-04-10"


def read(raw: bytes, last: LastStatement | None = None) -> Advice:
    return BANK.statement(raw, context(BANK, last_statement=lambda account: last))


def codes(advice: Advice) -> list[str]:
    return [finding.code for finding in advice.findings]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-(10**7), 10**7).filter(bool), max_size=12), st.integers(0, 10**8))
def test_balances_hold_to_the_fen(moves, opening):
    closing = opening + sum(moves)
    if closing < 0:
        return
    entries = "".join(
        entry_xml(Fen(abs(m)).yuan_text(), "CRDT" if m > 0 else "DBIT", f"R{i}", DAY)
        for i, m in enumerate(moves)
    )
    good = read(statement_xml(entries, Fen(opening).yuan_text(), Fen(closing).yuan_text()))
    assert not good.findings and sum(line.signed for line in good.lines) == sum(moves)
    off = read(statement_xml(entries, Fen(opening).yuan_text(), Fen(closing + 1).yuan_text()))
    assert codes(off) == ["BALANCE_MISMATCH"] and off.refused


@pytest.mark.parametrize(
    ("number", "last", "found"),
    [
        (2, LastStatement(1, Fen(0), frozenset({1})), []),
        (3, LastStatement(1, Fen(0), frozenset({1})), ["STATEMENT_GAP"]),
        # One row for statements and booked notices: 1 notice, 2 statement, 3 notice, 4 statement.
        (4, LastStatement(2, Fen(0), frozenset({2}), frozenset({1, 3})), []),
        (5, LastStatement(2, Fen(0), frozenset({2}), frozenset({1, 3})), ["STATEMENT_GAP"]),
        # Two rows: number 2 is a notice's too, so it stands for no statement.
        (3, LastStatement(1, Fen(0), frozenset({1}), frozenset({1, 2})), ["STATEMENT_GAP"]),
        (2, LastStatement(1, Fen(5), frozenset({1})), ["BALANCE_NOT_CHAINED"]),
        (3, LastStatement(1, Fen(5), frozenset({1})), ["STATEMENT_GAP", "BALANCE_NOT_CHAINED"]),
        # An old one again changes nothing: the core knows its lines.
        (1, LastStatement(1, Fen(5), frozenset({1})), []),
        (9, None, []),
    ],
)
def test_numbers_and_chain(number, last, found):
    assert codes(read(statement_xml("", "0.00", "0.00", number=number), last)) == found


def test_the_gap_names_the_missing_number():
    (finding,) = read(
        statement_xml("", "0.00", "0.00", number=7), LastStatement(3, Fen(0), frozenset({3}))
    ).findings
    assert (finding.found, finding.expected, finding.path) == ("7", "4", "/BkToCstmrStmt/Stmt/ElctrncSeqNb")


def test_chain_over_days_that_only_notices_told_of():
    last = LastStatement(
        2,
        Fen(0),
        frozenset({2}),
        frozenset({1, 3}),
        ((date(2026, 4, 9), Fen(500)), (date(2026, 4, 10), Fen(70))),
    )
    entries = entry_xml("0.70", "CRDT", "R1", DAY)
    assert codes(read(statement_xml(entries, "5.00", "5.70", number=4), last)) == []
    assert codes(read(statement_xml(entries, "5.70", "6.40", number=4), last)) == ["BALANCE_NOT_CHAINED"]


def test_story_of_a_return_over_shared_numbers():
    """S05: notices 1 and 3, statements 2 and 4 of one account."""
    raw = {
        n: example(BANK, f"stories/S05_{n}.xml") for n in ("03_camt053", "05_camt054_return", "08_camt053_2")
    }
    first = read(raw["03_camt053"])
    (line,) = first.lines
    assert (line.our_number, line.direction, line.booked) == ("OQ27000011I1", "DBIT", True)
    (back,) = read(raw["05_camt054_return"]).lines
    assert (back.returned, back.our_number, back.amount) == ("AC01", "OQ27000011I1", 6230729)
    last = LastStatement(2, Fen(0), frozenset({2}), frozenset({1, 3}), ((back.booking_date, back.signed),))
    assert codes(read(raw["08_camt053_2"], last)) == []


def test_court_deduction():
    """Habit 13: a debit with no number of ours and the document in its text."""
    told = "扣划（2026）浙0399执321号之一裁定"
    entries = entry_xml("100.00", "DBIT", "R1", DAY, told=told)
    (line,) = read(statement_xml(entries, "100.00", "0.00")).lines
    assert (line.our_number, line.document_no, line.booked) == (None, "(2026)浙0399执321号之一", True)
    entries = entry_xml("100.00", "DBIT", "R1", DAY, e2e="OQ1", told=told)
    (line,) = read(statement_xml(entries, "100.00", "0.00")).lines
    assert (line.our_number, line.document_no) == ("OQ1", "")
    other = entry_xml("1.00", "DBIT", "R1", DAY, told="扣划 〔2026〕温瓯税强扣3号")
    assert read(statement_xml(other, "1.00", "0.00")).lines[0].document_no == "(2026)温瓯税强扣3号"


def parts_xml(*yuan: str) -> str:
    return "".join(
        f"<TxDtls><Refs><EndToEndId>OQ{i}</EndToEndId></Refs><Amt Ccy='CNY'>{y}</Amt><CdtDbtInd>DBIT</CdtDbtInd></TxDtls>"
        for i, y in enumerate(yuan)
    )


def test_batch_booking_is_taken_apart():
    entries = entry_xml("3.00", "DBIT", "R1", DAY, inner=parts_xml("1.00", "2.00"))
    advice = read(statement_xml(entries, "3.00", "0.00"))
    assert [(line.our_number, line.amount, line.bank_ref) for line in advice.lines] == [
        ("OQ0", 100, "R1/1"),
        ("OQ1", 200, "R1/2"),
    ]
    off = entry_xml("3.00", "DBIT", "R1", DAY, inner=parts_xml("1.00", "1.99"))
    assert codes(read(statement_xml(off, "3.00", "0.00"))) == ["AMOUNT_MISMATCH", "BALANCE_MISMATCH"]


SUMMARY = (
    "<TxsSummry><TtlNtries><NbOfNtries>{n}</NbOfNtries></TtlNtries><TtlCdtNtries><NbOfNtries>{n}</NbOfNtries>"
    "<Sum>{total}</Sum></TtlCdtNtries></TxsSummry>"
)


@pytest.mark.parametrize(
    ("n", "total", "found"),
    [(2, "3.00", []), (3, "3.00", ["COUNT_MISMATCH", "COUNT_MISMATCH"]), (2, "3.01", ["AMOUNT_MISMATCH"])],
)
def test_summary_against_entries(n, total, found):
    entries = entry_xml("1.00", "CRDT", "R1", DAY) + entry_xml("2.00", "CRDT", "R2", DAY)
    advice = read(statement_xml(entries, "0.00", "3.00", extra=SUMMARY.format(n=n, total=total)))
    assert codes(advice) == found


def test_a_missing_and_a_doubled_line_are_seen():
    one, two = entry_xml("1.00", "CRDT", "R1", DAY), entry_xml("2.00", "CRDT", "R2", DAY)
    assert codes(read(statement_xml(one, "0.00", "3.00"))) == ["BALANCE_MISMATCH"]
    assert codes(read(statement_xml(one + two + two, "0.00", "3.00"))) == ["BALANCE_MISMATCH"]


def test_pending_entries_do_not_count():
    entries = entry_xml("1.00", "CRDT", "R1", DAY) + entry_xml("9.00", "CRDT", "R2", DAY, status="PDNG")
    advice = read(statement_xml(entries, "0.00", "1.00"))
    assert not advice.findings and [line.booked for line in advice.lines] == [True, False]


def test_one_page_of_several_is_not_summed():
    page = "<StmtPgntn><PgNb>1</PgNb><LastPgInd>false</LastPgInd></StmtPgntn>|"
    advice = read(statement_xml(entry_xml("1.00", "CRDT", "R1", DAY), "0.00", "9.00", extra=page))
    assert not advice.findings and not advice.statements[0].complete


def test_two_accounts_in_one_message():
    def one(number: str, closing: str) -> str:
        return (
            f"<Stmt><Id>T{number}</Id><ElctrncSeqNb>1</ElctrncSeqNb><CreDtTm>{DAY}T23:30:00</CreDtTm>{account_xml(number)}"
            f"{balance_xml('OPBD', '0.00', DAY)}{balance_xml('CLBD', closing, DAY)}</Stmt>"
        )

    head = f"<BkToCstmrStmt><GrpHdr><MsgId>T</MsgId><CreDtTm>{DAY}T23:30:00</CreDtTm></GrpHdr>"
    raw = document(f"{head}{one('1' * 19, '0.00')}{one('2' * 19, '1.00')}</BkToCstmrStmt>", "camt.053.001.08")
    (finding,) = read(raw).findings
    assert finding.path == "/BkToCstmrStmt/Stmt[2]/Bal[CLBD]/Amt"


def test_parent_account_of_a_statement_stays_the_parent():
    raw = statement_xml(
        entry_xml("1.00", "CRDT", "R1", DAY), "0.00", "1.00", account=account_xml(PARENT, "ESC")
    )
    (line,) = read(raw).lines
    assert (line.account, line.own_account) == (PARENT, False)


def test_reports_tell_what_is_free_of_holds():
    advice = BANK.statement(example(BANK, "stories/S06_04_camt052.xml"), context(BANK))
    (info,) = advice.statements
    assert (info.kind, info.interim, info.available) == ("report", 4070250, 3052688)


def test_odd_amounts():
    long = statement_xml(entry_xml("1.00000", "CRDT", "R1", DAY), "0.00", "1.00")
    assert not read(long).findings and read(long).lines[0].amount == 100
    assert codes(read(statement_xml(entry_xml("1.001", "CRDT", "R1", DAY), "0.00", "1.00"))) == [
        "AMOUNT_UNREADABLE"
    ]
    foreign = statement_xml(entry_xml("1.00", "CRDT", "R1", DAY), "0.00", "1.00").replace(
        b"Ccy='CNY'", b"Ccy='USD'"
    )
    assert "CURRENCY_UNEXPECTED" in codes(read(foreign))


def test_old_host_encoding():
    raw = statement_xml(entry_xml("1.00", "CRDT", "R1", DAY, told="调解款㛃"), "0.00", "1.00")
    old = raw.decode().replace('encoding="UTF-8"', 'encoding="GB18030"').encode("gb18030")
    (line,) = read(old).lines
    assert line.text == "调解款㛃"
    lying = raw.decode().encode("gb18030")
    assert codes(read(lying)) == ["ENCODING_MISMATCH"]


def test_a_thousand_lines_are_quick():
    import time

    entries = "".join(entry_xml("1.00", "CRDT", f"R{i}", DAY) for i in range(3000))
    raw = statement_xml(entries, "0.00", "3000.00")
    started = time.monotonic()
    assert len(read(raw).lines) == 3000
    assert time.monotonic() - started < 3
    assert ACCOUNT
