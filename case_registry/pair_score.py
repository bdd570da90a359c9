"""One pair of source cases: link, propose to a person, keep apart, or nothing; with the reasons, field by field.

Pure, and a function of the two alone. Linking by itself needs at least one strong sign (explicit reference,
id number, masked id + name, phone + name, credit code + name), people on both sides and one matter; names,
cause, sum and date alone make a proposal (design, "Linking by itself").
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from case_registry.features import Features
from case_registry.matter import MatterEvidence, compare_days, compare_families, compare_sums, days_apart
from case_registry.party_match import Comparison, compare_parties

Verdict = Literal["LINK", "PROPOSE", "CANNOT", "NONE"]
BY_PERSON, BY_NUMBER, BY_BOTH_SIDES, BY_ONE_SIDE = 0, 1, 2, 3
"""Strength of a link, strongest first."""

LINK_WITHIN_DAYS = 180
PROPOSE_WITHIN_DAYS = 120
NAMES_WITHIN_DAYS = 90
RARE_NAMES_BITS = 20.0
"""How much equal names must say together before names, cause and date make a proposal without a sum."""
_ONE_A_DISPUTE = frozenset({"TRIAL", "ARBITRATION", "PRE_LITIGATION_MEDIATION"})
_NEVER_TWO = frozenset({"MEDIATION", "CRIMINAL_RECONCILIATION"})


@dataclass
class PairVerdict:
    """What is held of a pair. `reasons`: JSON rows of field, agreement, weight, one, other."""

    verdict: Verdict
    strength: int = BY_ONE_SIDE
    score: float = 0.0
    reasons: list[dict[str, Any]] = field(default_factory=list)


def judge(one: Features, other: Features) -> PairVerdict:
    """Judge a pair of source cases. The order of the two does not matter."""
    if other.key < one.key:
        one, other = other, one
    number = _number_sign(one, other)
    people = compare_parties(one.parties, other.parties)
    if number is None and people.cover == "none" and not people.conflicts:
        return PairVerdict("NONE")
    matter = _matter(one, other)
    verdict, strength, why = _decide(one, other, number, people, matter)
    if verdict == "NONE":
        return PairVerdict("NONE")
    return PairVerdict(
        verdict, strength, _score(number, people, matter), _reasons(number, people, matter, why)
    )


def explain(one: Features, other: Features) -> PairVerdict:
    """The same with score and reasons also where nothing is held: for a person who is asked about such a pair."""
    if other.key < one.key:
        one, other = other, one
    number, people, matter = (
        _number_sign(one, other),
        compare_parties(one.parties, other.parties),
        _matter(one, other),
    )
    verdict, strength, why = _decide(one, other, number, people, matter)
    return PairVerdict(
        verdict, strength, _score(number, people, matter), _reasons(number, people, matter, why)
    )


def _score(number: tuple[str, str] | None, people: Comparison, matter: MatterEvidence) -> float:
    """What all signs say together, in bits."""
    return round(people.weight + sum(w for _, _, w in _matter_rows(matter)) + (40.0 if number else 0.0), 2)


def cannot_be_one(one: Features, other: Features) -> str:
    """Why two source cases cannot be one dispute whatever else agrees; "" when nothing forbids it.

    Two cases open at once in one body, two numbers of the mediation office, two victims of one incident.
    A number that one writes of the other goes before this.
    """
    if one.partner != other.partner or one.native_id == other.native_id:
        return ""
    both = set(one.kinds) & set(other.kinds)
    if both & _NEVER_TWO:
        return "two case numbers of one office"
    if set(one.incidents) & set(other.incidents):
        return "one incident, several victims"
    if set(one.live) & set(other.live) & _ONE_A_DISPUTE:
        return "two cases open at once in one body"
    return ""


def _number_sign(one: Features, other: Features) -> tuple[str, str] | None:
    """("explicit" | "hint", number) when one writes a number of the other, or both bear the same number."""
    shared = sorted(set(one.numbers) & set(other.numbers))
    if shared:
        return "explicit", shared[0]
    found = [
        (strength, number)
        for speaker, spoken_of in ((one, other), (other, one))
        for number, agency, strength in speaker.refs
        if number in spoken_of.numbers and agency in ("", spoken_of.agency)
    ]
    common = {(n, a) for n, a, s in one.refs if s == "explicit"} & {
        (n, a) for n, a, s in other.refs if s == "explicit"
    }
    found += [("explicit", number) for number, _ in common]
    return min(found) if found else None


def _matter(one: Features, other: Features) -> MatterEvidence:
    return MatterEvidence(
        family=compare_families(one.families, other.families),
        sums=compare_sums(one.sums, other.sums),
        event=compare_days(one.event_days, other.event_days),
        agreed=compare_days(one.agreed_on, other.agreed_on),
        apart=days_apart(one.begun, other.begun),
        same_plate=bool(set(one.plates) & set(other.plates)),
        same_body=bool(set(one.bodies) & set(other.bodies)),
        same_mediator=bool(set(one.mediators) & set(other.mediators)),
    )


def _decide(
    one: Features, other: Features, number: tuple[str, str] | None, people: Comparison, matter: MatterEvidence
) -> tuple[Verdict, int, str]:
    strength = BY_BOTH_SIDES if people.strong_sides == 2 else BY_ONE_SIDE
    if number is not None and number[0] == "explicit":
        strangers = people.cover == "none" and bool(one.parties) and bool(other.parties)
        if people.conflicts or strangers:
            return "PROPOSE", BY_NUMBER, "the number says one dispute, the people do not"
        return "LINK", BY_NUMBER, "one names the other's number"
    if people.conflicts:
        return "CANNOT", strength, "same name, other identity"
    barred = cannot_be_one(one, other)
    if barred:
        return ("CANNOT" if people.cover == "both" else "NONE"), strength, barred
    if number is not None:
        if people.cover in ("both", "unknown"):
            return "LINK", BY_NUMBER, "a number in free text, and the people agree"
        return "PROPOSE", BY_NUMBER, "a number in free text"
    if people.cover == "both" and people.strong_sides and not people.doubtful:
        return _by_strong_sign(one, other, matter, strength)
    if people.cover == "both":
        return (_by_names(people, matter), strength, "no strong sign")
    if people.cover == "unknown" and (people.strong_sides or people.doubtful):
        agreed = matter.sums == "equal" and _within(matter, LINK_WITHIN_DAYS) and not matter.other
        return ("PROPOSE" if agreed else "NONE"), strength, "one side only was told"
    return "NONE", strength, ""


def _by_strong_sign(
    one: Features, other: Features, matter: MatterEvidence, strength: int
) -> tuple[Verdict, int, str]:
    if matter.other:
        return "NONE", strength, ""
    if matter.same:
        if (
            one.partner == other.partner
            and one.kinds == other.kinds == ("PETITION",)
            and matter.sums != "equal"
        ):
            # The clerk did not mark it as a repeat, and the day comes from free text: a person looks at it.
            return (
                "PROPOSE",
                strength,
                "two petitions of one office, not marked as repeat, without an equal sum",
            )
        certain = matter.event == "equal" or matter.agreed == "equal" or matter.same_plate
        return ("LINK" if certain or _within(matter, LINK_WITHIN_DAYS) else "PROPOSE"), strength, ""
    alike = matter.family in ("equal", "unknown") and _within(matter, PROPOSE_WITHIN_DAYS)
    return ("PROPOSE" if alike else "NONE"), strength, "the matter was not told on one side"


def _by_names(people: Comparison, matter: MatterEvidence) -> Verdict:
    if matter.other or matter.family == "near" or not _within(matter, LINK_WITHIN_DAYS):
        return "NONE"
    if matter.sums == "equal":
        return "PROPOSE"
    if matter.sums != "unknown" or matter.family != "equal" or not _within(matter, NAMES_WITHIN_DAYS):
        return "NONE"
    hint = matter.same_body or matter.same_mediator or matter.event == "equal"
    return "PROPOSE" if hint or people.weight >= RARE_NAMES_BITS else "NONE"


def _within(matter: MatterEvidence, days: int) -> bool:
    return matter.apart is None or matter.apart <= days


def _matter_rows(matter: MatterEvidence) -> list[tuple[str, str, float]]:
    weights: dict[str, dict[str, float]] = {
        "cause": {"equal": 3.0, "near": 1.0, "different": -8.0},
        "sum": {"equal": 8.0, "near": 1.0, "different": -4.0},
        "day of the event": {"equal": 5.0, "different": -6.0},
        "day of the agreement": {"equal": 4.0},
    }
    told = {
        "cause": matter.family,
        "sum": matter.sums,
        "day of the event": matter.event,
        "day of the agreement": matter.agreed,
    }
    rows: list[tuple[str, str, float]] = [
        (name, how, weights[name].get(how, 0.0)) for name, how in told.items()
    ]
    for name, same, weight in (
        ("plate", matter.same_plate, 8.0),
        ("mediation body", matter.same_body, 2.0),
        ("mediator", matter.same_mediator, 2.0),
    ):
        if same:
            rows.append((name, "equal", weight))
    return rows


def _reasons(
    number: tuple[str, str] | None, people: Comparison, matter: MatterEvidence, why: str
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    if number:
        rows.append(
            {"field": "number", "agreement": number[0], "weight": 40.0, "one": number[1], "other": number[1]}
        )
    for match in people.matches:
        for sign in match.signs:
            rows.append(
                {
                    "field": "party",
                    "agreement": sign.name,
                    "weight": sign.weight,
                    "one": sign.one,
                    "other": sign.other,
                }
            )
    for sign in [*people.conflicts, *people.doubtful]:
        rows.append(
            {
                "field": "party",
                "agreement": sign.name,
                "weight": sign.weight,
                "one": sign.one,
                "other": sign.other,
            }
        )
    for name, how, weight in _matter_rows(matter):
        if how != "unknown":
            rows.append({"field": name, "agreement": how, "weight": weight})
    if matter.apart is not None:
        rows.append({"field": "days between beginnings", "agreement": str(matter.apart), "weight": 0.0})
    if why:
        rows.append({"field": "rule", "agreement": why, "weight": 0.0})
    return rows
