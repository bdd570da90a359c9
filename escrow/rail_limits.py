"""What a rail's manifest says a payment must be: limits, hours, payee kinds, required fields. Limits are data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from escrow.rail_types import Instruction
from schemas.findings import Finding
from schemas.money import Fen
from schemas.wide import BEIJING


def check_instruction(
    manifest: Mapping[str, Any], instruction: Instruction, spent_today: int = 0
) -> list[Finding]:
    """What keeps an instruction from this rail, empty when nothing does.

    `spent_today`: fen, sum of the day's instructions before this one. LIMIT_EXCEEDED, FIELD_MISSING or CODE_UNKNOWN,
    path = field of the instruction. A sum above the limit is routed or split by an approved plan, never by itself.
    """
    limits, payee = manifest["limits"], manifest["payee"]
    findings = [
        Finding("FIELD_MISSING", name, "", "a value")
        for name in payee["required"]
        if not getattr(instruction, name)
    ]
    kind = instruction.payee_account_kind
    if kind and kind not in payee["kinds"]:
        findings.append(Finding("CODE_UNKNOWN", "payee_account_kind", kind, ", ".join(payee["kinds"])))
    if instruction.payee_id_kind not in payee["id_kinds"]:
        allowed = ", ".join(payee["id_kinds"])
        findings.append(Finding("CODE_UNKNOWN", "payee_id_kind", instruction.payee_id_kind, allowed))
    least, most, day_most = (
        Fen(int(limits[k])) for k in ("payment_min_fen", "payment_max_fen", "day_max_fen")
    )
    told = instruction.amount.yuan_text()
    if instruction.amount < least:
        findings.append(Finding("LIMIT_EXCEEDED", "amount", told, f"at least {least.yuan_text()}"))
    if instruction.amount > most:
        findings.append(Finding("LIMIT_EXCEEDED", "amount", told, f"at most {most.yuan_text()} a payment"))
    if day_most and spent_today + instruction.amount > day_most:
        findings.append(Finding("LIMIT_EXCEEDED", "amount", told, f"at most {day_most.yuan_text()} a day"))
    if len(instruction.number) > int(limits["number_max"]):
        findings.append(
            Finding("LIMIT_EXCEEDED", "number", instruction.number, f"≤ {limits['number_max']} characters")
        )
    if len(instruction.remark) > int(limits["remark_max"]):
        findings.append(
            Finding("LIMIT_EXCEEDED", "remark", instruction.remark, f"≤ {limits['remark_max']} characters")
        )
    return findings


def earliest_sending(
    manifest: Mapping[str, Any], amount: Fen, now: datetime, is_workday: Callable[[date], bool]
) -> datetime:
    """The first moment at or after `now` at which the rail works on such a payment (Beijing time).

    Large sums wait for their hours on a working day, others for the end of the pause between banks. A payment after
    the cut-off may be sent; it is worked on the next day (`execution_day`).
    """
    hours = manifest["hours"]
    moment = now.astimezone(BEIJING)
    if hours["large_fen"] and amount >= int(hours["large_fen"]) and hours["large_hours"]:
        begin, end = (time.fromisoformat(t) for t in hours["large_hours"])
        while not (is_workday(moment.date()) and moment.time() <= end):
            moment = datetime.combine(moment.date() + timedelta(days=1), begin, BEIJING)
        return max(moment, datetime.combine(moment.date(), begin, BEIJING))
    if hours["interbank_closed"]:
        begin, end = (time.fromisoformat(t) for t in hours["interbank_closed"])
        if begin > end and moment.time() >= begin:
            return datetime.combine(moment.date() + timedelta(days=1), end, BEIJING)
        if (begin > end and moment.time() < end) or begin <= moment.time() < end:
            return datetime.combine(moment.date(), end, BEIJING)
    return moment


def execution_day(manifest: Mapping[str, Any], now: datetime) -> date:
    """The Beijing day on which a payment sent at `now` is worked on: the next one after the cut-off."""
    moment = now.astimezone(BEIJING)
    cut_off = manifest["hours"]["cut_off"]
    late = bool(cut_off) and moment.time() > time.fromisoformat(cut_off)
    return moment.date() + timedelta(days=1) if late else moment.date()
