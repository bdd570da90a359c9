"""record_many(): many messages in one transaction, with the same result as `record` for each in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from case_registry.linking import lock
from case_registry.recording import record
from case_registry.source import RecordResult, Source
from foundation.unit_of_work import UnitOfWork
from schemas.claims import Record

Follow = Callable[[int, RecordResult], None]


@dataclass(frozen=True)
class Spoken:
    """One message for the registry: who speaks, the stored message, what it tells."""

    source: Source
    message: UUID
    records: Sequence[Record]


@dataclass(frozen=True)
class NotRecorded:
    """A message that changed nothing. `error`: what failed, None where it only waits behind `behind`, the place of
    an earlier message of one of its cases that failed."""

    error: Exception | None
    behind: int | None = None


def record_many(
    uow: UnitOfWork, messages: Sequence[Spoken], follow: Follow | None = None
) -> list[RecordResult | NotRecorded]:
    """Take many messages in this transaction, as `record` for each in their order; returns what became of each.

    A message that fails is taken back alone and named by `NotRecorded`; later messages of its cases wait behind it,
    all others are taken. `follow(place, result)`: what follows from a message, called before anything is looked at
    that depends on it; may be called again for the same place after a failure of another, and then counts alone.
    """
    lock(uow)
    found: list[RecordResult | NotRecorded] = []
    failed: dict[tuple[str, str], int] = {}
    for place, spoken in enumerate(messages):
        keys = {(spoken.source.partner, r.native_id) for r in spoken.records}
        behind = min((failed[key] for key in keys if key in failed), default=None)
        if behind is not None:
            found.append(NotRecorded(None, behind))
            continue
        try:
            with uow.conn.begin_nested():
                result = record(uow, spoken.source, spoken.message, spoken.records)
                if follow is not None:
                    follow(place, result)
            found.append(result)
        except Exception as error:
            failed.update(dict.fromkeys(keys, place))
            found.append(NotRecorded(error))
    return found
