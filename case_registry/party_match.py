"""Two sets of parties, compared without regard to side: who is whom, on what evidence, and who cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from case_registry.names import body_agreement, name_weight, person_agreement
from case_registry.parties import Party
from schemas.identifiers import mask_id, masked_ids_agree

STRONG = frozenset({"id", "masked id + name", "phone + name", "credit code + name"})
"""The signs without which nothing is linked by itself (design, "Linking by itself")."""

Cover = Literal["both", "unknown", "one", "none"]
_NAME_CAP = 12.0
_RANK = {"exact": 4, "sound": 3, "near": 2, "surname": 1, "none": 0}


@dataclass(frozen=True)
class Sign:
    """One agreement or contradiction between two parties. `weight` in bits; below zero = against."""

    name: str
    weight: float
    one: str
    other: str


@dataclass(frozen=True)
class Match:
    """Two parties held to be the same, by these signs."""

    one: Party
    other: Party
    signs: tuple[Sign, ...]

    @property
    def weight(self) -> float:
        """Bits that the signs say together."""
        return sum(sign.weight for sign in self.signs)

    @property
    def strong(self) -> bool:
        """Whether one of the signs may link by itself."""
        return any(sign.name in STRONG for sign in self.signs)


@dataclass
class Comparison:
    """Two sets of parties compared.

    `cover`: "both" = people on both sides agree; "unknown" = one side agrees and the other was not told;
    "one" = one side agrees and the other does not; "none". `conflicts`: same name, other identity.
    `doubtful`: such a conflict beside an equal phone (the writer's id on a petition).
    """

    matches: list[Match] = field(default_factory=list)
    conflicts: list[Sign] = field(default_factory=list)
    doubtful: list[Sign] = field(default_factory=list)
    cover: Cover = "none"

    @property
    def strong_sides(self) -> int:
        """How many people match by a strong sign, 2 at most."""
        return min(2, sum(match.strong for match in self.matches))

    @property
    def weight(self) -> float:
        """Bits that all matches say together."""
        return sum(match.weight for match in self.matches)


def compare_parties(one: Sequence[Party], other: Sequence[Party]) -> Comparison:
    """Match two sets of parties one to one, best evidence first; ties by position in the sorted sets."""
    result = Comparison()
    scored: list[tuple[float, int, int, tuple[Sign, ...]]] = []
    conflicts: list[tuple[int, int, Sign, bool]] = []
    for i, p in enumerate(one):
        for j, q in enumerate(other):
            if p.body is not q.body:
                continue
            signs, conflict, phone = (_bodies if p.body else _people)(p, q)
            if conflict is not None:
                conflicts.append((i, j, conflict, phone))
                if (
                    phone
                ):  # perhaps the writer's number: the person may still be the one, and a person decides
                    scored.append(
                        (-4.0, i, j, (Sign("name and phone, other id", 4.0, conflict.one, conflict.other),))
                    )
            elif signs:
                scored.append((-sum(s.weight for s in signs), i, j, signs))
    used_one: set[int] = set()
    used_other: set[int] = set()
    for _, i, j, signs in sorted(scored, key=lambda row: row[:3]):
        if i not in used_one and j not in used_other:
            used_one.add(i)
            used_other.add(j)
            result.matches.append(Match(one[i], other[j], signs))
    for i, j, sign, phone in conflicts:
        if phone and (one[i], other[j]) in [(m.one, m.other) for m in result.matches]:
            result.doubtful.append(sign)
        elif not phone and (i not in used_one or j not in used_other):
            result.conflicts.append(sign)
    result.cover = _cover(one, other, result.matches)
    return result


def _people(p: Party, q: Party) -> tuple[tuple[Sign, ...], Sign | None, bool]:
    level, name_one, name_other = max(
        ((person_agreement(a, b), a, b) for a in p.names for b in q.names), key=lambda row: _RANK[row[0]]
    )
    phone = next(iter(sorted(set(p.phones) & set(q.phones))), "")
    signs: list[Sign] = []
    if p.id and q.id:
        if p.id == q.id:
            name = "id" if level != "none" else "id, other name"
            signs.append(Sign(name, 20.0 if level != "none" else 6.0, mask_id(p.id), mask_id(q.id)))
        elif level in ("exact", "sound"):
            return (), Sign("id differs", -30.0, mask_id(p.id), mask_id(q.id)), bool(phone)
        else:
            return (), None, False
    elif level in ("exact", "sound"):
        agree = _masked_agree(p, q)
        if agree is False:
            return (), Sign("masked id differs", -30.0, _shown(p), _shown(q)), bool(phone)
        if agree:
            signs.append(Sign("masked id + name", 12.0, _shown(p), _shown(q)))
    if phone and level != "none":
        name, weight = {
            "exact": ("phone + name", 14.0),
            "sound": ("phone + name", 12.0),
            "near": ("phone, name nearly", 9.0),
        }.get(level, ("phone, hidden name", 8.0))
        signs.append(Sign(name, weight, phone, phone))
    if level in ("exact", "sound", "near"):
        bits = min(_NAME_CAP, name_weight(min(name_one, name_other, key=len)))
        weight = {"exact": bits, "sound": bits - 3.0, "near": 3.0}[level]
        signs.append(Sign(f"name {level}", round(weight, 2), name_one, name_other))
    return tuple(signs), None, False


def _shown(party: Party) -> str:
    return mask_id(party.id) if party.id else next(iter(party.masked), "")


def _masked_agree(p: Party, q: Party) -> bool | None:
    """Whether what is shown of two ids agrees; None where one side shows nothing."""
    ours, theirs = [x for x in (p.id, *p.masked) if x], [x for x in (q.id, *q.masked) if x]
    if not ours or not theirs:
        return None
    return any(masked_ids_agree(a, b) for a in ours for b in theirs)


def _bodies(p: Party, q: Party) -> tuple[tuple[Sign, ...], Sign | None, bool]:
    level, name_one, name_other = max(
        ((body_agreement(a, b), a, b) for a in p.names for b in q.names), key=lambda row: _RANK[row[0]]
    )
    signs: list[Sign] = []
    if p.credit and q.credit:
        if p.credit == q.credit:
            named = level != "none"
            signs.append(
                Sign("credit code + name" if named else "credit code, other name", 10.0, p.credit, q.credit)
            )
        elif level == "exact":
            return (), Sign("credit code differs", -30.0, p.credit, q.credit), False
        else:
            return (), None, False
    if level != "none":
        signs.append(Sign(f"body name {level}", 8.0 if level == "exact" else 4.0, name_one, name_other))
    return tuple(signs), None, False


def _cover(one: Sequence[Party], other: Sequence[Party], matches: list[Match]) -> Cover:
    if not matches:
        return "none"
    for i, a in enumerate(matches):
        for b in matches[i + 1 :]:
            if a.one.side != b.one.side or a.other.side != b.other.side:
                return "both"
    if _other_side_untold(one, matches, first=True) or _other_side_untold(other, matches, first=False):
        return "unknown"
    return "one"


def _other_side_untold(parties: Sequence[Party], matches: list[Match], *, first: bool) -> bool:
    """Whether the side facing the matched people is missing, or holds hidden names only."""
    matched_sides = {(m.one if first else m.other).side for m in matches}
    facing = [p for p in parties if p.side not in matched_sides]
    return all(p.hidden for p in facing)
