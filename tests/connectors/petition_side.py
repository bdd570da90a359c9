"""The petition office's examples as the tests read them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from connectors.petition_asmx import mapping, service
from schemas.exchange import Known, RawMessage, Reading
from schemas.findings import Finding

PARTNER = "petition_asmx"
EXAMPLES = Path(mapping.__file__).parent / "examples"
FILES = sorted(path.name for path in EXAMPLES.iterdir() if not path.name.endswith(".expect.json"))
LATER = datetime(2026, 9, 1, tzinfo=UTC)


def content(name: str) -> bytes:
    """Bytes of an example named by its first letters, such as x01."""
    return (EXAMPLES / next(each for each in FILES if each.startswith(name))).read_bytes()


def told(name: str) -> dict[str, Any]:
    """The JSON inside an example."""
    match = re.search(r"<Jsonstring>(.*?)</", content(name).decode("utf-8"), re.S)
    assert match
    found: dict[str, Any] = json.loads(match[1])
    return found


def envelope(operation: str, text: str, name: str = "Jsonstring") -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>'
        f'<{operation} xmlns="http://tempuri.org/"><{name}>{escape(text)}</{name}></{operation}>'
        "</soap:Body></soap:Envelope>"
    )


def read(raw: bytes | str, filename: str = "", **more: Any) -> Reading:
    """Read bytes as `concord ingest` hands them over."""
    body = raw.encode("utf-8") if isinstance(raw, str) else raw
    message = RawMessage(PARTNER, "file", "", body, LATER, more.pop("headers", {}), filename)
    return mapping.read(message, Known(**more))


def add(**changed: Any) -> Reading:
    """x01 with other values, as AddXfj."""
    return read(envelope("AddXfj", json.dumps({**told("x01"), **changed}, ensure_ascii=False)))


def update(*gone: str, **changed: Any) -> Reading:
    """x07 with other values and without some keys, as UpdateXfj."""
    kept = {key: value for key, value in {**told("x07"), **changed}.items() if key not in gone}
    return read(envelope("UpdateXfj", json.dumps(kept, ensure_ascii=False)))


def expected_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLES / f"{name}.expect.json").read_text("utf-8"))["expected"]
    return found


def report_of(findings: tuple[Finding, ...]) -> list[dict[str, str]]:
    """The findings as the side files write them, with the office's answers."""
    return [{**each.as_dict(), "partner_code": service.ERRORS[each.code]} for each in findings]


def codes(reading: Reading) -> list[tuple[str, str]]:
    return [(each.code, each.path) for each in reading.findings]


def fields(reading: Reading, row: int = 0) -> dict[str, Any]:
    return {claim.field: claim.value for claim in reading.records[row].claims}
