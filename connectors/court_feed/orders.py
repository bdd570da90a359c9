"""Dialect A, what the court decides: withdrawals (AJCX), confirmations (SFQR), holds (XZZX), enforcement (ZXLA)."""

from typing import Any

from lxml import etree

from connectors.court_feed.cases import case_number, party_rows
from connectors.court_feed.parties import joined_parties
from connectors.court_feed.row import Context, Row, RowsRead
from connectors.court_feed.tables import table
from connectors.court_feed.tree import cells_of, tag
from schemas.case_numbers import find_case_numbers, normalise_case_number, parse_case_number
from schemas.claims import Record, Reference


def read_withdrawal(element: "etree._Element", path: str, context: Context) -> RowsRead:
    """One 撤销行. Its key is called 案件的唯一标识; 案件编号 is another number (habit 7)."""
    row = Row(cells_of(element), path, context)
    return withdrawal(
        row, key="案件的唯一标识", at="撤销时间", reason="撤销原因", updated="更新时间", row_id="编号"
    )


def withdrawal(row: Row, *, key: str, at: str, reason: str, updated: str, row_id: str) -> RowsRead:
    """A withdrawal in either dialect; the arguments name the row's fields."""
    native_id = row.key(key)
    withdrawn_at, version = row.stamp(at), (row.stamp(updated),)
    text = row.told(reason) or ""
    word = table("withdrawal_reason").get(text, "OTHER")
    return row.done(
        Record(
            kind="withdrawal",
            native_id=native_id,
            version=version,
            event_at=withdrawn_at,
            path=row.path,
            data={
                "reason": text,
                "reason_code": word,
                # 不予公开: court-sourced values are shown to no other partner any more.
                "hide": word == "NOT_PUBLIC",
                "row_id": row.told(row_id) or "",
            },
        )
    )


def read_confirmation(element: "etree._Element", path: str, context: Context) -> RowsRead:
    """One 司法确认行: the ruling on an agreement, and the 民特 proceeding it was made in."""
    row = Row(cells_of(element), path, context)
    native_id, number = row.key("案件标识"), case_number(row, "案号")
    version = (row.stamp("更新时间"),)
    ruled_on = row.stamp("裁定日期")
    result = row.code("裁定结果代码", "ruling", required=True)
    amount = row.amount("确认金额")
    row.claim("proceeding_kind", "CONFIRMATION")
    row.claim("state", "CLOSED")
    row.claim("outcome", result)
    row.day("申请日期", "opened_on")
    row.day("裁定日期", "closed_on")
    row.text("调解组织名称", "organisation")
    signed = row.moment("调解协议签订日期")
    return row.done(
        Record(
            kind="confirmation",
            native_id=native_id,
            sub_id=number,
            version=version,
            event_at=ruled_on,
            claims=tuple(row.claims),
            parties=party_rows(element.find(tag("申请人")), f"{path}/申请人", row),
            references=_agreement(row.told("调解协议编号")),
            path=path,
            data={
                "result": result,
                "amount_fen": amount,
                "agreement_signed_on": signed.day.isoformat() if signed else None,
                "document_no": normalise_case_number(row.key("裁定书编号")),
                "reason": row.told("驳回理由") or "",
                "organisation": row.told("调解组织名称") or "",
            },
        )
    )


def _agreement(number: str | None) -> tuple[Reference, ...]:
    # Usually absent, and the court's clerks mistype it: a hint (field table).
    return (Reference("agreement", number, None, "hint"),) if number else ()


def read_hold(element: "etree._Element", path: str, context: Context) -> RowsRead:
    """One 协助执行行: freeze, extend, lift or deduct on an account."""
    row = Row(cells_of(element), path, context)
    native_id, number = row.key("案件标识"), normalise_case_number(row.key("案号"))
    version = (row.stamp("更新时间"),)
    measure = row.code("措施代码", "measure", required=True)
    waiting = row.code("轮候标志", "waiting") == "YES"
    amount = row.amount("协助金额", positive=measure != "LIFT")
    if measure is not None and amount is None and not row.findings and measure != "LIFT":
        row.refuse("AMOUNT_UNREADABLE", "协助金额", "blank", "positive yuan amount")
    begins, ends = row.moment("期限起"), row.moment("期限止")
    if begins and ends and ends.day < begins.day:
        row.refuse("WRONG_DATE_ORDER", "期限止", ends.text, f"not before {begins.day.isoformat()}")
    if measure in ("FREEZE", "EXTEND") and ends is None and not waiting and not row.findings:
        row.note("FIELD_MISSING", "期限止", "absent", "an end date for a freeze")
    data: dict[str, Any] = {
        **_document(row),
        "measure": measure,
        "account": "".join(row.key("账号").split()),
        "account_name": row.told("户名") or "",
        "amount_fen": amount,
        "from": begins.day.isoformat() if begins else None,
        "until": ends.day.isoformat() if ends else None,
        "waiting": waiting,
        "officer": row.told("承办人") or "",
        "officer_phone": row.told("承办人电话") or "",
        "officer_badge": row.told("工作证号") or "",
    }
    return row.done(
        Record(
            kind="hold",
            native_id=native_id,
            sub_id=number,
            version=version,
            event_at=version[0],
            path=path,
            data=data,
        )
    )


def _document(row: Row) -> dict[str, Any]:
    number = normalise_case_number(row.key("文书编号"))
    parsed = parse_case_number(number)
    # A later paper names the first with 之一 (habit 14); the first one refers to nothing.
    first = parsed.key if parsed and parsed.sub else None
    return {"document_no": number, "refers_to": first, "row_id": row.told("编号") or ""}


def read_enforcement(element: "etree._Element", path: str, context: Context) -> RowsRead:
    """One 执行立案行: an enforcement was filed on a title."""
    row = Row(cells_of(element), path, context)
    native_id, number = row.key("案件标识"), case_number(row, "案号")
    version = (row.stamp("更新时间"),)
    filed_at = row.stamp("立案日期")
    basis = row.key("执行依据文号")
    basis_kind = row.code("执行依据类型代码", "basis", required=True)
    row.claim("proceeding_kind", "ENFORCEMENT")
    row.day("立案日期", "opened_on")
    amount = row.amount("申请执行标的", "claimed_fen")
    paid = row.amount("已执行到位金额")
    closed = row.told("结案方式代码") or ""
    row.claim("state", "CLOSED" if closed else "OPEN")
    if closed:
        row.claim("outcome", closed)
    parties = (
        *joined_parties(row.key("申请执行人"), "applicant"),
        *joined_parties(row.key("被执行人"), "respondent"),
    )
    return row.done(
        Record(
            kind="enforcement",
            native_id=native_id,
            sub_id=number,
            version=version,
            event_at=filed_at,
            claims=tuple(row.claims),
            parties=parties,
            references=tuple(
                Reference("case_number", found.key, "court") for found in find_case_numbers(basis)
            ),
            path=path,
            data={
                "basis_no": normalise_case_number(basis),
                "basis_kind": basis_kind,
                "amount_fen": amount,
                "paid_fen": paid,
                "stage": row.told("执行阶段代码") or "",
                "row_id": row.told("编号") or "",
            },
        )
    )
