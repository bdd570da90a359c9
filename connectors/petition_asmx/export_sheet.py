"""The Excel export: amounts in 万元, dates as serial numbers, ids with an apostrophe, words for codes."""

import re
from typing import Any, Literal

from connectors.petition_asmx.fields import Context, Fields, RowRead, stamp_of
from connectors.petition_asmx.names import opposed, petitioners
from connectors.petition_asmx.people import opposed_parties, petitioner_parties
from connectors.petition_asmx.tables import CODES
from schemas.claims import Record
from schemas.findings import Finding, Refused
from schemas.sheet_safe import Cell, Sheet

_SHEET: dict[str, Any] = CODES["sheet"]
_NEEDED = ("XFJBH", "XFRXM", "XFRQ")
_HEADER_WITHIN = 10
_CUT_FROM = 55
VERSION = (0, 0)
"""An export carries no version: every message of the service outweighs it."""


def read_export(sheets: list[Sheet], context: Context) -> tuple[list[RowRead], list[Finding]]:
    """All petitions of the first sheet that has the export's headings, and remarks on other headings.

    Raises Refused when no sheet has them.
    """
    for sheet in sheets:
        header = _header(sheet)
        if header is not None:
            number, columns, unit, notes = header
            read = [
                _row(cells, row_number, columns, unit, context)
                for row_number, cells in enumerate(sheet.rows[number:], start=number + 1)
                if any(cell not in (None, "") for cell in cells)
            ]
            return read, notes
    wanted = "a row with the headings 信访件编号, 信访人, 信访日期"
    raise Refused(Finding("SCHEMA_VIOLATION", "sheet 1", "no header row", wanted))


def _header(sheet: Sheet) -> tuple[int, dict[int, str], Literal["元", "万元"], list[Finding]] | None:
    for number, cells in enumerate(sheet.rows[:_HEADER_WITHIN], start=1):
        columns: dict[int, str] = {}
        others: list[Finding] = []
        unit: Literal["元", "万元"] = "元"
        for index, cell in enumerate(cells):
            heading = re.sub(r"\s+", "", str(cell or ""))
            name = re.sub(r"[（(].*$", "", heading)
            if name in _SHEET["columns"]:
                columns[index] = _SHEET["columns"][name]
                unit = "万元" if columns[index] == "SJJE" and "万" in heading else unit
            elif heading:
                others.append(
                    Finding("UNKNOWN_FIELD", f"row {number}", heading[:60], "", scope="row", severity="care")
                )
        if set(_NEEDED) <= set(columns.values()):
            return number, columns, unit, others
    return None


def _row(
    cells: tuple[Cell, ...],
    number: int,
    columns: dict[int, str],
    unit: Literal["元", "万元"],
    context: Context,
) -> RowRead:
    headings = {key: name for name, key in _SHEET["columns"].items()}
    told = {key: cells[index] for index, key in columns.items() if index < len(cells)}
    fields = _SheetFields(told, f"row {number}", context, headings)
    native_id = fields.text("XFJBH").lstrip("'’‘＇")
    if not re.fullmatch(CODES["number_pattern"], native_id, re.ASCII):
        fields.refuse("SCHEMA_VIOLATION", "XFJBH", native_id or "absent", CODES["number_wanted"])
    begun = fields.moment("XFRQ")
    if begun is None and not fields.findings:
        fields.refuse("SCHEMA_VIOLATION", "XFRQ", "absent", "required")
    _claims(fields, unit)
    named, against = petitioners(fields.text("XFRXM")), opposed(fields.text("BXFR"))
    if not named.names:
        fields.refuse("SCHEMA_VIOLATION", "XFRXM", "absent", "required")
    parties = [*petitioner_parties(fields, named), *opposed_parties(fields, against)]
    return fields.done(
        Record(
            kind="episode",
            native_id=native_id,
            version=VERSION,
            event_at=stamp_of(begun) if begun else "",
            claims=tuple(fields.claims),
            parties=tuple(parties),
            path=fields.path,
            data={
                "from_export": True,
                "form": fields.code("XFXS", _SHEET["XFXS"], "来信, 来访, 网上, 电话 or 其他"),
                "category_text": fields.text("NRFL"),
                "appended_bodies": list(against.appended),
            },
        )
    )


class _SheetFields(Fields):
    """Keys of a sheet's row; a path names the heading that the clerk sees."""

    def __init__(self, told: Any, path: str, context: Context, headings: dict[str, str]) -> None:
        super().__init__(told, path, context)
        self.headings = headings

    def at(self, key: str) -> str:
        """Path of a key, by its heading."""
        return f"{self.path}/{self.headings.get(key, key)}"


def _claims(fields: Fields, unit: Literal["元", "万元"]) -> None:
    fields.claim("proceeding_kind", "PETITION")
    fields.day("XFRQ", "opened_on")
    fields.state("NRFL", "cause")
    fields.state("WTSD", "place_text")
    narrative = fields.state("NR", "narrative")
    if len(narrative) >= _CUT_FROM and not narrative.endswith(("。", "！", "？", ".", "”")):
        fields.note("TEXT_CUT", "NR", narrative[-12:], "a whole sentence")
    fields.amount("SJJE", unit)
    if repeated := fields.code("CFXF", _SHEET["CFXF"], "是 or 否"):
        fields.claim("repeat_flag", repeated == "1")
    fields.state("ZRDW", "holder")
    fields.day("BLQX", "limit_date")
