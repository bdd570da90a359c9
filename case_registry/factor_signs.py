"""What the record itself says of indicators that people record too: arrears, silence, injury, sum, helpless persons.

Pure. Only what a source states counts: a petition's or a claim's words alone make no arrears, and a missing source is
"not known" (supervision.md 5). Each sign carries the sentence that explains it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

from case_registry.factor_table import table
from case_registry.told import BEIJING
from case_registry.whereabouts import Held, confirmation_result
from schemas.identifiers import birth_date
from schemas.workdays import work_calendar


@dataclass(frozen=True)
class Sign:
    """A step of an indicator that is true now, and why."""

    indicator: str
    word: str
    why: str


def signs(held: Sequence[Held], *, now: datetime, stage: str) -> list[Sign]:
    """All signs that these episodes show at a moment."""
    today = now.astimezone(BEIJING).date()
    return [sign for found in _SIGNS for sign in found(held, today, stage)]


def _words(name: str) -> list[str]:
    found: list[str] = table()["signs"][name]
    return found


def _has(text: str, name: str) -> bool:
    return any(word in text for word in _words(name))


def _arrears(held: Sequence[Held], today: date, stage: str) -> Iterator[Sign]:
    """U07: an award of labour arbitration states the arrears: for how many people, since when."""
    for h in held:
        e = h.episode
        if h.kind != "ARBITRATION" or e.withdrawn or not e.awards or not _has(e.text("cause"), "wage_causes"):
            continue
        people = len({p.get("id_number") or p.get("name") for p in e.parties if p.get("role") == "applicant"})
        since = e.day("occurred_on")
        days = (today - since).days if since and stage != "CLOSED" else 0
        if people >= 20:
            yield Sign("U07", "people20", f"award for {people} people")
        elif people >= 5 or days >= 30:
            yield Sign("U07", "people5_or_days30", f"award for {people} people, {days} days unpaid")


def _silence(held: Sequence[Held], today: date, stage: str) -> Iterator[Sign]:
    """U08: refused, then nothing for three weeks from somebody who had come three times in sixty days."""
    if stage == "CLOSED":
        return
    refused = [
        h.episode.day("closed_on") or h.episode.first_day()
        for h in held
        if h.kind == "MEDIATION" and h.episode.state == "FAILED"
    ]
    if confirmation_result(held) == "REFUSED":
        refused += [
            h.episode.day("closed_on") or h.episode.first_day() for h in held if h.episode.confirmation
        ]
    days = [day for day in refused if day]
    if not days:
        return
    last = max(days)
    contacts = {
        d
        for h in held
        if h.kind in ("PETITION", "MEDIATION")
        for d in (h.episode.day("opened_on"), h.episode.first_day())
        if d
    }
    least, within = table()["signs"]["refusal_contacts"]
    before = [d for d in contacts if last - timedelta(days=within) <= d <= last]
    quiet = (today - max([last, *[d for d in contacts if d > last]])).days
    first, until = table()["signs"]["silence_days"]
    if len(before) >= least and first <= quiet <= until:
        yield Sign(
            "U08",
            "recorded",
            f"refused on {last}, {len(before)} contacts in {within} days before, silent for {quiet} days",
        )


def _harm(held: Sequence[Held], today: date, stage: str) -> Iterator[Sign]:
    """U13: the criminal file's charge, or the court's cause, states death or grave injury."""
    for h in held:
        cause = h.episode.text("cause")
        if h.episode.withdrawn or not cause:
            continue
        if (h.agency == "procuratorate" and _has(cause, "death_charges")) or (
            h.agency == "court" and _has(cause, "death_causes")
        ):
            yield Sign("U13", "death", f"{h.agency}: {cause}")
        elif h.agency == "procuratorate" and _has(cause, "injury_charges"):
            yield Sign("U13", "injury", f"{h.agency}: {cause}")


def _sum(held: Sequence[Held], today: date, stage: str) -> Iterator[Sign]:
    """U14: the demand in years of the county's average income."""
    fens = [
        n
        for h in held
        if not h.episode.withdrawn
        and isinstance(n := h.episode.value("claimed_fen"), int)
        and not isinstance(n, bool)
    ]
    income = int(table()["signs"]["income_fen"])
    years = max(fens, default=0) // income
    why = f"demand of {years} yearly incomes ({table()['signs']['income_source']})"
    if years >= 10:
        yield Sign("U14", "years10", why)
    elif years >= 3:
        yield Sign("U14", "years3", why)


