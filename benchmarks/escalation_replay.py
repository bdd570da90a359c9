"""A made-up history read as the registry reads it, as it was known on any day: evidence before, escalations after."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from uuid import UUID

from benchmarks.escalation_history import FIRST, LAST, History
from case_registry.episodes import read_case
from case_registry.escalation import table
from case_registry.escalation_signs import Known, Seen, escalates, escalations, known, look
from case_registry.outside import Facts
from case_registry.statements import row_of, told_of
from case_registry.told import BEIJING, Told
from case_registry.whereabouts import Held, primary

NOBODY = UUID(int=0)


def moment(day: date) -> datetime:
    """Noon of a day: what was told on it is known."""
    return datetime.combine(day, time(12), BEIJING)


class Replay:
    """One history, its messages made once into what the registry stores."""

    def __init__(self, history: History) -> None:
        self.history = history
        ids, claims = itertools.count(1), itertools.count(1)
        self.told: dict[tuple[str, str], list[Told]] = {}
        for each in history.tellings:
            row = row_of(each.record)
            told = told_of(row, next(ids), claims, moment(each.known_on), NOBODY)
            self.told.setdefault((each.agency, each.record.native_id), []).append(told)

    def held(self, now: datetime) -> list[Held]:
        """The episodes as far as they were told by then."""
        found = []
        for (agency, native_id), told in sorted(self.told.items()):
            heard = [each for each in told if each.recorded_at <= now]
            found += [Held(agency, (agency, native_id), e) for e in read_case(heard).episodes if heard]
        return found

    def facts(self, now: datetime) -> Facts:
        """What other rooms and officers had told by then."""
        h = self.history
        summaries = [summary for day, summary in h.summaries if moment(day) <= now]
        return Facts(
            escrows=summaries[-1:],
            notes=[(name, word, moment(day)) for day, name, word in h.notes if moment(day) <= now],
            gaps=sum(moment(day) <= now for day in h.gaps),
        )

    def known(self, on: date) -> Known:
        """The dispute as it was known on a day."""
        now = moment(on)
        return known(self.held(now), self.facts(now), now)

    def recorded(self, on: date) -> list[tuple[date, str]]:
        """The escalations that the record told of by a day."""
        now = moment(on)
        defaults = [
            moment(d) for d, summary in self.history.summaries if summary["flags"] and moment(d) <= now
        ]
        return list(escalations(primary(self.held(now)), self.facts(now).notes, defaults))


@dataclass(frozen=True)
class Forecast:
    """A dispute on a day: what was seen then, and whether it escalated within the horizon."""

    number: int
    county: str
    on: date
    seen: Seen
    escalated: bool


def firsts(since: date, until: date) -> list[date]:
    """The firsts of the months from one day to another."""
    months = range(since.year * 12 + since.month - 1, until.year * 12 + until.month)
    days = [date(n // 12, n % 12 + 1, 1) for n in months]
    return [day for day in days if since <= day <= until]


def forecasts(
    replay: Replay, days: Sequence[date], rnd: Random, most: int, *, told_by: date | None
) -> Iterator[Forecast]:
    """At most so many forecasts of one dispute, on days by chance on which it was known and not closed.

    Only days whose whole horizon was followed. `told_by`: outcomes as the record told them by that day; None: as they
    really were, told or not.
    """
    h = replay.history
    happened = h.planted if told_by is None else replay.recorded(told_by)
    begun = min((t.known_on for t in h.tellings), default=LAST)
    last = h.ends - timedelta(days=table()["horizon_days"])
    possible = [day for day in days if begun <= day <= last]
    made = 0
    for day in rnd.sample(possible, len(possible)):
        at = replay.known(day)
        seen = look(at) if at.held else None
        if seen is None or seen.stage in ("CLOSED", "NONE"):
            continue
        yield Forecast(h.number, h.county, day, seen, escalates(happened, day))
        made += 1
        if made == most:
            return


def parts(split: date) -> tuple[list[date], list[date]]:
    """Days to fit on and days to judge on: what the first are fitted to was over, and told, when the second begin."""
    back = timedelta(days=table()["horizon_days"])
    return firsts(FIRST, split - back), firsts(split, LAST - back)
