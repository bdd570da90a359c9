"""Raw JSON of the commission → Reading. Pure.

Takes: a webhook (channel "hook" or "push": the body, with its headers; as a file: an object with method,
path, headers and body_text), a page of cases, one case, awards of a case, a problem, and as a file also
a consent-award request of our own.

Facts asked of the caller: `known.fact("last_sequence", caseId)` → the highest sequence stored for the case,
0 when none is, None when nobody knows (then no hole is reported). Secrets: names beginning "webhook".
`meta["hole"]`: lost sequence numbers; `meta["ask"]`: what `client.pull` should be asked for next.
"""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from connectors.arbitration_rest import replies
from connectors.arbitration_rest.contract_check import shape_findings
from connectors.arbitration_rest.events import event_findings, event_records
from connectors.arbitration_rest.hook_seal import check_seal, stated_time
from schemas.canonical import digest, sha256_hex
from schemas.exchange import Known, RawMessage, Reading
from schemas.findings import Finding, Refused
from schemas.xml_safe import parse_json_strict

HERE = Path(__file__).resolve().parent
PARTNER = HERE.name
MAX_HOOK_BYTES = 1024 * 1024
MAX_REPLY_BYTES = 20 * 1024 * 1024
OWN_TIME = "x-concord-own-time"
_WRAPPER = {"method", "path", "headers", "body_text"}


@cache
def manifest() -> dict[str, Any]:
    """partner.toml as written."""
    return tomllib.loads((HERE / "partner.toml").read_text("utf-8"))


def read(message: RawMessage, known: Known) -> Reading:
    """Read one message. Never raises for wrong input: what is wrong is in the Reading's findings."""
    try:
        return _read(message, known)
    except Refused as refused:
        whole = sha256_hex(message.content)
        stated = _stated_id(message.content)
        return Reading(stated or f"unread-{whole[:24]}", whole, findings=refused.findings, parts=1)


def recognises(content: bytes, filename: str = "") -> bool:
    """Whether a bare file looks like one of this adapter's."""
    return content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")


def _read(message: RawMessage, known: Known) -> Reading:
    if message.channel in ("hook", "push"):
        return _hook(message.content, message.headers, message, known)
    value = parse_json_strict(message.content, max_bytes=MAX_REPLY_BYTES, refuse_nul=False)
    if isinstance(value, dict) and set(value) >= _WRAPPER:
        body, headers = _unwrapped(value)
        return _hook(body, headers, message, known)
    if isinstance(value, dict) and "eventId" in value:
        if known.check_authenticity:
            raise Refused(Finding("SIGNATURE_MISSING", "header X-Arb-Signature", "absent", "t=…,v1=…"))
        return _event(value, known)
    return replies.read_reply(value, message)


def _unwrapped(value: dict[str, Any]) -> tuple[bytes, dict[str, str]]:
    headers, body = value["headers"], value["body_text"]
    if not isinstance(headers, dict) or not isinstance(body, str):
        raise Refused(
            Finding("SCHEMA_VIOLATION", "/body_text", "not text", "headers, and the exact body text")
        )
    return body.encode("utf-8"), {str(name): str(text) for name, text in headers.items()}


def _hook(body: bytes, headers: Any, message: RawMessage, known: Known) -> Reading:
    if len(body) > MAX_HOOK_BYTES:
        raise Refused(Finding("TOO_LARGE", "/", f"{len(body)} bytes", f"at most {MAX_HOOK_BYTES} bytes"))
    check_seal(body, headers, webhook_secrets(known), _judged_at(headers, message, known))
    return _event(parse_json_strict(body, max_bytes=MAX_HOOK_BYTES, refuse_nul=False), known)


def webhook_secrets(known: Known) -> list[str]:
    """Live webhook secrets, two around a change; in the test profile the pack's published one too."""
    short = {name.removeprefix(f"{PARTNER}."): text for name, text in known.secrets.items()}
    found = [text for name, text in sorted(short.items()) if name.startswith("webhook")]
    if known.profile == "test":
        found.append(manifest()["sandbox"]["secrets"]["webhook"])
    return found


def _judged_at(headers: Any, message: RawMessage, known: Known) -> datetime:
    """The moment against which the seal's t is held; a bare file without one (header x-concord-own-time) is judged at its own.

    The pack's test hooks carry a fixed t, the manifest's `hook_verify_at`: in the test profile a bare file
    sealed before it is old.
    """
    told = any(name.lower() == OWN_TIME for name in message.headers) or not known.check_authenticity
    if message.channel != "file" or not told:
        return message.received_at
    own = stated_time(headers)
    if known.profile == "test":
        return max(own, datetime.fromtimestamp(manifest()["sandbox"]["hook_verify_at"], UTC))
    return own


def _event(event: Any, known: Known) -> Reading:
    findings = shape_findings(event, "Event")
    if not findings:
        findings = event_findings(event)
    if findings:
        raise Refused.of(findings)
    # The number of the attempt changes with each re-delivery, so it takes no part in the comparison.
    content = digest({key: value for key, value in event.items() if key != "attempt"})
    hole = _hole(event, known)
    meta: dict[str, Any] = {
        "operation": event["type"],
        "attempt": event.get("attempt", 1),
        # Words for the case that this id comes again with another body (409).
        "id_path": "/eventId",
        "id_found": event["eventId"],
        "id_expected": "the first body",
    }
    notes: list[Finding] = replies.case_notes_of(event)
    if hole:
        meta["hole"] = hole
        notes.append(_hole_note(hole))
    if hole or ("case" not in event and event["type"] in ("case.accepted", "case.updated")):
        meta["ask"] = {"kind": "case", "cursor": event["caseId"]}
    return Reading(
        message_id=event["eventId"],
        compare_digest=content,
        records=event_records(event),
        notes=tuple(notes),
        case_key=event["caseId"],
        sequence=event["sequence"],
        parts=1,
        meta=meta,
    )


def _hole(event: dict[str, Any], known: Known) -> list[int]:
    last = known.fact("last_sequence", event["caseId"])
    if not isinstance(last, int):
        return []
    # A sender that jumps far would otherwise make a list without end.
    return list(range(last + 1, event["sequence"]))[:1000]


def _hole_note(hole: list[int]) -> Finding:
    found = ", ".join(map(str, hole[:10])) + ("…" if len(hole) > 10 else "")
    return Finding(
        "SEQUENCE_GAP",
        "/sequence",
        f"missing {found}",
        "each number once, from 1",
        action="store; fetch the case; show no end state before it",
        severity="care",
    )


def _stated_id(raw: bytes) -> str:
    """eventId of a refused hook, for the people who look at it; nothing rests on it."""
    try:
        value = parse_json_strict(raw, max_bytes=MAX_REPLY_BYTES, refuse_nul=False)
        if isinstance(value, dict) and isinstance(value.get("body_text"), str):
            value = parse_json_strict(value["body_text"], max_bytes=MAX_HOOK_BYTES, refuse_nul=False)
    except Refused:
        return ""
    stated = value.get("eventId") if isinstance(value, dict) else None
    return stated.replace("\x00", "")[:100] if isinstance(stated, str) else ""
