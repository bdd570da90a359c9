"""Court messages → records. Pure: nothing here reads a database, a clock or a file of the partner's."""

from dataclasses import replace
from datetime import date, datetime

from connectors.court_feed.ledger import read_ledger
from connectors.court_feed.list_page import open_page, read_page
from connectors.court_feed.opening import Opened, open_message
from connectors.court_feed.part import batch_of, open_part, read_part
from connectors.court_feed.row import Context, RowsRead
from schemas.canonical import sha256_hex
from schemas.claims import Record
from schemas.exchange import Known, RawMessage, Reading
from schemas.findings import Finding, Refused
from schemas.sheet_safe import read_sheets_safe
from schemas.wide import BEIJING

_AHEAD_S = 600


def read(message: RawMessage, known: Known) -> Reading:
    """What a message of the court says: a SOAP message, zip batch, XML part, list page or sheet.

    Uses `known.profile`. Never raises for what is inside the message: what is wrong stands in the reading's
    findings (contract/CONTRACT.md). Whether the id came before with other bytes is for the inbox to see;
    `meta` says where the id stands and what was expected there.
    """
    context = Context(today=_today(message), profile=known.profile)
    opened: Opened | None = None
    try:
        opened = open_message(message)
        return _read(message, opened, context)
    except Refused as refused:
        message_id = opened.message_id if opened else ""
        digest = opened.bytes_digest if opened else sha256_hex(message.content)
        return Reading(message_id or f"sha256:{digest}", digest, findings=_whole(refused.findings))


def _today(message: RawMessage) -> date:
    return message.received_at.astimezone(BEIJING).date()


def _whole(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    return tuple(
        replace(each, scope="message", action=each.action.replace("reject the row", "reject"))
        for each in findings
    )


def _read(message: RawMessage, opened: Opened, context: Context) -> Reading:
    message_id, id_path = opened.message_id, opened.id_path
    if opened.kind == "ledger":
        read = read_ledger(read_sheets_safe(message.content), context)
    elif opened.kind == "list":
        page = open_page(message.content)
        opened.meta.update(code=page["code"], text=page["msg"])
        read = read_page(page, message.headers.get("x-list-as-of", ""), context)
    elif opened.kind == "reply":
        read = []
    else:
        read = []
        for prefix, content in opened.parts:
            rows, own_id, own_path = _read_part(prefix, content, context)
            if not message_id:
                message_id, id_path = own_id, own_path
            read += rows
    return _reading(opened, message_id, id_path, read, message)


def _read_part(prefix: str, content: bytes, context: Context) -> tuple[list[RowsRead], str, str]:
    try:
        root = open_part(content)
        number, path = batch_of(root)
        read = read_part(root, context).read
    except Refused as refused:
        raise Refused.of(_under(prefix, finding) for finding in refused.findings) from None
    if not prefix:
        return list(read), number, path
    below = [
        RowsRead(
            tuple(replace(record, path=prefix + record.path) for record in rows.records),
            tuple(_under(prefix, finding) for finding in rows.findings),
            tuple(_under(prefix, note) for note in rows.notes),
            rows.rows,
        )
        for rows in read
    ]
    return below, number, prefix + path


def _under(prefix: str, finding: Finding) -> Finding:
    return replace(finding, path=prefix + finding.path) if prefix else finding


def _reading(
    opened: Opened, message_id: str, id_path: str, read: list[RowsRead], message: RawMessage
) -> Reading:
    records = tuple(record for rows in read for record in rows.records)
    findings = tuple(finding for rows in read for finding in rows.findings)
    refused_rows = sum(1 for rows in read if rows.findings and rows.rows)
    if refused_rows and not records:
        # Not one row is left to store: the message as a whole has no effect.
        findings = _whole(findings)
    cases = {record.native_id for record in records}
    notes = [note for rows in read for note in rows.notes] + _ahead(records, message)
    return Reading(
        message_id=message_id or f"sha256:{opened.bytes_digest}",
        compare_digest=opened.bytes_digest,
        records=records,
        findings=findings,
        notes=tuple(notes),
        case_key=cases.pop() if len(cases) == 1 else "",
        parts=sum(rows.rows for rows in read),
        reply_hint={"operation": opened.meta.get("operation", "")},
        meta={
            **opened.meta,
            "id_path": id_path,
            "id_expected": "the bytes first sent under this number",
            "zip_parts": len(opened.parts),
            "refused_rows": refused_rows,
        },
    )


def _ahead(records: tuple[Record, ...], message: RawMessage) -> list[Finding]:
    # 更新时间 is the exporter's clock, up to ten minutes ahead (habit 12); more is taken, and remarked.
    now = message.received_at.astimezone(BEIJING)
    found: list[Finding] = []
    for record in records:
        told = str(record.version[0])
        if told[:4] > "0000" and told > now.isoformat(timespec="seconds"):
            ahead = _seconds_ahead(told, message)
            if ahead > _AHEAD_S:
                found.append(
                    Finding(
                        "WRONG_DATE_ORDER",
                        record.path,
                        told,
                        "at most ten minutes ahead",
                        "take it with a note",
                        scope="row",
                        severity="care",
                    )
                )
    return found


def _seconds_ahead(told: str, message: RawMessage) -> float:
    return (datetime.fromisoformat(told) - message.received_at).total_seconds()
