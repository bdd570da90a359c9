"""The authority matrix: of several sources' values for a field, which one people read. Data, with its reasons."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from case_registry.told import read_time
from schemas.canonical import canonical_json
from schemas.claims import JsonValue

BY_DECISION = "decision"
"""The agency of a person's own word about a conflict: before every rank."""


@dataclass(frozen=True)
class Rule:
    """One row of the matrix (`data/authority.toml`)."""

    name: str
    ranks: tuple[tuple[str, ...], ...]
    within: str
    reason: str
    only_stages: frozenset[str]


@dataclass(frozen=True)
class Matrix:
    """The matrix of one version."""

    version: str
    rules: tuple[Rule, ...]

    def rule(self, name: str, stage: str) -> Rule | None:
        """The row for a field in a stage; a row for that stage goes before the general one."""
        general = None
        for row in self.by_name.get(name, ()):
            if stage in row.only_stages:
                return row
            if not row.only_stages and general is None:
                general = row
        return general

    @cached_property
    def by_name(self) -> dict[str, list[Rule]]:
        """The rows of each field, in order."""
        found: dict[str, list[Rule]] = {}
        for row in self.rules:
            found.setdefault(row.name, []).append(row)
        return found


@cache
def matrix() -> Matrix:
    """The matrix in force."""
    raw = tomllib.loads(files("case_registry").joinpath("data/authority.toml").read_text("utf-8"))
    return Matrix(
        raw["version"],
        tuple(
            Rule(
                r["name"],
                tuple(tuple(rank) for rank in r["ranks"]),
                r["within"],
                r["reason"],
                frozenset(r.get("only_stages", ())),
            )
            for r in raw["field"]
        ),
    )


@dataclass(frozen=True)
class Voice:
    """One source's holding value for a field: of which episode, by which claim, in which order among its own."""

    agency: str
    case: tuple[str, str]
    sub_id: str
    value: JsonValue
    claim: int
    told_at: str
    version: str

    @property
    def order(self) -> tuple[str, str, tuple[str, str], str]:
        """Later facts last; the source's own keys break ties, never arrival."""
        return str(read_time(self.told_at) or ""), self.version, self.case, self.sub_id

    @property
    def same(self) -> bytes:
        """What makes two voices say the same."""
        return canonical_json(self.value)


@dataclass(frozen=True)
class Chosen:
    """The value that people read. `undecided`: equally believed voices that differ; then `voice` is only shown,
    marked as disputed. `others`: every other voice."""

    name: str
    voice: Voice
    rule: str
    undecided: tuple[Voice, ...] = ()
    others: tuple[Voice, ...] = field(default=())

    @property
    def value(self) -> JsonValue:
        """The value that people read."""
        return self.voice.value


def choose(name: str, voices: Sequence[Voice], stage: str, using: Matrix | None = None) -> Chosen | None:
    """Choose among the voices for a field; None when nobody tells it (told to be blank is no voice)."""
    speaking = [v for v in voices if v.value is not None]
    if not speaking:
        return None
    rule = (using or matrix()).rule(name, stage)
    if len(speaking) == 1:
        return Chosen(name, speaking[0], _why_alone(speaking[0], rule))
    speaking.sort(key=lambda v: v.order)
    decisions = [v for v in speaking if v.agency == BY_DECISION]
    if decisions:
        return _chosen(name, decisions[-1:], speaking, "a person decided", ())
    if rule is None:
        differing = _one_each(speaking)
        return _chosen(name, differing, speaking, "no rule", differing if len(differing) > 1 else ())
    for rank in rule.ranks:
        heard = [v for v in speaking if v.agency in rank]
        if heard:
            finalists = heard if rule.within == "decide" else _latest_by_agency(heard, rank)
            differing = _one_each(finalists)
            return _chosen(name, differing, speaking, rule.reason, differing if len(differing) > 1 else ())
    return _chosen(name, speaking[-1:], speaking, "no listed source tells it", ())


def _why_alone(voice: Voice, rule: Rule | None) -> str:
    if voice.agency == BY_DECISION:
        return "a person decided"
    if rule is None:
        return "no rule"
    listed = any(voice.agency in rank for rank in rule.ranks)
    return rule.reason if listed else "no listed source tells it"


def _latest_by_agency(heard: Sequence[Voice], rank: Sequence[str]) -> list[Voice]:
    return [
        [v for v in heard if v.agency == agency][-1]
        for agency in rank
        if any(v.agency == agency for v in heard)
    ]


def _one_each(voices: Sequence[Voice]) -> list[Voice]:
    """One voice per distinct value, the latest of each."""
    distinct: dict[bytes, Voice] = {}
    for voice in voices:
        distinct[voice.same] = voice
    return list(distinct.values())


def _chosen(
    name: str, finalists: Sequence[Voice], everyone: Sequence[Voice], why: str, undecided: Sequence[Voice]
) -> Chosen:
    shown = max(finalists, key=lambda v: v.order)
    others = tuple(v for v in everyone if v is not shown)
    return Chosen(name, shown, why, tuple(undecided), others)


def as_row(voice: Voice) -> dict[str, Any]:
    """A voice as JSON: who says what, by which claim."""
    return {
        "agency": voice.agency,
        "partner": voice.case[0],
        "native_id": voice.case[1],
        "sub_id": voice.sub_id,
        "value": voice.value,
        "claim": voice.claim,
        "told_at": voice.told_at,
    }
