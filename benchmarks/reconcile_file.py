"""The night's camt.053 of a plan, as the bank writes it: one message, a statement an account."""

from __future__ import annotations

from pathlib import Path

from benchmarks.reconcile_plan import DAY, PARENT, SPOILED, Account, Line, Plan

_SPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
_AT = f"{DAY}T23:30:00"


def write(plan: Plan, path: Path) -> int:
    """Write the message; returns how many entries it has."""
    count = 0
    with path.open("w", encoding="utf-8") as out:
        out.write(_open("OQS900001"))
        out.write(_statement("OQS-P", PARENT, "ESC", 2, 0, plan.parent))
        count += len(plan.parent)
        for account in plan.accounts:
            if account.silent:
                continue
            lines = [one.shown for one in account.payments if one.shown is not None] + account.extra
            count += len(lines)
            out.write(
                _statement(
                    f"OQS-{account.a}",
                    account.number,
                    "VSA",
                    2 if account.stated else 1,
                    _opening(account),
                    lines,
                )
            )
        out.write(_CLOSE)
    return count


def write_spoiled(folder: Path) -> list[Path]:
    """Small statements whose closing balance is not what their entries come to."""
    made = []
    for n in range(SPOILED):
        path = folder / f"spoiled-{n}.xml"
        statement = _statement(
            f"OQX-{n}", spoiled_account(n), "VSA", 1, 0, [Line(f"X{n}", 5000, True)], off=100
        )
        path.write_text(_open(f"OQX90000{n}") + statement + _CLOSE, "utf-8")
        made.append(path)
    return made


def spoiled_account(n: int) -> str:
    """The account of the n-th of them."""
    return f"99003399000008{n:05d}"


def _opening(account: Account) -> int:
    return sum(one.fen for one in account.payments) + account.off


def _open(message_id: str) -> str:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Document xmlns="{_SPACE}"><BkToCstmrStmt><GrpHdr><MsgId>{message_id}</MsgId>'
        f"<CreDtTm>{_AT}</CreDtTm></GrpHdr>"
    )


_CLOSE = "</BkToCstmrStmt></Document>\n"


def _yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _balance(code: str, fen: int) -> str:
    return (
        f'<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy="CNY">{_yuan(abs(fen))}</Amt>'
        f"<CdtDbtInd>{'CRDT' if fen >= 0 else 'DBIT'}</CdtDbtInd><Dt><Dt>{DAY}</Dt></Dt></Bal>"
    )


def _statement(
    name: str, number: str, scheme: str, seq: int, opening: int, lines: list[Line], off: int = 0
) -> str:
    closing = opening + sum(line.fen if line.credit else -line.fen for line in lines)
    return (
        f"<Stmt><Id>{name}</Id><StmtPgntn><PgNb>1</PgNb><LastPgInd>true</LastPgInd></StmtPgntn><ElctrncSeqNb>{seq}</ElctrncSeqNb>"
        f"<CreDtTm>{_AT}</CreDtTm><Acct><Id><Othr><Id>{number}</Id><SchmeNm><Prtry>{scheme}</Prtry></SchmeNm></Othr></Id><Ccy>CNY</Ccy>"
        f"<Ownr><Nm>瓯栖县司法局调解款专户</Nm></Ownr></Acct>{_balance('OPBD', opening)}{_balance('CLBD', closing + off)}"
        f"<TxsSummry><TtlNtries><NbOfNtries>{len(lines)}</NbOfNtries></TtlNtries></TxsSummry>"
        + "".join(_entry(place, line) for place, line in enumerate(lines, 1))
        + "</Stmt>"
    )


def _entry(place: int, line: Line) -> str:
    side, party = ("CRDT", "Dbtr") if line.credit else ("DBIT", "Cdtr")
    money = f'<Amt Ccy="CNY">{_yuan(line.fen)}</Amt><CdtDbtInd>{side}</CdtDbtInd>'
    name = f"<{party}><Pty><Nm>{line.name}</Nm></Pty></{party}>" if line.name else ""
    held = f"<{party}Acct><Id><Othr><Id>{line.other}</Id></Othr></Id></{party}Acct>" if line.other else ""
    returned = f"<RtrInf><Rsn><Cd>{line.returned}</Cd></Rsn></RtrInf>" if line.returned else ""
    family = "ICDT" if side == "DBIT" else "RCDT"
    return (
        f"<Ntry><NtryRef>{place}</NtryRef>{money}{'<RvslInd>true</RvslInd>' if line.reversal else ''}<Sts><Cd>BOOK</Cd></Sts>"
        f"<BookgDt><Dt>{DAY}</Dt></BookgDt><ValDt><Dt>{DAY}</Dt></ValDt><AcctSvcrRef>{line.ref}</AcctSvcrRef><BkTxCd><Domn>"
        f"<Cd>PMNT</Cd><Fmly><Cd>{family}</Cd><SubFmlyCd>DMCT</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls><TxDtls><Refs>"
        f"<AcctSvcrRef>{line.ref}</AcctSvcrRef><EndToEndId>{line.number or 'NOTPROVIDED'}</EndToEndId></Refs>{money}"
        f"{f'<RltdPties>{name}{held}</RltdPties>' if name or held else ''}<RmtInf><Ustrd>{line.text}</Ustrd></RmtInf>{returned}"
        "</TxDtls></NtryDtls></Ntry>"
    )
