"""Payouts drafted by file: a CSV with one payout a line, read whole or refused with every line that is wrong."""

from __future__ import annotations

import csv
import io

import escrow
from schemas.findings import Finding, Refused
from schemas.money import Fen

COLUMNS = ("case", "instalment", "seat", "yuan")
MOST_FINDINGS = 100


def read_items(content: bytes) -> list[escrow.BatchItem]:
    """The payouts of a UTF-8 CSV with the columns case, instalment, seat, yuan (as 1234.50).

    Raises Refused: ENCODING_MISMATCH, SCHEMA_VIOLATION (the columns), and for lines AMOUNT_UNREADABLE,
    SCHEMA_VIOLATION or KEY_TWICE, each naming its line.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(Finding("ENCODING_MISMATCH", "/", "bytes are not UTF-8", "UTF-8")) from None
    rows = csv.reader(io.StringIO(text))
    heading = tuple(next(rows, ()))
    if heading != COLUMNS:
        raise Refused(Finding("SCHEMA_VIOLATION", "line 1", ",".join(heading)[:80], ",".join(COLUMNS)))
    items: list[escrow.BatchItem] = []
    findings: list[Finding] = []
    seen: set[tuple[str, int, str]] = set()
    for no, row in enumerate(rows, 2):
        if not row:
            continue
        found = _item(no, row)
        if isinstance(found, Finding):
            findings.append(found)
        elif (found.case, found.instalment, found.seat) in seen:
            findings.append(
                Finding(
                    "BUSINESS_KEY_CONFLICT", f"line {no}", f"{found.case}/{found.seat} twice", "each once"
                )
            )
        else:
            seen.add((found.case, found.instalment, found.seat))
            items.append(found)
    if findings:
        raise Refused(*findings[:MOST_FINDINGS])
    return items


def _item(no: int, row: list[str]) -> escrow.BatchItem | Finding:
    if len(row) != len(COLUMNS) or not row[1].isdigit() or not row[0].strip() or not row[2].strip():
        return Finding("SCHEMA_VIOLATION", f"line {no}", ",".join(row)[:80], ",".join(COLUMNS))
    try:
        fen = Fen.from_yuan_text(row[3].strip())
    except ValueError:
        return Finding("AMOUNT_UNREADABLE", f"line {no}/yuan", row[3][:20], "yuan with at most two decimals")
    return escrow.BatchItem(row[0].strip(), int(row[1]), row[2].strip(), int(fen))
