"""The weekly sheet of pre-litigation mediations, filled in by hand: title rows, merged cells, numbers for
phones, names with blanks (habit 11). It has no 案件标识: the case number is the only key.
"""

import re
from datetime import date, timedelta

from connectors.court_feed.cases import case_number
from connectors.court_feed.list_page import NEVER
from connectors.court_feed.parties import party
from connectors.court_feed.row import Context, Row, RowsRead
from connectors.court_feed.tables import table
from schemas.case_numbers import parse_case_number
from schemas.claims import PartyClaim, Record, Reference
from schemas.findings import Finding, Refused
from schemas.sheet_safe import Sheet

_COLUMNS = {
    "序号": "序号",
    "案号": "案号",
    "立案日期": "立案日期",
    "案由": "案由",
    "当事人": "当事人",
    "诉讼地位": "诉讼地位",
    "可联系号码": "可联系号码",
    "联系电话": "可联系号码",
    "标的额": "标的额",
    "调解组织": "调解组织",
    "备注": "备注",
}
_NEEDED = ("案号", "当事人", "诉讼地位")
_WEEK = re.compile(r"(\d{4})年(\d{1,2})月第([1-6一二三四五六])周")
_HEADER_WITHIN = 10


def find_header(sheet: Sheet) -> tuple[int, dict[int, str]] | None:
    """Number of the header row and its columns; None when the sheet is no such ledger."""
    for number, cells in enumerate(sheet.rows[:_HEADER_WITHIN], start=1):
        columns = {
            index: _COLUMNS[name] for index, cell in enumerate(cells) if (name := _heading(cell)) in _COLUMNS
        }
        if set(_NEEDED) <= set(columns.values()):
            return number, columns
    return None


def _heading(cell: object) -> str:
    # 调解组织\n(ODR外网端): the remark in brackets is no part of the name.
    folded = re.sub(r"\s+", "", str(cell or ""))
    return re.sub(r"[（(].*$", "", folded)


def read_ledger(sheets: list[Sheet], context: Context) -> list[RowsRead]:
    """All cases of the first sheet that has the ledger's header. Raises Refused when none has."""
    for sheet in sheets:
        header = find_header(sheet)
        if header is not None:
            week = _week_end(sheet.rows[: header[0]])
            return [_case(rows, week) for rows in _cases(sheet, *header, context)]
    wanted = "a header row with " + ", ".join(_NEEDED)
    raise Refused(Finding("SCHEMA_VIOLATION", "sheet 1", "no header row", wanted))


def _cases(sheet: Sheet, header: int, columns: dict[int, str], context: Context) -> list[list[Row]]:
    """The rows of each case: a filled 案号 begins one, the rows merged or left empty below it go on with it."""
    cases: list[list[Row]] = []
    for number, cells in enumerate(sheet.rows[header:], start=header + 1):
        told = {name: cells[index] for index, name in columns.items() if index < len(cells)}
        row = Row(told, f"row {number}", context)
        if not row.told("案号") and not row.told("当事人"):
            continue  # an empty line, or the sum below the table
        if row.told("案号") or not cases:
            cases.append([row])
        else:
            cases[-1].append(row)
    return cases


def _week_end(title: tuple[tuple[object, ...], ...]) -> str:
    """Last day of the week that the title names, "" when it names none: later weeks outweigh earlier."""
    for cells in title:
        for cell in cells:
            if match := _WEEK.search(str(cell or "")):
                week = "一二三四五六".find(match[3]) + 1 or int(match[3])
                try:
                    first = date(int(match[1]), int(match[2]), 1)
                except ValueError:
                    continue
                following = (first + timedelta(days=32)).replace(day=1)
                return min(first + timedelta(days=7 * week - 1), following - timedelta(days=1)).isoformat()
    return ""


def _case(rows: list[Row], week: str) -> RowsRead:
    row = rows[0]
    number = case_number(row, "案号")
    row.claim("proceeding_kind", "PRE_LITIGATION_MEDIATION")
    row.day("立案日期", "opened_on")
    row.text("案由", "cause")
    row.amount("标的额", "claimed_fen")
    if body := row.told("调解组织"):
        # 调委会 is the clerks' short form of 人民调解委员会.
        row.claim("organisation", re.sub(r"(?<!人民)调委会$", "人民调解委员会", body), body)
    parties = [made for line in rows if (made := _party(line, rows)) is not None]
    for line in rows[1:]:
        row.findings += line.findings
        row.notes += line.notes
    named = parse_case_number(number)
    opened = next((str(c.value) for c in row.claims if c.field == "opened_on" and c.value), None)
    return row.done(
        Record(
            kind="episode",
            native_id=number,
            sub_id=number,
            version=(NEVER, week or "00"),
            event_at=f"{week or opened or f'{named.year if named else 1970}-01-01'}T00:00:00+08:00",
            claims=tuple(row.claims),
            parties=tuple(parties),
            references=(Reference("case_number", number, "court"),),
            path=row.path if len(rows) == 1 else f"rows {row.path[4:]}-{rows[-1].path[4:]}",
            data={"from_ledger": True, "remark": row.told("备注") or ""},
        )
    )


def _party(line: Row, rows: list[Row]) -> PartyClaim | None:
    role = line.code("诉讼地位", "party_role_text", required=True)
    same_role = [each for each in rows if table("party_role_text").get(each.told("诉讼地位") or "") == role]
    place = 1 + same_role.index(line) if line in same_role else len(rows)
    made = party(
        line,
        {"name": "当事人", "phone": "可联系号码"},
        role=role or "applicant",  # type: ignore[arg-type]
        kind=None,
        key=f"{role}:{place}",
    )
    if made is not None and re.search(r"(?<!有限)(?<!有限责任)(?<!股份)公司$", made.name):
        # 有限公司 is shortened to 公司 here: a name that may stand for the longer one.
        made.extra["short_form"] = True
    return made
