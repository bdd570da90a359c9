"""camt.052, .053 and .054: lines, balances, and the checks that make a statement proof."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from lxml import etree

from escrow.rail_types import LastStatement, RailContext, StatementInfo, StatementLine
from escrow.rails.bank_direct.iso import (
    CAMT_052,
    CAMT_053,
    CAMT_054,
    amount,
    day,
    every,
    first,
    path_of,
    refuse,
    text,
    time,
    yuan,
)
from schemas.case_numbers import find_case_numbers, normalise_case_number
from schemas.findings import Finding
from schemas.money import Fen
from schemas.wide import BEIJING

_PARTS = {CAMT_052: ("Rpt", "report"), CAMT_053: ("Stmt", "statement"), CAMT_054: ("Ntfctn", "notice")}
_NO_NUMBER = ("", "NOTPROVIDED")
_STATUSES = ("BOOK", "PDNG", "INFO", "FUTR")


def read(
    message_type: str, message: etree._Element, ctx: RailContext
) -> tuple[list[StatementInfo], list[StatementLine], list[Finding]]:
    """All statements, reports or notices of a message, their lines, and what is wrong with them.

    Findings: BALANCE_MISMATCH, COUNT_MISMATCH, AMOUNT_MISMATCH, STATEMENT_GAP, BALANCE_NOT_CHAINED. A finding holds
    for the whole message: half a statement proves nothing. Raises Refused for amounts that cannot be read.
    """
    part, kind = _PARTS[message_type]
    infos: list[StatementInfo] = []
    lines: list[StatementLine] = []
    findings: list[Finding] = []
    for element in every(message, part):
        own = list(_lines(element, kind, ctx, findings))
        info = _info(element, kind, len(own))
        infos.append(info)
        lines += own
        if kind == "statement":
            findings += _check_sums(element, info, own)
            findings += _check_summary(element, own)
            findings += _check_chain(element, info, ctx)
    return infos, lines, findings


def _account(element: etree._Element) -> str:
    return text(element, "Acct/Id/Othr/Id") or text(element, "Acct/Id/IBAN")


def _balance(element: etree._Element, code: str) -> etree._Element | None:
    return next((b for b in every(element, "Bal") if text(b, "Tp/CdOrPrtry/Cd") == code), None)


def _signed(balance: etree._Element | None) -> Fen | None:
    if balance is None:
        return None
    money = first(balance, "Amt")
    assert money is not None
    return -amount(money) if text(balance, "CdtDbtInd") == "DBIT" else amount(money)


def _info(element: etree._Element, kind: str, lines: int) -> StatementInfo:
    closing = _balance(element, "CLBD")
    number = text(element, "ElctrncSeqNb")
    pages = first(element, "StmtPgntn")
    whole = pages is None or (text(pages, "PgNb") == "1" and text(pages, "LastPgInd") == "true")
    created = time(text(element, "CreDtTm"))
    dated = day(closing, "Dt") if closing is not None else None
    return StatementInfo(
        account=_account(element),
        statement_id=text(element, "Id"),
        kind=kind,  # type: ignore[arg-type]
        sequence=int(number) if number else None,
        opening=_signed(_balance(element, "OPBD")),
        closing=_signed(closing),
        interim=_signed(_balance(element, "ITBD")),
        available=_signed(_balance(element, "ITAV")),
        day=dated or (created.astimezone(BEIJING).date() if created else None),
        created_at=created,
        lines=lines,
        complete=whole,
    )


def _lines(
    element: etree._Element, kind: str, ctx: RailContext, findings: list[Finding]
) -> Iterator[StatementLine]:
    for entry in every(element, "Ntry"):
        money = first(entry, "Amt")
        assert money is not None
        total = _moved(money)
        _check_status(entry)
        details = list(every(entry, "NtryDtls/TxDtls"))
        shares = [_moved(a) for d in details if (a := first(d, "Amt")) is not None]
        if len(details) < 2:
            yield _line(element, entry, details[0] if details else None, total, "", kind, ctx)
            continue
        # A batch booking: its parts are lines of their own, and must be all of it.
        if len(shares) != len(details) or sum(shares, Fen(0)) != total:
            found, path = sum(shares, Fen(0)).yuan_text(), path_of(entry) + "/NtryDtls"
            findings.append(Finding("AMOUNT_MISMATCH", path, found, total.yuan_text()))
            continue
        for place, (detail, share) in enumerate(zip(details, shares, strict=True), 1):
            yield _line(element, entry, detail, share, f"/{place}", kind, ctx)


def _moved(money: etree._Element) -> Fen:
    """The amount of an entry or a part of one: something moved, so it is above zero. Raises Refused."""
    found = amount(money)
    if found <= 0:
        refuse("AMOUNT_UNREADABLE", path_of(money), found.yuan_text(), "above 0")
    return found


def _check_status(entry: etree._Element) -> None:
    status = first(entry, "Sts/Cd")
    if status is not None and (status.text or "").strip() not in _STATUSES:
        refuse("CODE_UNKNOWN", path_of(status), (status.text or "")[:10], ", ".join(_STATUSES))


def _line(
    element: etree._Element,
    entry: etree._Element,
    detail: etree._Element | None,
    share: Fen,
    suffix: str,
    kind: str,
    ctx: RailContext,
) -> StatementLine:
    tx = detail if detail is not None else entry
    direction: Literal["CRDT", "DBIT"] = "DBIT" if text(entry, "CdtDbtInd") == "DBIT" else "CRDT"
    number = text(tx, "Refs/EndToEndId")
    told = " ".join(u.text or "" for u in every(tx, "RmtInf/Ustrd")).strip() or text(entry, "AddtlNtryInf")
    other = "Dbtr" if direction == "CRDT" else "Cdtr"
    account, own = _moved_account(element, tx, direction, kind, ctx)
    booked_on = day(entry, "BookgDt") or day(entry, "ValDt")
    valued_on = day(entry, "ValDt") or booked_on
    created = time(text(element, "CreDtTm"))
    fallback = created.astimezone(BEIJING).date() if created else ctx.now.astimezone(BEIJING).date()
    our_number = None if number in _NO_NUMBER else number
    reversal = text(entry, "RvslInd") == "true"
    return StatementLine(
        account=account,
        booked=text(entry, "Sts/Cd") == "BOOK",
        direction=direction,
        amount=share,
        bank_ref=(text(entry, "AcctSvcrRef") or text(tx, "Refs/AcctSvcrRef") or text(entry, "NtryRef"))
        + suffix,
        booking_date=booked_on or fallback,
        value_date=valued_on or fallback,
        our_number=our_number,
        party_name=text(tx, f"RltdPties/{other}/Pty/Nm"),
        party_account=text(tx, f"RltdPties/{other}Acct/Id/Othr/Id"),
        text=told,
        reversal=reversal,
        returned=_return_code(tx),
        return_reason=text(tx, "RtrInf/AddtlInf"),
        document_no=_document_no(told) if direction == "DBIT" and our_number is None and not reversal else "",
        own_account=own,
        statement_id=text(element, "Id"),
        at=created,
    )


def _return_code(tx: etree._Element) -> str:
    if first(tx, "RtrInf") is None:
        return ""
    return text(tx, "RtrInf/Rsn/Cd") or text(tx, "RtrInf/Rsn/Prtry") or "NARR"


def _moved_account(
    element: etree._Element, tx: etree._Element, direction: str, kind: str, ctx: RailContext
) -> tuple[str, bool]:
    """The account that moved, and whether it is one case's own.

    A notice under the parent account may tell of credits to sub-accounts: then CdtrAcct names the sub-account.
    """
    stated = _account(element)
    parent = ctx.account("parent")
    if stated != parent:
        return stated, True
    side = "CdtrAcct" if direction == "CRDT" else "DbtrAcct"
    named = first(tx, f"RltdPties/{side}/Id/Othr")
    if kind == "notice" and named is not None and text(named, "SchmeNm/Prtry") == ctx.account("sub_kind"):
        return text(named, "Id"), True
    return stated, False


def _document_no(told: str) -> str:
    """The number of a court's document in the text of a debit (habit 13), folded; "" when there is none."""
    folded = normalise_case_number(told)
    for number in find_case_numbers(folded):
        return number.key + (f"之{number.sub}" if number.sub else "")
    match = re.search(r"\((?:19|20)\d{2}\)[^,，;；\s]{2,30}?号", folded)
    return match[0] if match else ""


