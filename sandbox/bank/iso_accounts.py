"""camt.052, camt.053 and camt.054 as this bank writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from lxml import etree
from lxml.builder import ElementMaker

from sandbox.bank import profile
from sandbox.bank.ledger import Line
from schemas.money import Fen

_SCHEMES = {"ESC": "ESC", "VSA": "VSA"}
# Bank transaction codes: received, issued, returned credit transfer.
_FAMILIES = {"deposit": ("RCDT", "DMCT"), "return": ("ICDT", "RRTN"), "payout": ("ICDT", "DMCT")}


@dataclass(frozen=True)
class Balance:
    """`code`: OPBD, CLBD, ITBD or ITAV."""

    code: str
    fen: int
    day: str


def maker(msg_type: str) -> ElementMaker:
    namespace = profile.NAMESPACE + msg_type
    return ElementMaker(namespace=namespace, nsmap={None: namespace})


def xml_bytes(document: etree._Element, encoding: str = "UTF-8") -> bytes:
    """The message with its declaration; GB18030 is what the old host's night run writes."""
    body = etree.tostring(document, encoding="unicode")
    return f'<?xml version="1.0" encoding="{encoding}"?>\n{body}\n'.encode(encoding)


def iso_time(beijing: datetime) -> str:
    """Beijing time without a zone, whole seconds."""
    return beijing.strftime("%Y-%m-%dT%H:%M:%S")


def statement(
    msg_id: str, number: int, at: datetime, account: tuple[str, str], balances: Sequence[Balance],
    lines: Sequence[Line], totals: Sequence[Line] | None = None,
) -> etree._Element:  # fmt: skip
    """A camt.053 of one account. `account`: (number, scheme). `totals`: lines the summary counts, when not `lines`."""
    e = maker(profile.CAMT_053)
    stmt = e.Stmt(
        e.Id(msg_id),
        e.StmtPgntn(e.PgNb("1"), e.LastPgInd("true")),
        e.ElctrncSeqNb(str(number)),
        e.CreDtTm(iso_time(at)),
        _account(e, account),
        *(_balance(e, balance) for balance in balances),
        _summary(e, lines if totals is None else totals),
        *(_entry(e, str(place), line) for place, line in enumerate(lines, 1)),
    )
    return e.Document(e.BkToCstmrStmt(_header(e, msg_id, at), stmt))


def notice(
    msg_id: str, number: int, at: datetime, account: tuple[str, str], lines: Sequence[Line]
) -> etree._Element:
    """A camt.054. Where `account` is the parent and a line another account's, CdtrAcct names the sub-account."""
    e = maker(profile.CAMT_054)
    told = _notification(e, msg_id, number, at, account, lines)
    return e.Document(e.BkToCstmrDbtCdtNtfctn(_header(e, msg_id, at), told))


def notice_of_many(
    msg_id: str, at: datetime, groups: Sequence[tuple[int, tuple[str, str], Sequence[Line]]]
) -> etree._Element:
    """A camt.054 with a notification for each account: (its number, the account, its lines)."""
    e = maker(profile.CAMT_054)
    told = [
        _notification(e, f"{msg_id}N{place}", number, at, account, lines)
        for place, (number, account, lines) in enumerate(groups, 1)
    ]
    return e.Document(e.BkToCstmrDbtCdtNtfctn(_header(e, msg_id, at), *told))


def _notification(
    e: ElementMaker, name: str, number: int, at: datetime, account: tuple[str, str], lines: Sequence[Line]
) -> etree._Element:
    return e.Ntfctn(
        e.Id(name),
        e.ElctrncSeqNb(str(number)),
        e.CreDtTm(iso_time(at)),
        _account(e, account),
        *(_entry(e, str(place), line) for place, line in enumerate(lines, 1)),
    )


def report(
    msg_id: str, number: int, at: datetime, account: tuple[str, str], balances: Sequence[Balance],
    pending: Sequence[Line],
) -> etree._Element:  # fmt: skip
    """A camt.052: balances of the moment, and entries that are only expected (PDNG; habit 7: they may never book)."""
    e = maker(profile.CAMT_052)
    told = e.Rpt(
        e.Id(msg_id),
        e.ElctrncSeqNb(str(number)),
        e.CreDtTm(iso_time(at)),
        _account(e, account),
        *(_balance(e, balance) for balance in balances),
        *(_entry(e, str(place), line, status="PDNG") for place, line in enumerate(pending, 1)),
    )
    return e.Document(e.BkToCstmrAcctRpt(_header(e, msg_id, at), told))


