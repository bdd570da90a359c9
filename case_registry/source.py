"""Who speaks to the registry, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from schemas.claims import Record

Event = dict[str, Any]
"""Something that happened in the registry, for the choreography: `event` is its name, the rest its facts."""


@dataclass(frozen=True)
class Source:
    """Where a record comes from: the connector's id, the institution's id, and the kind of agency."""

    partner: str
    institution: str
    agency: str


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


@dataclass(frozen=True)
class DisputeRef:
    """A dispute: `id` inside, `number` for people."""

    id: UUID
    number: str


@dataclass
class RecordResult:
    """What became of the records of one message.

    `disputes`: those the records belong to now, oldest first. `stored`: statements that were new.
    `duplicates`: said before, word for word. `parked`: of this message's records, those still waiting for
    what they speak of.
    """

    disputes: list[DisputeRef] = field(default_factory=list)
    stored: int = 0
    duplicates: int = 0
    parked: int = 0
    events: list[Event] = field(default_factory=list)


class Unknown(LookupError):
    """Nothing of that kind has this key. `kind` and `key` say what was asked for."""

    def __init__(self, kind: str, key: object) -> None:
        super().__init__(f"no {kind} {key}")
        self.kind = kind
        self.key = key


class NotAllowed(ValueError):
    """The act is refused by a rule; the text says which and what to do."""
