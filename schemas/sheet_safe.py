"""Reading Excel sheets from outside: bounded, no formulas, no entities, exact numbers."""

import io
import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

import openpyxl
from lxml import etree

from schemas.findings import Finding, Refused
from schemas.xml_safe import parse_xml
from schemas.zip_safe import ZipLimits, read_zip_safe

Cell = str | int | Decimal | datetime | date | bool | None
_LIMITS = ZipLimits(entries=200, entry_bytes=12_000_000, total_bytes=24_000_000, ratio=200)
_MERGED_CELLS = 200_000
_REF = re.compile(r"\$?([A-Z]{1,3})\$?(\d{1,7})(?::\$?([A-Z]{1,3})\$?(\d{1,7}))?", re.ASCII)


@dataclass(frozen=True)
class Sheet:
    """One sheet. `rows`: cells from A1 on, None = empty. `merged`: (first row, first column, last row,
    last column), all from 1; only the first cell of a merged area has a value.
    """

    name: str
    rows: tuple[tuple[Cell, ...], ...]
    merged: tuple[tuple[int, int, int, int], ...] = ()


def is_sheet(raw: bytes) -> bool:
    """Whether the bytes look like an Excel workbook and not like another zip."""
    return raw[:4] == b"PK\x03\x04" and b"xl/workbook.xml" in raw


def read_sheets_safe(raw: bytes, *, max_rows: int = 20_000, max_columns: int = 100) -> list[Sheet]:
    """All sheets of a workbook. Numbers come as int or Decimal, never float.

    Raises Refused: ARCHIVE_UNSAFE, XML_DTD_FORBIDDEN and kin for the file, MEMBER_LIMIT over the limits,
    SCHEMA_VIOLATION for a formula or a workbook that cannot be read.
    """
    for name, content in read_zip_safe(raw, _LIMITS):
        if name.endswith((".xml", ".rels", ".vml")):
            _check_member(name, parse_xml(content, max_bytes=_LIMITS.entry_bytes, path_root=f"zip:{name}"))
    try:
        book = openpyxl.load_workbook(io.BytesIO(raw), data_only=False, keep_links=False)
    except Exception as error:  # openpyxl raises whatever its inside raises
        raise Refused(
            Finding(
                "SCHEMA_VIOLATION", "workbook", f"{type(error).__name__}: {error}"[:120], "an Excel workbook"
            )
        ) from None
    sheets: list[Sheet] = []
    for number, sheet in enumerate(book.worksheets, start=1):
        if sheet.max_row > max_rows or sheet.max_column > max_columns:
            found = f"{sheet.max_row} rows, {sheet.max_column} columns"
            wanted = f"at most {max_rows} rows, {max_columns} columns"
            raise Refused(Finding("MEMBER_LIMIT", f"sheet {number}", found, wanted))
        rows = tuple(
            tuple(_value(cell.value, cell.data_type, number, cell.coordinate) for cell in row)
            for row in sheet.iter_rows()
        )
        merged = tuple((r.min_row, r.min_col, r.max_row, r.max_col) for r in sheet.merged_cells.ranges)
        sheets.append(Sheet(str(sheet.title), rows, tuple(sorted(merged))))
    return sheets


def _check_member(name: str, root: "etree._Element") -> None:
    # Loading expands each merged area cell by cell, so an area over the whole sheet would never end.
    total = 0
    for element in root.iter("{*}mergeCell"):
        match = _REF.fullmatch(element.get("ref", ""))
        if match is None:
            raise Refused(Finding("SCHEMA_VIOLATION", f"zip:{name}", "a merged area without place", "A1:B2"))
        if match[3]:
            width = abs(_column(match[3]) - _column(match[1])) + 1
            total += width * (abs(int(match[4]) - int(match[2])) + 1)
        if total > _MERGED_CELLS:
            raise Refused(
                Finding("MEMBER_LIMIT", f"zip:{name}", "merged areas too large", f"{_MERGED_CELLS} cells")
            )


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number


def _value(value: object, kind: str, sheet: int, place: str) -> Cell:
    if kind == "f":
        found = str(getattr(value, "text", value))[:60]
        raise Refused(Finding("SCHEMA_VIOLATION", f"sheet {sheet} {place}", found, "a value, not a formula"))
    if isinstance(value, float):
        number = Decimal(repr(value))
        return int(number) if number == number.to_integral_value() and abs(number) < 10**15 else number
    if value is None or isinstance(value, str | int | datetime | date):
        return value
    return str(value)
