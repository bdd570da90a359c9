"""Finds the ledger in a file: title, header, rows, total (CONTRACT.md, habit 8)."""

from __future__ import annotations

import csv
import io
import unicodedata
from dataclasses import dataclass
from typing import NoReturn

from connectors.arbitration_sheet.workbook import MAX_ROWS, Cell, Rows, read_workbook
from schemas.findings import Finding, Refused

MAX_BYTES = 20 * 1024 * 1024
COLUMNS = (
    "序号", "立案号", "申请人", "性别", "身份证号码", "联系电话", "被申请人", "统一社会信用代码", "案由", "立案时间",
    "争议金额(元)", "处理结果", "结案时间", "结案方式", "备注",
)  # fmt: skip
REQUIRED = ("立案号", "申请人", "被申请人", "案由", "立案时间", "争议金额(元)")
_TOTAL = ("合计", "总计", "小计")


@dataclass(frozen=True)
class Row:
    """One case of the ledger. `number`: row in the file, from 1; `cells` by folded header."""

    number: int
    cells: dict[str, Cell]

    def text(self, column: str) -> str:
        """A cell's text without blanks round it, "" when the column is absent."""
        cell = self.cells.get(column)
        return cell.text.strip() if cell else ""

    def path(self, column: str) -> str:
        return f"row {self.number}/{column}"


@dataclass(frozen=True)
class Ledger:
    """A ledger taken apart. `title` "" where the sheet has none; `total` None where it has no 合计 row."""

    title: str
    rows: tuple[Row, ...]
    total: Row | None
    unknown_columns: tuple[str, ...]


def read_ledger(raw: bytes) -> Ledger:
    """Take a csv or xlsx apart. Raises Refused: unreadable file, encoding, no header, columns missing."""
    if len(raw) > MAX_BYTES:
        raise Refused(Finding("TOO_LARGE", "/", f"{len(raw)} bytes", f"at most {MAX_BYTES} bytes"))
    if raw.startswith(b"\xd0\xcf\x11\xe0"):
        raise Refused(Finding("SCHEMA_VIOLATION", "/", "an old xls", "csv in GB18030, or xlsx"))
    rows = read_workbook(raw) if raw.startswith(b"PK") else _read_csv(raw)
    place = next((n for n, (_, cells) in enumerate(rows) if _is_header(cells)), None)
    if place is None:
        _refuse_no_header(raw)
    header = [folded_header(cell.text) for cell in rows[place][1]]
    _check_header(header, rows[place][0])
    title = next((cell.text.strip() for _, cells in rows[:place] for cell in cells if cell.text.strip()), "")
    return _ledger(title, header, rows[place + 1 :])


def _ledger(title: str, header: list[str], rows: Rows) -> Ledger:
    found: list[Row] = []
    total = None
    for number, cells in rows:
        if not any(cell.text.strip() for cell in cells):
            continue
        row = Row(number, dict(zip(header, cells, strict=False)))
        if any(cell.text.strip().rstrip(":：") in _TOTAL for cell in cells[:3]):
            total = row
        else:
            found.append(row)
    unknown = tuple(name for name in header if name and name not in COLUMNS)
    return Ledger(title, tuple(found), total, unknown)


def folded_header(text: str) -> str:
    """A header cell without blanks, with plain brackets: the xlsx has a trailing blank in one."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def _is_header(cells: list[Cell]) -> bool:
    names = {folded_header(cell.text) for cell in cells}
    return {"立案号", "申请人"} <= names


def _check_header(header: list[str], number: int) -> None:
    named = [name for name in header if name]
    twice = next((name for name in named if named.count(name) > 1), None)
    if twice:
        raise Refused(
            Finding("SCHEMA_VIOLATION", f"row {number}/{twice}", "column twice", "each column once")
        )
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise Refused.of(
            Finding("SCHEMA_VIOLATION", f"row {number}/{name}", "absent", "required column")
            for name in missing
        )


def _refuse_no_header(raw: bytes) -> NoReturn:
    if not raw.startswith(b"PK") and _is_utf8_ledger(raw):
        found = "bytes are not GB18030 (they are UTF-8)"
        raise Refused(Finding("ENCODING_MISMATCH", "/", found, "GB18030, no BOM"))
    raise Refused(Finding("SCHEMA_VIOLATION", "row 1", "no header row", "a header with 立案号 and 申请人"))


def _is_utf8_ledger(raw: bytes) -> bool:
    try:
        return "立案号" in raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return False


def _read_csv(raw: bytes) -> Rows:
    if raw.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        found = "bytes are not GB18030 (they begin with a Unicode mark)"
        raise Refused(Finding("ENCODING_MISMATCH", "/", found, "GB18030, no BOM"))
    try:
        text = raw.decode("gb18030")
    except UnicodeDecodeError:
        found = "bytes are not GB18030" + (" (they are UTF-8)" if _is_utf8_ledger(raw) else "")
        raise Refused(Finding("ENCODING_MISMATCH", "/", found, "GB18030, no BOM")) from None
    if "\x00" in text:
        raise Refused(Finding("SCHEMA_VIOLATION", "/", "a NUL character", "text"))
    rows: Rows = []
    try:
        for number, cells in enumerate(csv.reader(io.StringIO(text, newline="")), start=1):
            if number > MAX_ROWS:
                raise Refused(Finding("MEMBER_LIMIT", "/", f"more than {MAX_ROWS} rows", f"{MAX_ROWS} rows"))
            rows.append((number, [Cell(cell, formula=cell.lstrip().startswith("=")) for cell in cells]))
    except csv.Error as error:
        raise Refused(Finding("SCHEMA_VIOLATION", "/", str(error)[:80], "a csv table")) from None
    return rows
