"""camt.052, .053 and .054: lines, balances, and the checks that make a statement proof."""

from __future__ import annotations

import dataclasses

from lxml import etree

from escrow.rail_types import LastStatement, RailContext, StatementInfo, StatementLine
from escrow.rails.bank_direct.entries import Head, Sums, extract, lines_of
from escrow.rails.bank_direct.iso import (
    CAMT_052,
    CAMT_053,
    CAMT_054,
    amount,
    day,
    every,
    first,
    path_of,
    text,
    time,
    yuan,
)
from schemas.findings import Finding
from schemas.money import Fen
from schemas.wide import BEIJING

PARTS = {CAMT_052: ("Rpt", "report"), CAMT_053: ("Stmt", "statement"), CAMT_054: ("Ntfctn", "notice")}


def read(
    message_type: str, message: etree._Element, ctx: RailContext
) -> tuple[list[StatementInfo], list[StatementLine], list[Finding]]:
    """All statements, reports or notices of a message, their lines, and what is wrong with them.

    Findings: BALANCE_MISMATCH, COUNT_MISMATCH, AMOUNT_MISMATCH, STATEMENT_GAP, BALANCE_NOT_CHAINED. A finding holds
    for the whole message: half a statement proves nothing. Raises Refused for amounts that cannot be read.
    """
    part, kind = PARTS[message_type]
    infos: list[StatementInfo] = []
    lines: list[StatementLine] = []
    findings: list[Finding] = []
    for element in every(message, part):
        head, sums = head_of(element, kind, ctx), Sums()
        own = list(lines_of(element, extract(element), head, sums, findings))
        info = dataclasses.replace(head.info, lines=len(own))
        infos.append(info)
        lines += own
        if kind == "statement":
            findings += check_whole(element, info, sums)
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


def _info(element: etree._Element, kind: str) -> StatementInfo:
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
        complete=whole,
    )


def head_of(element: etree._Element, kind: str, ctx: RailContext) -> Head:
    """What a statement says before its entries; they need not be there yet."""
    info = _info(element, kind)
    fallback = (info.created_at or ctx.now).astimezone(BEIJING).date()
    return Head(info, kind, info.account == ctx.account("parent"), ctx.account("sub_kind"), fallback)


def check_whole(element: etree._Element, info: StatementInfo, sums: Sums) -> list[Finding]:
    """A day's statement against its own entries: balances, and TxsSummry where it has one."""
    return [*_check_sums(element, info, sums), *_check_summary(element, sums)]


def _check_sums(element: etree._Element, info: StatementInfo, sums: Sums) -> list[Finding]:
    if info.opening is None or info.closing is None or not info.complete:
        return []
    counted = info.opening + Fen(sums.booked)
    if counted == info.closing:
        return []
    path = f"/BkToCstmrStmt/{_step(element)}/Bal[CLBD]/Amt"
    return [Finding("BALANCE_MISMATCH", path, info.closing.yuan_text(), counted.yuan_text())]


def _step(element: etree._Element) -> str:
    return path_of(element).rsplit("/", 1)[1]


def _check_summary(element: etree._Element, sums: Sums) -> list[Finding]:
    """TxsSummry against the entries. Entries are counted, not their parts."""
    findings: list[Finding] = []
    for group, direction in (("TtlNtries", ""), ("TtlCdtNtries", "CRDT"), ("TtlDbtNtries", "DBIT")):
        told, total = (
            first(element, f"TxsSummry/{group}/NbOfNtries"),
            first(element, f"TxsSummry/{group}/Sum"),
        )
        chosen = [direction] if direction else ["CRDT", "DBIT"]
        count, money = sum(sums.count[d] for d in chosen), Fen(sum(sums.total[d] for d in chosen))
        if told is not None and int(told.text or "0") != count:
            findings.append(Finding("COUNT_MISMATCH", path_of(told), told.text or "", str(count)))
        if total is not None and yuan(total) != money:
            findings.append(Finding("AMOUNT_MISMATCH", path_of(total), total.text or "", money.yuan_text()))
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
