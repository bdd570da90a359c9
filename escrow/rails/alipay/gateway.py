"""Requests to the gateway: transfer, query, link to the day's bill. The SDK's classes name the business fields."""

from __future__ import annotations

import dataclasses
import json
import re
from datetime import date
from typing import Any, NoReturn
from urllib.parse import urlencode

from alipay.aop.api.domain.AlipayDataDataserviceBillDownloadurlQueryModel import (
    AlipayDataDataserviceBillDownloadurlQueryModel,
)
from alipay.aop.api.domain.AlipayFundTransCommonQueryModel import AlipayFundTransCommonQueryModel
from alipay.aop.api.domain.AlipayFundTransUniTransferModel import AlipayFundTransUniTransferModel

from escrow.rail_types import Instruction, Operation, OutgoingRequest, RailContext
from escrow.rails.alipay import signing
from schemas.findings import Finding, Refused
from schemas.wide import BEIJING
from schemas.xml_safe import parse_json_strict

METHODS: dict[str, str] = {
    "order": "alipay.fund.trans.uni.transfer",
    "ask": "alipay.fund.trans.common.query",
    "bill_link": "alipay.data.dataservice.bill.downloadurl.query",
}
_TRANSFER_KEYS = (
    "out_biz_no",
    "trans_amount",
    "product_code",
    "biz_scene",
    "order_title",
    "payee_info",
    "remark",
)


def _refuse(code: str, path: str, found: str, expected: str) -> NoReturn:
    raise Refused(Finding(code, path, found, expected))


def order(instruction: Instruction, ctx: RailContext) -> OutgoingRequest:
    """One transfer. Raises Refused rather than make a request the gateway would refuse."""
    request = wrap(build(instruction, ctx), ctx)
    return dataclasses.replace(request, number=instruction.number)


def build(instruction: Instruction, ctx: RailContext) -> bytes:
    """The business content of a transfer (what is approved): a pure function of the instruction and the manifest."""
    _check(instruction, ctx)
    kind = instruction.payee_account_kind or str(ctx.manifest["payee"]["kinds"][0])
    payee = {"identity": instruction.payee_account, "identity_type": kind, "name": instruction.payee_name}
    values: dict[str, Any] = {
        "out_biz_no": instruction.number,
        "trans_amount": instruction.amount.yuan_text(),
        "product_code": ctx.account("product_code"),
        "biz_scene": ctx.account("biz_scene"),
        "order_title": instruction.purpose or ctx.account("order_title"),
        "payee_info": payee,
        "remark": instruction.remark,
    }
    return _content(AlipayFundTransUniTransferModel(), {k: values[k] for k in _TRANSFER_KEYS if values[k]})


def _content(model: Any, values: dict[str, Any]) -> bytes:
    """The values as the SDK's model carries them, in our order. A field the model loses is a fault of ours."""
    for key, value in values.items():
        setattr(model, key, dict(value) if isinstance(value, dict) else value)
    carried = model.to_alipay_dict()
    if carried != values:
        lost = sorted(set(values) ^ set(carried)) or sorted(k for k in values if values[k] != carried[k])
        _refuse("SCHEMA_VIOLATION", f"biz_content/{lost[0]}", "not carried", "a field of the SDK's model")
    ordered = {key: carried[key] for key in values}
    return json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode()


def _check(instruction: Instruction, ctx: RailContext) -> None:
    limits = ctx.manifest["limits"]
    if not re.fullmatch(r"[A-Za-z0-9_]{1,64}", instruction.number, re.ASCII):
        _refuse("SCHEMA_VIOLATION", "biz_content/out_biz_no", instruction.number, "1 to 64 of A-Z a-z 0-9 _")
    if instruction.amount < int(limits["payment_min_fen"]):
        _refuse("LIMIT_EXCEEDED", "biz_content/trans_amount", instruction.amount.yuan_text(), "at least 0.10")
    if instruction.amount > int(limits["payment_max_fen"]):
        _refuse(
            "LIMIT_EXCEEDED", "biz_content/trans_amount", instruction.amount.yuan_text(), "the rail's limit"
        )
    for name in ("payee_name", "payee_account"):
        if not getattr(instruction, name):
            _refuse("FIELD_MISSING", f"biz_content/payee_info/{name}", "", "a value")
    kind = instruction.payee_account_kind
    if kind and kind not in ctx.manifest["payee"]["kinds"]:
        kinds = ", ".join(ctx.manifest["payee"]["kinds"])
        _refuse("CODE_UNKNOWN", "biz_content/payee_info/identity_type", kind, kinds)
    if len(instruction.remark) > int(limits["remark_max"]) or len(instruction.purpose) > 128:
        _refuse(
            "SCHEMA_VIOLATION", "biz_content/remark", f"{len(instruction.remark)} characters", "at most 200"
        )


def wrap(document: bytes, ctx: RailContext) -> OutgoingRequest:
    """Sign and form-encode an approved transfer. Raises Refused when it is none, or is not for this account."""
    told = parse_json_strict(document, path_root="biz_content")
    expected = {"product_code": ctx.account("product_code"), "biz_scene": ctx.account("biz_scene")}
    if not isinstance(told, dict) or any(told.get(key) != value for key, value in expected.items()):
        _refuse("SCHEMA_VIOLATION", "biz_content", "another business", f"{expected}")
    return _request("order", document, str(told.get("out_biz_no", "")), ctx)


def ask(instruction: Instruction, ctx: RailContext) -> OutgoingRequest:
    """Query one transfer by our number; product and scene are required with it."""
    values = {
        "product_code": ctx.account("product_code"),
        "biz_scene": ctx.account("biz_scene"),
        "out_biz_no": instruction.number,
    }
    return _request("ask", _content(AlipayFundTransCommonQueryModel(), values), instruction.number, ctx)


def bill_link(day: date, ctx: RailContext) -> OutgoingRequest:
    """Ask for the link to a day's bill (from 10:00 of the next day); the link lives 30 seconds."""
    values = {"bill_type": str(ctx.manifest["statement"]["bill_type"]), "bill_date": day.isoformat()}
    return _request("bill_link", _content(AlipayDataDataserviceBillDownloadurlQueryModel(), values), "", ctx)


def _request(operation: Operation, content: bytes, number: str, ctx: RailContext) -> OutgoingRequest:
    rail_id = str(ctx.manifest["id"])
    params = {
        "app_id": ctx.account("app_id"),
        "method": METHODS[operation],
        "format": "json",
        "charset": "utf-8",
        "sign_type": "RSA2",
        "timestamp": ctx.now.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S"),
        "version": "1.0",
        "app_cert_sn": ctx.account("app_cert_sn")
        or signing.certificate_serial(ctx.keys.certificate(rail_id)),
        "alipay_root_cert_sn": ctx.account("alipay_root_cert_sn") or root_serial(ctx),
        "biz_content": content.decode("utf-8"),
    }
    params["sign"] = signing.sign(signing.canonical_text(params), ctx.keys.private_key(rail_id))
    return OutgoingRequest(
        "POST",
        "/gateway.do",
        operation,
        number=number,
        body=urlencode(params).encode("ascii"),
        headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        document=content if operation == "order" else b"",
        request_id=ctx.request_id,
    )


def root_serial(ctx: RailContext) -> str:
    """The root serial of the trusted root certificates."""
    return signing.root_serial(ctx.keys.trusted(f"{ctx.manifest['id']}_root"))
