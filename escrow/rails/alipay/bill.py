"""The next day's bill: GBK text with # lines above and below, 25 columns, padded cells; alone or in a zip."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import NoReturn

from escrow.rail_types import Advice, RailContext, StatementInfo, StatementLine
from escrow.rails.alipay.replies import moment
from schemas.canonical import sha256_hex
from schemas.findings import Finding, Refused
from schemas.money import Fen
from schemas.zip_safe import read_zip_safe

MAX_BYTES = 64 * 1024 * 1024
_TRADE, _OURS, _KIND, _TITLE = "支付宝交易号", "商户订单号", "业务类型", "商品名称"
_CREATED, _DONE, _PARTY, _AMOUNT = "创建时间", "完成时间", "对方账户", "订单金额（元）"
_RECEIVED, _REFUND, _FEE, _REMARK = "商家实收（元）", "退款批次号/请求号", "服务费（元）", "备注"
_COLUMNS = (_TRADE, _OURS, _KIND, _TITLE, _CREATED, _DONE, _PARTY, _AMOUNT, _RECEIVED, _REFUND, _FEE, _REMARK)
_PARTY_FORM = re.compile(r"(?P<name>.*?)\((?P<account>[^()]*)\)")


def _refuse(code: str, path: str, found: str, expected: str) -> NoReturn:
    raise Refused(Finding(code, path, found, expected))


def read(content: bytes, ctx: RailContext) -> Advice:
    """Lines of a bill; a payout is negative there and becomes a debit here. A fee is a line of its own.

    Raises Refused: ARCHIVE_UNSAFE, ENCODING_MISMATCH, SCHEMA_VIOLATION (columns), WRONG_RECEIVER (another
    account's bill), COUNT_MISMATCH (against its last line), AMOUNT_UNREADABLE, DATE_UNREADABLE.
    """
    text = _text(content)
    comments = [row.strip() for row in text.splitlines() if row.startswith("#")]
    account = _account(comments, ctx)
    # A bill fetched twice is packed anew: it is the text that makes it the same.
    compare = sha256_hex(text.encode("utf-8"))
    statement_id = compare[:32]
    rows = list(_rows(text))
    words = list(ctx.manifest["statement"]["return_words"])
    lines = [
        line for place, row in enumerate(rows, 1) for line in _lines(row, place, account, statement_id, words)
    ]
    stated = next((m for c in comments if (m := re.search(r"交易合计[：:]\s*(\d+)\s*笔", c))), None)
    if stated and int(stated[1]) != len(rows):
        _refuse("COUNT_MISMATCH", "#交易合计", stated[1], str(len(rows)))
    last = max((line.booking_date for line in lines), default=None)
    info = StatementInfo(account, statement_id, "bill", day=last, lines=len(rows), created_at=None)
    return Advice(
        "statement",
        message_id=statement_id,
        compare_digest=compare,
        lines=tuple(lines),
        statements=(info,),
        message_type="bill",
    )


def _text(content: bytes) -> str:
    if len(content) > MAX_BYTES:
        _refuse("TOO_LARGE", "/", f"{len(content)} bytes", f"at most {MAX_BYTES} bytes")
    if content.startswith(b"PK"):
        entries = [(name, raw) for name, raw in read_zip_safe(content) if name.endswith(".csv")]
        chosen = [raw for name, raw in entries if "汇总" not in name]
        if len(chosen) != 1:
            names = ", ".join(name for name, _ in entries) or "none"
            _refuse("SCHEMA_VIOLATION", "zip:", names[:80], "one detail file, and a summary")
        content = chosen[0]
    try:
        return content.decode("gb18030")
    except UnicodeDecodeError:
        _refuse("ENCODING_MISMATCH", "/", "bytes are not GBK", "GBK")


def _account(comments: list[str], ctx: RailContext) -> str:
    found = next((m[1] for c in comments if (m := re.search(r"账号[：:]\[?(\w+)\]?", c))), "")
    wanted = ctx.account("wallet")
    if wanted and found != wanted:
        _refuse("WRONG_RECEIVER", "#账号", found, wanted)
    return found or wanted


def _rows(text: str) -> Iterator[dict[str, str]]:
    table = csv.reader(io.StringIO("\n".join(row for row in text.splitlines() if not row.startswith("#"))))
    head: list[str] = []
    for number, cells in enumerate(table, 1):
        row = [cell.strip() for cell in cells]
        if not any(row):
            continue
        if not head:
            head = row
            missing = [name for name in _COLUMNS if name not in head]
            if missing:
                _refuse("SCHEMA_VIOLATION", "row 1", f"no column {missing[0]}", "the columns of the bill")
            continue
        if len(row) != len(head):
            _refuse("SCHEMA_VIOLATION", f"row {number}", f"{len(row)} cells", f"{len(head)} cells")
        yield dict(zip(head, row, strict=True))
    if not head:
        _refuse("SCHEMA_VIOLATION", "/", "no columns", "the columns of the bill")


def _lines(
    row: dict[str, str], place: int, account: str, statement_id: str, words: list[str]
) -> Iterator[StatementLine]:
    amount = _money(row, _AMOUNT, place)
    done = _time(row, place)
    party = _PARTY_FORM.fullmatch(row[_PARTY])
    returned = amount > 0 and any(word in row[_KIND] for word in words)
    line = StatementLine(
        account=account,
        booked=True,
        direction="DBIT" if amount < 0 else "CRDT",
        amount=abs(amount),
        bank_ref=row[_TRADE] + (f"-{row[_REFUND] or 'R'}" if returned else ""),
        booking_date=_day(done),
        value_date=_day(done),
        our_number=row[_OURS] or None,
        party_name=party["name"] if party else row[_PARTY],
        party_account=party["account"] if party else "",
        text=row[_REMARK] or row[_TITLE],
        returned="REFUND" if returned else "",
        return_reason=row[_KIND] if returned else "",
        statement_id=statement_id,
        at=done,
    )
    yield line
    fee = _money(row, _FEE, place)
    if fee:
        yield StatementLine(
            account=account,
            booked=True,
            direction="CRDT" if fee > 0 and amount > 0 else "DBIT",
            amount=abs(fee),
            bank_ref=f"{row[_TRADE]}-FEE",
            booking_date=_day(done),
            value_date=_day(done),
            text="服务费",
            statement_id=statement_id,
            at=done,
        )


def _money(row: dict[str, str], column: str, place: int) -> Fen:
    plain = row[column] or "0"
    try:
        return Fen.from_yuan_text(plain)
    except ValueError:
        _refuse("AMOUNT_UNREADABLE", f"row {place}/{column}", plain[:20], "yuan with two decimals")


def _time(row: dict[str, str], place: int) -> datetime:
    found = moment(row[_DONE] or row[_CREATED])
    if found is None:
        _refuse("DATE_UNREADABLE", f"row {place}/{_DONE}", row[_DONE][:20], "yyyy-MM-dd HH:mm:ss")
    return found


def _day(at: datetime) -> date:
    return at.date()
