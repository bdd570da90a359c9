"""What stands inside the court's SOAP messages: needed fields, files of a pull reply, faults and codes."""

from dataclasses import dataclass
from typing import Any

from lxml import etree

from schemas.findings import Finding, Refused
from schemas.soap import SOAP11, Envelope

EXCHANGE = "urn:ouqi-court:exchange:2019"
RECEIVER = "urn:ouqi-court:receiver:2019"

_ACTIONS = {
    "C0000": "none",
    "C0404": "final: no such case",
    "C9003": "log in again once, then retry the same cursor",
    "C9007": "wait: maintenance",
    "C9029": "wait five minutes",
}


@dataclass(frozen=True)
class BatchFile:
    """One file of a pull reply, its content still base64."""

    name: str
    md5: str
    content: str
    path: str


def namespace_of(name: str) -> str:
    """Namespace in which a payload of that name must stand."""
    if name == "Fault":
        return SOAP11
    return RECEIVER if name in ("ReceiveBatch", "ReceiveNotice") else EXCHANGE


def action_for(code: str) -> str:
    """What the hub does on an answer's code; "" where the contract says nothing."""
    return _ACTIONS.get(code, "")


def needed(envelope: Envelope, path: str, names: tuple[str, ...]) -> dict[str, str]:
    """The payload's needed fields. Raises Refused naming each that is absent, blank or there twice."""
    found: dict[str, str] = {}
    findings: list[Finding] = []
    for name in names:
        elements = envelope.payload.findall(f"{{{envelope.namespace}}}{name}")
        text = envelope.text_of(elements[0]).strip() if elements else ""
        if len(elements) > 1:
            findings.append(Finding("SCHEMA_VIOLATION", f"{path}/{name}", "twice", "once"))
        elif not text:
            what = "blank" if elements else "absent"
            findings.append(Finding("SCHEMA_VIOLATION", f"{path}/{name}", what, "required element"))
        found[name] = text
    if findings:
        raise Refused.of(findings)
    return found


def files(envelope: Envelope, path: str) -> list[BatchFile]:
    """The files of a pull reply. Raises Refused where one lacks its name, digest or content."""
    found: list[BatchFile] = []
    name = f"{{{envelope.namespace}}}file"
    for number, element in enumerate(envelope.payload.findall(name), start=1):
        here = f"{path}/file[{number}]"
        told = needed(
            Envelope(element, "file", envelope.namespace, envelope.soap, None, envelope.cuts),
            here,
            ("fileName", "md5", "content"),
        )
        found.append(BatchFile(told["fileName"], told["md5"], told["content"], here))
    return found


def fault_code(envelope: Envelope) -> tuple[str, str, str]:
    """Code, text and trace number of a fault; the code is "" where no ServiceFault is inside."""
    parts: dict[str, str] = {}
    for element in envelope.payload.iter():
        if isinstance(element.tag, str):
            parts.setdefault(etree.QName(element).localname, (element.text or "").strip())
    return (
        parts.get("code", ""),
        parts.get("text", "") or parts.get("faultstring", ""),
        parts.get("traceNo", ""),
    )


def reply_meta(envelope: Envelope) -> dict[str, Any]:
    """What an answer without rows says: its code, its text, and what the hub does on it."""
    if envelope.name == "Fault":
        code, text, trace = fault_code(envelope)
    else:
        code, text = ((envelope.text(name) or "").strip() for name in ("code", "message"))
        trace = (envelope.text("receiptNo") or "").strip()
    return {
        "operation": envelope.name,
        "code": code,
        "text": text,
        "trace": trace,
        "action": action_for(code),
    }