def _header(e: ElementMaker, msg_id: str, at: datetime) -> etree._Element:
    return e.GrpHdr(e.MsgId(msg_id), e.CreDtTm(iso_time(at)))


def _scheme(e: ElementMaker, scheme: str) -> list[etree._Element]:
    return [e.SchmeNm(e.Prtry(_SCHEMES[scheme]))] if scheme in _SCHEMES else []


def _account(e: ElementMaker, account: tuple[str, str]) -> etree._Element:
    number, scheme = account
    system = e.ClrSysMmbId(e.ClrSysId(e.Cd("CNAPS")), e.MmbId(profile.BANK_CODE))
    return e.Acct(
        e.Id(e.Othr(e.Id(number), *_scheme(e, scheme))),
        e.Ccy("CNY"),
        e.Ownr(e.Nm(profile.OWNER)),
        e.Svcr(e.FinInstnId(system, e.Nm(profile.BANK_NAME))),
    )


def _amount(e: ElementMaker, fen: int) -> etree._Element:
    return e.Amt(Fen(abs(fen)).yuan_text(), Ccy="CNY")


def _side(fen: int) -> str:
    return "CRDT" if fen >= 0 else "DBIT"


def _balance(e: ElementMaker, balance: Balance) -> etree._Element:
    return e.Bal(
        e.Tp(e.CdOrPrtry(e.Cd(balance.code))),
        _amount(e, balance.fen),
        e.CdtDbtInd(_side(balance.fen)),
        e.Dt(e.Dt(balance.day)),
    )


def _summary(e: ElementMaker, lines: Sequence[Line]) -> etree._Element:
    credits_, debits = [n.fen for n in lines if n.fen > 0], [-n.fen for n in lines if n.fen < 0]
    return e.TxsSummry(
        e.TtlNtries(e.NbOfNtries(str(len(lines)))),
        e.TtlCdtNtries(e.NbOfNtries(str(len(credits_))), e.Sum(Fen(sum(credits_)).yuan_text())),
        e.TtlDbtNtries(e.NbOfNtries(str(len(debits))), e.Sum(Fen(sum(debits)).yuan_text())),
    )


def _entry(e: ElementMaker, place: str, line: Line, status: str = "BOOK") -> etree._Element:
    family, sub_family = _FAMILIES.get(line.kind, ("RCDT" if line.fen > 0 else "ICDT", "DMCT"))
    return e.Ntry(
        e.NtryRef(place),
        _amount(e, line.fen),
        e.CdtDbtInd(_side(line.fen)),
        *([e.RvslInd("true")] if line.reversal else []),
        e.Sts(e.Cd(status)),
        e.BookgDt(e.Dt(line.biz_date)),
        e.ValDt(e.Dt(line.biz_date)),
        e.AcctSvcrRef(line.ref),
        e.BkTxCd(e.Domn(e.Cd("PMNT"), e.Fmly(e.Cd(family), e.SubFmlyCd(sub_family)))),
        e.NtryDtls(_details(e, line)),
    )


def _details(e: ElementMaker, line: Line) -> etree._Element:
    # Habit 13: a court's deduction names no EndToEndId at all; habit 6: credits say NOTPROVIDED.
    end_to_end = [] if line.kind == "deduction" else [e.EndToEndId(line.e2e or "NOTPROVIDED")]
    parties = _parties(e, line)
    remittance = line.text[: profile.TEXT_CUT]
    returned = (
        [e.RtrInf(e.Rsn(e.Cd(line.reason)), e.AddtlInf(line.reason_text))] if line.kind == "return" else []
    )
    return e.TxDtls(
        e.Refs(e.AcctSvcrRef(line.ref), *end_to_end),
        _amount(e, line.fen),
        e.CdtDbtInd(_side(line.fen)),
        *([e.RltdPties(*parties)] if parties else []),
        *([e.RmtInf(e.Ustrd(remittance))] if remittance else []),
        *returned,
    )


def _parties(e: ElementMaker, line: Line) -> list[etree._Element]:
    other = "Dbtr" if line.fen > 0 else "Cdtr"
    parties = []
    if line.other_name:
        parties.append(e(other, e.Pty(e.Nm(line.other_name))))
    if line.other_account:
        parties.append(e(f"{other}Acct", e.Id(e.Othr(e.Id(line.other_account)))))
    if line.kind in ("deposit", "move") and line.fen > 0:
        own = e.Othr(e.Id(line.account), *_scheme(e, line.scheme if line.scheme == "VSA" else ""))
        parties += [e.Cdtr(e.Pty(e.Nm(profile.OWNER))), e.CdtrAcct(e.Id(own))]
    return parties
