"""Applies stored messages of the open contract in batches: each batch is mapped, recorded and journalled in one transaction.

One worker applies at a time (the registry links under one lock anyway), so a case's messages keep their order. A batch
that fails by a fault of ours is taken in halves until the one message is found that fails; it waits with its case, the
others go on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import RowMapping
from sqlalchemy.exc import DataError

import case_registry
from connectors.open_contract import mapping
from connectors.open_contract.stored import message_in
from foundation import inbox
from foundation.envelope import content_of
from foundation.journal import raise_alarm
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub import case_order, choreography
from hub.case_order import GAP_WAIT, case_of
from hub.pipeline import Hub
from hub.submitting import result_json
from schemas.claims import Record
from schemas.exchange import Outcome
from schemas.findings import Finding, Refused
from schemas.open_contract import Message

log = logging.getLogger("concord.applying")

MOST_A_BATCH = 200
LOOK_S = 1.0  # how often it looks by itself: time alone makes work (a gap's wait ends)


@dataclass
class Decided:
    """What became of one message."""

    row: RowMapping
    state: str = "APPLIED"
    findings: tuple[Finding, ...] = ()
    records: int = 0
    parked: int = 0
    disputes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Later:
    """A message that waits for the one it corrects."""

    row: RowMapping


def apply_due(hub: Hub, most: int = MOST_A_BATCH) -> int:
    """Apply what is due, at most ``most`` messages, in one transaction; returns how many were looked at."""
    with unit_of_work(hub.engine) as uow:
        if not uow.scalar("SELECT pg_try_advisory_xact_lock(hashtext('exchange.open_contract'))"):
            return 0
        rows = uow.all(
            "SELECT i.id, i.seq, i.partner, i.content, i.data_key, i.content_hash, i.message_id, i.case_key, i.sequence, i.receipt_no,"
            " i.received_at, p.institution, p.agency FROM exchange.inbox i JOIN exchange.partner p ON p.id = i.partner"
            " WHERE i.state = 'RECEIVED' AND i.receipt IS NOT NULL AND i.next_try <= :now ORDER BY i.next_try, i.seq"
            " LIMIT :most",
            now=uow.now,
            most=most,
        )
        if rows:
            apply_rows(uow, rows)
        return len(rows)


def apply_rows(uow: UnitOfWork, rows: Sequence[RowMapping]) -> None:
    """Apply these stored messages as far as their order allows."""
    arranged = case_order.arrange(uow, rows, uow.now)
    decided: list[Decided] = []
    run: list[tuple[RowMapping, tuple[Record, ...]]] = []
    for row in arranged.ready:
        try:
            message = message_in(content_of(uow, row))
        except Refused as refused:
            decided.append(Decided(row, "REFUSED", refused.findings))
            continue
        if message.kind == "record":
            run.append((row, mapping.records_of(message)))
            continue
        decided += _record(uow, run)
        run = []
        made = _correct(uow, row, message, {each.row["id"] for each in decided if each.state == "APPLIED"})
        if isinstance(made, Later):
            arranged.waits.append((row["id"], row["received_at"] + GAP_WAIT))
        else:
            decided.append(made)
    decided += _record(uow, run)
    _write(uow, decided)
    case_order.keep(uow, arranged)
    for each in decided:
        standing = arranged.standings.get(case_of(each.row))
        if standing is not None and standing.stuck == each.row["id"]:
            case_order.unstick(uow, case_of(each.row))


def _record(uow: UnitOfWork, run: Sequence[tuple[RowMapping, tuple[Record, ...]]]) -> list[Decided]:
    decided: list[Decided] = []
    for row, records in run:
        recorded = case_registry.record(uow, _source(row), row["id"], records)
        choreography.follow(uow, recorded.events, row["id"])
        disputes = [each.number for each in recorded.disputes]
        decided.append(Decided(row, records=len(records), parked=recorded.parked, disputes=disputes))
    return decided


def _source(row: RowMapping) -> case_registry.Source:
    return case_registry.Source(row["partner"], row["institution"], row["agency"])


def _correct(uow: UnitOfWork, row: RowMapping, message: Message, done: set[UUID]) -> Decided | Later:
    """Take back what the named message said; a correction says its own in its place (rule 4).

    ``done``: messages that were applied in this transaction.
    """
    before = uow.one(
        "SELECT id, state, case_key FROM exchange.inbox WHERE partner = :p AND message_id = :m AND receipt IS NOT NULL",
        p=row["partner"],
        m=message.corrects,
    )
    applied = before is not None and (before["state"] == "APPLIED" or before["id"] in done)
    if before is None or not applied:
        waits = before is None or before["state"] == "RECEIVED"
        if waits and row["received_at"] + GAP_WAIT > uow.now:
            return Later(row)
        return _refused(row, "UNKNOWN_ORIGINAL", message, "a message of this case that was taken")
    if before["case_key"] != message.case_key:
        return _refused(row, "UNKNOWN_ORIGINAL", message, f"a message of case {message.case_key}")
    gone = case_registry.retract_message(uow, before["id"], message.reason or message.kind)
    choreography.follow(uow, gone.events, row["id"])
    if message.kind == "withdrawal":
        return Decided(row, disputes=[each.number for each in gone.disputes])
    return _record(uow, [(row, mapping.records_of(message))])[0]


def _refused(row: RowMapping, code: str, message: Message, expected: str) -> Decided:
    return Decided(row, "REFUSED", (Finding(code, "/corrects", str(message.corrects), expected),))


def _write(uow: UnitOfWork, decided: Sequence[Decided]) -> None:
    """What became of each message: on its row, and in the journal."""
    if not decided:
        return
    results: list[str] = []
    for each in decided:
        result: Any = "ACCEPTED" if each.state == "APPLIED" else "REFUSED"
        row = each.row
        outcome = Outcome(row["message_id"], result, each.findings, row["receipt_no"], row["received_at"])
        results.append(
            result_json(outcome, records=each.records, rejected_records=0, parked=each.parked, disputes=each.disputes,
                        notes=[], meta={})
        )  # fmt: skip
    uow.execute(
        "WITH decided AS (UPDATE exchange.inbox i SET state = g.state, result = g.result::jsonb, decided_at = :at,"
        " attempts = i.attempts + 1, last_error = NULL FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]),"
        " CAST(:results AS text[])) AS g (id, state, result) WHERE i.id = g.id AND i.state = 'RECEIVED' RETURNING i.*) "
        + inbox.JOURNAL_DECIDED,
        at=uow.now,
        actor=uow.actor.id,
        ids=[each.row["id"] for each in decided],
        states=[each.state for each in decided],
        results=results,
    )


def _set_back(hub: Hub, error: Exception) -> None:
    """The one message that is due first fails: it is tried later, or refused where no column can hold what it says."""
    with unit_of_work(hub.engine) as uow:
        row = uow.one(
            "SELECT id, partner, case_key, message_id, receipt_no, received_at, content_hash, attempts FROM exchange.inbox"
            " WHERE state = 'RECEIVED' AND receipt IS NOT NULL AND next_try <= :now ORDER BY next_try, seq LIMIT 1 FOR UPDATE",
            now=uow.now,
        )
        if row is None:
            return
        if isinstance(error, DataError):
            what = str(error.orig).splitlines()[0][:100]
            finding = Finding("SCHEMA_VIOLATION", "/", "a value that no field can hold", what)
            _write(uow, [Decided(row, "REFUSED", (finding,))])
            raise_alarm(uow, "message_not_held", str(row["id"]), error=what)
            return
        what = f"{type(error).__name__}: {error}"[:2000]
        inbox.failed(uow, row["id"], what)
        given_up = row["attempts"] + 1 >= inbox.MAX_TRIES
        if given_up:
            uow.execute("UPDATE exchange.inbox SET next_try = 'infinity' WHERE id = :id", id=row["id"])
        case_order.stick(uow, case_of(row), row["id"])
        raise_alarm(uow, "message_not_applied", str(row["id"]), error=what[:500])


def take_up(hub: Hub, inbox_id: UUID) -> dict[str, Any]:
    """Apply one stored message now, for a person who asked for it."""
    with unit_of_work(hub.engine) as uow:
        uow.execute(
            "UPDATE exchange.inbox SET next_try = :soon WHERE id = :id AND state = 'RECEIVED'",
            soon=uow.now - timedelta(days=1),
            id=inbox_id,
        )
    apply_due(hub)
    with unit_of_work(hub.engine) as uow:
        row = uow.one(
            "SELECT state, message_id, receipt_no, result FROM exchange.inbox WHERE id = :id", id=inbox_id
        )
        assert row is not None
        return dict(row)


class Applier:
    """Applies until it is told to stop; halves its batch where one fails, and doubles it again where it goes well."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.size = MOST_A_BATCH

    def turn(self) -> bool:
        """One batch; True when there may be more at once."""
        try:
            done = apply_due(self.hub, self.size)
        except Exception as error:
            if self.size > 1:
                self.size //= 2
                return True
            log.exception("a message of the open contract could not be applied; its case waits")
            _set_back(self.hub, error)
            return True
        full = done >= self.size
        self.size = min(MOST_A_BATCH, self.size * 2)
        return full

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set: woken when something was stored, and by itself every LOOK_S."""
        url = self.hub.settings.database_url.replace("+psycopg", "")
        while not stop.is_set():
            try:
                with psycopg.connect(url, autocommit=True) as listening:
                    listening.execute("LISTEN concord_open")
                    while not stop.is_set():
                        while self.turn() and not stop.is_set():
                            pass
                        for _ in listening.notifies(timeout=LOOK_S, stop_after=1):
                            pass
            except Exception:
                log.exception("applying was interrupted; it goes on")
                stop.wait(1.0)
