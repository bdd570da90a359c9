"""What the record says at a moment of whether a dispute may escalate, and which escalations it tells of. Pure.

Everything is read from what was known at that moment: whoever calls hands in episodes, facts and lamps as of then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from case_registry import factors
from case_registry.clocks import wanted_clocks
from case_registry.escalation import table
from case_registry.matter import families
from case_registry.outside import Facts
from case_registry.told import BEIJING
from case_registry.whereabouts import (
    Held,
    Outside,
    agreement_episodes,
    confirmation_result,
    primary,
    whereabouts,
)

_MEDIATES = frozenset({"MEDIATION", "PRE_LITIGATION_MEDIATION"})


@dataclass(frozen=True)
class Known:
    """A dispute as it was known at `now`. `held`: its episodes without copies; `noted`: words of officers that count
    still, by indicator; `gaps`: alarms so far."""

    held: Sequence[Held]
    outside: Outside
    now: datetime
    noted: Mapping[str, Sequence[str]] = field(default_factory=dict)
    gaps: int = 0

    @property
    def today(self) -> date:
        """Its Beijing day."""
        return self.now.astimezone(BEIJING).date()


def known(held: Sequence[Held], facts: Facts, now: datetime) -> Known:
    """A dispute as known, from all its episodes, copies among them, and from facts as of `now`."""
    return Known(primary(held), facts.outside, now, facts.noted(now), facts.gaps)


@dataclass(frozen=True)
class Seen:
    """What `Known` shows: the stage, the grade with its indicators, and the signs (sign → why)."""

    stage: str
    grade: factors.Grade
    signs: dict[str, str]


def look(of: Known) -> Seen:
    """Work out stage, grade and signs."""
    stage = whereabouts(of.held, of.outside).stage
    grade = factors.grade_at(of.held, of.outside, now=of.now, gaps=of.gaps, stage=stage, noted=of.noted)
    by_id = table()["by_id"]
    signs = {r.id: r.why for r in grade.readings if r.id in by_id}
    if any(r.id == "U05" and r.word == "act" for r in grade.readings):
        signs.pop("U05", None)  # that is the escalation, not a sign of one
    for name, find in _OWN.items():
        why = find(of, stage)
        if why is not None:
            signs[name] = why
    causes = {family for h in of.held for family in families(h.episode.text("cause"))}
    for row in table()["sign"]:
        if causes.intersection(row.get("families", ())):
            signs[row["id"]] = ""
    return Seen(stage, grade, signs)


def _days(held: Sequence[Held]) -> list[date]:
    """The days on which something is told to have happened."""
    found = set()
    for h in held:
        e = h.episode
        found |= {e.day("opened_on"), e.day("closed_on"), e.day("agreed_on"), e.first_day()}
    return sorted(day for day in found if day)


def _refused(of: Known, stage: str) -> str | None:
    since = of.today - timedelta(days=table()["by_id"]["REFUSED"]["days"])
    days = [
        h.episode.day("closed_on") or h.episode.first_day()
        for h in of.held
        if h.kind in _MEDIATES and h.episode.state == "FAILED"
    ]
    if confirmation_result(of.held) == "REFUSED":
        days += [
            h.episode.day("closed_on") or h.episode.first_day() for h in of.held if h.episode.confirmation
        ]
    last = max((day for day in days if day), default=None)
    return f"{last}" if last and since <= last <= of.today else None


def _late(of: Known, stage: str) -> str | None:
    """By the ordinary limits of an open proceeding: an extension granted since takes nothing back of its being late."""
    decided = confirmation_result(of.held) in ("CONFIRMED", "REFUSED")
    ends = [
        clock.due()
        for h in of.held
        if h.episode.open
        for clock in wanted_clocks(0, h.agency, h.episode, decided)
        if clock.running and not clock.suspended
    ]
    past = [end.last_day for end in ends if end.over_at <= of.now]
    past += [
        day for h in of.held if h.episode.open and (day := h.episode.day("limit_date")) and day < of.today
    ]
    return f"{min(past)}" if past else None


def _stirred(of: Known, stage: str) -> str | None:
    row = table()["by_id"]["STIRRED"]
    since = of.today - timedelta(days=row["days"])
    recent = [day for day in _days(of.held) if since <= day <= of.today]
    return f"{len(recent)}" if len(recent) >= row["least"] else None


def _quiet(of: Known, stage: str) -> str | None:
    days = [day for day in _days(of.held) if day <= of.today]
    quiet = (of.today - max(days)).days if days else 0
    return f"{quiet}" if quiet >= table()["by_id"]["QUIET"]["days"] else None


def _agreed(of: Known, stage: str) -> str | None:
    return "" if agreement_episodes(of.held) else None


def _adjudicated(of: Known, stage: str) -> str | None:
    return "" if stage in table()["by_id"]["ADJUDICATED"]["stages"] else None


_OWN: dict[str, Callable[[Known, str], str | None]] = {
    "REFUSED": _refused, "LATE": _late, "STIRRED": _stirred, "QUIET": _quiet, "AGREED": _agreed, "ADJUDICATED": _adjudicated,
}  # fmt: skip


def escalations(
    held: Sequence[Held], notes: Sequence[tuple[str, str, datetime]], defaults: Sequence[datetime]
) -> Iterator[tuple[date, str]]:
    """Each escalation that the record tells of: its day and kind.

    A suit, each petition after the first, a note of a police call or an extreme act, a default (`defaults`: when the
    escrow said so). `notes`: indicator, word, when.
    """
    for h in held:
        day = h.episode.day("opened_on") or h.episode.first_day()
        if h.kind == "TRIAL" and day:
            yield day, "court"
    petitions = [h.episode.day("opened_on") or h.episode.first_day() for h in held if h.kind == "PETITION"]
    for day in sorted(day for day in petitions if day)[1:]:
        yield day, "repeat_petition"
    for kind in table()["kind"]:
        for indicator, step, at in notes:
            if f"{indicator}/{step}" in kind.get("notes", ()):
                yield at.astimezone(BEIJING).date(), kind["id"]
    for at in defaults:
        yield at.astimezone(BEIJING).date(), "default"


def escalates(found: Sequence[tuple[date, str]], on: date) -> bool:
    """Whether one of these falls into the days after `on` up to the horizon."""
    until = on + timedelta(days=table()["horizon_days"])
    return any(on < day <= until for day, _ in found)
