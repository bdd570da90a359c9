"""The court's examples as the tests read them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors.court_feed import mapping, service
from schemas.exchange import Known, RawMessage, Reading
from schemas.findings import Finding

PARTNER = "court_feed"
EXAMPLES = Path(mapping.__file__).parent / "examples"
FILES = sorted(path.name for path in EXAMPLES.iterdir() if not path.name.endswith(".expect.json"))
LATER = datetime(2026, 9, 1, tzinfo=UTC)
NAMESPACE = "http://dataexchange.court.gov.cn/2009/data"
RECEIVER = "urn:ouqi-court:receiver:2019"


def content(name: str) -> bytes:
    """Bytes of an example named by its first letters, such as c01."""
    return (EXAMPLES / next(each for each in FILES if each.startswith(name))).read_bytes()


def text(name: str) -> str:
    return content(name).decode("utf-8")


def read(raw: bytes | str, filename: str = "", **more: Any) -> Reading:
    """Read bytes as `concord ingest` hands them over."""
    body = raw.encode("utf-8") if isinstance(raw, str) else raw
    message = RawMessage(PARTNER, "file", "", body, more.pop("at", LATER), more.pop("headers", {}), filename)
    return mapping.read(message, Known(**more))


def expected_of(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EXAMPLES / f"{name}.expect.json").read_text("utf-8"))["expected"]
    return found


def report_of(findings: tuple[Finding, ...]) -> list[dict[str, str]]:
    """The findings as the side files write them, with the court's codes."""
    return [{**each.as_dict(), "partner_code": service.ERRORS[each.code]} for each in findings]


def codes(reading: Reading) -> list[tuple[str, str]]:
    return [(each.code, each.path) for each in reading.findings]


def fields(reading: Reading, row: int = 0) -> dict[str, Any]:
    return {claim.field: claim.value for claim in reading.records[row].claims}


def zipped(parts: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 4, 2, 1, 2, 2)), part, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def push(batch_no: str, archive: bytes, **other: str) -> str:
    """A ReceiveBatch message; `other` puts other text into a field."""
    told = {
        "sender": "3399",
        "batchNo": batch_no,
        "fileName": "AJXX_export_20260401000000_20260401235959_3399_20260402010200_9.zip",
        "md5": hashlib.md5(archive).hexdigest(),
        "sentAt": "20260402010300",
        "content": base64.b64encode(archive).decode(),
        **other,
    }
    inner = "".join(f"<{name}>{value}</{name}>" for name, value in told.items())
    return envelope(f'<ReceiveBatch xmlns="{RECEIVER}">{inner}</ReceiveBatch>')


def notice(notice_id: str, xml: str) -> str:
    escaped = xml.replace("&", "&amp;").replace("<", "&lt;")
    return envelope(
        f'<ReceiveNotice xmlns="{RECEIVER}"><sender>3399</sender><noticeId>{notice_id}</noticeId>'
        f"<urgency>1</urgency><sentAt>20260409090000</sentAt><xml>{escaped}</xml></ReceiveNotice>"
    )


def envelope(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<soap:Body>{body}</soap:Body></soap:Envelope>"
    )
