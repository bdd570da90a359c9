"""pain.001 and camt.055 as the bank reads them; pain.002, pacs.004 and camt.029 as it writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from sandbox.bank import profile
from sandbox.bank.iso_accounts import iso_time, maker
from sandbox.bank.xsd import every, text
from schemas.money import Fen

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Instruction:
    """One CdtTrfTxInf with what its PmtInf says."""

    info_id: str
    instr_id: str
    e2e: str
    account: str
    fen: int
    payee_name: str
    payee_id: str
    payee_account: str
    payee_bank: str
    text: str
    requested_on: str


@dataclass(frozen=True)
class PaymentFile:
    msg_id: str
    fault: str  # "" or why the whole file is refused (code + text)
    instructions: tuple[Instruction, ...]


def read_pain001(root: etree._Element) -> PaymentFile:
    """Read a valid pain.001. Counts and control sums that do not hold make the whole file AM10."""
    body = root[0]
    header = every(body, "GrpHdr")[0]
    instructions: list[Instruction] = []
    fault = ""
    for info in every(body, "PmtInf"):
        read = [_instruction(info, tx) for tx in every(info, "CdtTrfTxInf")]
        fault = fault or _control(info, read)
        instructions += read
    fault = fault or _control(header, instructions)
    if len(instructions) > profile.MAX_PAYMENTS:
        fault = fault or f"NARR 一个文件最多 {profile.MAX_PAYMENTS} 笔"
    if any(amount.get("Ccy") != "CNY" for amount in every(body, "PmtInf/CdtTrfTxInf/Amt/InstdAmt")):
        fault = fault or "NARR 只收人民币"
    return PaymentFile(text(header, "MsgId"), fault, tuple(instructions))


def _fen(amount: str) -> int:
    whole, _, cents = amount.partition(".")
    cents = cents.rstrip("0").ljust(2, "0")  # the schema allows 1.00000; a fraction of a fen stays visible
    return int(Fen.from_yuan_text(f"{int(whole or '0')}.{cents}"))


def _instruction(info: etree._Element, tx: etree._Element) -> Instruction:
    number = text(tx, "Cdtr/Id/PrvtId/Othr/Id") or text(tx, "Cdtr/Id/OrgId/Othr/Id")
    try:
        fen = _fen(text(tx, "Amt/InstdAmt"))
    except ValueError:
        fen = 0
    return Instruction(
        info_id=text(info, "PmtInfId"),
        instr_id=text(tx, "PmtId/InstrId"),
        e2e=text(tx, "PmtId/EndToEndId"),
        account=text(info, "DbtrAcct/Id/Othr/Id"),
        fen=fen,
        payee_name=text(tx, "Cdtr/Nm"),
        payee_id=number,
        payee_account=text(tx, "CdtrAcct/Id/Othr/Id"),
        payee_bank=text(tx, "CdtrAgt/FinInstnId/ClrSysMmbId/MmbId"),
        text=text(tx, "RmtInf/Ustrd"),
        requested_on=text(info, "ReqdExctnDt/Dt") or text(info, "ReqdExctnDt/DtTm")[:10],
    )


def _control(stated: etree._Element, read: Sequence[Instruction]) -> str:
    count, total = text(stated, "NbOfTxs"), text(stated, "CtrlSum")
    if count and int(count) != len(read):
        return f"AM10 笔数不符: {count}, 实有 {len(read)}"
    try:
        if total and _fen(total) != sum(one.fen for one in read):
            return f"AM10 控制总额不符: {total}, 实为 {Fen(sum(one.fen for one in read)).yuan_text()}"
    except ValueError:
        return f"AM10 控制总额不符: {total}"
    return ""


def read_camt055(root: etree._Element) -> tuple[str, str, list[tuple[str, str]]]:
    """(assignment id, original MsgId, [(PmtInfId, EndToEndId)]) of a cancellation request."""
    body = root[0]
    wanted, original = [], text(body, "Undrlyg/OrgnlGrpInfAndCxl/OrgnlMsgId")
    for info in every(body, "Undrlyg/OrgnlPmtInfAndCxl"):
        original = original or text(info, "OrgnlGrpInf/OrgnlMsgId")
        for tx in every(info, "TxInf"):
            original = original or text(tx, "OrgnlGrpInf/OrgnlMsgId")
            wanted.append((text(info, "OrgnlPmtInfId"), text(tx, "OrgnlEndToEndId")))
    return text(body, "Assgnmt/Id"), original, wanted


def status_report(
    msg_id: str,
    at: datetime,
    original: str,
    count: int,
    rows: Sequence[Row],
    group: tuple[str, str, str] | None = None,
) -> etree._Element:
    """pain.002. `rows`: payments (with `status`); `group`: (GrpSts, reason code, text) for a file as a whole."""
    e = maker(profile.PAIN_002)
    head = e.OrgnlGrpInfAndSts(
        e.OrgnlMsgId(original),
        e.OrgnlMsgNmId(profile.PAIN_001),
        e.OrgnlNbOfTxs(str(count)),
        *([e.GrpSts(group[0])] if group else []),
        *([_reason(e, group[1], group[2])] if group and group[1] else []),
    )
    infos: dict[str, list[etree._Element]] = {}
    for row in rows:
        infos.setdefault(row["info_id"], []).append(_transaction(e, row, at))
    listed = [e.OrgnlPmtInfAndSts(e.OrgnlPmtInfId(info_id), *txs) for info_id, txs in infos.items()]
    header = e.GrpHdr(e.MsgId(msg_id), e.CreDtTm(iso_time(at)))
    return e.Document(e.CstmrPmtStsRpt(header, head, *listed))


def _reason(e: Any, code: str, told: str) -> etree._Element:
    rsn = e.Rsn(e.Prtry(code)) if code.startswith("OQ") else e.Rsn(e.Cd(code))
    return e.StsRsnInf(rsn, *([e.AddtlInf(told[:105])] if told else []))


def _transaction(e: Any, row: Row, at: datetime) -> etree._Element:
    accepted = [] if row["status"] == "RJCT" else [e.AccptncDtTm(iso_time(at))]
    return e.TxInfAndSts(
        *([e.OrgnlInstrId(row["instr_id"])] if row["instr_id"] else []),
        e.OrgnlEndToEndId(row["e2e"]),
        e.TxSts(row["status"]),
        *([_reason(e, row["reason"], row["reason_text"])] if row["reason"] else []),
        *accepted,
        e.OrgnlTxRef(e.Amt(e.InstdAmt(Fen(row["fen"]).yuan_text(), Ccy="CNY"))),
    )


def payment_return(
    msg_id: str, rtr_id: str, at: datetime, payment: Row, fen: int, reason: str, reason_text: str
) -> etree._Element:
    """pacs.004 of one payment; `fen` may be less than was paid (habit 10)."""
    e = maker(profile.PACS_004)
    tx = e.TxInf(
        e.RtrId(rtr_id),
        e.OrgnlGrpInf(e.OrgnlMsgId(payment["msg_id"]), e.OrgnlMsgNmId(profile.PAIN_001)),
        *([e.OrgnlInstrId(payment["instr_id"])] if payment["instr_id"] else []),
        e.OrgnlEndToEndId(payment["e2e"]),
        e.OrgnlIntrBkSttlmAmt(Fen(payment["fen"]).yuan_text(), Ccy="CNY"),
        e.RtrdIntrBkSttlmAmt(Fen(fen).yuan_text(), Ccy="CNY"),
        e.IntrBkSttlmDt(at.strftime("%Y-%m-%d")),
        e.RtrRsnInf(e.Rsn(e.Cd(reason)), e.AddtlInf(reason_text)),
        e.OrgnlTxRef(
            e.Cdtr(e.Pty(e.Nm(payment["payee_name"]))),
            e.CdtrAcct(e.Id(e.Othr(e.Id(payment["payee_account"])))),
        ),
    )
    header = e.GrpHdr(
        e.MsgId(msg_id), e.CreDtTm(iso_time(at)), e.NbOfTxs("1"), e.SttlmInf(e.SttlmMtd("CLRG"))
    )
    return e.Document(e.PmtRtr(header, tx))


def cancellation_answer(
    msg_id: str, at: datetime, original: str, answers: Sequence[tuple[str, str, str, str]]
) -> etree._Element:
    """camt.029. `answers`: (PmtInfId, EndToEndId, CNCL | RJCR | PDCR, text)."""
    e = maker(profile.CAMT_029)

    def party(name: str) -> etree._Element:
        return e.Pty(e.Nm(name))

    words = {status for _, _, status, _ in answers}
    individual = {"CNCL": "ACCR", "RJCR": "RJCR", "PDCR": "PDCR"}  # the schema's word of one transaction
    infos: dict[str, list[etree._Element]] = {}
    for info_id, e2e, status, told in answers:
        infos.setdefault(info_id, []).append(
            e.TxInfAndSts(
                e.OrgnlEndToEndId(e2e),
                e.TxCxlSts(individual[status]),
                *([e.CxlStsRsnInf(e.AddtlInf(told))] if told else []),
            )
        )
    details = e.CxlDtls(
        e.OrgnlGrpInfAndSts(e.OrgnlMsgId(original), e.OrgnlMsgNmId(profile.PAIN_001)),
        *(e.OrgnlPmtInfAndSts(e.OrgnlPmtInfId(info_id), *txs) for info_id, txs in infos.items()),
    )
    assignment = e.Assgnmt(
        e.Id(msg_id),
        e.Assgnr(party(profile.BANK_NAME)),
        e.Assgne(party(profile.OWNER)),
        e.CreDtTm(iso_time(at)),
    )
    confirmation = words.pop() if len(words) == 1 else "PDCR" if "PDCR" in words else "RJCR"
    return e.Document(e.RsltnOfInvstgtn(assignment, e.Sts(e.Conf(confirmation)), details))
