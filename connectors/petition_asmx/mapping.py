"""Messages of the petition office → records. Pure: nothing here reads a database or a clock."""

from dataclasses import replace
from typing import Any

from connectors.petition_asmx.export_sheet import read_export
from connectors.petition_asmx.fields import Context, Fields, RowRead, stamp_of
from connectors.petition_asmx.jsonstring import check_keys, parse_text, whole_number
from connectors.petition_asmx.opening import Opened, open_message
from connectors.petition_asmx.petition import REVOKED_VERSION, read_petition, withdrawal
from connectors.petition_asmx.replies import Result, read_result, rows_of
from schemas.canonical import digest, sha256_hex
from schemas.exchange import Known, RawMessage, Reading
from schemas.findings import Finding, Refused
from schemas.sheet_safe import read_sheets_safe
from schemas.wide import BEIJING

ACCEPTED = '{"Result":"1"}'
_REVOKE_KEYS = ("XFJBH", "CHYY", "CHSJ")
_OPERATIONS = {"AddXfj": "A", "UpdateXfj": "U", "RevokeXfj": "D"}


def read(message: RawMessage, known: Known) -> Reading:
    """What a message says: AddXfj, UpdateXfj, RevokeXfj, a reply of the office's service, or its export.

    Uses `known.profile`. Never raises for what is inside the message: what is wrong stands in the reading's
    findings (contract/CONTRACT.md). Whether the same version came before with other content is for the inbox
    to see; `meta` says where the version stands and what was expected there.
    """
    context = Context(today=message.received_at.astimezone(BEIJING).date(), profile=known.profile)
    raw_digest = sha256_hex(message.content)
    try:
        opened = open_message(message)
        return _read(message, opened, context)
    except Refused as refused:
        return Reading(f"sha256:{raw_digest}", raw_digest, findings=_whole(refused.findings))


def _whole(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(
        replace(each, scope="message", action=each.action.replace("reject the row", "reject"))
        for each in findings
    )


def _read(message: RawMessage, opened: Opened, context: Context) -> Reading:
    if opened.kind == "sheet":
        read, notes = read_export(read_sheets_safe(message.content), context)
        return _reading(f"sha256:{sha256_hex(message.content)}", sha256_hex(message.content), read, notes)
    if opened.kind == "fault":
        meta = {"operation": "Fault", "text": opened.text, "action": "unknown outcome: ask"}
        content = sha256_hex(message.content)
        return Reading(f"sha256:{content}", content, meta=meta)
    if opened.kind == "reply":
        return _read_reply(opened, context)
    told = parse_text(opened.text, opened.where, opened.root)
    if opened.operation == "RevokeXfj":
        return _read_revoke(opened, told, context)
    operation = str(told.get("CZLX") or _OPERATIONS[opened.operation]).strip().upper()
    read_row = _one(told, opened.root, operation, context, whole=opened.operation == "AddXfj")
    version = whole_number(told.get("BBH")) if told.get("BBH") not in (None, "") else 1
    message_id = f"{str(told.get('XFJBH') or '').strip()}:{version}:{operation[:1]}"
    return _reading(message_id, digest(told), [read_row], [], opened, id_path=f"{opened.root}/BBH")


def _one(told: Any, path: str, operation: str, context: Context, *, whole: bool) -> RowRead:
    if not isinstance(told, dict):
        finding = Finding("SCHEMA_VIOLATION", path, type(told).__name__, "an object", scope="row")
        return RowRead(findings=(finding,))
    found = check_keys(told, path, whole=whole)
    read = read_petition(Fields(told, path, context), operation)
    named = {finding.path for finding in found}
    findings = (*found, *(finding for finding in read.findings if finding.path not in named))
    return RowRead(() if findings else read.records, findings, read.notes)


def _read_revoke(opened: Opened, told: dict[str, Any], context: Context) -> Reading:
    fields = Fields(told, opened.root, context)
    for finding in check_keys({"XFJBH": told.get("XFJBH")}, opened.root, whole=False):
        fields.findings.append(finding)
    for key in told:
        if key not in _REVOKE_KEYS:
            fields.refuse("SCHEMA_VIOLATION", key[:60], "unknown key", "no such key")
    if not fields.text("CHSJ"):
        fields.refuse("SCHEMA_VIOLATION", "CHSJ", "absent" if "CHSJ" not in told else "not told", "required")
    native_id, at = fields.text("XFJBH"), fields.moment("CHSJ")
    event_at = stamp_of(at) if at else ""
    record = withdrawal(native_id, REVOKED_VERSION, event_at, fields.text("CHYY"), opened.root)
    message_id = f"{native_id}:{event_at}:D"
    return _reading(
        message_id, digest(told), [fields.done(record)], [], opened, id_path=f"{opened.root}/CHSJ"
    )


def _read_reply(opened: Opened, context: Context) -> Reading:
    result = read_result(opened.text, opened.where, opened.root)
    if result.ok is None and opened.operation in ("GetXfjList", "GetXfj") and not result.value:
        raise Refused(Finding("NOT_JSON", opened.where, result.text[:60], "one JSON object"))
    read: list[RowRead] = []
    for path, row in rows_of(result, opened.root):
        operation = str(row.get("CZLX") or "A").strip().upper() if isinstance(row, dict) else "A"
        read.append(_one(row, path, operation, context, whole=True))
    content = digest(result.value) if result.value else sha256_hex(opened.text.encode("utf-8", "replace"))
    reading = _reading(f"sha256:{content}", content, read, [], opened)
    return replace(reading, reply_hint={}, meta={**reading.meta, **_page(result)})


def _page(result: Result) -> dict[str, Any]:
    total, index = whole_number(result.value.get("Total")), whole_number(result.value.get("PageIndex"))
    return {
        "result": result.ok,
        "code": result.code,
        "text": result.text,
        "action": result.action,
        "total": total,
        "page_index": index,
    }


def _reading(
    message_id: str,
    content: str,
    read: list[RowRead],
    notes: list[Finding],
    opened: Opened | None = None,
    id_path: str = "",
) -> Reading:
    records = tuple(record for row in read for record in row.records)
    findings = tuple(finding for row in read for finding in row.findings)
    refused = sum(1 for row in read if row.findings)
    if refused and not records:
        findings = _whole(findings)
    cases = {record.native_id for record in records}
    return Reading(
        message_id=message_id,
        compare_digest=content,
        records=records,
        findings=findings,
        notes=(*notes, *(note for row in read for note in row.notes)),
        case_key=cases.pop() if len(cases) == 1 else "",
        parts=len(read),
        reply_hint={"reply": ACCEPTED} if not findings and opened is not None else {},
        meta={
            "operation": opened.operation if opened else "",
            "id_path": id_path,
            "id_expected": "the content first sent under this version",
            "refused_rows": refused,
        },
    )