def _protection(held: Sequence[Held], today: date, stage: str) -> Iterator[Sign]:
    """U16: a court's protection order."""
    for h in held:
        text = h.episode.text("cause") + h.episode.text("case_number") + h.episode.sub_id
        if h.agency == "court" and not h.episode.withdrawn and _has(text, "protection_order"):
            yield Sign(
                "U16", "order_or_two_calls", f"court: {h.episode.text('case_number') or h.episode.sub_id}"
            )


def _helpless(held: Sequence[Held], today: date, stage: str) -> Iterator[Sign]:
    """U17: the person hurt is a minor or an elderly person, by the birth date in the id number on the day of the event."""
    limits = table()["signs"]
    for h in held:
        cause = h.episode.text("cause")
        hurt = (
            h.kind == "CRIMINAL_RECONCILIATION" or _has(cause, "injury_causes") or _has(cause, "death_causes")
        )
        if not hurt or h.episode.withdrawn:
            continue
        day = h.episode.day("occurred_on") or h.episode.day("opened_on") or today
        for party in h.episode.parties:
            born = birth_date(str(party.get("id_number") or ""))
            if party.get("role") != "applicant" or born is None:
                continue
            age = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
            if age < limits["minor_below"] or age >= limits["elderly_from"]:
                yield Sign("U17", "recorded", f"a person hurt was {age} years old")


def _near(held: Sequence[Held], today: date, stage: str) -> Iterator[Sign]:
    """U19: an enforcement begins within days, or wages are owed and the Spring Festival is near."""
    near = int(table()["signs"]["near_days"])
    for h in held:
        day = h.episode.day("opened_on")
        if h.kind == "ENFORCEMENT" and h.episode.open and day and abs((day - today).days) <= near:
            yield Sign("U19", "recorded", f"enforcement from {day}")
    wages = any(h.episode.open and _has(h.episode.text("cause"), "wage_causes") for h in held)
    festival = _spring_festival(today.year)
    if wages and festival and 0 <= (festival - today).days <= near:
        yield Sign("U19", "recorded", f"wages owed, Spring Festival on {festival}")


@cache
def _spring_festival(year: int) -> date | None:
    days = (date(year, 1, 15) + timedelta(days=n) for n in range(45))
    named = (day for day in days if work_calendar().name(day) == "春节")
    return next(named, None)


_SIGNS: tuple[Callable[[Sequence[Held], date, str], Iterator[Sign]], ...] = (
    _arrears, _silence, _harm, _sum, _protection, _helpless, _near,
)  # fmt: skip


def merged(
    noted: dict[str, list[str]], found: Sequence[Sign]
) -> tuple[dict[str, list[str]], dict[tuple[str, str], str]]:
    """What officers noted and what the record says, as one; and why, by indicator and step. Steps that are counted (two
    police calls) become the step that they stand for."""
    words: dict[str, list[str]] = {indicator: list(steps) for indicator, steps in noted.items()}
    whys: dict[tuple[str, str], str] = {}
    for row in table()["indicator"]:
        counted: dict[str, Any] = row.get("counted", {})
        for step, (least, word) in counted.items():
            n = words.get(row["id"], []).count(step)
            if n >= least:
                words.setdefault(row["id"], []).append(word)
                whys[row["id"], word] = f"{n} × {step}"
    for sign in found:
        if sign.word not in words.get(sign.indicator, []):
            words.setdefault(sign.indicator, []).append(sign.word)
        whys.setdefault((sign.indicator, sign.word), sign.why)
    return words, whys
