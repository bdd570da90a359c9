"""Dialect A, cases (AJXX): 民事案件 and 刑事案件. The row's own element says what it is, not the root (habit 1)."""

import re

from lxml import etree

from connectors.court_feed.parties import party
from connectors.court_feed.row import Context, Row, RowsRead
from connectors.court_feed.tree import cells_of, local, tag
from schemas.case_numbers import check_case_number, normalise_case_number
from schemas.claims import PartyClaim, PartyRole, Record
from schemas.wide import Unreadable, read_wide_date

PARTY_FIELDS = {
    "name": "名称",
    "id": "证件号码",
    "id_type": "证件类型代码",
    "phone": "联系电话",
    "address": "住所地",
    "representative": "法定代表人",
}
_HAPPENED = re.compile(
    r"于\s*(?P<day>\d{4}(?:-\d{1,2}-\d{1,2}|年\d{1,2}月\d{1,2}日))(?:在(?P<place>[\u4e00-\u9fff]{2,20}?))?发生",
    re.ASCII,
)


def read_case(element: "etree._Element", path: str, context: Context) -> RowsRead:
    """One 案件行: the episode, and its withdrawal where 有效状态代码 says that it is no longer valid."""
    basic = next(child for child in element if local(child) in ("民事案件基本信息", "刑事案件基本信息"))
    row = Row(cells_of(basic), f"{path}/{local(basic)}", context)
    native_id, number = row.key("案件标识"), case_number(row, "案号")
    stamp = row.stamp("更新时间")
    kind = proceeding_kind(row, "案件类型代码", row.told("立案案由名称"))
    row.claim("proceeding_kind", kind)
    _what_it_is_about(row)
    _where_it_stands(row)
    version = row.version_of(stamp)
    valid = row.code("有效状态代码", "visibility", required=True)
    parties = party_rows(element.find(tag("当事人")), f"{path}/当事人", row)
    episode = Record(
        kind="episode",
        native_id=native_id,
        sub_id=number,
        version=version,
        event_at=version[0],
        claims=tuple(row.claims),
        parties=parties,
        path=path,
        data={
            "row_id": row.told("唯一主键编号") or "",
            "branch": "criminal" if local(basic).startswith("刑事") else "civil",
            "source": row.told("案件来源名称") or "",
        },
    )
    if valid != "WITHDRAWN":
        return row.done(episode)
    gone = Record(
        kind="withdrawal",
        native_id=native_id,
        sub_id=number,
        version=version,
        event_at=version[0],
        path=row.at("有效状态代码"),
        data={"reason": "有效状态代码 0", "reason_code": "OTHER", "hide": False},
    )
    return row.done(episode, gone)


def case_number(row: Row, field: str) -> str:
    """State the proceeding's number, its brackets folded; one outside the grammar is kept as text."""
    raw = row.key(field)
    folded = normalise_case_number(raw)
    if raw:
        row.claim("case_number", folded, raw)
        if check_case_number(folded) is not None:
            row.note("CASE_NUMBER_FORMAT", field, raw, "a case number such as (2026)浙0302民初1号")
    return folded


def proceeding_kind(row: Row, field: str, cause: str | None) -> str | None:
    """Our kind of proceeding. A special procedure (0305) whose cause is no confirmation is OTHER."""
    kind = row.code(field, "case_type", required=True)
    return "OTHER" if kind == "CONFIRMATION" and cause and "确认" not in cause else kind


def state_cause(row: Row, field: str, code_field: str | None = None) -> None:
    """State the cause in words, and the court's own number for it."""
    row.text(field, "cause")
    if code_field and (code := row.told(code_field)):
        row.claim("cause_code", {"system": "court_partner_cause", "code": code})


def _what_it_is_about(row: Row) -> None:
    state_cause(row, "立案案由名称", "立案案由代码")
    row.amount("诉讼标的金额", "claimed_fen")
    narrative = row.text("案情摘要", "narrative")
    if narrative and (match := _HAPPENED.search(narrative)):
        try:
            row.claim("occurred_on", read_wide_date(match["day"]).day.isoformat(), match[0])
        except Unreadable:
            pass  # an aside in a free text, not a field of the contract
        if match["place"]:
            row.claim("place_text", match["place"])


def _where_it_stands(row: Row) -> None:
    row.day("立案日期", "opened_on")
    if state := row.code("案件进展阶段代码", "stage"):
        row.claim("state", state)
    row.day("结案日期", "closed_on")
    if outcome := row.code("结案方式代码", "closing_a"):
        row.claim("outcome", outcome)
    row.day("审限届满日期", "limit_date")
    row.claim("court", row.told("经办法院名称") or row.told("经办法院代码") or None)
    holder = " ".join(part for part in (row.told("承办审判庭"), row.told("承办人")) if part)
    if holder:
        row.claim("holder", holder)


def party_rows(group: "etree._Element | None", path: str, row: Row) -> tuple[PartyClaim, ...]:
    """The parties below 当事人 or 申请人; their findings refuse the whole row."""
    found: list[PartyClaim] = []
    for place, element in enumerate(group if group is not None else (), start=1):
        line = Row(cells_of(element), f"{path}/R[{place}]", row.context)
        kind = line.code("当事人类型代码", "party_kind", required=True)
        role = line.code("诉讼地位代码", "party_role", required=True)
        made = party(line, PARTY_FIELDS, role=_role(role), kind=kind, key=line.key("编号"))
        row.findings += line.findings
        row.notes += line.notes
        if made is not None:
            found.append(made)
    return tuple(found)


def _role(word: str | None) -> PartyRole:
    return word if word in ("respondent", "third_party") else "applicant"  # type: ignore[return-value]
