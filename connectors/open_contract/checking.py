"""A message's whole check, one after another: plain values, shape, what no schema says. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from connectors.open_contract import mapping, shape
from schemas.findings import Finding, Refused
from schemas.open_contract import Message


@dataclass(frozen=True)
class Checked:
    """What a check came to. ``message_id``: as it was stated, even where the message is refused; ``digest``: SHA-256 (hex) of
    the canonical message; ``message`` None where it has not the right shape."""

    message_id: str
    message: Message | None = None
    digest: str = ""
    findings: tuple[Finding, ...] = ()


def checked(content: bytes, agency: str, most: int) -> Checked:
    """Check a message that came as JSON."""
    try:
        plain = shape.read_json(content, most)
    except Refused as refused:
        return Checked("", findings=refused.findings)
    return checked_plain(plain, agency)


def checked_plain(plain: dict[str, Any], agency: str) -> Checked:
    """Check a message's plain values; ``agency``: the kind of agency that sends it."""
    told = plain.get("message_id")
    stated = told[:100] if isinstance(told, str) and told.isprintable() else ""
    try:
        form = shape.canonical(plain)
        if b":null" in form:
            plain = shape.settled(plain)
            form = shape.canonical(plain)
        message = shape.message_of(plain)
    except Refused as refused:
        return Checked(stated, findings=refused.findings)
    findings = tuple(mapping.findings_of(message, agency))
    return Checked(stated, message, hashlib.sha256(form).hexdigest(), findings)
