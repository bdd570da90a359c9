"""record_many(): many messages in one transaction, with the same result as `record` for each in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from case_registry.collecting import no_collecting
from case_registry.gathering import Key, gather, rows_of
from case_registry.linking import lock_for_messages
from case_registry.recording import apply
from case_registry.source import NotRecorded, RecordResult, Spoken
from case_registry.statements import Row
from case_registry.waves import first_wave, footprints, keep_numbers
from foundation.unit_of_work import UnitOfWork

Follow = Callable[[int, RecordResult], None]
WINDOW = 1_000
"""Most messages that are worked out at once."""


def record_many(
    uow: UnitOfWork, messages: Sequence[Spoken], follow: Follow | None = None
) -> list[RecordResult | NotRecorded]:
    """Take many messages in this transaction, as `record` for each in their order; returns what became of each.

    A message that fails is taken back alone and named by `NotRecorded`; later messages of its cases wait behind it,
    all others are taken. `follow(place, result)`: what follows from a message, called before anything is looked at
    that depends on it; may be called again for the same place after a failure of another, and then counts alone.
    """
    lock_for_messages(uow)
    work = _Work(uow, messages, follow)
    left = list(range(len(messages)))
    window = WINDOW
    while left:
        left = work.without_held(left)
        done = work.take_wave(left[:window])
        left = [place for place in left if place not in done]
        # Where most messages wait for each other there is no use in working many of them out for each wave.
        window = min(WINDOW, max(4, 4 * len(done)))
    return [work.results[place] for place in range(len(messages))]


@dataclass
class _Work:
    uow: UnitOfWork
    messages: Sequence[Spoken]
    follow: Follow | None
    results: dict[int, RecordResult | NotRecorded] = field(default_factory=dict)
    failed: dict[Key, int] = field(default_factory=dict)
    rows: dict[int, list[Row]] = field(default_factory=dict)
    ids: dict[Key, int] = field(default_factory=dict)
    numbers: dict[int, list[int]] = field(default_factory=dict)

    def without_held(self, places: Sequence[int]) -> list[int]:
        """Those that need not wait behind a message of one of their cases that failed."""
        if not self.failed:
            return list(places)
        free = []
        for place in places:
            behind = [self.failed[key] for key in self.keys(place) if key in self.failed]
            if behind:
                self.fail(place, NotRecorded(None, min(behind)))
            else:
                free.append(place)
        return free

    def keys(self, place: int) -> set[Key]:
        """The cases that a message names."""
        spoken = self.messages[place]
        return {(spoken.source.partner, record.native_id) for record in spoken.records}

    def fail(self, place: int, what: NotRecorded) -> None:
        """Note that a message changed nothing; its cases are held up by it."""
        self.results[place] = what
        for key in self.keys(place):
            self.failed.setdefault(key, place)

    def take_wave(self, places: Sequence[int]) -> set[int]:
        """Take those of these messages that touch nothing that an earlier one touches; returns which were decided."""
        if not places:
            return set()
        try:
            with no_collecting(), self.uow.conn.begin_nested():
                taken = self._take(places)
        except Exception as error:
            if len(places) == 1:
                self.fail(places[0], NotRecorded(error))
                return set(places)
            # One of them fails: the first half is taken alone, down to the one.
            return self.take_wave(places[: len(places) // 2])
        return taken

    def _take(self, places: Sequence[int]) -> set[int]:
        told = [place for place in places if self.messages[place].records]
        for place in told:
            if place not in self.rows:
                self.rows[place] = rows_of(self.messages[place])
        todo = [(place, self.messages[place], self.rows[place]) for place in told]
        gathered = gather(self.uow, todo, self.ids)
        for message in gathered:
            message.numbers = self.numbers.setdefault(message.place, message.numbers)
        prints = footprints(self.uow, gathered)
        wave = first_wave(gathered, prints)
        keep_numbers(self.uow, gathered, prints, wave)
        results = apply(self.uow, [gathered[i] for i in wave], [prints[i] for i in wave])
        found = {place: RecordResult() for place in places if not self.messages[place].records}
        found |= {gathered[i].place: result for i, result in zip(wave, results, strict=True)}
        for place in sorted(found) if self.follow is not None else ():
            assert self.follow is not None
            self.follow(place, found[place])
        self.results.update(found)
        return set(found)
