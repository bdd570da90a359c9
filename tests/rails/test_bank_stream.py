"""A statement file read as a stream says what the same bytes say when they are read whole; what is amiss is refused."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest

from escrow.rails import Advice, StatementInfo, StatementLine
from escrow.rails.bank_direct import statement_stream
from schemas.findings import Refused
from tests.rails.bench import BANK, context, example

FILES = (
    "b05_camt054_deposits.xml", "b06_camt053_subaccount.xml", "b08_camt053_balance_wrong.xml", "b09_camt052_intraday.xml",
    "b11_camt054_return_credit.xml", "b19_camt054_one_credit_two_cases.xml", "b23_camt053_reversal.xml",
)  # fmt: skip


def streamed(raw: bytes) -> tuple[list[StatementInfo], list[StatementLine], Advice]:
    assert BANK.stream is not None
    found: list[Any] = list(BANK.stream(io.BytesIO(raw), context(BANK)))
    infos = [each for each in found if isinstance(each, StatementInfo)]
    return infos, [each for each in found if isinstance(each, StatementLine)], found[-1]


def refusal(raw: bytes) -> str:
    with pytest.raises(Refused) as no:
        streamed(raw)
    return no.value.findings[0].code


@pytest.mark.parametrize("piece", [200, 1024 * 1024])
@pytest.mark.parametrize("name", FILES)
def test_a_stream_says_what_the_whole_says(name: str, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement_stream, "PIECE", piece)
    monkeypatch.setattr(statement_stream, "_HEAD", 1000)
    raw = example(BANK, name)
    whole = BANK.statement(raw, context(BANK))
    infos, lines, advice = streamed(raw)
    assert [replace(each, lines=0) for each in infos] == [replace(each, lines=0) for each in whole.statements]
    assert tuple(lines) == whole.lines
    assert (advice.message_id, advice.message_type) == (whole.message_id, whole.message_type)
    assert [(f.code, f.path, f.found) for f in advice.findings] == [
        (f.code, f.path, f.found) for f in whole.findings
    ]


def test_the_old_hosts_encoding() -> None:
    raw = (
        example(BANK, "b06_camt053_subaccount.xml").decode().replace('encoding="UTF-8"', 'encoding="GB18030"')
    )
    assert streamed(raw.encode("gb18030"))[1] == streamed(example(BANK, "b06_camt053_subaccount.xml"))[1]
    assert refusal(raw.encode("utf-8") + b"\xff\xff") == "ENCODING_MISMATCH"


def test_what_is_amiss_is_refused() -> None:
    raw = example(BANK, "b06_camt053_subaccount.xml")
    cases = {
        "XML_NOT_WELL_FORMED": raw[: len(raw) // 2],
        "SCHEMA_VIOLATION": raw.replace(b"<AcctSvcrRef>", b"<Wrong/><AcctSvcrRef>", 1),
        "XML_DTD_FORBIDDEN": raw.replace(b"<Document", b'<!DOCTYPE x [<!ENTITY a "b">]><Document', 1),
    }
    for code, broken in cases.items():
        assert refusal(broken) == code
    assert (
        refusal(b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:pain.001.001.09'/>") == "SCHEMA_VIOLATION"
    )
    # An end tag in a comment is no end: refused, never misread.
    hidden = raw.replace(b"</Ntry>", b"<!-- </Ntry> --></Ntry>", 1)
    assert refusal(raw.replace(b"<AcctSvcrRef>", b"<!-- </Ntry><AcctSvcrRef>", 1)) == "XML_NOT_WELL_FORMED"
    assert streamed(hidden)[1] == streamed(raw)[1]
