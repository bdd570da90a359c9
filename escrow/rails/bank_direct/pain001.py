"""pain.001.001.09: the bytes of an instruction file, one PmtInf a payment, and the checks before it may leave."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from lxml import etree
from lxml.builder import ElementMaker

from escrow.rail_types import Advice, Instruction, RailContext
from escrow.rails.bank_direct.iso import (
    NAMESPACE,
    PAIN_001,
    amount,
    day,
    every,
    first,
    parse_document,
    path_of,
    refuse,
    text,
    time,
    yuan,
)
from schemas.findings import Finding, Refused
from schemas.money import Fen
from schemas.wide import BEIJING

_ID_SCHEMES = {"person": ("PrvtId", "NIDN"), "organisation": ("OrgId", "USCC")}
_E = ElementMaker(namespace=NAMESPACE + PAIN_001, nsmap={None: NAMESPACE + PAIN_001})
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def build(instructions: Sequence[Instruction], ctx: RailContext) -> bytes:
    """The document of one instruction file.

    A pure function of the instructions and the manifest's account: the same approval gives the same bytes. The first
    instruction's `batch_id` and `created_at` are those of the file. Raises Refused (FIELD_MISSING,
    SCHEMA_VIOLATION, MEMBER_LIMIT, AMOUNT_MISMATCH) instead of making bytes the bank would refuse.
    """
    limit = int(ctx.manifest["limits"]["file_payments"])
    if not 1 <= len(instructions) <= limit:
        refuse("MEMBER_LIMIT", "/CstmrCdtTrfInitn/PmtInf", f"{len(instructions)} payments", f"1 to {limit}")
    for instruction in instructions:
        _check(instruction)
    head = instructions[0]
    message_id = head.batch_id or ctx.account("message_prefix") + head.number
    total = sum((one.amount for one in instructions), Fen(0))
    owner = ctx.account("owner")
    header = _E.GrpHdr(
        _E.MsgId(message_id),
        _E.CreDtTm(head.created_at.astimezone(BEIJING).strftime("%Y-%m-%dT%H:%M:%S")),
        _E.NbOfTxs(str(len(instructions))),
        _E.CtrlSum(total.yuan_text()),
        _E.InitgPty(_E.Nm(owner), _E.Id(_E.OrgId(_E.Othr(_E.Id(ctx.account("customer")))))),
    )
    infos = [_payment(f"{message_id}P{place}", one, ctx) for place, one in enumerate(instructions, 1)]
    body = etree.tostring(_E.Document(_E.CstmrCdtTrfInitn(header, *infos)), encoding="unicode")
    document = f'<?xml version="1.0" encoding="UTF-8"?>\n{body}\n'.encode()
    check(document)
    return document


def _check(instruction: Instruction) -> None:
    path = f"instruction[{instruction.number}]"
    if not re.fullmatch(r"[A-Z0-9]{1,32}", instruction.number):
        refuse("SCHEMA_VIOLATION", f"{path}/number", instruction.number, "1 to 32 of A-Z 0-9")
    needed = ("payee_name", "payee_account", "payee_bank_code", "payee_id", "debit_account")
    missing = [name for name in needed if not getattr(instruction, name)]
    if missing:
        refuse("FIELD_MISSING", f"{path}/{missing[0]}", "", "a value")
    if instruction.amount <= 0:
        refuse("AMOUNT_UNREADABLE", f"{path}/amount", instruction.amount.yuan_text(), "more than 0.00")
    for name in ("payee_name", "payee_bank_name", "remark"):
        if bad := _ILLEGAL.search(getattr(instruction, name)):
            refuse("NAME_CHARACTERS", f"{path}/{name}", repr(bad[0]), "characters that XML can carry")


def _payment(info_id: str, one: Instruction, ctx: RailContext) -> Any:
    kind, scheme = _ID_SCHEMES[one.payee_id_kind]
    account_kind = "parent_kind" if one.debit_account == ctx.account("parent") else "sub_kind"
    identity = _E(kind, _E.Othr(_E.Id(one.payee_id), _E.SchmeNm(_E.Cd(scheme))))
    transaction = _E.CdtTrfTxInf(
        _E.PmtId(_E.InstrId(f"{one.number}N"), _E.EndToEndId(one.number)),
        _E.Amt(_E.InstdAmt(one.amount.yuan_text(), Ccy="CNY")),
        _E.CdtrAgt(_agent(one.payee_bank_code, one.payee_bank_name)),
        _E.Cdtr(_E.Nm(one.payee_name), _E.Id(identity)),
        _E.CdtrAcct(_E.Id(_E.Othr(_E.Id(one.payee_account))), _E.Ccy("CNY")),
        _E.Purp(_E.Prtry("COMP")),
        *([_E.RmtInf(_E.Ustrd(one.remark))] if one.remark else []),
    )
    scheme_name = _E.SchmeNm(_E.Prtry(ctx.account(account_kind)))
    return _E.PmtInf(
        _E.PmtInfId(info_id),
        _E.PmtMtd("TRF"),
        _E.NbOfTxs("1"),
        _E.CtrlSum(one.amount.yuan_text()),
        _E.ReqdExctnDt(_E.Dt(one.execute_on.isoformat())),
        _E.Dbtr(_E.Nm(ctx.account("owner"))),
        _E.DbtrAcct(_E.Id(_E.Othr(_E.Id(one.debit_account), scheme_name)), _E.Ccy("CNY")),
        _E.DbtrAgt(_agent(ctx.account("bank_code"), "")),
        transaction,
    )


def _agent(code: str, name: str) -> Any:
    member = _E.ClrSysMmbId(_E.ClrSysId(_E.Cd("CNAPS")), _E.MmbId(code))
    return _E.FinInstnId(member, *([_E.Nm(name)] if name else []))


def check(document: bytes) -> None:
    """Whether a pain.001 may leave: its XSD, its counts and its control sums. Raises Refused.

    COUNT_MISMATCH and AMOUNT_MISMATCH carry the partner code AM10, which the bank would answer with.
    """
    message_type, message = parse_document(document)
    if message_type != PAIN_001:
        refuse("SCHEMA_VIOLATION", "/Document", message_type, PAIN_001)
    numbers = [found.text or "" for found in every(message, "PmtInf/CdtTrfTxInf/PmtId/EndToEndId")]
    twice = (
        sorted({number for number in numbers if numbers.count(number) > 1})
        if len(set(numbers)) < len(numbers)
        else []
    )
    if twice:
        refuse(
            "SCHEMA_VIOLATION", "/CstmrCdtTrfInitn/PmtInf", f"EndToEndId {twice[0]} twice", "each number once"
        )
    total, count = Fen(0), 0
    for info in every(message, "PmtInf"):
        amounts = [amount(found) for found in every(info, "CdtTrfTxInf/Amt/InstdAmt")]
        _control(info, len(amounts), sum(amounts, Fen(0)))
        count, total = count + len(amounts), total + sum(amounts, Fen(0))
    header = first(message, "GrpHdr")
    assert header is not None
    _control(header, count, total)


def read_sent(document: bytes, ctx: RailContext) -> Advice:
    """A pain.001 of ours given by hand: the instructions that were sent with it. Raises Refused as `check`, and
    WRONG_RECEIVER where another customer sent it."""
    check(document)
    _, message = parse_document(document)
    customer = text(message, "GrpHdr/InitgPty/Id/OrgId/Othr/Id")
    if customer and customer != ctx.account("customer"):
        path = "/CstmrCdtTrfInitn/GrpHdr/InitgPty/Id/OrgId/Othr/Id"
        refuse("WRONG_RECEIVER", path, customer, ctx.account("customer"))
    batch, made = text(message, "GrpHdr/MsgId"), time(text(message, "GrpHdr/CreDtTm"))
    assert made is not None  # required by the XSD
    sent = [
        _sent(info, tx, batch, made) for info in every(message, "PmtInf") for tx in every(info, "CdtTrfTxInf")
    ]
    return Advice("own", sent=tuple(sent))


def _sent(info: etree._Element, tx: etree._Element, batch: str, made: datetime) -> Instruction:
    money = first(tx, "Amt/InstdAmt")
    if money is None:
        refuse("SCHEMA_VIOLATION", path_of(tx) + "/Amt/InstdAmt", "absent", "required")
    due = day(info, "ReqdExctnDt")
    assert due is not None  # required by the XSD
    organisation = first(tx, "Cdtr/Id/OrgId") is not None
    return Instruction(
        number=text(tx, "PmtId/EndToEndId"),
        amount=amount(money),
        debit_account=text(info, "DbtrAcct/Id/Othr/Id"),
        payee_name=text(tx, "Cdtr/Nm"),
        payee_account=text(tx, "CdtrAcct/Id/Othr/Id"),
        execute_on=due,
        created_at=made,
        payee_id=text(tx, "Cdtr/Id/OrgId/Othr/Id" if organisation else "Cdtr/Id/PrvtId/Othr/Id"),
        payee_id_kind="organisation" if organisation else "person",
        payee_bank_code=text(tx, "CdtrAgt/FinInstnId/ClrSysMmbId/MmbId"),
        payee_bank_name=text(tx, "CdtrAgt/FinInstnId/Nm"),
        purpose=text(tx, "Purp/Prtry"),
        remark=text(tx, "RmtInf/Ustrd"),
        batch_id=batch,
    )


def _control(stated: etree._Element, count: int, total: Fen) -> None:
    told = text(stated, "NbOfTxs")
    if told and int(told) != count:
        raise Refused(
            Finding("COUNT_MISMATCH", path_of(stated) + "/NbOfTxs", told, str(count), partner_code="AM10")
        )
    sum_element = first(stated, "CtrlSum")
    if sum_element is not None and yuan(sum_element) != total:
        found, path = sum_element.text or "", path_of(sum_element)
        raise Refused(Finding("AMOUNT_MISMATCH", path, found, total.yuan_text(), partner_code="AM10"))
