"""The way of a message: stored → read → claims → record → what follows, in two transactions.

The first transaction stores the raw bytes (``foundation.inbox.store``). The second, here, decides: refused,
the same again, the same id with other content, or applied with all that follows from it. Either all of the
second happens or none, so a crash leaves a message that a worker takes up again.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import DataError

import case_registry
from connectors import Connector, connector
from foundation import asks, envelope, inbox
from foundation.actors import SYSTEM, Actor
from foundation.journal import raise_alarm
from foundation.keys import KeyStore
from foundation.settings import Settings
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub import choreography
from hub.known import known_for, remember_nonce
from schemas.exchange import Outcome, RawMessage, Reading
from schemas.findings import Finding, Refused

log = logging.getLogger("concord.pipeline")


@dataclass(frozen=True)
class Hub:
    """What every edge of the hub needs: the database, keys and settings. Made once a process."""

    engine: Engine
    keys: KeyStore
    settings: Settings

    def __post_init__(self) -> None:
        envelope.bind(self.engine, envelope.Vault(self.keys, make=self.settings.sandbox))


@dataclass(frozen=True)
class Processed:
    """What became of a message, for the one who sent it and for the exchange log."""

    outcome: Outcome
    records: int = 0
    rejected_records: int = 0
    parked: int = 0
    disputes: list[str] = field(default_factory=list)
    notes: tuple[Finding, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)


def receive(hub: Hub, raw: RawMessage, actor: Actor = SYSTEM) -> Processed:
    """Store a message and process it. What this returns as ACCEPTED is stored and applied."""
    stored = inbox.store(hub.engine, raw, actor)
    return process(hub, stored.id, actor)


def process(hub: Hub, inbox_id: UUID, actor: Actor = SYSTEM) -> Processed:
    """Decide about a stored message; a second call returns what the first decided."""
    try:
        with unit_of_work(hub.engine, actor) as uow:
            row = uow.one("SELECT * FROM exchange.inbox WHERE id = :id FOR UPDATE", id=inbox_id)
            if row is None:
                raise LookupError(f"no message {inbox_id} in the inbox")
            if row["state"] != "RECEIVED":
                return as_decided(row)
            return _decide(hub, uow, inbox_id, inbox.raw_of(uow, row))
    except DataError as error:
        return _unholdable(hub, inbox_id, actor, error)
    except Exception as error:
        log.exception("message %s could not be applied", inbox_id)
        with unit_of_work(hub.engine, actor) as uow:
            inbox.failed(uow, inbox_id, f"{type(error).__name__}: {error}")
            raise_alarm(uow, "message_not_applied", str(inbox_id), error=str(error)[:500])
        raise


def _unholdable(hub: Hub, inbox_id: UUID, actor: Actor, error: DataError) -> Processed:
    """A value passed its adapter that no column can hold (too large, a forbidden character): refused, and seen."""
    what = str(error.orig).splitlines()[0][:100]
    finding = Finding("SCHEMA_VIOLATION", "/", "a value that no field can hold", what)
    with unit_of_work(hub.engine, actor) as uow:
        row = uow.one("SELECT * FROM exchange.inbox WHERE id = :id FOR UPDATE", id=inbox_id)
        assert row is not None
        if row["state"] != "RECEIVED":
            return as_decided(row)
        raise_alarm(uow, "message_not_held", str(inbox_id), error=what)
        told = (_with_partner_code(connector(row["partner"]), finding),)
        return finish(uow, inbox_id, Reading("", "", findings=told), "REFUSED", told)


def _decide(hub: Hub, uow: UnitOfWork, inbox_id: UUID, raw: RawMessage) -> Processed:
    adapter = connector(raw.partner)
    reading = read(hub, uow, adapter, raw)
    told = told_to(adapter, reading)
    if reading.refused or (told and not reading.records):
        return finish(uow, inbox_id, reading, "REFUSED", told)
    inbox.lock_message_id(uow, raw.partner, reading.message_id)
    first = inbox.in_force(uow, raw.partner, reading.message_id)
    if first is not None:
        return repeat(uow, inbox_id, adapter, reading, first)
    source = case_registry.Source(adapter.id, adapter.institution, adapter.agency)
    recorded = case_registry.record(uow, source, inbox_id, reading.records)
    nonce = reading.meta.get("nonce")
    if nonce:
        remember_nonce(uow, raw.partner, nonce, inbox_id)
    choreography.follow(uow, recorded.events, inbox_id)
    asks.note(uow, raw.partner, reading.meta.get("ask"), inbox_id)
    disputes = [each.number for each in recorded.disputes]
    return finish(uow, inbox_id, reading, "APPLIED", told, disputes, recorded.parked)


def read(hub: Hub, uow: UnitOfWork, adapter: Connector, raw: RawMessage) -> Reading:
    """Read a message by its adapter's mapping; what it refuses becomes findings."""
    try:
        reading: Reading = adapter.mapping.read(raw, known_for(uow, adapter, hub.keys, hub.settings))
        return reading
    except Refused as refused:
        return Reading(message_id="", compare_digest="", findings=refused.findings)


