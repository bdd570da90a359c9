"""ReturnResult: from what the hub knows to the contract's element, made by zeep from collab-jcy.wsdl.

Body of the outbox row:
- `native_id` (or `case_no`): their CaseNo
- `outcome`: AGREED, FAILED, REFUSED, PERFORMED, DEFAULTED; or `event` in small letters
- `outcome_date` (or `on`): ISO date or time; default the day of building, Beijing
- `amount_fen`, `paid_fen`: int
- `proof`: list of {file_name, media_type, content_base64} or {file_name, text}
- `message_id`, `sequence`: optional; else an id of ours and the next number kept in the partner's state
"""

from __future__ import annotations

import base64
import hashlib
import threading
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import zeep
from lxml import etree

from connectors.procuratorate_wss import names
from connectors.procuratorate_wss.content_check import findings_of, folded_case_no
from foundation.wss import canonical
from foundation.wss_envelope import Element
from schemas.exchange import ConnectorContext
from schemas.findings import Finding, Refused
from schemas.money import Fen
from schemas.wide import BEIJING

OUTCOMES = ("AGREED", "FAILED", "REFUSED", "PERFORMED", "DEFAULTED")
_local = threading.local()


class LocalFilesOnly(zeep.Transport):
    """Loads the contract's own files and opens no connection; sending is foundation.wire's work."""

    def load(self, url: str) -> bytes:
        path = Path(url)
        if path.resolve().parent != names.CONTRACT.resolve():
            raise ValueError(f"{url} is not one of the contract's files")
        return path.read_bytes()

    def post(self, address: str, message: Any, headers: Any) -> Any:
        raise RuntimeError("envelopes are sent by the client, through the wire")

    get = post


def _client() -> zeep.Client:
    # zeep's client is not safe for threads: one each.
    if not hasattr(_local, "client"):
        settings = zeep.Settings(strict=True, forbid_dtd=True, forbid_entities=True, forbid_external=True)
        wsdl = str(names.CONTRACT / "collab-jcy.wsdl")
        _local.client = zeep.Client(wsdl, transport=LocalFilesOnly(), settings=settings)
    return _local.client


def element(name: str, **fields: Any) -> Element:
    """A request element of the contract. Raises Refused when zeep finds the values wrong."""
    kind = _client().get_element(names.collab(name))
    parent = etree.Element("payload")
    try:
        kind.render(parent, kind(**fields))
    except (zeep.exceptions.Error, TypeError, ValueError) as error:
        raise Refused(
            Finding("SCHEMA_VIOLATION", f"/{name}", str(error)[:120], "as in collab-jcy.wsdl")
        ) from None
    made = parent[0]
    etree.cleanup_namespaces(made)
    return etree.fromstring(canonical(made))


def return_result(body: dict[str, Any], ctx: ConnectorContext) -> Element:
    """ReturnResult for `body`. Raises Refused: no case number, unknown outcome, PERFORMED without a paid sum."""
    number = str(body.get("native_id") or body.get("case_no") or "")
    outcome = str(body.get("outcome") or body.get("event") or "").upper()
    if outcome not in OUTCOMES:
        expected = ", ".join(OUTCOMES)
        raise Refused(Finding("CODE_UNKNOWN", "/ReturnResult/Outcome", outcome[:40], expected))
    made = element(
        "ReturnResult",
        Head=_head(body, ctx),
        CaseNo=folded_case_no(number),
        Outcome=outcome,
        OutcomeDate=_day(body, ctx),
        Amount=_yuan(body.get("amount_fen")),
        PaidAmount=_yuan(body.get("paid_fen")),
        PaymentProof=_proofs(body, outcome, number),
    )
    findings = findings_of(made)
    if findings:
        raise Refused.of(findings)
    return made


def _head(body: dict[str, Any], ctx: ConnectorContext) -> dict[str, Any]:
    sequence = body.get("sequence")
    if not isinstance(sequence, int):
        sequence = int(ctx.state.get("sent_seq", 0)) + 1
        ctx.state["sent_seq"] = sequence
    return {
        "MsgId": str(body.get("message_id") or ctx.new_id()),
        "Seq": sequence,
        "SendOrg": names.INSTITUTION,
        "SendTime": ctx.now.astimezone(BEIJING).replace(microsecond=0, tzinfo=BEIJING),
    }


def _day(body: dict[str, Any], ctx: ConnectorContext) -> str:
    text = body.get("outcome_date") or body.get("on")
    if not text:
        return ctx.now.astimezone(BEIJING).date().isoformat()
    moment = datetime.fromisoformat(str(text))
    return (moment.astimezone(BEIJING) if moment.tzinfo else moment).date().isoformat()


def _yuan(amount: Any) -> Decimal | None:
    return None if amount is None else Decimal(Fen(amount).yuan_text())


def _proofs(body: dict[str, Any], outcome: str, number: str) -> list[dict[str, Any]]:
    given = [_proof(each) for each in body.get("proof", ())]
    if given or outcome != "PERFORMED" or body.get("paid_fen") is None:
        return given
    # Habit 11: PERFORMED comes with proof; without a bank paper at hand, our own statement of payment.
    lines = [
        "付款证明",
        f"案号：{folded_case_no(number)}",
        f"已付金额：{Fen(body['paid_fen']).yuan_text()} 元",
        *(f"流水：{reference}" for reference in body.get("statement_refs", ())),
    ]
    return [_proof({"file_name": "付款证明.txt", "text": "\n".join(lines)})]


def _proof(given: dict[str, Any]) -> dict[str, Any]:
    if "text" in given:
        content = str(given["text"]).encode("utf-8")
        media = "text/plain"
    else:
        content = base64.b64decode(given["content_base64"])
        media = str(given["media_type"])
    return {
        "FileName": str(given["file_name"]),
        "MediaType": media,
        "Sha256": hashlib.sha256(content).hexdigest().upper(),
        "Content": content,
    }
