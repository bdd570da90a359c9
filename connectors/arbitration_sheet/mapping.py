"""A ledger file → Reading. Pure. A row that is wrong is refused alone; a wrong total refuses the file.

A row that is gone next week is closed or older, never deleted, so nothing follows from absence. The day of
the ledger, which decides between two open states of one case, is taken from the file's name (…20260302…,
…2026-03-02…, …2026年3月2日…).
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from connectors.arbitration_sheet.ledger import Ledger, read_ledger
from connectors.arbitration_sheet.rows import SUM, RowReading, read_row, read_sum
from schemas.canonical import sha256_hex
from schemas.exchange import Known, RawMessage, Reading
from schemas.findings import Finding, Refused
from schemas.money import Fen
from schemas.wide import Unreadable, read_wide_date

HERE = Path(__file__).resolve().parent
_DAY_IN_NAME = re.compile(
    r"(?<!\d)20\d{2}(?:\d{4}|[-._]\d{1,2}[-._]\d{1,2}|年\d{1,2}月\d{1,2}日)(?!\d)", re.ASCII
)


@cache
def manifest() -> dict[str, Any]:
    """partner.toml as written."""
    return tomllib.loads((HERE / "partner.toml").read_text("utf-8"))


def read(message: RawMessage, known: Known) -> Reading:
    """Read one ledger. Never raises for wrong input: what is wrong is in the Reading's findings."""
    whole = sha256_hex(message.content)
    message_id = f"ledger-{whole[:24]}"
    try:
        ledger = read_ledger(message.content)
        return _reading(ledger, message_id, whole, sheet_day(message.filename or ""))
    except Refused as refused:
        return Reading(message_id, whole, findings=refused.findings)


def recognises(content: bytes, filename: str = "") -> bool:
    """Whether a bare file looks like one of this adapter's."""
    if content.startswith(b"PK"):
        return True
    head = content[:400]
    return head.lstrip(b" \t\r\n\xef\xbb\xbf")[:1] not in (b"{", b"[", b"<") and b"," in head


def _reading(ledger: Ledger, message_id: str, whole: str, day: str) -> Reading:
    commission = _commission(ledger.title)
    readings = [read_row(row, commission, day) for row in ledger.rows]
    _check_total(ledger, readings)
    findings = tuple(finding for reading in readings for finding in reading.findings)
    notes = [note for reading in readings for note in reading.notes]
    notes += [
        Finding(
            "UNKNOWN_FIELD", f"header/{name}", name, "a column of the contract", "left out", severity="care"
        )
        for name in ledger.unknown_columns
    ]
    counted = [reading.amount for reading in readings if reading.amount is not None]
    return Reading(
        message_id=message_id,
        compare_digest=whole,
        records=tuple(reading.record for reading in readings if reading.record is not None),
        findings=findings,
        notes=tuple(notes),
        parts=len(readings),
        reply_hint={"return_sheet": [[each.path, each.code, each.text_zh()] for each in findings]},
        meta={"title": ledger.title, "total_fen": sum(map(int, counted)), "sheet_date": day},
    )


def _check_total(ledger: Ledger, readings: list[RowReading]) -> None:
    """The 合计 row is no case; its sum must be that of the rows, refused ones too."""
    if ledger.total is None or any(reading.amount is None for reading in readings):
        return
    quiet = RowReading()
    stated = read_sum(ledger.total, quiet)
    counted = Fen(sum(int(reading.amount or 0) for reading in readings))
    if quiet.findings:
        raise Refused(Finding("AMOUNT_UNREADABLE", ledger.total.path(SUM), ledger.total.text(SUM), "yuan"))
    if stated is not None and stated != counted:
        path = ledger.total.path(SUM)
        raise Refused(Finding("AMOUNT_MISMATCH", path, stated.yuan_text(), counted.yuan_text()))


def _commission(title: str) -> str:
    """瓯栖县劳动人事争议仲裁院案件台账 2026年第1季度 → the court's name; the manifest's where there is no title."""
    name = title.split("案件台账")[0].strip() if "案件台账" in title else ""
    return name or str(manifest()["commission"])


def sheet_day(filename: str) -> str:
    """ISO day in a file's name, "" when there is none."""
    match = _DAY_IN_NAME.search(filename)
    if match is None:
        return ""
    try:
        return read_wide_date(match[0].replace("_", "-")).day.isoformat()
    except Unreadable:
        return ""