def finish(
    uow: UnitOfWork,
    inbox_id: UUID,
    reading: Reading,
    state: str,
    told: tuple[Finding, ...],
    disputes: list[str] | None = None,
    parked: int = 0,
) -> Processed:
    if state == "APPLIED":
        processed = applied(
            reading, told, inbox.receipt_number(uow, inbox_id), uow.now, disputes or [], parked
        )
    else:
        refused = Outcome(reading.message_id, "REFUSED", told, "", uow.now, reading.reply_hint)
        processed = Processed(
            refused, rejected_records=_rows(reading, told)[1], notes=reading.notes, meta=reading.meta
        )
    inbox.decide(
        uow,
        inbox_id,
        state,
        processed.outcome,
        compare_digest=reading.compare_digest,
        case_key=reading.case_key,
        sequence=reading.sequence,
        detail=detail(processed),
    )
    return processed


def told_to(adapter: Connector, reading: Reading) -> tuple[Finding, ...]:
    """What a message's sender is told was wrong with it, in its own codes."""
    return tuple(_with_partner_code(adapter, finding) for finding in reading.findings)


def applied(
    reading: Reading, told: tuple[Finding, ...], receipt: str, now: datetime, disputes: list[str], parked: int
) -> Processed:
    """What became of a message that was taken."""
    outcome = Outcome(reading.message_id, "ACCEPTED", told, receipt, now, reading.reply_hint)
    taken, rejected = _rows(reading, told)
    return Processed(outcome, taken, rejected, parked, disputes, reading.notes, reading.meta)


def _rows(reading: Reading, told: tuple[Finding, ...]) -> tuple[int, int]:
    """Rows of the message that were taken and that were refused. One record may be told by several rows (a case and
    its parties), and one row may have several findings."""
    if not any(finding.scope == "row" for finding in told):
        # A question tells nothing, and is no record.
        return (reading.parts or len(reading.records)) if reading.records else 0, 0
    refused = int(reading.meta.get("refused_rows", max(1, reading.parts - len(reading.records))))
    return max(reading.parts - refused, 0), refused


def repeat(uow: UnitOfWork, inbox_id: UUID, adapter: Connector, reading: Reading, first: Any) -> Processed:
    """The sender's id is known: the same content gets the first receipt, other content is quarantined."""
    if first["compare_digest"] == reading.compare_digest:
        before = inbox.outcome_from_dict(first["result"]["outcome"])
        outcome = Outcome(
            reading.message_id, "DUPLICATE", (), before.receipt_no, before.received_at, before.reply_hint
        )
        processed = Processed(
            outcome, disputes=first["result"].get("disputes", []), notes=reading.notes, meta=reading.meta
        )
        if reading.meta.get("nonce"):
            remember_nonce(uow, adapter.id, reading.meta["nonce"], inbox_id)
        inbox.decide(
            uow,
            inbox_id,
            "DUPLICATE",
            outcome,
            compare_digest=reading.compare_digest,
            detail=detail(processed),
        )
        return processed
    finding = Finding(
        "SAME_ID_OTHER_BYTES",
        reading.meta.get("id_path", "message_id"),
        reading.meta.get("id_found", reading.message_id),
        reading.meta.get("id_expected", "the content first sent under this id"),
    )
    told = (_with_partner_code(adapter, finding),)
    outcome = Outcome(reading.message_id, "QUARANTINED", told, "", uow.now, reading.reply_hint)
    processed = Processed(outcome, notes=reading.notes)
    inbox.decide(
        uow,
        inbox_id,
        "QUARANTINED",
        outcome,
        compare_digest=reading.compare_digest,
        detail=detail(processed),
    )
    raise_alarm(uow, "same_id_other_bytes", f"{adapter.id}/{reading.message_id}", inbox=str(inbox_id))
    return processed


def _with_partner_code(adapter: Connector, finding: Finding) -> Finding:
    """The finding with the partner's own code for it, from the manifest's ``[errors]`` table."""
    if finding.partner_code:
        return finding
    table = adapter.manifest.get("errors", {})
    code = table.get(finding.code, table.get("default", ""))
    return Finding(**{**vars(finding), "partner_code": str(code)})


def detail(processed: Processed) -> dict[str, Any]:
    return {
        "records": processed.records,
        "rejected_records": processed.rejected_records,
        "parked": processed.parked,
        "disputes": processed.disputes,
        "notes": [note.as_dict() for note in processed.notes],
        "meta": processed.meta,
    }


def as_decided(row: Any) -> Processed:
    result = row["result"]
    return Processed(
        inbox.outcome_from_dict(result["outcome"]),
        records=result.get("records", 0),
        rejected_records=result.get("rejected_records", 0),
        parked=result.get("parked", 0),
        disputes=result.get("disputes", []),
        meta=result.get("meta", {}),
    )
