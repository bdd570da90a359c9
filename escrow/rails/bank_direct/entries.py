"""The entries of a statement, report or notice: taken out of the tree by one stylesheet, then made lines.

A look-up for each field of each entry costs ten times what the parser does (shared measurement of the design); the
stylesheet reads all fields of all entries inside libxslt.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from typing import Literal

from lxml import etree

from escrow.rail_types import StatementInfo, StatementLine
from escrow.rails.bank_direct.iso import path_of, refuse, time, yuan_text
from schemas.case_numbers import find_case_numbers, normalise_case_number
from schemas.findings import Finding
from schemas.money import Fen
from schemas.wide import BEIJING

_NO_NUMBER = ("", "NOTPROVIDED")
_STATUSES = ("BOOK", "PDNG", "INFO", "FUTR")
# Code points that are no characters: they end a field, an entry, a part. A text that holds one is refused.
_FIELD, _ENTRY, _PART = "\ufdd0", "\ufdd1", "\ufdd2"
# What is read of an entry and of each of its parts, in this order; nothing else is looked at.
_OF_ENTRY = (
    "Amt", "Amt/@Ccy", "CdtDbtInd", "RvslInd", "Sts/Cd", "BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm",
    "AcctSvcrRef", "NtryRef", "AddtlNtryInf",
)  # fmt: skip
_OF_PART = (
    "Amt", "Amt/@Ccy", "Refs/EndToEndId", "Refs/AcctSvcrRef", "RltdPties/Dbtr/Pty/Nm", "RltdPties/DbtrAcct/Id/Othr/Id",
    "RltdPties/DbtrAcct/Id/Othr/SchmeNm/Prtry", "RltdPties/Cdtr/Pty/Nm", "RltdPties/CdtrAcct/Id/Othr/Id",
    "RltdPties/CdtrAcct/Id/Othr/SchmeNm/Prtry", "RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry", "RtrInf/AddtlInf",
)  # fmt: skip
_NO_PART = ("",) * (len(_OF_PART) + 2)
_made = threading.local()


@lru_cache(maxsize=8)
def _stylesheet(space: str) -> bytes:
    def value(path: str) -> str:
        steps = "/".join(step if step.startswith("@") else f"n:{step}" for step in path.split("/"))
        return f'<xsl:value-of select="{steps}"/>{_text(_FIELD)}'

    words = (
        f'<xsl:for-each select="n:RmtInf/n:Ustrd"><xsl:if test="position() > 1">{_text(" ")}</xsl:if>'
        '<xsl:value-of select="."/></xsl:for-each>'
    )
    part = "".join(map(value, _OF_PART)) + f'<xsl:value-of select="count(n:RtrInf)"/>{_text(_FIELD)}{words}'
    return (
        '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"'
        f' xmlns:n="{space}"><xsl:output method="text"/><xsl:template match="/"><xsl:for-each select="*/n:Ntry">'
        f'{"".join(map(value, _OF_ENTRY))}<xsl:for-each select="n:NtryDtls/n:TxDtls">{_text(_PART)}{part}</xsl:for-each>'
        f"{_text(_ENTRY)}</xsl:for-each></xsl:template></xsl:stylesheet>"
    ).encode()


def _text(what: str) -> str:
    return f"<xsl:text>&#{ord(what)};</xsl:text>"


def extract(element: etree._Element) -> str:
    """The fields of all entries of a statement's element as one text, for `lines_of`. Runs outside Python's lock."""
    space = str(element.tag).rpartition("}")[0][1:]
    sheets: dict[str, etree.XSLT] = _made.__dict__.setdefault("sheets", {})
    if space not in sheets:  # one a thread: a stylesheet belongs to the thread that made it
        sheets[space] = etree.XSLT(etree.fromstring(_stylesheet(space)))
    return str(sheets[space](element))


@dataclass(frozen=True)
class Head:
    """What a statement says before its entries. `parent`: it is the parent account's; `sub_kind`: the scheme of
    sub-accounts; `fallback`: the day of an entry that names none."""

    info: StatementInfo
    kind: str
    parent: bool
    sub_kind: str
    fallback: date


@dataclass
class Sums:
    """What the entries so far come to, in fen. `count`, `total`: by direction, booked or not; `booked`: signed."""

    entries: int = 0
    booked: int = 0
    count: dict[str, int] = field(default_factory=lambda: {"CRDT": 0, "DBIT": 0})
    total: dict[str, int] = field(default_factory=lambda: {"CRDT": 0, "DBIT": 0})


def lines_of(
    element: etree._Element, told: str, head: Head, sums: Sums, findings: list[Finding]
) -> Iterator[StatementLine]:
    """The lines of the entries that `extract` took out of `element`, counted into `sums`. A batch booking's parts are
    lines of their own, and must be all of it: else AMOUNT_MISMATCH. Raises Refused for an amount or a status that
    cannot be read."""
    for record in told.split(_ENTRY)[:-1]:
        sums.entries += 1
        yield from _lines(element, record, head, sums, findings)


def _lines(
    element: etree._Element, record: str, head: Head, sums: Sums, findings: list[Finding]
) -> Iterator[StatementLine]:
    first, *rest = record.split(_PART)
    entry, parts = first.split(_FIELD), [each.split(_FIELD) for each in rest]
    if len(entry) != len(_OF_ENTRY) + 1 or any(len(part) != len(_NO_PART) for part in parts):
        refuse("NAME_CHARACTERS", _place(element, sums), "a code point that is no character", "text")
    total, status = _moved(entry, element, sums, ""), entry[4].strip()
    if status and status not in _STATUSES:
        refuse("CODE_UNKNOWN", f"{_place(element, sums)}/Sts/Cd", status[:10], ", ".join(_STATUSES))
    direction: Literal["CRDT", "DBIT"] = "DBIT" if entry[2].strip() == "DBIT" else "CRDT"
    sums.count[direction] += 1
    sums.total[direction] += int(total)
    shares = [_moved(part, element, sums, "/NtryDtls/TxDtls") for part in parts if part[0]]
    if len(parts) < 2:
        line = _line(entry, parts[0] if parts else _NO_PART, direction, total, "", head)
        sums.booked += int(line.signed) if line.booked else 0
        yield line
        return
    if len(shares) != len(parts) or sum(shares) != total:
        path = f"{_place(element, sums)}/NtryDtls"
        findings.append(Finding("AMOUNT_MISMATCH", path, sum(shares, Fen(0)).yuan_text(), total.yuan_text()))
        return
    for place, (part, share) in enumerate(zip(parts, shares, strict=True), 1):
        line = _line(entry, part, direction, share, f"/{place}", head)
        sums.booked += int(line.signed) if line.booked else 0
        yield line


def _place(element: etree._Element, sums: Sums) -> str:
    """The path of the entry that is being read; the tree may hold only a part of its statement's entries."""
    tag = str(element.tag).rpartition("}")[0] + "}Ntry"
    alone = sums.entries == 1 and len(element.findall(tag)) < 2
    return path_of(element) + ("/Ntry" if alone else f"/Ntry[{sums.entries}]")


