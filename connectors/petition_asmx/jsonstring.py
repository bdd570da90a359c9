"""The one JSON text of the service: readable, an object, the keys that the machine contract wants."""

import re
from dataclasses import replace
from typing import Any

from connectors.petition_asmx.tables import CODES, KEYS, REQUIRED
from schemas.findings import Finding, Refused
from schemas.xml_safe import parse_json_strict

TEXT_BYTES = 20 * 1024 * 1024
NARRATIVE_LENGTH = 4000
_PATTERNS = {"NRFL": (r"\d{4,6}", "4 to 6 digits"), "WTSD": (r"\d{6,12}", "6 to 12 digits")}


def parse_text(text: str, where: str, root: str) -> dict[str, Any]:
    """The JSON object of a parameter or result.

    `where`: path of the element for a text that is no JSON; `root`: first step of paths inside it.
    Raises Refused with JSON_NOT_WELL_FORMED, JSON_DUPLICATE_KEY, TOO_LARGE or TOO_DEEP.
    """
    if len(text) > TEXT_BYTES or len(text.encode("utf-8", "surrogatepass")) > TEXT_BYTES:
        raise Refused(Finding("TOO_LARGE", where, "over 20 MB", f"at most {TEXT_BYTES} bytes"))
    try:
        value = parse_json_strict(text, max_bytes=TEXT_BYTES, path_root=root)
    except Refused as refused:
        raise Refused.of(_told_at(finding, where) for finding in refused.findings) from None
    if not isinstance(value, dict):
        raise Refused(Finding("JSON_NOT_WELL_FORMED", where, type(value).__name__, "one JSON object"))
    return value


def _told_at(finding: Finding, where: str) -> Finding:
    if finding.code != "JSON_NOT_WELL_FORMED":
        return finding
    found = "not JSON" if finding.found.startswith("not JSON") else finding.found
    return replace(finding, path=where, found=found, expected="one JSON object")


def check_keys(told: dict[str, Any], path: str, *, whole: bool) -> list[Finding]:
    """What the machine contract says of a petition's keys. `whole`: every required key must be told.

    An update names its petition; what else it leaves out is unchanged (contract, "Withdrawal and
    correction"). A required key that is null or "" was not told (habit 3).
    """
    found = [
        _violation(path, key, "absent" if key not in told else "not told", "required")
        for key in (REQUIRED if whole else REQUIRED[:1])
        if told.get(key) is None or told.get(key) == ""
    ]
    found += [_violation(path, key[:60], "unknown key", "no such key") for key in told if key not in KEYS]
    for key, value in told.items():
        if key in KEYS and key != "FJ" and isinstance(value, dict | list):
            found.append(_violation(path, key, "an object" if isinstance(value, dict) else "a list", "text"))
    return found + _check_values(told, path)


def _check_values(told: dict[str, Any], path: str) -> list[Finding]:
    found: list[Finding] = []
    number = told.get("XFJBH")
    if number not in (None, "") and not re.fullmatch(CODES["number_pattern"], str(number).strip(), re.ASCII):
        found.append(_violation(path, "XFJBH", str(number)[:60], CODES["number_wanted"]))
    for key, (pattern, wanted) in _PATTERNS.items():
        value = told.get(key)
        if isinstance(value, list | dict) or value in (None, ""):
            continue
        text = str(value).zfill(4) if isinstance(value, int) and key == "NRFL" else str(value).strip()
        if not re.fullmatch(pattern, text, re.ASCII):
            found.append(Finding("CODE_UNKNOWN", f"{path}/{key}", text[:60], wanted, scope="row"))
    narrative = told.get("NR")
    if isinstance(narrative, str) and len(narrative) > NARRATIVE_LENGTH:
        found.append(
            _violation(path, "NR", f"{len(narrative)} characters", f"at most {NARRATIVE_LENGTH} characters")
        )
    for key in ("RS", "BBH"):
        value = told.get(key)
        if not isinstance(value, list | dict) and value not in (None, "") and whole_number(value) is None:
            found.append(_violation(path, key, str(value)[:60], "a whole number"))
    return found


def whole_number(value: Any) -> int | None:
    """A count told as number or text, 3 or "3" or "3人"; None when it is none."""
    match = re.fullmatch(r"(\d{1,9})(?:\.0+)?\s*[人件次]?", str(value).strip(), re.ASCII)
    return int(match[1]) if match and not isinstance(value, bool) else None


def _violation(path: str, key: str, found: str, expected: str) -> Finding:
    return Finding("SCHEMA_VIOLATION", f"{path}/{key}", found, expected, scope="row")
