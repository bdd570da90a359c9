"""What the data say about the configured fields: whole names to be taken apart, fields that repeat others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from case_registry.linkage.fields import Field, Single
from case_registry.linkage.folding import fold, has_han, person_name
from case_registry.linkage.kind import Kind
from case_registry.linkage.kinds import KINDS
from case_registry.linkage.values import Levels, Values, column

ENOUGH = 10
"""Rows that must tell two columns of names before one can be held to repeat the other."""
REPEATED = 0.5
"""The share of such rows in which one name holds the other."""
LOOKED_AT = 20_000
_TITLES = re.compile(
    r"\b(?:sir|lord|lady|dame|rev|reverend|dr|mr|mrs|miss|the|hon|st|count|prince|princess|king|queen|jr|sr|"
    r"\d+(?:st|nd|rd|th)?|baron|baronet|earl|duke|marquess|viscount|bishop|of|de|von|van)\b"
)


def shaped(fields: Sequence[Field], frame: pl.DataFrame) -> list[Field]:
    """The fields, with a lone column of whole Latin names taken apart into given names and surname."""
    names = [f for f in fields if isinstance(f, Single) and f.kind is KINDS["name"]]
    if len(names) != 1 or names[0].columns[0] not in frame.columns:
        return list(fields)
    texts = [text for text in column(frame, names[0].columns[0])[:LOOKED_AT] if text]
    whole = sum(" " in text.strip() and not has_han(text) for text in texts)
    if whole < 0.5 * len(texts) or not texts:
        return list(fields)
    made: list[Field] = []
    for f in fields:
        if f is names[0]:
            for label, part in (("given name", _given), ("surname", _surname)):
                kind = KINDS["name"]
                own = Kind(kind.levels, kind.start, part, kind.unequal, kind.pieces, kind.study)
                made.append(Single(f"{f.label}: {label}", own, f.columns))
        else:
            made.append(f)
    return made


def _words(text: str) -> list[str]:
    head, _, tail = text.partition(",")
    if tail and len(head.split()) == 1 and not _TITLES.search(fold(tail)):
        return [*fold(tail).split(), *fold(head).split()]  # Clifford, Thomas
    plain = fold(person_name(head)[0])
    return [word for word in plain.split() if not _TITLES.fullmatch(word)] or plain.split()


def _given(text: str) -> str:
    words = _words(text)
    return words[0] if len(words) > 1 else ""


def _surname(text: str) -> str:
    words = _words(text)
    return words[-1] if words else ""


def is_name(f: Field) -> bool:
    """Whether the field is a column of names."""
    return isinstance(f, Single) and f.kind.levels == KINDS["name"].levels


def repeated(fields: Sequence[Field], prepared: Sequence[Any]) -> dict[int, list[int]]:
    """Columns of names that repeat others (a whole name beside its parts): place → places of those it repeats."""
    names = [k for k, f in enumerate(fields) if is_name(f)]
    ties: dict[int, set[int]] = {k: set() for k in names}
    for x, a in enumerate(names):
        for b in names[x + 1 :]:
            if _one_in_other(prepared[a], prepared[b]) >= REPEATED:
                ties[a].add(b)
                ties[b].add(a)
    found: dict[int, list[int]] = {}
    while any(ties.values()):
        worst = max(ties, key=lambda k: (len(ties[k]), k))
        found[worst] = sorted(ties[worst])
        for other in ties.pop(worst):
            ties[other].discard(worst)
    return found


def _one_in_other(one: Values, other: Values) -> float:
    """The share of the rows telling both in which the words of one value are among those of the other."""
    both = np.flatnonzero((one.code >= 0) & (other.code >= 0))[:LOOKED_AT]
    if len(both) < ENOUGH:
        return 0.0
    held = 0
    for row in both.tolist():
        first, second = one.text[one.code[row]], other.text[other.code[row]]
        held += first in second or second in first or not set(first.split()) ^ set(second.split())
    return held / len(both)


def silenced(levels: Sequence[Levels], repeats: dict[int, list[int]]) -> None:
    """Let a field that repeats others speak only where none of them is told."""
    for place, others in repeats.items():
        told = np.zeros(len(levels[place]), bool)
        for other in others:
            told |= levels[other] > 0
        levels[place][told] = 0
