"""The record that people read: each field's chosen value with every other source's beside it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from case_registry.authority import Chosen, Voice, choose
from case_registry.episodes import Episode
from case_registry.names import body_core, person_names
from case_registry.whereabouts import Held
from schemas.identifiers import normalise_id

FIELDS = (
    "cause",
    "claimed_fen",
    "agreed_fen",
    "agreed_on",
    "occurred_on",
    "place_code",
    "place_text",
    "people_count",
    "organisation",
    "mediator",
)
"""Fields of the dispute as a whole; everything else is a field of one episode and shown there."""

_NOT_ABOUT_THE_QUARREL = frozenset({"PRESERVATION", "CONFIRMATION", "ENFORCEMENT"})
_OF_THE_QUARREL = frozenset({"cause", "claimed_fen", "occurred_on"})


def voices(name: str, held: Iterable[Held]) -> list[Voice]:
    """What each episode says of a field. Withdrawn episodes still speak: what they said of the event stays said."""
    found = []
    for item in held:
        if name in _OF_THE_QUARREL and item.kind in _NOT_ABOUT_THE_QUARREL:
            continue
        voice = _voice(name, item)
        if voice is not None:
            found.append(voice)
    return found


def _voice(name: str, item: Held) -> Voice | None:
    episode = item.episode
    if name == "agreed_fen" and episode.confirmation and episode.confirmation.get("result") == "CONFIRMED":
        amount = episode.confirmation.get("amount_fen")
        last = episode.last
        return Voice(item.agency, item.case, episode.sub_id, amount, 0, last.event_at, last.version)
    best = episode.fields.get(name)
    if best is None:
        return None
    return Voice(
        item.agency, item.case, episode.sub_id, best.value, best.claim, best.told.event_at, best.told.version
    )


def project(
    held: Sequence[Held], stage: str, decisions: Sequence[Voice] = (), names: Iterable[str] = FIELDS
) -> dict[str, Chosen]:
    """Choose the value of each field that anybody tells. `decisions`: a person's own words, by field in `sub_id`."""
    found = {}
    for name in names:
        chosen = choose(name, [*voices(name, held), *(d for d in decisions if d.sub_id == name)], stage)
        if chosen is not None:
            found[name] = chosen
    return found


@dataclass
class Person:
    """A person or organisation of the dispute, apart from roles.

    `roles`: (agency, native id, sub id, role); `chosen`: id number and phone under the matrix.
    """

    name: str
    kind: str
    names: tuple[str, ...]
    id_number: str = ""
    masked_id: str = ""
    credit_code: str = ""
    phone: str = ""
    address: str = ""
    roles: list[tuple[str, str, str, str]] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)


def people(held: Sequence[Held], stage: str) -> list[Person]:
    """The people of a dispute: parties of all episodes, joined by id number, credit code or name."""
    groups: list[list[tuple[Held, dict[str, Any]]]] = []
    if len(held) == 1:
        return [_person([(held[0], told)], stage) for told in held[0].episode.parties]
    for item in sorted(held, key=lambda h: (h.case, h.episode.sub_id)):
        for told in item.episode.parties:
            for group in groups:
                if any(_same_person(told, other) for _, other in group):
                    group.append((item, told))
                    break
            else:
                groups.append([(item, told)])
    return [_person(group, stage) for group in groups]


def _same_person(one: dict[str, Any], other: dict[str, Any]) -> bool:
    for key in ("id_number", "credit_code"):
        a, b = normalise_id(one.get(key) or ""), normalise_id(other.get(key) or "")
        if a and b:
            return a == b
    fold = body_core if one.get("kind") == "organisation" else _first_name
    return one.get("kind") == other.get("kind") and fold(one["name"]) == fold(other["name"])


def _first_name(text: str) -> str:
    return person_names(text)[0]


def _person(group: list[tuple[Held, dict[str, Any]]], stage: str) -> Person:
    first = group[0][1]
    kind = str(first.get("kind", "person"))
    names = tuple(dict.fromkeys(str(told["name"]) for _, told in group))
    person = Person(max(names, key=len) if kind == "organisation" else names[0], kind, names)
    if len(group) == 1:
        person.id_number, person.phone = str(first.get("id_number") or ""), str(first.get("phone") or "")
    else:
        _choose_for(person, group, stage)
    for _, told in group:
        for name in ("masked_id", "credit_code", "address"):
            if told.get(name) and not getattr(person, name):
                setattr(person, name, str(told[name]))
    person.roles = [
        (item.agency, item.case[1], item.episode.sub_id, str(told.get("role", ""))) for item, told in group
    ]
    return person


def _choose_for(person: Person, group: list[tuple[Held, dict[str, Any]]], stage: str) -> None:
    for name in ("id_number", "phone"):
        chosen = choose(name, [_told_of(name, item, told) for item, told in group], stage)
        if chosen is not None:
            setattr(person, name, str(chosen.value))
            if chosen.undecided:
                person.undecided.append(name)


def _told_of(name: str, item: Held, told: dict[str, Any]) -> Voice:
    best = item.episode.fields["parties"]
    return Voice(
        item.agency,
        item.case,
        item.episode.sub_id,
        told.get(name) or None,
        best.claim,
        best.told.event_at,
        best.told.version,
    )


def distinct_on_one_side(held: Sequence[Held]) -> int:
    """The largest number of distinct people on one side of any episode (unstable factors, U01)."""
    return max((_largest_side(h.episode) for h in held), default=0)


def _largest_side(episode: Episode) -> int:
    sides: dict[str, set[str]] = {}
    for told in episode.parties:
        sides.setdefault(str(told.get("role")), set()).add(str(told.get("id_number") or told.get("name")))
    return max((len(names) for role, names in sides.items() if role != "representative"), default=0)
