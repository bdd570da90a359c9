"""A reply of the gateway → Reading. Pure.

Data replies become records of kind "person_check": data {"subject": person|company, "found", "name",
"number", "alive" (True, False, None = not told), "address", "status"}. A dead payee stops releases: that is
the rooms' work. Token replies and refusals become no record; `meta["action"]` says what follows.
The header `concord-question` (JSON, set by our client) says what was asked, so that "no data" has a subject.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC
from typing import Any

from schemas.claims import Record
from schemas.exchange import Known, RawMessage, Reading
from schemas.findings import Finding, Refused
from schemas.identifiers import check_credit_code, check_resident_id, is_masked_id, normalise_id
from schemas.xml_safe import parse_json_strict

QUESTION_HEADER = "concord-question"
MAX_BYTES = 5 * 1024 * 1024
ACTIONS = {
    "01": "permanent: wrong parameter, park for a person",
    "05": "another worker has refreshed: read the shared secret again, retry once",
    "06": "our clock is wrong: alarm, retry after it is set",
    "08": "permanent: no right to this interface, park for a person",
    "12": "daily quota used: retry tomorrow",
    "14": "once: refreshTokenByKey; if that fails stop and alarm, never loop",
    "99": "retry with back-off",
}
OWN_TIME = "x-concord-own-time"
NO_TIME = "1970-01-01T00:00:00+00:00"


def read(message: RawMessage, known: Known) -> Reading:
    """Read one reply. Never raises for wrong input: what is wrong is in the Reading's findings."""
    whole = hashlib.sha256(message.content).hexdigest()
    try:
        value = parsed(message.content, message.headers.get("content-type", ""))
        return (
            _token(value, whole) if "datas" in value and "data" not in value else _data(value, message, whole)
        )
    except Refused as refused:
        return Reading(f"unread-{whole[:24]}", whole, findings=refused.findings)


def recognises(content: bytes, filename: str = "") -> bool:
    """Whether a bare file looks like one of the gateway's replies."""
    head = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:2000]
    return head[:1] == b"<" or (head[:1] == b"{" and b'"code"' in head and b'"msg"' in head)


def parsed(content: bytes, content_type: str = "") -> dict[str, Any]:
    """The reply as an object. Raises Refused: NOT_JSON for a page of HTML, or what JSON finds wrong."""
    head = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if head == b"<" or (head not in (b"{", b"[") and "html" in content_type):
        # Habit 5: while they upgrade, a page comes with HTTP 200.
        found = "text/html with HTTP 200"
        raise Refused(Finding("NOT_JSON", "/", found, "application/json", action="retry with back-off"))
    value = parse_json_strict(content, max_bytes=MAX_BYTES, refuse_nul=False)
    if not isinstance(value, dict):
        raise Refused(Finding("SCHEMA_VIOLATION", "/", type(value).__name__, "an object with code"))
    if not isinstance(value.get("code"), str):
        found = "absent" if "code" not in value else str(value["code"])[:40]
        raise Refused(Finding("SCHEMA_VIOLATION", "/code", found, "required text"))
    return value


def _token(value: dict[str, Any], whole: str) -> Reading:
    """A token reply as a bare file: checked, kept out of the records; secrets are no data."""
    code = value["code"]
    meta: dict[str, Any] = {"operation": "token", "code": code}
    if code == "00":
        told = value["datas"]
        for key in ("requestSecret", "requestSecretEndTime"):
            if not isinstance(told, dict) or key not in told:
                raise Refused(Finding("SCHEMA_VIOLATION", f"/datas/{key}", "absent", "required"))
        meta["keeps_refresh_secret"] = "refreshSecret" not in told
    else:
        meta["action"] = ACTIONS.get(code, ACTIONS["99"])
    return Reading(f"token-{whole[:24]}", whole, meta=meta)


def _data(value: dict[str, Any], message: RawMessage, whole: str) -> Reading:
    code = value["code"]
    request_id = str(value.get("requestId") or "").replace("\x00", "")[:60]
    message_id = f"reply-{request_id}-{whole[:16]}" if request_id else f"reply-{whole[:24]}"
    meta: dict[str, Any] = {"operation": "dataSharing", "code": code, "msg": value.get("msg") or ""}
    if code != "00":
        return Reading(message_id, whole, meta={**meta, "action": ACTIONS.get(code, ACTIONS["99"])})
    rows = rows_of(value.get("data"))
    question = _question(message)
    # A reply tells no time: it is of the moment when it came, and a bare file that came without one is of none.
    at = NO_TIME if OWN_TIME in message.headers else message.received_at.astimezone(UTC).isoformat()
    records: list[Record] = []
    findings: list[Finding] = []
    notes: list[Finding] = []
    for number, row in enumerate(rows):
        wrong, record, care = _row(row, f"/data/{number}", at)
        findings += wrong
        notes += care
        if record is not None:
            records.append(record)
    if not rows and question and question.get("page", 1) == 1:
        records.append(_not_found(question, at))
    meta |= {"rows": len(rows), "page_end": not rows, "subject": question.get("number", "")}
    return Reading(
        message_id, whole, tuple(records), tuple(findings), tuple(notes), parts=len(rows), meta=meta
    )