def _moved(fields: Sequence[str], element: etree._Element, sums: Sums, where: str) -> Fen:
    """The amount of an entry or a part of one: something moved, so it is above zero. Raises Refused."""
    plain, currency = fields[0], fields[1]
    found = _fen(plain)
    if found is not None and found > 0 and currency in ("CNY", ""):
        return found
    path = f"{_place(element, sums)}{where}/Amt"
    if currency not in ("CNY", ""):
        refuse("CURRENCY_UNEXPECTED", f"{path}/@Ccy", currency, "CNY")
    if found is None:
        refuse("AMOUNT_UNREADABLE", path, plain.strip(), "yuan with at most two decimals")
    refuse("AMOUNT_UNREADABLE", path, found.yuan_text(), "above 0")


@lru_cache(maxsize=65536)
def _fen(plain: str) -> Fen | None:
    return yuan_text(plain)


@lru_cache(maxsize=4096)
def _as_date(day: str, moment: str) -> date | None:
    if day:
        return date.fromisoformat(day[:10])
    at = time(moment)
    return at.astimezone(BEIJING).date() if at else None


def _line(
    entry: Sequence[str],
    part: Sequence[str],
    direction: Literal["CRDT", "DBIT"],
    share: Fen,
    suffix: str,
    head: Head,
) -> StatementLine:
    number, reversal = part[2].strip(), entry[3].strip() == "true"
    text = part[14].strip() or entry[11].strip()
    name, account = (part[4], part[5]) if direction == "CRDT" else (part[7], part[8])
    moved, own = _moved_account(part, direction, head)
    valued = _as_date(entry[7].strip(), entry[8].strip())
    booked = _as_date(entry[5].strip(), entry[6].strip()) or valued
    our_number = None if number in _NO_NUMBER else number
    return StatementLine(
        account=moved,
        booked=entry[4].strip() == "BOOK",
        direction=direction,
        amount=share,
        bank_ref=(entry[9].strip() or part[3].strip() or entry[10].strip()) + suffix,
        booking_date=booked or head.fallback,
        value_date=valued or booked or head.fallback,
        our_number=our_number,
        party_name=name.strip(),
        party_account=account.strip(),
        text=text,
        reversal=reversal,
        returned=(part[10].strip() or part[11].strip() or "NARR") if part[13] not in ("", "0") else "",
        return_reason=part[12].strip(),
        document_no=_document_no(text) if direction == "DBIT" and our_number is None and not reversal else "",
        own_account=own,
        statement_id=head.info.statement_id,
        at=head.info.created_at,
    )


def _moved_account(part: Sequence[str], direction: str, head: Head) -> tuple[str, bool]:
    """The account that moved, and whether it is one case's own.

    A notice under the parent account may tell of credits to sub-accounts: then CdtrAcct names the sub-account.
    """
    if not head.parent:
        return head.info.account, True
    number, scheme = (part[8], part[9]) if direction == "CRDT" else (part[5], part[6])
    if head.kind == "notice" and scheme.strip() == head.sub_kind:
        return number.strip(), True
    return head.info.account, False


def _document_no(told: str) -> str:
    """The number of a court's document in the text of a debit (habit 13), folded; "" when there is none."""
    folded = normalise_case_number(told)
    for number in find_case_numbers(folded):
        return number.key + (f"之{number.sub}" if number.sub else "")
    match = re.search(r"\((?:19|20)\d{2}\)[^,，;；\s]{2,30}?号", folded)
    return match[0] if match else ""
