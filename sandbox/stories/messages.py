"""Reads the hub's own messages in a story, by their form, so that people can be made to cause them and the
stand-in's books can be compared with them. Forms are those of the published contracts."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from lxml import etree

from schemas.money import Fen

PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


@dataclass(frozen=True)
class HubMessage:
    """What a message of the hub is (``kind``) and the facts in it that must be so (``facts``)."""

    kind: str
    facts: dict[str, Any] = field(default_factory=dict)
    payee: dict[str, Any] = field(default_factory=dict)
    fen: int = 0


def read(content: bytes) -> HubMessage:
    """Understand a message of the hub. Raises ValueError on an unknown form."""
    text = content.lstrip()
    if text.startswith(b"{"):
        told = json.loads(text)
        if "parentAccount" in told:
            return HubMessage("open_subaccount", {"expectedFen": told["expectedFen"]})
        raise ValueError("unknown JSON message of the hub")
    if not text.startswith(b"<"):
        return _transfer_form(text.decode())
    root = etree.fromstring(content, PARSER)
    local = {etree.QName(each).localname: each for each in root.iter(etree.Element)}
    if "CstmrCdtTrfInitn" in local:
        return _credit_transfer(root)
    if "SubmitMediationResult" in local:
        names = ("caseMark", "caseNo", "resultCode", "organisation", "mediator")
        return HubMessage("mediation_result", _texts(local["SubmitMediationResult"], names))
    if "ReturnResult" in local:
        return HubMessage(
            "return_result", _texts(local["ReturnResult"], ("CaseNo", "Outcome", "Amount", "PaidAmount"))
        )
    if "FeedbackXfj" in local:
        told = json.loads("".join(local["FeedbackXfj"].itertext()))
        return HubMessage("feedback", {"XFJBH": told.get("XFJBH")})
    raise ValueError(f"unknown message of the hub: {etree.QName(root).localname}")


def _texts(element: etree._Element, names: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for each in element.iter(etree.Element):
        name = etree.QName(each).localname
        if name in names and each.text:
            found[name] = each.text.strip()
    return found


def _one(root: etree._Element, path: str) -> str:
    steps = "/".join(f"*[local-name()='{step}']" for step in path.split("/"))
    found = root.xpath(f".//{steps}/text()")
    return str(found[0]).strip() if found else ""


def _credit_transfer(root: etree._Element) -> HubMessage:
    amount = _one(root, "InstdAmt")
    payee = {
        "name": _one(root, "Cdtr/Nm"),
        "account": _one(root, "CdtrAcct/Id/Othr/Id"),
        "bank_code": _one(root, "CdtrAgt/FinInstnId/ClrSysMmbId/MmbId"),
        "bank_name": _one(root, "CdtrAgt/FinInstnId/Nm"),
        "id_number": _one(root, "Cdtr/Id/PrvtId/Othr/Id") or _one(root, "Cdtr/Id/OrgId/Othr/Id"),
    }
    facts = {
        "amount": amount,
        "payee": payee["name"],
        "account": payee["account"],
        "bank_code": payee["bank_code"],
        "debit": _one(root, "DbtrAcct/Id/Othr/Id"),
    }
    return HubMessage("credit_transfer", facts, payee, int(Fen.from_yuan_text(amount)))


def _transfer_form(text: str) -> HubMessage:
    pairs = {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
    told = json.loads(pairs["biz_content"])
    info = told.get("payee_info", {})
    payee = {
        "name": info.get("name"),
        "wallet": info.get("identity"),
        "wallet_type": info.get("identity_type"),
    }
    facts = {"trans_amount": told.get("trans_amount"), "payee": payee["name"], "wallet": payee["wallet"]}
    return HubMessage(
        f"transfer:{pairs.get('method', '')}", facts, payee, int(Fen.from_yuan_text(told["trans_amount"]))
    )


def same_facts(told: HubMessage, found: HubMessage, swaps: dict[str, str]) -> list[str]:
    """Where the message that the stand-in received differs from the story's, after the learnt numbers."""
    if told.kind != found.kind:
        return [f"kind: expected {told.kind}, received {found.kind}"]
    return [
        f"{name}: expected {swaps.get(value, value)}, received {found.facts.get(name)}"
        for name, value in told.facts.items()
        if value is not None and found.facts.get(name) != swaps.get(value, value)
    ]


def sums(text: str) -> list[int]:
    """All yuan sums in a text like ``30672.66/30672.66/30672.68``, in fen."""
    return [int(Fen.from_yuan_text(each)) for each in re.findall(r"\d+\.\d{2}", text)]


def scripted(content: bytes) -> dict[str, Any]:
    """The answer file of a gateway as an order to its stand-in: which method, which answer."""
    told = json.loads(content)
    node = next(name for name in told if name.endswith("_response"))
    method = "query" if "query" in node else "transfer"
    return {"method": method, "response": told[node]}


def is_answer(content: bytes) -> bool:
    """Whether a message file is a gateway's answer to a call of the hub."""
    return b"_response" in content[:80]


def cause_of(content: bytes) -> str | None:
    """The kind of a hub's message that only people cause; None for one that the hub sends by itself."""
    told = read(content)
    kind = told.kind.partition(":")[0]
    if kind == "mediation_result" and told.facts.get("resultCode") == "02":
        return kind
    return kind if kind in ("credit_transfer", "transfer") else None


def pays(content: bytes) -> bool:
    """Whether a message of the hub is a payment."""
    return bool(content) and cause_of(content) in ("credit_transfer", "transfer")


def order_numbers(content: bytes) -> list[str]:
    """The order's number as the story's own payment message states it."""
    text = content.lstrip()
    if text.startswith(b"<"):
        return re.findall(r"<EndToEndId>([^<]+)</EndToEndId>", text.decode())
    pairs = parse_qs(text.decode(), keep_blank_values=True)
    return [json.loads(pairs["biz_content"][0])["out_biz_no"]]


def payloads(entry: dict[str, Any]) -> list[bytes]:
    """What a books entry carried: its body, and the payload inside an envelope."""
    import base64

    body = base64.b64decode(entry["body_base64"])
    found = [body]
    if body.lstrip().startswith(b"{"):
        try:
            told = json.loads(body)
        except ValueError:
            return found
        inner = told.get("payload") or told.get("content")
        if isinstance(inner, str):
            try:
                found.append(base64.b64decode(inner, validate=True))
            except ValueError:
                pass
    return found
