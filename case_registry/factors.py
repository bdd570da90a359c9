"""Unstable factors: indicators, score and grade, each with its reasons. Pure; the numbers are data.

Up at once; down one step at a time, only after the lower score has stood for a while; off the list only by a
person (supervision.md 5). A lawful first petition scores 0; religion, origin and diagnosis are no indicators.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from case_registry.factor_signs import merged, signs
from case_registry.factor_table import table
from case_registry.projection import distinct_on_one_side
from case_registry.told import BEIJING
from case_registry.whereabouts import Held, Outside

GRADES = ("NONE", "BLUE", "YELLOW", "ORANGE", "RED")
_HARD = re.compile(r"^(U\d\d)(?::(\w+)|>=(\d+))?$")
_DEFAULT = re.compile(r"^DEFAULT\b")


@dataclass(frozen=True)
class Reading:
    """One indicator that is true now: its value, the step it reached, its weight, where it comes from, and why."""

    id: str
    value: int
    word: str
    weight: int
    source: str
    why: str = ""

    def as_row(self) -> dict[str, Any]:
        """The reading as it is stored and shown."""
        row = table()["by_id"][self.id]
        return {"id": self.id, "zh": row["zh"], "en": row["en"], "value": self.value, "word": self.word,
                "weight": self.weight, "source": self.source, **({"why": self.why} if self.why else {})}  # fmt: skip


@dataclass(frozen=True)
class Grade:
    """A computed grade with the score and why."""

    name: str
    score: int
    why: str
    readings: tuple[Reading, ...]


def noted_indicators() -> list[dict[str, Any]]:
    """Indicators that people record: `id`, `zh`, `en` and the `words` that are their steps ([] = counted)."""
    rows = [row for row in table()["indicator"] if row["by"] == "noted"]
    return [
        {
            "id": row["id"],
            "zh": row["zh"],
            "en": row["en"],
            "words": [*row.get("words", ()), *row.get("counted", ())],
        }
        for row in rows
    ]


def computed_values(
    held: Sequence[Held], outside: Outside, *, now: datetime, gaps: int, stage: str
) -> dict[str, int]:
    """What the record itself says, by indicator; an indicator without any source is left out."""
    today = now.astimezone(BEIJING).date()
    since = today - timedelta(days=int(table()["window_days"]))
    petitions = [h.episode for h in held if h.kind == "PETITION"]
    recent = [e for e in petitions if (day := e.day("opened_on") or e.first_day()) is None or day >= since]
    counts = [
        n for e in petitions if isinstance(n := e.value("people_count"), int) and not isinstance(n, bool)
    ]
    visits = [n for e in recent if isinstance(n := e.value("people_count"), int) and not isinstance(n, bool)]
    values = {"U01": max([distinct_on_one_side(held), *counts], default=0)}
    if petitions:
        values["U02"] = len(recent)
        values["U04"] = max(visits, default=0)
    values["U09"] = len(_counties(held, since))
    values["U10"] = len({h.agency for h in held if h.episode.open})
    values["U11"] = sum(h.kind == "MEDIATION" and h.episode.state == "FAILED" for h in held)
    values["U12"] = sum(bool(_DEFAULT.match(str(flag))) for flag in (outside.escrow or {}).get("flags", ()))
    values["U18"] = gaps
    begun = [d for h in held if (d := h.episode.day("opened_on") or h.episode.first_day())]
    if begun and stage != "CLOSED":
        values["U15"] = (today - min(begun)).days
    return values


def _counties(held: Sequence[Held], since: date) -> set[str]:
    recent = [h.episode for h in held if (day := h.episode.day("opened_on")) is None or day >= since]
    return {e.text("place_code")[:6] for e in recent if e.text("place_code")}


def readings(
    values: Mapping[str, int], noted: Mapping[str, Sequence[str]], whys: Mapping[tuple[str, str], str] = {}
) -> tuple[Reading, ...]:
    """Which indicators are true, each at its highest step. `noted`: words recorded by officers or shown by the record,
    by indicator; `whys`: why, by indicator and word."""
    found = []
    for row in table()["indicator"]:
        if "words" in row:
            words = [w for w in noted.get(row["id"], ()) if w in row["words"]]
            if words:
                word = max(words, key=lambda w: (row["words"][w], w))
                why = whys.get((row["id"], word), "")
                found.append(Reading(row["id"], len(words), word, row["words"][word], row["source"], why))
            continue
        value = len(noted.get(row["id"], ())) if row["by"] == "noted" else values.get(row["id"], 0)
        reached = [weight for threshold, weight in row["steps"] if value >= threshold]
        if reached:
            found.append(Reading(row["id"], value, "", max(reached), row["source"]))
    return tuple(found)


def grade(found: Sequence[Reading]) -> Grade:
    """Score and grade of the indicators that are true."""
    score = sum(r.weight for r in found)
    by_id = {r.id: r for r in found}
    for row in table()["grade"]:
        if score >= row["score"]:
            return Grade(row["name"], score, f"score {score} >= {row['score']}", tuple(found))
        for needs in row.get("hard", ()):
            if all(_holds(need, by_id) for need in needs):
                return Grade(row["name"], score, "rule " + " and ".join(needs), tuple(found))
        present = [i for i in row.get("two_of", ()) if i in by_id]
        if len(present) >= 2:
            return Grade(row["name"], score, "two of " + ", ".join(present), tuple(found))
    return Grade("NONE", score, "score below the list", tuple(found))


def grade_at(
    held: Sequence[Held], outside: Outside, *, now: datetime, gaps: int, stage: str, noted: Mapping[str, Sequence[str]]
) -> Grade:  # fmt: skip
    """The grade at a moment, by all that the record says and officers noted."""
    values = computed_values(held, outside, now=now, gaps=gaps, stage=stage)
    words, whys = merged(
        {name: list(steps) for name, steps in noted.items()}, signs(held, now=now, stage=stage)
    )
    return grade(readings(values, words, whys))


def first_grade(
    held: Sequence[Held], outside: Outside, *, now: datetime, gaps: int, stage: str, noted: Mapping[str, Sequence[str]]
) -> Grade:  # fmt: skip
    """The grade of a dispute that is not on the list: that of now, or of the day of its last petition if that was higher.

    A petition told to us late would have put it on the list in its time, and nothing leaves the list by itself.
    """
    at_now = grade_at(held, outside, now=now, gaps=gaps, stage=stage, noted=noted)
    days = [
        day
        for h in held
        if h.kind == "PETITION" and (day := h.episode.day("opened_on") or h.episode.first_day())
    ]
    if stage == "CLOSED" or not days or max(days) >= now.astimezone(BEIJING).date():
        return at_now
    then = datetime.combine(max(days), time(12), BEIJING)
    in_time = grade_at(held, outside, now=then, gaps=gaps, stage=stage, noted=noted)
    return max(at_now, in_time, key=lambda each: (GRADES.index(each.name), each.score))


def _holds(need: str, by_id: Mapping[str, Reading]) -> bool:
    match = _HARD.match(need)
    assert match, need
    reading = by_id.get(match[1])
    if reading is None:
        return False
    if match[2]:
        return reading.word == match[2]
    return reading.value >= int(match[3]) if match[3] else True


@dataclass(frozen=True)
class Standing:
    """The grade that stands after the rules of going up and down. `lower_since`: since when a lower score stood."""

    name: str
    lower_since: datetime | None


def stand(was: str, lower_since: datetime | None, computed: str, now: datetime) -> Standing:
    """Up at once; down one step after its waiting time; never off the list by itself."""
    if GRADES.index(computed) >= GRADES.index(was):
        return Standing(computed, None)
    since = lower_since or now
    wait = table()["by_grade"][was].get("down_after_days", 14)
    one_lower = GRADES[GRADES.index(was) - 1]
    if one_lower == "NONE" or now - since < timedelta(days=wait):
        return Standing(was, since)
    return Standing(one_lower, now if GRADES.index(computed) < GRADES.index(one_lower) else None)


def review_on(name: str, today: date) -> date | None:
    """The day on which a listed factor is to be looked at again."""
    row = table()["by_grade"].get(name)
    return today + timedelta(days=row["review_days"]) if row else None
