"""Findings: what was wrong, where, what was found, what was expected and what to do.

`FINDING_CODES` is the one table of codes. Codes that the partners' contract pack names map to ours one
to one (`pack_code`), here with the same spelling; finer codes of our own have `pack_code` "".
The texts live in schemas/data/finding_codes.csv, Chinese first.
"""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from typing import Literal

Scope = Literal["message", "row"]
Severity = Literal["refuse", "care"]


@dataclass(frozen=True)
class FindingText:
    """Texts of one code: what it means and what to do, in Chinese and English."""

    code: str
    pack_code: str
    zh: str
    en: str
    todo_zh: str
    todo_en: str


def _load() -> dict[str, FindingText]:
    text = files("schemas").joinpath("data/finding_codes.csv").read_text("utf-8")
    return {row["code"]: FindingText(**row) for row in csv.DictReader(text.splitlines())}


FINDING_CODES: dict[str, FindingText] = _load()
"""Every code a finding may have, by code."""

PACK_CODES: dict[str, str] = {t.pack_code: t.code for t in FINDING_CODES.values() if t.pack_code}
"""Contract pack code → ours, one to one."""


@dataclass(frozen=True)
class Finding:
    """One fault or remark.

    `code`: one of FINDING_CODES, else ValueError. `path`: where, in the manner of the message's format.
    `found`, `expected`: as text; never a full personal number where a masked one will do. `action`:
    what follows; "" takes the table's English text. `scope`: "message" or "row". `severity`: "refuse",
    or "care" for something taken, with a note. `partner_code`: what the partner is told, "" = by manifest.
    """

    code: str
    path: str
    found: str = ""
    expected: str = ""
    action: str = ""
    scope: Scope = "message"
    severity: Severity = "refuse"
    partner_code: str = ""

    def __post_init__(self) -> None:
        if self.code not in FINDING_CODES:
            raise ValueError(f"unknown finding code {self.code!r}")
        if not self.action:
            object.__setattr__(self, "action", FINDING_CODES[self.code].todo_en)
        for name in ("path", "found", "expected"):
            object.__setattr__(self, name, _storable(getattr(self, name)))

    def as_dict(self) -> dict[str, str]:
        """The finding as JSON-able dict, the fields people and partners are shown."""
        return {
            "code": self.code,
            "path": self.path,
            "found": self.found,
            "expected": self.expected,
            "action": self.action,
            "partner_code": self.partner_code,
        }

    def text_zh(self) -> str:
        """The finding in one Chinese sentence for the screen."""
        text = FINDING_CODES[self.code]
        where = f"（{self.path}）" if self.path else ""
        found = f"：实际为“{self.found}”" if self.found else ""
        wanted = f"，应为“{self.expected}”" if self.expected else ""
        return f"{text.zh}{where}{found}{wanted}。{text.todo_zh}"

    def text_en(self) -> str:
        """The finding in one English sentence for the screen."""
        text = FINDING_CODES[self.code]
        where = f" ({self.path})" if self.path else ""
        found = f': found "{self.found}"' if self.found else ""
        wanted = f', expected "{self.expected}"' if self.expected else ""
        return f"{text.en}{where}{found}{wanted}. {text.todo_en}"


def _storable(text: str) -> str:
    """What was found may be of any kind; NUL and lone surrogates, which no database or wire takes, are replaced."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode("utf-8")


class Refused(Exception):
    """Input was refused; `findings` say why (at least one)."""

    def __init__(self, *findings: Finding) -> None:
        if not findings:
            raise ValueError("Refused needs at least one finding")
        super().__init__("; ".join(f"{f.code} {f.path}: {f.found}" for f in findings))
        self.findings: tuple[Finding, ...] = findings

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> "Refused":
        """Refused from any iterable of findings."""
        return cls(*findings)
