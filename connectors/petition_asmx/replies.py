"""Result texts of the office: JSON, or something like `Result=0;…`. HTTP 200 is no success (habit 10)."""

import re
from dataclasses import dataclass, field
from typing import Any

from connectors.petition_asmx.jsonstring import parse_text
from connectors.petition_asmx.tables import CODES
from schemas.findings import Finding, Refused

_CODE = re.compile(r"\bE\d{2}\b")
_LOOSE = re.compile(r"Result\s*[=:]\s*[\"']?(?P<result>\d)", re.IGNORECASE)
_LOOSE_MESSAGE = re.compile(r"Message\s*[=:]\s*[\"']?(?P<message>[^;\"'}]*)", re.IGNORECASE)


@dataclass(frozen=True)
class Result:
    """A reply's word. `ok` None = it cannot be read. `code`: E01…E99 or "". `rows`: of a list, else empty."""

    ok: bool | None
    code: str
    text: str
    value: dict[str, Any] = field(default_factory=dict)

    @property
    def action(self) -> str:
        """What the hub does on it."""
        if self.ok:
            return "none"
        known: str = CODES["actions"].get(self.code, "")
        return known or ("a person: unknown code" if self.ok is False else "unknown outcome: ask")


def read_result(text: str, where: str, root: str) -> Result:
    """Read a result text; one that is no JSON is read as far as it says Result and Message."""
    try:
        value = parse_text(text, where, root)
    except Refused:
        return _loose(text)
    message = str(value.get("Message") or "")
    match = _CODE.search(message)
    told = str(value.get("Result", "")).strip().lower()
    ok = True if told in ("1", "true") else False if told in ("0", "false") else None
    return Result(ok, match[0] if match else "", message, value)


def _loose(text: str) -> Result:
    found = _LOOSE.search(text)
    if found is None:
        return Result(None, "", text[:200])
    message = _LOOSE_MESSAGE.search(text)
    rest = message["message"].strip() if message else text[found.end() :].strip(" ;")
    code = _CODE.search(text)
    return Result(found["result"] == "1", code[0] if code else "", rest[:200])


def rows_of(result: Result, root: str) -> list[tuple[str, Any]]:
    """The petitions in a reply, each with its path. Raises Refused where Rows is no list."""
    if "XFJBH" in result.value:
        return [(root, result.value)]
    rows = result.value.get("Rows")
    if rows is None:
        return []
    if not isinstance(rows, list):
        raise Refused(Finding("SCHEMA_VIOLATION", f"{root}/Rows", type(rows).__name__, "a list"))
    return [(f"{root}/Rows/{place}", row) for place, row in enumerate(rows)]
