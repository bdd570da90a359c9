"""What a transfer's biz_content must be, and the nodes of the gateway's replies."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from sandbox.alipay import profile
from sandbox.alipay.pool import amount_fen, beijing_text
from schemas.money import Fen

_TRANSFER_KEYS = {
    "out_biz_no", "trans_amount", "product_code", "biz_scene", "order_title", "payee_info", "remark", "business_params",
}  # fmt: skip
_IDENTITIES = ("ALIPAY_USER_ID", "ALIPAY_LOGON_ID", "ALIPAY_OPEN_ID")
Node = dict[str, Any]


def transfer_faults(biz: Node) -> str:
    """What is wrong with a transfer's biz_content by the contract; "" = nothing."""
    if biz.keys() - _TRANSFER_KEYS:
        return min(biz.keys() - _TRANSFER_KEYS)
    patterns = {"out_biz_no": r"[A-Za-z0-9_]{1,64}", "trans_amount": r"\d{1,9}\.\d{2}"}
    for name, pattern in patterns.items():
        if not isinstance(biz.get(name), str) or not re.fullmatch(pattern, biz[name], re.ASCII):
            return name
    try:
        amount_fen(biz)
    except ValueError:
        return "trans_amount"
    if biz.get("product_code") != profile.PRODUCT or biz.get("biz_scene") != profile.SCENE:
        return "product_code, biz_scene"
    for name, longest in (("order_title", 128), ("remark", 200), ("business_params", 10_000)):
        if name in biz and (not isinstance(biz[name], str) or len(biz[name]) > longest):
            return name
    payee = biz.get("payee_info")
    if not isinstance(payee, dict) or payee.keys() - {"identity", "identity_type", "name"}:
        return "payee_info"
    if not isinstance(payee.get("identity"), str) or not payee["identity"]:
        return "payee_info.identity"
    if payee.get("identity_type") not in _IDENTITIES:
        return "payee_info.identity_type"
    return "" if isinstance(payee.get("name"), str) and payee["name"] else "payee_info.name"


def refused(sub_code: str, biz: Node, told: str = "") -> Node:
    """A business refusal; isp. and aop. codes come as 20000 (unknown)."""
    unknown = sub_code.startswith(("isp.unknow", "aop."))
    node: Node = {
        "code": "20000" if unknown else "40004",
        "msg": "Service Currently Unavailable" if unknown else "Business Failed",
        "sub_code": sub_code,
        "sub_msg": told or profile.MESSAGES.get(sub_code, "业务处理失败"),
    }
    return {**node, **({"out_biz_no": biz["out_biz_no"]} if biz.get("out_biz_no") else {})}


def transferred(order: Node) -> Node:
    """The transfer's reply for an order as it stands."""
    node: Node = {
        "code": "10000",
        "msg": "Success",
        "out_biz_no": order["out_biz_no"],
        "order_id": order["order_id"],
        "pay_fund_order_id": order["pay_fund_order_id"],
        "status": order["status"],
    }
    created = beijing_text(datetime.fromisoformat(order["created_at"]))
    return node | {"trans_date": order["pay_date"] or created}


def queried(order: Node) -> Node:
    """The query's reply for an order as it stands."""
    node: Node = {
        "code": "10000",
        "msg": "Success",
        "out_biz_no": order["out_biz_no"],
        "order_id": order["order_id"],
        "pay_fund_order_id": order["pay_fund_order_id"],
        "status": order["status"],
        "trans_amount": Fen(order["fen"]).yuan_text(),
    }
    optional = ("pay_date", "error_code", "fail_reason")
    return node | {name: order[name] for name in optional if order[name]}