def _check_sums(element: etree._Element, info: StatementInfo, lines: list[StatementLine]) -> list[Finding]:
    if info.opening is None or info.closing is None or not info.complete:
        return []
    counted = info.opening + sum((line.signed for line in lines if line.booked), Fen(0))
    if counted == info.closing:
        return []
    path = f"/BkToCstmrStmt/{_step(element)}/Bal[CLBD]/Amt"
    return [Finding("BALANCE_MISMATCH", path, info.closing.yuan_text(), counted.yuan_text())]


def _step(element: etree._Element) -> str:
    return path_of(element).rsplit("/", 1)[1]


def _check_summary(element: etree._Element, lines: list[StatementLine]) -> list[Finding]:
    """TxsSummry, where the statement has one, against the entries. Entries are counted, not their parts."""
    findings: list[Finding] = []
    entries = list(every(element, "Ntry"))
    for group, direction in (("TtlNtries", ""), ("TtlCdtNtries", "CRDT"), ("TtlDbtNtries", "DBIT")):
        chosen = [e for e in entries if not direction or text(e, "CdtDbtInd") == direction]
        count, total = (
            first(element, f"TxsSummry/{group}/NbOfNtries"),
            first(element, f"TxsSummry/{group}/Sum"),
        )
        if count is not None and int(count.text or "0") != len(chosen):
            findings.append(Finding("COUNT_MISMATCH", path_of(count), count.text or "", str(len(chosen))))
        counted = sum((yuan(a) for e in chosen if (a := first(e, "Amt")) is not None), Fen(0))
        if total is not None and yuan(total) != counted:
            findings.append(Finding("AMOUNT_MISMATCH", path_of(total), total.text or "", counted.yuan_text()))
    return findings


