"""Takes a file given by hand as if its partner had sent it, and says in one dict what became of it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from connectors import Connector, all_connectors, connectors_named
from hub import payments, rail_inbox, statement_files
from hub.pipeline import Hub, Processed, receive
from schemas.exchange import RawMessage

# A mapping that finds this header takes the message's own time for authenticity checks: the file carries
# no transport time of its own.
OWN_TIME = "x-concord-own-time"


class UnknownPartner(Exception):
    """No adapter and no rail has that name."""


def ingest_path(
    hub: Hub, partner: str, path: Path, received_at: datetime | None, now: datetime
) -> dict[str, Any]:
    """Take one file from disk; a large statement file is never held whole. Raises UnknownPartner."""
    rail = payments.rail_named(partner)
    if rail is not None and statement_files.is_large(rail, path):
        return statement_files.ingest_large(hub, rail, path, received_at)
    return ingest_file(hub, partner, path.name, path.read_bytes(), received_at, now)


def ingest_file(
    hub: Hub, partner: str, filename: str, content: bytes, received_at: datetime | None, now: datetime
) -> dict[str, Any]:
    """Take one file from ``partner`` (id, alias or kind of agency). Raises UnknownPartner."""
    headers = {} if received_at else {OWN_TIME: "1"}
    rail = payments.rail_named(partner)
    if rail is not None:
        raw = RawMessage(rail, "file", "", content, received_at or now, headers, filename)
        return rail_inbox.receive(hub, raw).as_line()
    adapter = _adapter_for(partner, filename, content)
    raw = RawMessage(adapter.id, "file", "", content, received_at or now, headers, filename)
    processed = receive(hub, raw)
    return {"partner": adapter.id, **line_of(processed), "answer": _answer(adapter, processed)}


def _answer(adapter: Connector, processed: Processed) -> str:
    """What the partner is told of it, in its own words: its code for the first finding, or that it was taken."""
    outcome = processed.outcome
    if outcome.result in ("REFUSED", "QUARANTINED"):
        return outcome.findings[0].partner_code if outcome.findings else ""
    return str(outcome.reply_hint.get("reply") or adapter.manifest.get("replies", {}).get("accepted", ""))


def _adapter_for(partner: str, filename: str, content: bytes) -> Connector:
    """One agency may have several ways in: what is in the file tells them apart (``mapping.recognises``), else the
    manifest's ``[files] suffixes``."""
    found = connectors_named(partner)
    if not found:
        known = sorted(
            {name for each in all_connectors().values() for name in (each.id, each.agency, *each.aliases)}
        )
        raise UnknownPartner(
            f"unknown partner {partner!r}; known: {', '.join(known)}, {', '.join(payments.rail_names())}"
        )
    looks_like = [
        each
        for each in found
        if hasattr(each.mapping, "recognises") and each.mapping.recognises(content, filename)
    ]
    fitting = looks_like or [
        each
        for each in found
        if any(
            filename.lower().endswith(suffix) for suffix in each.manifest.get("files", {}).get("suffixes", ())
        )
    ]
    return (fitting or found)[0]


def line_of(processed: Processed) -> dict[str, Any]:
    """The result of one message as the fields of a JSON line."""
    outcome = processed.outcome
    words = {
        "ACCEPTED": "accepted",
        "DUPLICATE": "duplicate",
        "QUARANTINED": "quarantined",
        "REFUSED": "refused",
    }
    return {
        "result": words.get(outcome.result, outcome.result.lower()),
        "message_id": outcome.message_id,
        "receipt_no": outcome.receipt_no,
        "records": processed.records,
        "rejected_records": processed.rejected_records,
        "parked": processed.parked,
        "findings": [finding.as_dict() for finding in outcome.findings],
        "notes": [note.as_dict() for note in processed.notes],
        "disputes": processed.disputes,
        "reply": outcome.reply_hint,
        "meta": processed.meta,
    }
