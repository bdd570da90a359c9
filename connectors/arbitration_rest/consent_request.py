"""A request that the commission make a consent award of a mediation agreement.

Body of the outbox row:
- `request_id`: UUID, also the Idempotency-Key; default a new one
- `mediation_no`, `signed_on` (ISO date), `cause`
- `parties`: list of {role: applicant|respondent|third_party, kind: person|organisation, name, id_number or
  credit_code, phone, address}
- `items`: list of {text, payer, payee, amount_fen, due_date}; `total_fen`: default their sum
- `agreement`: {file_name, content_base64}, a pdf
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

from connectors.arbitration_rest.replies import request_findings
from schemas.canonical import canonical_json
from schemas.exchange import ConnectorContext
from schemas.findings import Finding, Refused

_ROLES = {"applicant": "APPLICANT", "respondent": "RESPONDENT", "third_party": "THIRD"}
_KINDS = {"person": "PERSON", "organisation": "ORG"}


def consent_award_request(body: dict[str, Any], ctx: ConnectorContext) -> bytes:
    """Wire bytes, held against the contract before they leave. Raises Refused."""
    items = [
        {
            "no": number,
            "text": str(item.get("text") or "支付赔偿款"),
            "payer": item.get("payer"),
            "payee": item.get("payee"),
            "amountFen": item.get("amount_fen"),
            "dueDate": item.get("due_date"),
        }
        for number, item in enumerate(body.get("items", ()), start=1)
    ]
    total = body.get("total_fen")
    if total is None:
        total = sum(item["amountFen"] for item in items if isinstance(item["amountFen"], int))
    request = {
        "requestId": str(body.get("request_id") or ctx.new_id()),
        "mediationNo": body.get("mediation_no"),
        "agreementSignedOn": body.get("signed_on"),
        "parties": [_party(each) for each in body.get("parties", ())],
        "causeName": body.get("cause"),
        "items": items,
        "totalFen": total,
        "agreement": _paper(body.get("agreement") or {}),
    }
    findings = request_findings(request)
    if findings:
        raise Refused.of(findings)
    try:
        return canonical_json(request)
    except TypeError as error:  # a float slipped in
        raise Refused(Finding("SCHEMA_VIOLATION", "/", str(error)[:80], "whole numbers")) from None


def _party(party: dict[str, Any]) -> dict[str, Any]:
    return {
        "role": _ROLES.get(str(party.get("role")), str(party.get("role"))),
        "kind": _KINDS.get(str(party.get("kind")), str(party.get("kind"))),
        "name": party.get("name"),
        "idNo": party.get("id_number") or party.get("credit_code"),
        "idMasked": False,
        "phone": party.get("phone"),
        "address": party.get("address"),
        "agent": party.get("agent"),
    }


def _paper(paper: dict[str, Any]) -> dict[str, Any]:
    content = str(paper.get("content_base64") or "")
    try:
        raw = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise Refused(Finding("BASE64_INVALID", "/agreement/content", "not base64", "base64")) from None
    return {
        "fileName": str(paper.get("file_name") or "调解协议书.pdf"),
        "mediaType": "application/pdf",
        "sha256": hashlib.sha256(raw).hexdigest(),
        "content": content,
    }
