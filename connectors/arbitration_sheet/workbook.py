"""Reads the first sheet of an xlsx as text, exactly as the file holds it: no float is ever made, no formula run."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from schemas.findings import Finding, Refused
from schemas.xml_safe import parse_xml
from schemas.zip_safe import ZipLimits, read_zip_safe

LIMITS = ZipLimits(entries=500, entry_bytes=20_000_000, total_bytes=60_000_000, ratio=500)
MAX_ROWS, MAX_COLUMNS = 50_000, 200
_REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})", re.ASCII)
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"

Element = etree._Element


@dataclass(frozen=True)
class Cell:
    """One cell. `number`: it was stored as a number; `formula`: a formula stands behind it."""

    text: str
    number: bool = False
    formula: bool = False


Rows = list[tuple[int, list[Cell]]]


def read_workbook(raw: bytes) -> Rows:
    """Rows of the first sheet as (row number from 1, cells). Raises Refused: unsafe archive, no workbook."""
    parts = dict(read_zip_safe(raw, LIMITS))
    sheet = parse_xml(_first_sheet(parts), max_bytes=LIMITS.entry_bytes, path_root="xlsx:sheet")
    shared = _shared_strings(parts)
    rows: Rows = []
    number = 0
    for row in _named(sheet, "row"):
        stated = row.get("r", "")
        number = int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 8 else number + 1
        rows.append((number, _cells(row, shared)))
        if len(rows) > MAX_ROWS:
            raise Refused(
                Finding("MEMBER_LIMIT", "xlsx:sheet", f"more than {MAX_ROWS} rows", f"{MAX_ROWS} rows")
            )
    return rows


def _first_sheet(parts: dict[str, bytes]) -> bytes:
    book = _part(parts, "xl/workbook.xml")
    relations = {
        str(each.get("Id")): each.get("Target", "")
        for each in _named(_part(parts, "xl/_rels/workbook.xml.rels"), "Relationship")
    }
    for sheet in _named(book, "sheet"):
        if sheet.get("state", "visible") != "visible":
            continue
        identifier = sheet.get(_RELATION) or next(
            (value for name, value in sheet.attrib.items() if etree.QName(name).localname == "id"), None
        )
        target = relations.get(str(identifier), "")
        path = target.lstrip("/") if target.startswith("/") else posixpath.normpath(f"xl/{target}")
        if path in parts:
            return parts[path]
    raise Refused(Finding("SCHEMA_VIOLATION", "xlsx:", "no visible sheet", "a workbook with one sheet"))


def _part(parts: dict[str, bytes], name: str) -> Element:
    if name not in parts:
        raise Refused(Finding("SCHEMA_VIOLATION", "xlsx:", f"{name} is absent", "a workbook (xlsx)"))
    return parse_xml(parts[name], max_bytes=LIMITS.entry_bytes, path_root=f"xlsx:{name}")


def _shared_strings(parts: dict[str, bytes]) -> list[str]:
    if "xl/sharedStrings.xml" not in parts:
        return []
    return [_text(item) for item in _named(_part(parts, "xl/sharedStrings.xml"), "si")]


def _cells(row: Element, shared: list[str]) -> list[Cell]:
    cells: list[Cell] = []
    for cell in _named(row, "c"):
        match = _REFERENCE.fullmatch(cell.get("r", ""))
        place = _column(match[1]) if match else len(cells)
        if place >= MAX_COLUMNS:
            continue
        while len(cells) < place:
            cells.append(Cell(""))
        made = _cell(cell, shared)
        if place < len(cells):
            cells[place] = made
        else:
            cells.append(made)
    return cells


def _cell(cell: Element, shared: list[str]) -> Cell:
    kind = cell.get("t", "n")
    formula = next(_named(cell, "f"), None) is not None
    if kind == "inlineStr":
        return Cell("".join(_text(each) for each in _named(cell, "is")), formula=formula)
    value = next(_named(cell, "v"), None)
    text = (value.text or "") if value is not None else ""
    if kind == "s":
        index = int(text) if text.isascii() and text.isdigit() and len(text) < 9 else -1
        return Cell(shared[index] if 0 <= index < len(shared) else "", formula=formula)
    return Cell(text, number=kind == "n" and bool(text), formula=formula)


def _column(letters: str) -> int:
    place = 0
    for letter in letters:
        place = place * 26 + ord(letter) - 64
    return place - 1


def _text(element: Element) -> str:
    """Text of a rich or plain string, without the phonetic guide."""
    return "".join(each.text or "" for each in _named(element, "t") if not _is_guide(each))


def _is_guide(text: Element) -> bool:
    parent = text.getparent()
    return parent is not None and etree.QName(parent).localname == "rPh"


def _named(element: Element, name: str) -> Iterator[Element]:
    """Descendants by local name: the two editions of the format differ in namespace only."""
    return element.iter(f"{{*}}{name}")
