"""One petition's keys: what was told, what is wrong, what was put right. Null and "" both mean not told (habit 3)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from connectors.petition_asmx.tables import TABLES, WANTED
from schemas.claims import Claim, JsonValue, Record
from schemas.findings import Finding
from schemas.identifiers import check_resident_id, is_masked_id, is_old_resident_id, normalise_id
from schemas.wide import (
    BEIJING,
    Unquantified,
    Unreadable,
    WideDate,
    read_excel_date,
    read_wide_amount,
    read_wide_date,
)

ID_WANTED = "right check character, or masked, or empty"
_CODE_WIDTH = {"XFXS": 2, "BLZT": 2, "NRFL": 4}
_PLAIN_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?", re.ASCII)


@dataclass(frozen=True)
class Context:
    """What holds for the whole message: its day and the range of ids."""

    today: date
    profile: Literal["test", "production"]


@dataclass(frozen=True)
class RowRead:
    """What became of one petition; `findings` refuse it, `notes` do not."""

    records: tuple[Record, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[Finding, ...] = ()


class Fields:
    """Reads the keys of one petition; gathers claims, findings and notes meanwhile."""

    def __init__(self, told: Mapping[str, Any], path: str, context: Context) -> None:
        self.values = told
        self.path = path
        self.context = context
        self.claims: list[Claim] = []
        self.findings: list[Finding] = []
        self.notes: list[Finding] = []

    def at(self, key: str) -> str:
        """Path of a key."""
        return f"{self.path}/{key}"

    def refuse(self, code: str, key: str, found: str, expected: str) -> None:
        """Refuse this petition because of one key."""
        self.findings.append(Finding(code, self.at(key), found[:200], expected, scope="row"))

    def note(self, code: str, key: str, found: str, expected: str) -> None:
        """Remark something without refusing anything."""
        self.notes.append(
            Finding(code, self.at(key), found[:200], expected[:200], scope="row", severity="care")
        )

    def claim(self, field: str, value: JsonValue, raw: str | None = None) -> None:
        """State a field; `raw` is kept where it reads otherwise."""
        self.claims.append(Claim(field, value, text=raw if raw is not None and raw != value else None))

    def text(self, key: str) -> str:
        """Text of a key, "" when not told. Numbers and truth values are text or not, by mood (habit 12)."""
        value = self.values.get(key)
        if value is None or isinstance(value, list | dict):
            return ""
        if isinstance(value, bool):
            return "1" if value else "0"
        if isinstance(value, int) and key in _CODE_WIDTH:
            return str(value).zfill(_CODE_WIDTH[key])
        if isinstance(value, Decimal):
            whole = value == value.to_integral_value()
            return format(value.to_integral_value() if whole else value, "f")
        return str(value).strip().strip("\u3000").strip()

    def state(self, key: str, field: str) -> str:
        """State a text key under our name, if told."""
        value = self.text(key)
        if value:
            self.claim(field, value)
        return value

    def code(self, key: str, table: Mapping[str, str] | None = None, wanted: str = "") -> str:
        """Our word for a code, "" when not told; an unknown one refuses."""
        raw = self.text(key)
        if not raw:
            return ""
        word = (TABLES[key] if table is None else table).get(raw.upper())
        if word is None:
            self.refuse("CODE_UNKNOWN", key, raw, wanted or WANTED[key])
        return word or ""

    def moment(self, key: str) -> WideDate | None:
        """A date or time in any habit; unreadable refuses."""
        value = self.values.get(key)
        if isinstance(value, datetime):
            return WideDate(value.replace(tzinfo=value.tzinfo or BEIJING), "second", value.isoformat())
        if isinstance(value, date):
            return WideDate(value, "day", value.isoformat())
        raw = self.text(key)
        if not raw:
            return None
        try:
            found = (
                read_excel_date(int(raw)) if re.fullmatch(r"\d{5}", raw, re.ASCII) else read_wide_date(raw)
            )
        except Unreadable as error:
            self.refuse("DATE_UNREADABLE", key, raw, error.expected)
            return None
        if not _PLAIN_DATE.fullmatch(raw):
            self.note("VALUE_NORMALISED", key, raw, found.day.isoformat())
        return found

    def day(self, key: str, field: str) -> None:
        """State a calendar day, if told."""
        found = self.moment(key)
        if found is not None:
            self.claim(field, found.day.isoformat(), self.text(key))

    def amount(self, key: str, unit: Literal["元", "万元"] = "元") -> None:
        """State the sum: exact ones in fen and as text, rough ones as text alone (habit 6)."""
        raw = self.text(key)
        if not raw:
            return
        value = self.values.get(key)
        shown = f"{raw}{unit}" if unit == "万元" else raw
        try:
            fen = read_wide_amount(_without_noise(value, raw), unit)
        except Unquantified:
            self.claim("claimed_text", shown)
            self.note("AMOUNT_UNQUANTIFIED", key, raw, "an exact amount")
            return
        except Unreadable:
            if not re.search(r"[\u4e00-\u9fff]", raw):
                self.refuse("AMOUNT_UNREADABLE", key, raw, "non-negative yuan amount")
            else:
                self.claim("claimed_text", shown)
                self.note("AMOUNT_UNQUANTIFIED", key, raw, "an exact amount")
            return
        if fen is not None:
            self.claim("claimed_fen", int(fen), shown)

    def identity(self, key: str) -> dict[str, str]:
        """The id of the first petitioner: whole, masked, or of the old 15 places (habit 5)."""
        raw = self.text(key).lstrip("'’‘`＇").strip()
        if not raw:
            return {}
        value = normalise_id(raw)
        if is_masked_id(value):
            return {"masked_id": value}
        if is_old_resident_id(value):
            self.note("ID_FORMAT", key, raw, "18 places; the old 15 are kept unchecked and link nothing")
            return {"old_id": value}
        code = check_resident_id(value, today=self.context.today, profile=self.context.profile)
        if code:
            self.refuse(code, key, raw, ID_WANTED)
        return {"id_number": value}

    def done(self, *records: Record) -> RowRead:
        """The petition's result: its records, or none where a finding refuses it."""
        return RowRead(() if self.findings else records, tuple(self.findings), tuple(self.notes))


def _without_noise(value: Any, raw: str) -> str | int | Decimal:
    # A sheet's 1.8389 may be stored as 1.8388999999999998: beyond the sixth place it is noise of the float.
    if isinstance(value, Decimal) and abs(value) < 10**9:
        rounded = round(value, 6)
        return rounded if abs(rounded - value) < Decimal("1e-9") else value
    return value if isinstance(value, int) and not isinstance(value, bool) else raw


def stamp_of(found: WideDate) -> str:
    """ISO text in Beijing time, to the second, so that texts sort as times do."""
    value = found.value
    if not isinstance(value, datetime):
        return f"{value.isoformat()}T00:00:00+08:00"
    return value.astimezone(BEIJING).isoformat(timespec="seconds")
