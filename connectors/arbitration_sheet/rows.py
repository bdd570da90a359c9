"""One row of the ledger → checks and an episode record (CONTRACT.md, Field table and habits 1, 3, 8, 9)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from connectors.arbitration_sheet.ledger import REQUIRED, Row
from connectors.arbitration_sheet.people import applicants, respondents
from schemas.case_numbers import find_mediation_numbers, normalise_case_number
from schemas.claims import Claim, JsonValue, PartyClaim, Record, Reference
from schemas.findings import Finding
from schemas.money import Fen
from schemas.wide import Unquantified, Unreadable, read_excel_date, read_wide_amount, read_wide_date

SUM = "争议金额(元)"
# 处理结果 and 结案方式 say the same; the code counts.
RESULTS = {"01": ("CLOSED", "调解"), "02": ("AWARDED", "裁决"), "04": ("WITHDRAWN", "撤诉")}
_CODES = {name: code for code, (_, name) in RESULTS.items()}
_CENT = Decimal("0.01")
# A double keeps yuan to far less than this; anything coarser is a third decimal that somebody typed.
_FLOAT_DUST = Decimal("0.00001")


@dataclass
class RowReading:
    """A row's record, or the findings that refuse it; `amount` also of a refused row, for the total."""

    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)
    record: Record | None = None
    amount: Fen | None = None

    def refuse(self, code: str, path: str, found: str, expected: str) -> None:
        self.findings.append(Finding(code, path, found[:80], expected, action="reject the row", scope="row"))

    def note(self, code: str, path: str, found: str, expected: str) -> None:
        self.notes.append(Finding(code, path, found[:80], expected, "take with care", "row", "care"))


def read_row(row: Row, commission: str, sheet_date: str) -> RowReading:
    """Read one row. `sheet_date`: day of the ledger where the file tells it, "" otherwise."""
    reading = RowReading()
    for column, cell in row.cells.items():
        if cell.formula:
            reading.refuse("SCHEMA_VIOLATION", row.path(column), "a formula", "a plain value")
    for column in REQUIRED:
        if not row.text(column) and column != "立案时间":
            reading.refuse("SCHEMA_VIOLATION", row.path(column), "absent", "required")
    number = normalise_case_number(row.text("立案号"))
    parties = (*applicants(row, reading), *respondents(row, reading))
    reading.amount = read_sum(row, reading)
    opened, closed = _day(row, "立案时间", reading), _day(row, "结案时间", reading)
    code = _result(row, reading)
    if opened and closed and closed < opened:
        reading.note("WRONG_DATE_ORDER", row.path("结案时间"), closed.isoformat(), f"not before {opened}")
    if not reading.findings:
        reading.record = _record(
            row, number, commission, sheet_date, parties, (opened, closed), code, reading.amount
        )
    return reading


def read_sum(row: Row, reading: RowReading) -> Fen | None:
    """争议金额: text with or without commas, or a number whose double is rounded back to the fen it was."""
    cell = row.cells.get(SUM)
    text = row.text(SUM)
    if cell is None or not text:
        return None
    try:
        return _number(text) if cell.number else read_wide_amount(text)
    except Unquantified:
        reading.note("AMOUNT_UNQUANTIFIED", row.path(SUM), text, "an exact amount")
    except (Unreadable, ValueError, InvalidOperation):
        reading.refuse("AMOUNT_UNREADABLE", row.path(SUM), text, "non-negative yuan amount")
    return None


def _number(text: str) -> Fen:
    exact = Decimal(text)
    if not exact.is_finite() or not 0 <= exact < 10**13:
        raise ValueError(text)
    rounded = exact.quantize(_CENT, ROUND_HALF_EVEN)
    if abs(rounded - exact) > _FLOAT_DUST:
        raise ValueError(text)
    return Fen.from_yuan_decimal(rounded)


def _day(row: Row, column: str, reading: RowReading) -> date | None:
    text = row.text(column)
    if not text:
        return None
    # A number of five places is a day counted by Excel; eight are a date that somebody typed.
    serial = row.cells[column].number and len(text.partition(".")[0]) <= 6
    try:
        return (read_excel_date(text) if serial else read_wide_date(text)).day
    except Unreadable:
        reading.refuse("DATE_UNREADABLE", row.path(column), text, "a calendar date")
        return None


def _result(row: Row, reading: RowReading) -> str:
    """Code of 结案方式, "" for an open case."""
    text, word = row.text("结案方式"), row.text("处理结果")
    if not text and not word:
        return ""
    code = text.zfill(2) if re.fullmatch(r"\d{1,2}", text, re.ASCII) else _CODES.get(text, text)
    if not code:
        code = _CODES.get(word, word)
        column = "处理结果"
    else:
        column = "结案方式"
    if code not in RESULTS:
        reading.refuse("CODE_UNKNOWN", row.path(column), text or word, "01, 02 or 04")
        return ""
    if word and word != RESULTS[code][1]:
        reading.note("CODE_UNKNOWN", row.path("处理结果"), word, RESULTS[code][1])
    return code


def _record(
    row: Row,
    number: str,
    commission: str,
    sheet_date: str,
    parties: tuple[PartyClaim, ...],
    days: tuple[date | None, date | None],
    code: str,
    amount: Fen | None,
) -> Record:
    opened, closed = days
    last = (closed or opened or date.min).isoformat()
    remark = row.text("备注")
    data: dict[str, Any] = {"remark": remark} if remark else {}
    return Record(
        kind="episode",
        native_id=number,
        # A closed row beats the open one of an earlier week, whichever file came first.
        version=(last, 1 if code else 0, sheet_date),
        event_at=last,
        claims=_claims(row, number, commission, (opened, closed), code, amount),
        parties=parties,
        references=tuple(
            Reference("mediation_number", each.text, None, "hint") for each in find_mediation_numbers(remark)
        ),
        path=f"row {row.number}",
        data=data,
    )


def _claims(
    row: Row,
    number: str,
    commission: str,
    days: tuple[date | None, date | None],
    code: str,
    amount: Fen | None,
) -> tuple[Claim, ...]:
    opened, closed = days
    raw_sum, raw_number = row.text(SUM), row.text("立案号")
    stated: list[tuple[str, JsonValue, str | None]] = [
        ("proceeding_kind", "ARBITRATION", None),
        ("state", RESULTS[code][0] if code else "OPEN", code or None),
        ("outcome", RESULTS[code][1] if code else None, None),
        ("case_number", number, raw_number),
        ("cause", row.text("案由"), None),
        ("claimed_fen", None if amount is None else int(amount), raw_sum),
        ("claimed_text", raw_sum if amount is None and raw_sum else None, None),
        ("opened_on", opened.isoformat() if opened else None, row.text("立案时间")),
        ("closed_on", closed.isoformat() if closed else None, row.text("结案时间")),
        ("commission", commission, None),
    ]
    return tuple(
        Claim(name, value, text=None if text == value else text)
        for name, value, text in stated
        if value is not None
    )
