"""What is wrong with a statement as a whole, whatever its rail already checked, and what follows when something is."""

from __future__ import annotations

from collections.abc import Sequence

from escrow import breaks
from escrow.desk import last_statement
from escrow.rails import LastStatement, StatementInfo, StatementLine
from escrow.results import Event, Result, beijing_day
from escrow.statement_stage import KINDS
from foundation.unit_of_work import UnitOfWork
from schemas.findings import Finding


def refuse_statements(
    uow: UnitOfWork, rail_id: str, infos: Sequence[StatementInfo], findings: Sequence[Finding]
) -> Result:
    """Nothing of this message is posted; each finding becomes a break that someone must own."""
    kinds = {"STATEMENT_GAP": "SEQUENCE", "BALANCE_NOT_CHAINED": "BALANCE", "BALANCE_MISMATCH": "BALANCE",
             "SAME_ID_OTHER_BYTES": "DUPLICATE"}  # fmt: skip
    events: list[Event] = []
    info = infos[0] if infos else None
    for finding in findings:
        account = info.account if info else ""
        day = (info.day if info else None) or beijing_day(uow.now)
        events += breaks.found(
            uow, kinds.get(finding.code, "AMOUNT"), f"{finding.code}/{rail_id}/{account}/{info.statement_id if info else ''}",
            day, rail=rail_id, account=account, detail=finding.as_dict(),
        )  # fmt: skip
    return Result(events, findings=list(findings))


def check(
    uow: UnitOfWork, rail_id: str, info: StatementInfo, lines: Sequence[StatementLine]
) -> list[Finding]:
    """What is wrong with a statement as a whole, whatever the rail already checked."""
    other = uow.scalar(
        "SELECT bool_or(complete) FROM escrow.statement WHERE rail = :rail AND account = :account AND kind = :kind"
        " AND native_id = :id",
        rail=rail_id, account=info.account, kind=KINDS[info.kind], id=info.statement_id,
    )  # fmt: skip
    if other:
        return [
            Finding("SAME_ID_OTHER_BYTES", "statement/id", info.statement_id, "the statement that came first")
        ]
    if KINDS[info.kind] != "DAY" or info.opening is None or info.closing is None:
        return []
    findings: list[Finding] = []
    counted = int(info.opening) + sum(int(line.signed) for line in lines if line.booked)
    if info.complete and counted != info.closing:
        findings.append(
            Finding("BALANCE_MISMATCH", "statement/closing", str(int(info.closing)), str(counted))
        )
    last = last_statement(uow, rail_id, info.account)
    if last is not None and info.sequence is not None and info.sequence > last.sequence:
        findings += check_chain(info, last)
    return findings


def check_chain(info: StatementInfo, last: LastStatement) -> list[Finding]:
    """Whether a numbered statement follows the last one: no number missing, and it opens where that one closed."""
    findings: list[Finding] = []
    assert info.sequence is not None and info.opening is not None
    # Some holders number booked notices in the same row: then no number is used by both.
    one_row = not (last.stated | {info.sequence}) & last.noticed
    known = last.stated | last.noticed if one_row else last.stated
    missing = next((n for n in range(last.sequence + 1, info.sequence) if n not in known), None)
    if missing is not None:
        findings.append(Finding("STATEMENT_GAP", "statement/sequence", str(info.sequence), str(missing)))
    between = sum(int(money) for booked, money in last.booked_since if info.day is None or booked < info.day)
    expected = int(last.closing) + between
    if info.opening != expected:
        findings.append(
            Finding("BALANCE_NOT_CHAINED", "statement/opening", str(int(info.opening)), str(expected))
        )
    return findings
