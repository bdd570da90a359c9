"""One batch of stored messages of the open contract: mapped, recorded, followed by what follows, decided, journalled.

All in one transaction. A message that fails by a fault of ours is taken back alone and waits with its case; a value that
no column can hold refuses its message.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import RowMapping
from sqlalchemy.exc import DataError

import case_registry
from case_registry import NotRecorded, RecordResult, Spoken
from connectors.open_contract import mapping
from connectors.open_contract.stored import message_in
from foundation import inbox
from foundation.envelope import content_of
from foundation.journal import raise_alarm
from foundation.unit_of_work import UnitOfWork
from hub import case_order, choreography
from hub.case_order import GAP_WAIT, case_of
from hub.choreography import Told
from hub.submitting import result_json
from schemas.claims import Record
from schemas.exchange import Outcome
from schemas.findings import Finding, Refused
from schemas.open_contract import Message


@dataclass
class Decided:
    """What became of one message."""

    row: RowMapping
    state: str = "APPLIED"
    findings: tuple[Finding, ...] = ()
    records: int = 0
    parked: int = 0
    disputes: list[str] = field(default_factory=list)


class MessageBatch:
    """Applies ``rows`` (due messages in the order of arrival) as far as their order allows."""

    def __init__(self, uow: UnitOfWork, rows: Sequence[RowMapping]) -> None:
        self.uow = uow
        self.arranged = case_order.arrange(uow, rows, uow.now)
        self.decided: list[Decided] = []
        self.failed: list[tuple[RowMapping, Exception]] = []
        self._run: list[tuple[RowMapping, tuple[Record, ...]]] = []
        self._told: list[Told] = []

    def apply(self) -> None:
        """Do it all; what failed is set back."""
        for row in self.arranged.ready:
            try:
                message = message_in(content_of(self.uow, row))
            except Refused as refused:
                self.decided.append(Decided(row, "REFUSED", refused.findings))
                continue
            if message.kind != "record":
                self._record()
                self._correct(row, message)
            else:
                self._run.append((row, mapping.records_of(message)))
        self._record()
        self.uow.publish_many(self._told)
        for row, error in self.failed:
            self._set_back(row, error)
        write(self.uow, self.decided)
        case_order.keep(self.uow, self.arranged)
        for each in self.decided:
            standing = self.arranged.standings.get(case_of(each.row))
            if standing is not None and standing.stuck == each.row["id"]:
                case_order.unstick(self.uow, case_of(each.row))

    def _record(self) -> None:
        """Hand the gathered messages to the registry, and follow what it says."""
        run, self._run = self._run, []
        if not run:
            return
        told: dict[int, list[Told]] = {}

        def follow(place: int, result: RecordResult) -> None:
            told[place] = []
            choreography.follow(self.uow, result.events, run[place][0]["id"], told[place])

        spoken = [Spoken(source_of(row), row["id"], records) for row, records in run]
        results = case_registry.record_many(self.uow, spoken, follow)
        for place, ((row, records), result) in enumerate(zip(run, results, strict=True)):
            if isinstance(result, NotRecorded):
                self._not_recorded(row, result)
                continue
            self._told += told.get(place, [])
            disputes = [each.number for each in result.disputes]
            self.decided.append(Decided(row, records=len(records), parked=result.parked, disputes=disputes))

    def _not_recorded(self, row: RowMapping, result: NotRecorded) -> None:
        if result.error is None:
            self._wait(row)
        elif isinstance(result.error, DataError):
            what = str(result.error.orig).splitlines()[0][:100]
            finding = Finding("SCHEMA_VIOLATION", "/", "a value that no field can hold", what)
            self.decided.append(Decided(row, "REFUSED", (finding,)))
            raise_alarm(self.uow, "message_not_held", str(row["id"]), error=what)
        else:
            self.failed.append((row, result.error))

    def _wait(self, row: RowMapping) -> None:
        self.arranged.waits.append((row["id"], self.uow.now + GAP_WAIT))

    def _correct(self, row: RowMapping, message: Message) -> None:
        """Take back what the named message said; a correction says its own in its place (rule 4)."""
        before = self.uow.one(
            "SELECT id, state, case_key FROM exchange.inbox WHERE partner = :p AND message_id = :m AND receipt IS NOT NULL",
            p=row["partner"],
            m=message.corrects,
        )
        here = {each.row["id"]: each.state for each in self.decided}
        state = here.get(before["id"], before["state"]) if before is not None else ""
        if state in ("", "RECEIVED") and row["received_at"] + GAP_WAIT > self.uow.now:
            self.arranged.waits.append((row["id"], row["received_at"] + GAP_WAIT))
            return
        if before is None or state != "APPLIED" or before["case_key"] != message.case_key:
            wanted = f"a message of case {message.case_key} that was applied"
            finding = Finding("UNKNOWN_ORIGINAL", "/corrects", str(message.corrects), wanted)
            self.decided.append(Decided(row, "REFUSED", (finding,)))
            return
        gone = case_registry.retract_message(self.uow, before["id"], message.reason or message.kind)
        choreography.follow(self.uow, gone.events, row["id"], self._told)
        if message.kind == "withdrawal":
            self.decided.append(Decided(row, disputes=[each.number for each in gone.disputes]))
        else:
            self._run.append((row, mapping.records_of(message)))
            self._record()

    def _set_back(self, row: RowMapping, error: Exception) -> None:
        """Try it again later; its case waits for it. After the last try it is for a person."""
        what = f"{type(error).__name__}: {error}"[:2000]
        inbox.failed(self.uow, row["id"], what)
        if row["attempts"] + 1 >= inbox.MAX_TRIES:
            self.uow.execute("UPDATE exchange.inbox SET next_try = 'infinity' WHERE id = :id", id=row["id"])
        case_order.stick(self.uow, case_of(row), row["id"])
        raise_alarm(self.uow, "message_not_applied", str(row["id"]), error=what[:500])


def source_of(row: RowMapping) -> case_registry.Source:
    """Who speaks in a stored message: the partner, with the institution and agency of its row."""
    return case_registry.Source(row["partner"], row["institution"], row["agency"])


def write(uow: UnitOfWork, decided: Sequence[Decided]) -> None:
    """What became of each message: on its row, and as a line of the journal."""
    if not decided:
        return
    rows: list[dict[str, Any]] = []
    for each in decided:
        result: Any = "ACCEPTED" if each.state == "APPLIED" else "REFUSED"
        row = each.row
        outcome = Outcome(row["message_id"], result, each.findings, row["receipt_no"], row["received_at"])
        made = result_json(outcome, records=each.records, rejected_records=0, parked=each.parked, disputes=each.disputes,
                           notes=[], meta={})  # fmt: skip
        rows.append({"id": row["id"], "state": each.state, "result": orjson.Fragment(made)})
    uow.execute(
        "WITH decided AS (UPDATE exchange.inbox i SET state = g.state, result = g.result, decided_at = :at,"
        " attempts = i.attempts + 1, last_error = NULL"
        " FROM json_to_recordset(CAST(:rows AS json)) AS g (id uuid, state text, result jsonb)"
        " WHERE i.id = g.id AND i.state = 'RECEIVED' RETURNING i.*) " + inbox.JOURNAL_DECIDED,
        at=uow.now,
        actor=uow.actor.id,
        rows=orjson.dumps(rows).decode(),
    )
