"""What a person filled in: texts, days, sums and rows, each checked where it stands; all faults told at once."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date
from typing import Any
from uuid import UUID

from starlette.datastructures import FormData

from schemas.findings import Finding, Refused
from schemas.money import Fen

# 12345, 12345.6, 12,345.60: separators only where they belong.
_YUAN = re.compile(r"^(?:\d{1,12}|\d{1,3}(?:,\d{3})+)(?:\.\d{1,2})?$")


class Incomplete(Exception):
    """A form is shown again as it was filled in, with what is wrong; nothing of it was kept."""

    def __init__(self, template: str, findings: Collection[Finding], **values: Any) -> None:
        super().__init__(template)
        self.template = template
        self.findings = list(findings)
        self.values = values


class Filled:
    """Fields of a form. Each reader notes a finding and returns an empty value when the field is wrong;
    ``check`` raises them together."""

    def __init__(self, fields: FormData) -> None:
        self.fields = fields
        self.findings: list[Finding] = []

    def text(self, name: str, *, most: int = 500, required: bool = False) -> str:
        """A text without the blanks around it, at most ``most`` characters."""
        return self._text(name, self.fields.get(name), most, required)

    def reason(self, name: str = "reason") -> str:
        """A reason that must be given."""
        return self.text(name, required=True)

    def choice(self, name: str, allowed: Collection[str], default: str = "") -> str:
        """One of the allowed codes."""
        return self._choice(name, self.text(name) or default, allowed)

    def day(self, name: str, *, required: bool = False) -> date | None:
        """A day as the browser writes it, YYYY-MM-DD."""
        return self._day(name, self.text(name, most=10, required=required))

    def fen(self, name: str, *, required: bool = True) -> int:
        """A sum of yuan above 0, to the fen; 0 when it is absent."""
        return self._fen(name, self.text(name, most=20, required=required))

    def id(self, name: str) -> UUID | None:
        """An inner id that the page itself put into the form; None when it is absent."""
        text = self.text(name, most=36)
        try:
            return UUID(text) if text else None
        except ValueError:
            self.findings.append(Finding("CODE_UNKNOWN", name, text))
            return None

    def whole(self, name: str, least: int, most: int, default: int) -> int:
        """A whole number between two others."""
        text = self.text(name, most=9) or str(default)
        if not text.isdecimal() or not least <= int(text) <= most:
            self.findings.append(Finding("SCHEMA_VIOLATION", name, text, f"{least}–{most}"))
            return default
        return int(text)

    def ticked(self, name: str) -> bool:
        """Whether a box is ticked."""
        return bool(self.fields.get(name))

    def many(self, name: str) -> list[str]:
        """Every value of a field that may stand several times."""
        return [str(each) for each in self.fields.getlist(name)]

    def rows(self, *names: str, most: int) -> list[dict[str, str]]:
        """Rows of fields that stand under one another, blank rows left out; ``no`` counts them as they stand."""
        columns = {name: [str(each).strip() for each in self.fields.getlist(name)] for name in names}
        length = max((len(column) for column in columns.values()), default=0)
        if length > most:
            self.findings.append(Finding("MEMBER_LIMIT", names[0], str(length), f"≤ {most}"))
        found = []
        for i in range(min(length, most)):
            row = {name: column[i] if i < len(column) else "" for name, column in columns.items()}
            found.append({**row, "no": str(i + 1)})
        return found

    def row_fen(self, row: dict[str, str], name: str) -> int:
        return self._fen(f"{name}[{row['no']}]", row[name])

    def row_day(self, row: dict[str, str], name: str) -> date | None:
        path = f"{name}[{row['no']}]"
        return self._day(path, self._text(path, row[name], 10, required=True))

    def row_choice(self, row: dict[str, str], name: str, allowed: Collection[str]) -> str:
        return self._choice(f"{name}[{row['no']}]", row[name], allowed)

    def check(self) -> None:
        """Raise Refused with everything that is wrong."""
        if self.findings:
            raise Refused(*self.findings)

    def _text(self, path: str, value: object, most: int, required: bool) -> str:
        text = value.strip().replace("\x00", "") if isinstance(value, str) else ""
        if len(text) > most:
            self.findings.append(Finding("TOO_LARGE", path, f"{len(text)}", f"≤ {most}"))
            return ""
        if required and not text:
            self.findings.append(Finding("FIELD_MISSING", path))
        return text

    def _choice(self, path: str, text: str, allowed: Collection[str]) -> str:
        if text not in allowed:
            self.findings.append(Finding("CODE_UNKNOWN", path, text[:60], "、".join(sorted(allowed))[:200]))
            return ""
        return text

    def _day(self, path: str, text: str) -> date | None:
        if not text:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            self.findings.append(Finding("DATE_UNREADABLE", path, text, "2026-04-01"))
            return None

    def _fen(self, path: str, text: str) -> int:
        if not text:
            return 0
        if not _YUAN.match(text) or int(Fen.from_yuan_text(text.replace(",", ""))) == 0:
            self.findings.append(Finding("AMOUNT_UNREADABLE", path, text, "12345.60"))
            return 0
        return int(Fen.from_yuan_text(text.replace(",", "")))