def _check_chain(element: etree._Element, info: StatementInfo, ctx: RailContext) -> list[Finding]:
    last = ctx.last_statement(info.account) if ctx.last_statement else None
    if last is None or info.sequence is None or info.sequence <= last.sequence:
        return []
    base = f"/BkToCstmrStmt/{_step(element)}"
    findings: list[Finding] = []
    if missing := _missing(last, info.sequence):
        findings.append(Finding("STATEMENT_GAP", f"{base}/ElctrncSeqNb", str(info.sequence), str(missing)))
    if info.opening is not None and info.day is not None:
        # Lines of earlier days that a notice booked and no statement held: some accounts get no statement for them.
        between = sum((money for booked, money in last.booked_since if booked < info.day), Fen(0))
        expected = last.closing + between
        if info.opening != expected:
            found = info.opening.yuan_text()
            findings.append(Finding("BALANCE_NOT_CHAINED", f"{base}/Bal[OPBD]", found, expected.yuan_text()))
    return findings


def _missing(last: LastStatement, sequence: int) -> int | None:
    """The first number that is missing before `sequence`, None when none is.

    The contract numbers statements per account without holes. Some hosts number booked notices in the same row: they
    do so when no number was ever used by both.
    """
    one_row = not (last.stated | {sequence}) & last.noticed
    known = last.stated | last.noticed if one_row else last.stated
    return next((n for n in range(last.sequence + 1, sequence) if n not in known), None)
