"""Reads the fields of one row, whatever it came in: what was told, what is wrong with it, what was put right.

A field is None when it was not told (absent, xsi:nil, JSON null) and "" when it was told to be blank
(habit 3). A finding refuses the row; a note refuses nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

from connectors.court_feed.tables import table
from schemas.claims import Claim, JsonValue, Record
from schemas.findings import Finding
from schemas.wide import BEIJING, Unreadable, WideDate, read_excel_date, read_wide_amount, read_wide_date

Cell = str | int | Decimal | date | None
_PLAIN_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?", re.ASCII)


@dataclass(frozen=True)
class Context:
    """What holds for the whole message: its day (ids cannot be born after it) and the range of ids."""

    today: date
    profile: Literal["test", "production"]


@dataclass(frozen=True)
class RowsRead:
    """What became of one or more rows. `rows` counts them all, refused ones too."""

    records: tuple[Record, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()
    rows: int = 1


class Row:
    """One row's fields; gathers claims, findings and notes while they are read."""

    def __init__(self, cells: Mapping[str, Cell], path: str, context: Context) -> None:
        self.cells = cells
        self.path = path
        self.context = context
        self.claims: list[Claim] = []
        self.findings: list[Finding] = []
        self.notes: list[Finding] = []

    def at(self, name: str) -> str:
        """Path of a field."""
        return f"{self.path}/{name}"

    def refuse(self, code: str, name: str, found: str, expected: str) -> None:
        """Refuse this row because of one field."""
        self.findings.append(Finding(code, self.at(name), found[:200], expected, scope="row"))

    def note(self, code: str, name: str, found: str, expected: str) -> None:
        """Remark something about a field without refusing anything."""
        self.notes.append(
            Finding(code, self.at(name), found[:200], expected[:200], scope="row", severity="care")
        )

    def told(self, name: str) -> str | None:
        """Text of a field without outer blanks; None = not told, "" = told to be blank."""
        value = self.cells.get(name)
        return None if value is None else str(value).strip()

    def key(self, name: str) -> str:
        """A field that names the row: a blank or absent one refuses it."""
        value = self.told(name)
        if not value:
            self.refuse("SCHEMA_VIOLATION", name, "absent" if value is None else "blank", "required element")
        return value or ""

    def claim(self, field: str, value: JsonValue, raw: str | None = None) -> None:
        """State a field; `raw` is kept where it reads otherwise than the value."""
        self.claims.append(Claim(field, value, text=raw if raw is not None and raw != value else None))

    def text(self, name: str, field: str) -> str | None:
        """State a text field as it stands."""
        value = self.told(name)
        if value is not None:
            self.claim(field, value or None)
        return value

    def moment(self, name: str) -> WideDate | None:
        """A date or time in any habit; unreadable refuses the row."""
        cell = self.cells.get(name)
        if isinstance(cell, datetime):
            return WideDate(cell.replace(tzinfo=cell.tzinfo or BEIJING), "second", cell.isoformat())
        if isinstance(cell, date):
            return WideDate(cell, "day", cell.isoformat())
        try:
            if isinstance(cell, int | Decimal) and not isinstance(cell, bool):
                return read_excel_date(cell)
            raw = self.told(name)
            if not raw:
                return None
            found = read_wide_date(raw)
        except Unreadable as error:
            self.findings.append(error.finding(self.at(name)))
            return None
        if not _PLAIN_DATE.fullmatch(raw):
            self.note("VALUE_NORMALISED", name, raw, found.day.isoformat())
        return found

    def day(self, name: str, field: str) -> str | None:
        """State a calendar day; blank states blank."""
        if self.told(name) == "":
            self.claim(field, None)
            return None
        found = self.moment(name)
        if found is None:
            return None
        self.claim(field, found.day.isoformat(), self.told(name))
        return found.day.isoformat()

    def stamp(self, name: str, *, required: bool = True) -> str:
        """A moment as ISO text in Beijing time, to the second, so that texts sort as times do."""
        if required:
            self.key(name)
        found = self.moment(name)
        return stamp_of(found) if found else ""

    def version_of(self, stamp: str) -> tuple[str]:
        """The row's version: its own time, or the day on which it says that it ended where that is later.

        更新时间 is the exporter's clock (habit 12): a row that tells an end cannot be older than that end. An end more
        than a year ahead of it is a slip of the pen, and moves nothing.
        """
        ended = next((c.value for c in self.claims if c.field == "closed_on" and c.value), None)
        end = f"{ended}T00:00:00+08:00" if isinstance(ended, str) else ""
        if not stamp or end <= stamp:
            return (stamp,)
        ahead = date.fromisoformat(end[:10]) - date.fromisoformat(stamp[:10])
        return (end,) if ahead <= timedelta(days=366) else (stamp,)

    def amount(self, name: str, field: str | None = None, *, positive: bool = False) -> int | None:
        """Fen of an amount in any habit; `field` states it. Vague or odd amounts refuse the row (habit 5)."""
        cell = self.cells.get(name)
        if cell is None:
            return None
        raw = self.told(name) or ""
        try:
            fen = read_wide_amount(cell if isinstance(cell, int | Decimal) else raw)
        except Unreadable as error:
            self.refuse("AMOUNT_UNREADABLE", name, error.text, "non-negative yuan amount")
            return None
        if positive and not fen:
            self.refuse("AMOUNT_UNREADABLE", name, raw, "positive yuan amount")
            return None
        if field is not None:
            self.claim(field, None if fen is None else int(fen), raw or None)
        if fen is not None and not re.fullmatch(r"\d+(?:\.\d{1,2})?", raw, re.ASCII):
            self.note("VALUE_NORMALISED", name, raw, f"{int(fen)} fen")
        return None if fen is None else int(fen)

    def code(self, name: str, of: str, *, required: bool = False) -> str | None:
        """Our word for a code of the table `of`; an unknown one refuses the row."""
        raw = self.key(name) if required else self.told(name)
        if not raw:
            return None
        word = table(of).get(raw)
        if word is None:
            self.refuse("CODE_UNKNOWN", name, raw, "one of " + ", ".join(table(of)))
        return word

    def done(self, *records: Record) -> RowsRead:
        """The row's result: its records, or none where a finding refuses it."""
        kept = () if self.findings else records
        return RowsRead(kept, tuple(self.findings), tuple(self.notes))


def stamp_of(found: WideDate) -> str:
    """ISO text of a wide date in Beijing time, to the second."""
    value = found.value
    if not isinstance(value, datetime):
        return f"{value.isoformat()}T00:00:00+08:00"
    return value.astimezone(BEIJING).isoformat(timespec="seconds")
