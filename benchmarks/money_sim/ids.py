"""Ids by seed: the product asks uuid6 for a UUIDv7; here it gets the next of a row that the seed decides."""

from __future__ import annotations

import random
from datetime import datetime
from typing import Any

import uuid6


class SeededIds:
    """Stands in for `uuid6.uuid7`: same seed, same ids, rising as real ones do."""

    def __init__(self) -> None:
        self._dice = random.Random(0)
        self._count = 0
        uuid6.uuid7 = self.next  # the only source of ids of the product (UnitOfWork.new_id)

    def begin(self, seed: int) -> None:
        """Begin the row of a seed."""
        self._dice, self._count = random.Random(f"ids {seed}"), 0

    def next(self, *_: Any) -> Any:
        """The next id: a count where the time stands, chance behind it."""
        self._count += 1
        value = (1_775_000_000_000 + self._count) << 80 | self._dice.getrandbits(80)
        return uuid6.UUID(int=value, version=7)


def moment_of(seed: int) -> datetime:
    """When the run of this seed begins: every hour of the day and every workday has its runs."""
    from datetime import timedelta

    from benchmarks.money_sim.clock import START

    dice = random.Random(f"start {seed}")
    return START + timedelta(days=dice.randrange(5), minutes=dice.randrange(0, 12 * 60))
