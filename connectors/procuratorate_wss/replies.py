"""What the procuratorate answers to our calls: receipts, faults, and the pages of ListMessages."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lxml import etree

from connectors.procuratorate_wss import names
from connectors.procuratorate_wss.records import child
from connectors.procuratorate_wss.shape import path_of
from foundation.wss import Signed, created
from foundation.wss_envelope import Element
from schemas.exchange import Known, RawMessage, Reading
from schemas.findings import Finding, Refused

# Receipt codes after which the same message may be sent again; all others but J0000 are final.
# An envelope that grew old on its way is made anew by the next try.
RETRY_CODES = ("J0503", "wsu:MessageExpired")


@dataclass(frozen=True)
class Fault:
    """A SOAP 1.2 fault. `final`: it blames the sender, so the same message will never be taken."""

    code: str
    field: str
    text: str
    final: bool


def fault_of(payload: Element) -> Fault:
    """Take a Fault apart; Sender = final, Receiver = retry (CONTRACT.md, Codes)."""
    value = (payload.findtext(f"{names.soap('Code')}/{names.soap('Value')}") or "").strip()
    reason = (payload.findtext(f"{names.soap('Reason')}/{names.soap('Text')}") or "").strip()
    subcode = payload.findtext(
        f"{names.soap('Code')}/{names.soap('Subcode')}/{names.soap('Value')}", default=""
    ).strip()
    detail = payload.find(f"{names.soap('Detail')}/{names.collab('ServiceFault')}")
    code = (child(detail, "Code") if detail is not None else None) or subcode
    text = (child(detail, "Text") if detail is not None else None) or reason
    field = (child(detail, "Field") if detail is not None else None) or ""
    sender = value.rpartition(":")[2] in (
        "Sender",
        "MustUnderstand",
        "VersionMismatch",
        "DataEncodingUnknown",
    )
    return Fault(code, field, text, sender and code not in RETRY_CODES)


def read_fault(message: RawMessage, payload: Element) -> Reading:
    """A fault as answer to one of our calls: taken, states nothing about a case."""
    fault = fault_of(payload)
    digest = hashlib.sha256(message.content).hexdigest()
    meta: dict[str, Any] = {
        "operation": "Fault",
        "code": fault.code,
        "field": fault.field,
        "text": fault.text,
        "outcome": "PERMANENT" if fault.final else "RETRY",
        "action": "permanent: park for a person" if fault.final else "retry with back-off",
    }
    return Reading(message_id=f"fault-{digest[:24]}", compare_digest=digest, parts=0, meta=meta)


def read_reply(body: Element, digest: str) -> Reading:
    """A Receipt or a progress answer: the facts in it go to the one who asked."""
    meta = {
        etree.QName(each).localname: (each.text or "").strip() for each in body if isinstance(each.tag, str)
    }
    return Reading(message_id=f"reply-{digest[:24]}", compare_digest=digest, parts=0, meta={"reply": meta})


@dataclass(frozen=True)
class Page:
    """One page of ListMessages. `items`: (Seq, MsgId, Kind, envelope bytes). `gap`: withheld numbers."""

    items: tuple[tuple[int, str, str, bytes], ...]
    last_seq: int
    gap: tuple[int, ...]


def page_of(body: Element) -> Page:
    """Take a valid ListMessagesResponse apart. Raises Refused when an envelope is not base64."""
    items = []
    for item in body.findall(names.collab("Item")):
        try:
            raw = base64.b64decode("".join((child(item, "Envelope") or "").split()), validate=True)
        except (binascii.Error, ValueError):
            raise Refused(
                Finding("BASE64_INVALID", f"{path_of(item)}/Envelope", "not base64", "base64")
            ) from None
        items.append(
            (int(child(item, "Seq") or 0), child(item, "MsgId") or "", child(item, "Kind") or "", raw)
        )
    gap = tuple(int((each.text or "0").strip()) for each in body.findall(names.collab("Gap")))
    return Page(tuple(items), int(child(body, "LastSeq") or 0), gap)


def cursor_after(page: Page, since: int, most: int = names.LIST_MAX) -> tuple[int, bool]:
    """Cursor after a page, and whether to ask at once again.

    A full page may end before LastSeq, which then is only the newest number there: go on from the last item.
    """
    if page.items and len(page.items) >= most:
        return max(since, *(item[0] for item in page.items)), True
    return max(since, page.last_seq), False


def read_list(
    body: Element, signed: Signed, known: Known, read: Callable[[RawMessage, Known], Reading]
) -> Reading:
    """A whole page as one message: the records of all envelopes inside, each verified by itself."""
    page = page_of(body)
    at = created(signed)
    inner = [read(inner_message(item, at), known) for item in page.items]
    findings: list[Finding] = []
    for number, reading in enumerate(inner, start=1):
        findings += [_within(finding, number) for finding in reading.findings]
    return Reading(
        message_id=f"list-{page.last_seq}-{signed.body_digest[:16]}",
        compare_digest=signed.body_digest,
        records=tuple(record for reading in inner if not reading.findings for record in reading.records),
        findings=tuple(findings),
        notes=tuple(note for reading in inner for note in reading.notes),
        parts=len(inner),
        meta={
            "cursor": cursor_after(page, 0)[0],
            "gap": list(page.gap),
            "inner": [reading.message_id for reading in inner],
        },
    )


def inner_message(item: tuple[int, str, str, bytes], at: datetime) -> RawMessage:
    """An envelope out of a list page, as a message of its own."""
    return RawMessage(names.PARTNER, "pull", item[2], item[3], at)


def _within(finding: Finding, number: int) -> Finding:
    """An inner envelope's finding refuses that item only."""
    path = f"/ListMessagesResponse/Item[{number}]/Envelope{finding.path}"
    return Finding(
        finding.code,
        path,
        finding.found,
        finding.expected,
        finding.action,
        scope="row",
        partner_code=finding.partner_code,
    )