def rows_of(data: Any) -> list[dict[str, Any]]:
    """Habit 1: `data` is JSON in a string, an array, or one object; "", null and "无数据" are no rows."""
    if isinstance(data, str):
        if not data.strip() or data.strip() == "无数据":
            return []
        data = parse_json_strict(data, max_bytes=MAX_BYTES, path_root="/data", refuse_nul=False)
    if data is None:
        return []
    rows = [data] if isinstance(data, dict) and data else data
    if not isinstance(rows, list) and rows != {}:
        raise Refused(Finding("SCHEMA_VIOLATION", "/data", type(data).__name__, "text, array or object"))
    if any(not isinstance(row, dict) for row in rows):
        raise Refused(Finding("SCHEMA_VIOLATION", "/data", "an array of other things", "an array of objects"))
    return list(rows)


def _question(message: RawMessage) -> dict[str, Any]:
    told = message.headers.get(QUESTION_HEADER)
    if not told:
        return {}
    try:
        value = json.loads(told)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _row(row: dict[str, Any], base: str, at: str) -> tuple[list[Finding], Record | None, list[Finding]]:
    """One row. Habit 2: keys in upper or lower case."""
    spelled = {key.lower(): key for key in row}
    told = {key.lower(): "" if value is None else str(value).strip() for key, value in row.items()}
    company = "tyshxydm" in told or "qymc" in told
    name_key, number_key = ("qymc", "tyshxydm") if company else ("xm", "gmsfhm")
    if "zjhm" in told and number_key not in told:
        number_key = "zjhm"
    wrong = [
        Finding("SCHEMA_VIOLATION", f"{base}/{spelled.get(key, key)}", "absent", "required", scope="row")
        for key in (name_key, number_key)
        if not told.get(key)
    ]
    if any(isinstance(value, dict | list) for value in row.values()):
        wrong.append(Finding("SCHEMA_VIOLATION", base, "a value inside a value", "plain values", scope="row"))
    if any("\x00" in text for text in told.values()):
        wrong.append(Finding("SCHEMA_VIOLATION", base, "a NUL character", "text", scope="row"))
    if wrong:
        return wrong, None, []
    number = normalise_id(told[number_key])
    path = f"{base}/{spelled[number_key]}"
    code = (
        None if is_masked_id(number) else check_credit_code(number) if company else check_resident_id(number)
    )
    if code:
        expected = "18 characters" if code == "ID_FORMAT" else "right check character"
        wrong.append(Finding(code, path, told[number_key][:40], expected, scope="row"))
    alive = {"0": True, "1": False, "": None}.get(told.get("swbs", ""), "unknown")
    if alive == "unknown":
        wrong.append(
            Finding("CODE_UNKNOWN", f"{base}/{spelled['swbs']}", told["swbs"][:40], "0 or 1", scope="row")
        )
    if wrong:
        return wrong, None, []
    # Habit 10: rare characters come as "?": such a name may differ from ours there and nowhere else.
    name = told[name_key]
    notes = [_lost_characters(f"{base}/{spelled[name_key]}", name)] if "?" in name or "？" in name else []
    data: dict[str, Any] = {
        "subject": "company" if company else "person",
        "found": True,
        "name": name,
        "name_uncertain": bool(notes),
        "number": number,
        "alive": None if company else alive,
        "address": told.get("hjdz") or told.get("zs") or None,
        "status": told.get("djzt") or None,
    }
    return [], _record(number, at, base, data), notes


def _lost_characters(path: str, name: str) -> Finding:
    wanted = "the whole name; `?` agrees with any character"
    return Finding("NAME_CHARACTERS", path, name, wanted, "take with care", "row", "care")


def _not_found(question: dict[str, Any], at: str) -> Record:
    data = {
        "subject": str(question.get("subject", "person")),
        "found": False,
        "name": str(question.get("name", "")),
        "name_uncertain": False,
        "number": str(question.get("number", "")),
        "alive": None,
        "address": None,
        "status": None,
    }
    return _record(str(data["number"]), at, "/data", data)


def _record(number: str, at: str, path: str, data: dict[str, Any]) -> Record:
    return Record(kind="person_check", native_id=number, version=(at,), event_at=at, path=path, data=data)
