"""Many stored messages decided in one transaction, with what ``pipeline.process`` would make of each in its turn.

Messages that bear on each other (the same sender's id, nonce or case) are read and decided in rounds, one after the
other; a message that fails by a fault of ours is decided by ``process`` alone, afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import RowMapping

import case_registry
from case_registry import NotRecorded, RecordResult, Source, Spoken
from connectors import Connector, connector
from foundation import asks, inbox
from foundation.actors import SYSTEM, Actor
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub import choreography, pipeline
from hub.known import known_for, remember_nonce
from hub.pipeline import Hub, Processed
from schemas.exchange import Known, Reading
from schemas.findings import Refused

log = logging.getLogger("concord.pipeline")

MOST = 500
"""Most messages of one transaction."""
Token = tuple[str, ...]


@dataclass
class _Read:
    """A message read: what it says, and what it asked about, on which an earlier message may bear."""

    row: RowMapping
    adapter: Connector
    reading: Reading
    tokens: set[Token] = field(default_factory=set)
    asked: bool = False


def process_many(hub: Hub, inbox_ids: Sequence[UUID], actor: Actor = SYSTEM) -> list[Processed]:
    """Decide about stored messages in their order; one that was decided before is returned as it was decided.

    Messages of MOST at a time share a transaction. Raises what ``process`` raises for a message that fails by a fault
    of ours, after all others are decided; LookupError for an id that is not in the inbox.
    """
    found: dict[UUID, Processed] = {}
    errors: list[Exception] = []
    for start in range(0, len(inbox_ids), MOST):
        part = list(dict.fromkeys(inbox_ids[start : start + MOST]))
        try:
            found |= _Batch(hub, actor).run(part)
        except Exception:
            log.exception("a batch of %d messages was not decided as one; each is taken alone", len(part))
        for inbox_id in part:
            if inbox_id not in found:
                try:
                    found[inbox_id] = pipeline.process(hub, inbox_id, actor)
                except Exception as error:
                    errors.append(error)
    if errors:
        raise errors[0]
    return [found[inbox_id] for inbox_id in inbox_ids]


class _Batch:
    """One transaction's messages."""

    def __init__(self, hub: Hub, actor: Actor) -> None:
        self.hub = hub
        self.actor = actor
        self.known: dict[str, Known] = {}
        self.decided: dict[UUID, Processed] = {}
        self.told: list[choreography.Told] = []

    def run(self, inbox_ids: Sequence[UUID]) -> dict[UUID, Processed]:
        """What was decided; messages that failed are left out and stay as they were."""
        with unit_of_work(self.hub.engine, self.actor) as uow:
            rows = uow.all(
                "SELECT * FROM exchange.inbox WHERE id = ANY(:ids) ORDER BY id FOR UPDATE",
                ids=list(inbox_ids),
            )
            by_id = {row["id"]: row for row in rows}
            before = {i: pipeline.as_decided(row) for i, row in by_id.items() if row["state"] != "RECEIVED"}
            waiting = [by_id[i] for i in inbox_ids if i in by_id and i not in before]
            # All ids are locked before anything is linked: whoever decides one alone takes the locks in this order too.
            read = [self._read(uow, row) for row in waiting]
            for partner, message_id in sorted({(r.adapter.id, r.reading.message_id) for r in read}):
                inbox.lock_message_id(uow, partner, message_id)
            while read:
                later = self._round(uow, read)
                # What was asked may be answered otherwise now. Ids do not change: the locks are those taken above.
                read = [self._read(uow, e.row) if e.asked else e for e in later]
            uow.publish_many(self.told)
        return before | self.decided

    def _read(self, uow: UnitOfWork, row: RowMapping) -> _Read:
        adapter = connector(row["partner"])
        made = _Read(row, adapter, Reading("", ""))
        try:
            made.reading = adapter.mapping.read(inbox.raw_of(uow, row), self._known(uow, made))
        except Refused as refused:
            made.reading = Reading("", "", findings=refused.findings)
        told = made.reading
        made.tokens |= {("id", adapter.id, told.message_id)} if told.message_id else set()
        made.tokens |= {("case", adapter.id, told.case_key)} if told.case_key else set()
        made.tokens |= {("nonce", adapter.id, str(told.meta["nonce"]))} if told.meta.get("nonce") else set()
        return made

    def _known(self, uow: UnitOfWork, made: _Read) -> Known:
        """What a mapping may look up, its questions noted; keys and secrets are looked up once a partner."""
        partner = made.adapter.id
        if partner not in self.known:
            self.known[partner] = known_for(uow, made.adapter, self.hub.keys, self.hub.settings)
        known = self.known[partner]

        def seen_nonce(nonce: str) -> bool:
            made.asked = True
            made.tokens.add(("nonce", partner, nonce))
            return known.seen_nonce(nonce)

        def first_digest(message_id: str) -> str | None:
            made.asked = True
            made.tokens.add(("id", partner, message_id))
            return known.first_digest(message_id)

        def fact(kind: str, key: str) -> Any:
            made.asked = True
            made.tokens.add(("case", partner, key) if kind == "last_sequence" else ("anything",))
            return known.fact(kind, key)

        return replace(known, seen_nonce=seen_nonce, first_digest=first_digest, fact=fact)

    def _round(self, uow: UnitOfWork, read: Sequence[_Read]) -> list[_Read]:
        """Decide the first of these, up to one on which an earlier one bears; returns the others. Nobody goes ahead of
        anybody: what follows from messages about one dispute may depend on their order."""
        count = 0
        taken: set[Token] = set()
        for each in read:
            anything = ("anything",) in each.tokens
            if count and (anything or not taken.isdisjoint(each.tokens)):
                break
            count += 1
            taken |= each.tokens
            if anything:
                break
        mine, later = read[:count], list(read[count:])
        self._record(uow, [each for each in mine if not self._refused_or_repeated(uow, each)])
        return later

    def _refused_or_repeated(self, uow: UnitOfWork, each: _Read) -> bool:
        adapter, reading, row = each.adapter, each.reading, each.row
        told = pipeline.told_to(adapter, reading)
        if reading.refused or (told and not reading.records):
            self.decided[row["id"]] = pipeline.finish(uow, row["id"], reading, "REFUSED", told)
            return True
        first = inbox.in_force(uow, adapter.id, reading.message_id)
        if first is None:
            return False
        self.decided[row["id"]] = pipeline.repeat(uow, row["id"], adapter, reading, first)
        return True

    def _record(self, uow: UnitOfWork, read: Sequence[_Read]) -> None:
        """Hand the messages to the registry in one go, follow what it says, and write what became of each."""
        told: dict[int, list[choreography.Told]] = {}

        def follow(place: int, result: RecordResult) -> None:
            each, told[place] = read[place], []
            if each.reading.meta.get("nonce"):
                remember_nonce(uow, each.adapter.id, each.reading.meta["nonce"], each.row["id"])
            choreography.follow(uow, result.events, each.row["id"], told[place])
            asks.note(uow, each.adapter.id, each.reading.meta.get("ask"), each.row["id"])

        spoken = [
            Spoken(
                Source(e.adapter.id, e.adapter.institution, e.adapter.agency), e.row["id"], e.reading.records
            )
            for e in read
        ]
        results = case_registry.record_many(uow, spoken, follow)
        taken = [
            (e, result)
            for e, result in zip(read, results, strict=True)
            if not isinstance(result, NotRecorded)
        ]
        for place, result in enumerate(results):
            if not isinstance(result, NotRecorded):
                self.told += told.get(place, [])
        self._write(uow, taken)

    def _write(self, uow: UnitOfWork, taken: Sequence[tuple[_Read, RecordResult]]) -> None:
        rows = []
        for each, result in taken:
            reading, row = each.reading, each.row
            disputes = [ref.number for ref in result.disputes]
            told = pipeline.told_to(each.adapter, reading)
            made = pipeline.applied(reading, told, f"R{row['seq']:010d}", uow.now, disputes, result.parked)
            self.decided[row["id"]] = made
            outcome = inbox.outcome_as_dict(made.outcome)
            rows.append(
                {"id": row["id"], "message_id": made.outcome.message_id.replace("\x00", "\ufffd") or None,
                 "compare_digest": reading.compare_digest or None, "case_key": reading.case_key,
                 "sequence": reading.sequence, "receipt_no": made.outcome.receipt_no or None,
                 "result": {**pipeline.detail(made), "outcome": outcome}}
            )  # fmt: skip
        if rows:
            uow.execute(
                _APPLIED, rows=orjson.dumps(rows, default=str).decode(), at=uow.now, actor=uow.actor.id
            )


_APPLIED = (
    "WITH decided AS (UPDATE exchange.inbox i SET state = 'APPLIED', message_id = g.message_id,"
    " compare_digest = g.compare_digest, case_key = g.case_key, sequence = g.sequence, receipt_no = g.receipt_no,"
    " result = g.result, decided_at = :at, attempts = i.attempts + 1, last_error = NULL"
    " FROM json_populate_recordset(NULL\\:\\:exchange.inbox, CAST(:rows AS json)) g WHERE i.id = g.id RETURNING i.*) "
    + inbox.JOURNAL_DECIDED
)
