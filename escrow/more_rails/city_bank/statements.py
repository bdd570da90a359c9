"""The bank's 对账文件: its records → statement and lines, with every count, sum and balance checked (contract, habit 6)."""

from __future__ import annotations

from pathlib import Path

from escrow.rail_types import Advice, RailContext, StatementInfo, StatementLine
from schemas.canonical import sha256_hex
from schemas.findings import Finding, Refused

from .fixed_width import Record, layout, read

LAYOUT = Path(__file__).resolve().parent / "layout.toml"
RETURNED = "退汇"


def statement(content: bytes, ctx: RailContext) -> Advice:
    """One file. What is wrong anywhere refuses the whole: a statement that does not add up proves nothing."""
    try:
        if len(content) > int(ctx.manifest["statement"]["bytes_max"]):
            raise Refused(Finding("TOO_LARGE", "/", f"{len(content)} bytes", "a smaller file"))
        head, lines, tail = _parts(read(content, layout(LAYOUT)))
        _check(head, lines, tail)
    except Refused as refused:
        return Advice("nothing", findings=refused.findings)
    info = _info(head, lines, tail)
    return Advice(
        "statement", message_id=info.statement_id, compare_digest=sha256_hex(content), statements=(info,),
        lines=tuple(_line(head, each, info, ctx) for each in lines), message_type=head.fields["kind"],
    )  # fmt: skip


def _parts(records: list[Record]) -> tuple[Record, list[Record], Record]:
    tags = "".join(each.tag for each in records)
    if len(records) < 2 or tags[0] != "H" or tags[-1] != "T" or set(tags[1:-1]) - {"D"}:
        told = tags if len(tags) < 20 else f"{tags[:8]}…{tags[-8:]}"
        raise Refused(Finding("SCHEMA_VIOLATION", "/", told, "one H, the D records, one T"))
    return records[0], records[1:-1], records[-1]


def _check(head: Record, lines: list[Record], tail: Record) -> None:
    """Counts, sums, order and balance against the last record. Raises Refused."""
    sums = {side: [each for each in lines if each.fields["side"] == side] for side in ("C", "D")}
    fen = {side: sum(int(each.fields["fen"]) for each in rows) for side, rows in sums.items()}
    stated = (
        ("COUNT_MISMATCH", "count", len(lines)), ("COUNT_MISMATCH", "credits", len(sums["C"])),
        ("COUNT_MISMATCH", "debits", len(sums["D"])), ("AMOUNT_MISMATCH", "credit_fen", fen["C"]),
        ("AMOUNT_MISMATCH", "debit_fen", fen["D"]),
        ("BALANCE_MISMATCH", "closing", int(head.fields["opening"]) + fen["C"] - fen["D"]),
    )  # fmt: skip
    found = [
        Finding(code, tail.path(name), str(int(tail.fields[name])), str(counted))
        for code, name, counted in stated
        if int(tail.fields[name]) != counted
    ]
    for at, each in enumerate(lines, start=1):
        if each.fields["no"] != at:
            found.append(Finding("SCHEMA_VIOLATION", each.path("no"), str(each.fields["no"]), str(at)))
        if not each.fields["reference"] or not each.fields["fen"]:
            name = "fen" if each.fields["reference"] else "reference"
            found.append(Finding("FIELD_MISSING", each.path(name), "empty", "told"))
        if len(found) >= 50:
            break
    if found:
        raise Refused(*found)


def _info(head: Record, lines: list[Record], tail: Record) -> StatementInfo:
    told = head.fields
    whole = told["kind"] == "D"
    return StatementInfo(
        account=told["account"],
        statement_id=f"{told['account']}-{told['day']:%Y%m%d}-{told['kind']}-{told['sequence']}",
        kind="statement" if whole else "notice",
        sequence=told["sequence"] if whole else None,
        opening=told["opening"] if whole else None,
        closing=tail.fields["closing"] if whole else None,
        day=told["day"],
        lines=len(lines),
    )


def _line(head: Record, each: Record, info: StatementInfo, ctx: RailContext) -> StatementLine:
    told = each.fields
    return StatementLine(
        account=info.account, booked=True, direction="CRDT" if told["side"] == "C" else "DBIT", amount=told["fen"],
        bank_ref=told["reference"], booking_date=told["booked"], value_date=told["value"],
        our_number=told["serial"] or None, party_name=told["other_name"], party_account=told["other_account"],
        text=told["text"], returned=RETURNED if told["returned"] == "1" else "", statement_id=info.statement_id,
        own_account=info.account != ctx.account("parent"),
    )  # fmt: skip
