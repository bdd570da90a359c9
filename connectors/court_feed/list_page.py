"""A page of the REST list of pre-litigation mediations (GET /cdfb). It shares no identifier with mediation
records (habit 10) and carries no time of change, so its word never outweighs the feed's.
"""

from decimal import Decimal
from typing import Any

from connectors.court_feed.cases import case_number, proceeding_kind, state_cause
from connectors.court_feed.parties import joined_parties, names_of
from connectors.court_feed.row import Context, Row, RowsRead
from connectors.court_feed.warehouse import state_of
from schemas.canonical import digest
from schemas.case_numbers import parse_case_number
from schemas.claims import Record
from schemas.findings import Finding, Refused
from schemas.xml_safe import parse_json_strict

NEVER = "0000-00-00T00:00:00+08:00"
"""First place of a version without a time: below every time that the feed tells."""
PAGE_BYTES = 4 * 1024 * 1024
_TEXTS = ("lxrq", "laaymc", "ajzt", "zt", "fydm", "saly", "sjdwje", "ycts", "yg", "bg", "tjzz", "sfst")
_KEYS = ("rnum", "ajbs", "ah", "ajlb")
_CONTENT = ("total", "totalPages", "pageSize", "list")
_RANK = {"REGISTERED": "01", "OPEN": "02", "AGREED": "03", "FAILED": "03", "CLOSED": "04"}


def open_page(content: bytes) -> dict[str, Any]:
    """The page as JSON, as the machine contract wants it. Raises Refused."""
    page = parse_json_strict(content, max_bytes=PAGE_BYTES)
    findings = _check(page)
    if findings:
        raise Refused.of(findings)
    found: dict[str, Any] = page
    return found


def _check(page: Any) -> list[Finding]:
    if not isinstance(page, dict):
        return [_violation("/", type(page).__name__, "an object")]
    found = _keys(page, "", ("code", "msg"), ("content",))
    if not found and not _whole(page["code"]):
        found.append(_violation("/code", str(page["code"])[:60], "integer"))
    content = page.get("content")
    if found or content is None:
        return found
    if not isinstance(content, dict):
        return [_violation("/content", type(content).__name__, "an object")]
    # The colon is part of the key on some replies (habit 6).
    found = _keys(content, "/content", _CONTENT, ("pageNum", "pageNum:"))
    for key, value in content.items():
        if key != "list" and not _whole(value):
            found.append(_violation(f"/content/{key}", str(value)[:60], "integer"))
    rows = content.get("list")
    if not isinstance(rows, list):
        return [*found, _violation("/content/list", type(rows).__name__, "an array")]
    for place, row in enumerate(rows):
        found += _check_row(row, f"/content/list/{place}")
    return found[:50]


def _check_row(row: Any, path: str) -> list[Finding]:
    if not isinstance(row, dict):
        return [_violation(path, type(row).__name__, "an object")]
    found = _keys(row, path, _KEYS, _TEXTS)
    for key, value in row.items():
        if key not in _KEYS + _TEXTS:
            continue
        whole_too = key in ("rnum", "ycts") and _whole(value)
        if key == "rnum" and not whole_too:
            found.append(_violation(f"{path}/rnum", str(value)[:60], "integer"))
        elif not (whole_too or isinstance(value, str) or (value is None and key not in _KEYS)):
            found.append(_violation(f"{path}/{key}", str(value)[:60], "text"))
    return found


def _keys(value: dict[str, Any], path: str, needed: tuple[str, ...], free: tuple[str, ...]) -> list[Finding]:
    missing = [_violation(f"{path}/{key}", "absent", "required") for key in needed if key not in value]
    known = {*needed, *free}
    return missing + [
        _violation(f"{path}/{key}", "unknown key", "no such key") for key in value if key not in known
    ]


def _whole(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value == value.to_integral_value()
    return isinstance(value, int) and not isinstance(value, bool)


def _violation(path: str, found: str, expected: str) -> Finding:
    return Finding("SCHEMA_VIOLATION", path, found, expected)


def read_page(page: dict[str, Any], as_of: str, context: Context) -> list[RowsRead]:
    """The rows of a page. `as_of`: when the walk began, ISO time or "". A row that stands twice on the
    page counts twice and says its thing once (habit 8).
    """
    rows = (page.get("content") or {}).get("list") or []
    read: list[RowsRead] = []
    seen: set[str] = set()
    for place, cells in enumerate(rows):
        mark = digest({key: value for key, value in cells.items() if key != "rnum"})
        made = _row(Row(cells, f"/content/list/{place}", context), as_of)
        read.append(RowsRead(findings=made.findings, notes=made.notes) if mark in seen else made)
        seen.add(mark)
    return read


def _row(row: Row, as_of: str) -> RowsRead:
    native_id, number = row.key("ajbs"), case_number(row, "ah")
    row.claim("proceeding_kind", proceeding_kind(row, "ajlb", row.told("laaymc")))
    state_cause(row, "laaymc")
    row.amount("sjdwje", "claimed_fen")
    row.text("tjzz", "organisation")
    if row.told("ajzt") == "":
        row.claim("state", None)
    state_of(row, "ajzt", None)
    state = next((str(claim.value) for claim in row.claims if claim.field == "state" and claim.value), "")
    dated = row.moment("lxrq")
    named = parse_case_number(number)
    return row.done(
        Record(
            kind="episode",
            native_id=native_id,
            sub_id=number,
            version=(NEVER, as_of or _RANK.get(state, "00")),
            event_at=as_of or f"{named.year if named else 1970}-01-01T00:00:00+08:00",
            claims=tuple(row.claims),
            parties=_parties(row),
            path=row.path,
            data={
                "from_list": True,
                # The contract gives this date no meaning; it is no filing date.
                "lxrq": dated.day.isoformat() if dated else None,
                "zt": row.told("zt") or "",
                "source": row.told("saly") or "",
                "applicant_count": names_of(row.told("yg") or "")[1],
                "respondent_count": names_of(row.told("bg") or "")[1],
            },
        )
    )


def _parties(row: Row) -> Any:
    applicants, respondents = row.told("yg"), row.told("bg")
    if applicants is None and respondents is None:
        return None
    return (*joined_parties(applicants, "applicant"), *joined_parties(respondents, "respondent"))
