"""Kinds of single values: how each is folded, keyed, and how two that are not equal compare.

A kind's levels run from "equal" to "different". `start`: how often two records of one thing show each level, as a
first guess that learning replaces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist

from case_registry.linkage.days import NO_DAY, ordinal, read_day
from case_registry.linkage.folding import amount, fold, has_han, identity, person_name, sound
from case_registry.linkage.values import Array, Ints, Levels, Piece, Values, hashes, mixed, rows_of

MANY = 20_000
"""Texts from which comparing them is shared between the cores."""
Study = Callable[[Values], None]
Unequal = Callable[[Values, Values, Ints, Ints], Levels]
Pieces = Callable[[Values], dict[str, Piece]]


@dataclass(frozen=True)
class Kind:
    """`study` adds to the values what comparing needs; `unequal` gives the levels of pairs of unequal values."""

    levels: tuple[str, ...]
    start: tuple[float, ...]
    fold: Callable[[str], str]
    unequal: Unequal
    pieces: Pieces
    study: Study = lambda found: None
    numeric: bool = False  # `unequal` is cheap: no need to look for the different pairs first


def _texts(one: Values, other: Values, a: Ints, b: Ints) -> tuple[list[str], list[str]]:
    return [one.text[k] for k in a], [other.text[k] for k in b]


def _alike(one: list[str], other: list[str], scorer: Callable[..., float]) -> Array:
    return np.asarray(
        cpdist(one, other, scorer=scorer, dtype=np.float32, workers=-1 if len(one) > MANY else 1)
    )


# --- names ----------------------------------------------------------------------------------------------------


def _study_name(found: Values) -> None:
    sounds = [sound(text) for text in found.text]
    found.more["sound"] = hashes(sounds)
    found.more["sorted"] = hashes([" ".join(sorted(key.split())) if not has_han(text) else text
                                   for key, text in zip(sounds, found.text, strict=True)])  # fmt: skip
    found.more["han"] = np.array([has_han(text) for text in found.text], dtype=bool)
    found.more["words"] = np.array([text.count(" ") + 1 for text in found.text], dtype=np.int16)
    found.more["long"] = np.array([len(text) for text in found.text], dtype=np.int16)


def _unequal_names(one: Values, other: Values, a: Ints, b: Ints) -> Levels:
    first, second = _texts(one, other, a, b)
    level = np.full(len(a), 6, np.int8)
    han = one.more["han"][a] & other.more["han"][b]
    shorter = np.minimum(one.more["long"][a], other.more["long"][b])
    jaro = _alike(first, second, JaroWinkler.similarity)
    edits = _alike(first, second, OSA.distance)
    level[~han & (jaro >= 0.82) & (shorter >= 3)] = 5
    words = ~han & (np.maximum(one.more["words"][a], other.more["words"][b]) > 1)
    if words.any():
        k = np.flatnonzero(words)
        shared = _alike([first[x] for x in k], [second[x] for x in k], fuzz.token_set_ratio)
        level[k[(shared >= 95) & (shorter[k] >= 3)]] = 4
    initial = ~han & (shorter == 1) & (jaro > 0.7)
    level[initial] = 4
    level[np.where(han, (edits <= 1) & (shorter >= 3), (jaro >= 0.92) | ((edits <= 1) & (shorter >= 4)))] = 3
    same_sound = one.more["sound"][a] == other.more["sound"][b]
    level[same_sound & (han | (jaro >= 0.75))] = 2
    level[words & (one.more["sorted"][a] == other.more["sorted"][b])] = 2
    return level


def _name_pieces(found: Values) -> dict[str, Piece]:
    heads = hashes([text if has_han(text) else text[:4] for text in found.text])
    word_rows, words = [], []
    several = np.flatnonzero(found.more["words"] > 1)
    if several.size:
        rows_by_code = _rows_by_code(found.code, several)
        for code, rows in rows_by_code:
            for key in set(sound(found.text[code]).split()):
                if len(key) > 1:
                    word_rows.append(rows)
                    words += [key] * len(rows)
    pieces = {
        "same": rows_of(found, found.hash), "sound": rows_of(found, found.more["sorted"]),
        "head": rows_of(found, heads),
    }  # fmt: skip
    if words:
        pieces["word"] = Piece(np.concatenate(word_rows), hashes(words))
    return pieces


def _rows_by_code(code: Ints, wanted: Ints) -> list[tuple[int, Ints]]:
    order = np.argsort(code, kind="stable")
    starts, ends = np.searchsorted(code[order], wanted), np.searchsorted(code[order], wanted, "right")
    return [(int(c), order[s:e]) for c, s, e in zip(wanted, starts, ends, strict=True) if e > s]


# --- days -----------------------------------------------------------------------------------------------------


def _fold_day(text: str) -> str:
    told = read_day(text)
    return "" if told == NO_DAY else f"{told[0]:04d}{told[1]:02d}{told[2]:02d}"


def _study_day(found: Values) -> None:
    parts = np.array(
        [(int(t[:4] or 0), int(t[4:6] or 0), int(t[6:] or 0)) for t in found.text] or [NO_DAY], dtype=np.int64
    )
    # Where New Year's Day is far too frequent, it stands for "some day of the year".
    newyear = (parts[:, 1] == 1) & (parts[:, 2] == 1)
    counts = (
        np.bincount(found.code[found.code >= 0], minlength=len(parts)) if len(found.text) else np.zeros(1)
    )
    if counts[newyear].sum() > 0.02 * max(1, counts.sum()):
        parts[newyear, 1:] = 0
    found.more["year"], found.more["month"], found.more["day"] = parts.T.copy()
    found.more["at"] = np.array([ordinal((int(y), int(m), int(d))) for y, m, d in parts], dtype=np.int64)


def _one_slip(a: Array, b: Array, places: int) -> Array:
    """Whether two numbers differ in one decimal digit, or by two neighbouring digits exchanged."""
    differ = np.zeros(len(a), np.int16)
    swapped = np.zeros(len(a), bool)
    for k in range(places):
        x, y = a // 10**k % 10, b // 10**k % 10
        differ += x != y
        if k + 1 < places:
            p, q = a // 10 ** (k + 1) % 10, b // 10 ** (k + 1) % 10
            swapped |= (x == q) & (y == p) & (x != y)
    return np.asarray((differ == 1) | ((differ == 2) & swapped))


def _unequal_days(one: Values, other: Values, a: Ints, b: Ints) -> Levels:
    (y1, m1, d1), (y2, m2, d2) = (
        (v.more["year"][k], v.more["month"][k], v.more["day"][k]) for v, k in ((one, a), (other, b))
    )
    level = np.full(len(a), 7, np.int8)
    level[np.abs(y1 - y2) <= 2] = 6
    partial = (m1 == 0) | (m2 == 0) | (d1 == 0) | (d2 == 0)
    level[y1 == y2] = 5
    equal = (y1 == y2).astype(np.int8) + (m1 == m2) + (d1 == d2)
    level[~partial & (equal == 2)] = 3
    level[partial & (y1 == y2) & ((m1 == m2) | (m1 == 0) | (m2 == 0))] = 4
    slip = (
        ((y1 != y2) & (m1 == m2) & (d1 == d2) & _one_slip(y1, y2, 4))
        | ((y1 == y2) & (m1 != m2) & (d1 == d2) & _one_slip(m1, m2, 2))
        | ((y1 == y2) & (m1 == m2) & (d1 != d2) & _one_slip(d1, d2, 2))
        | ((y1 == y2) & (m1 == d2) & (d1 == m2))
    )
    level[~partial & slip] = 2
    return level


def _day_pieces(found: Values) -> dict[str, Piece]:
    whole = np.where(found.more["day"] > 0, found.hash, np.uint64(0))
    month_day = (found.more["month"] * 100 + found.more["day"]).astype(np.uint64)
    return {
        "same": rows_of(found, whole),
        "year": rows_of(found, found.more["year"].astype(np.uint64), alone=False),
        "month and day": rows_of(
            found, np.where(found.more["day"] > 0, month_day, np.uint64(0)), alone=False
        ),
    }


APART = (3, 31, 92, 183, 366, 1100)
"""Days within which two moments are near, level by level."""


def _unequal_moments(one: Values, other: Values, a: Ints, b: Ints) -> Levels:
    apart = np.abs(one.more["at"][a] - other.more["at"][b])
    return np.asarray(np.searchsorted(np.array(APART), apart) + 2, dtype=np.int8)


def _moment_pieces(found: Values) -> dict[str, Piece]:
    month = (found.more["at"] // 30).astype(np.uint64)
    return {"same": rows_of(found, found.hash, alone=False), "month": rows_of(found, month, alone=False)}


# --- ids, codes, sums, words ----------------------------------------------------------------------------------


def _study_id(found: Values) -> None:
    found.more["hidden"] = np.array(["*" in text for text in found.text], dtype=bool)
    ends = [
        text[:4] + text[-4:] if len(text) > 9 and "*" not in text[:4] + text[-4:] else ""
        for text in found.text
    ]
    found.more["ends"] = np.where([bool(e) for e in ends], hashes(ends), np.uint64(0))


def _unequal_ids(one: Values, other: Values, a: Ints, b: Ints) -> Levels:
    first, second = _texts(one, other, a, b)
    level = np.where(_alike(first, second, OSA.distance) <= 1, 3, 4).astype(np.int8)
    for k in np.flatnonzero(one.more["hidden"][a] | other.more["hidden"][b]):
        x, y = first[k], second[k]
        shown = [(p, q) for p, q in zip(x, y, strict=False) if "*" not in (p, q)]
        level[k] = 2 if len(x) == len(y) and len(shown) >= 4 and all(p == q for p, q in shown) else 4
    return level


def _id_pieces(found: Values) -> dict[str, Piece]:
    whole = np.where(found.more["hidden"], np.uint64(0), found.hash)
    return {"same": rows_of(found, whole), "ends": rows_of(found, found.more["ends"])}


def _unequal_codes(one: Values, other: Values, a: Ints, b: Ints) -> Levels:
    first, second = _texts(one, other, a, b)
    level = np.full(len(a), 4, np.int8)
    level[one.more["head"][a] == other.more["head"][b]] = 3
    level[_alike(first, second, OSA.distance) <= 1] = 2
    return level


def _study_code(found: Values) -> None:
    heads = [text[: max(2, len(text) - 3)] for text in found.text]
    found.more["head"] = hashes(heads)


def _code_pieces(found: Values) -> dict[str, Piece]:
    return {"same": rows_of(found, found.hash), "head": rows_of(found, found.more["head"], alone=False)}


def _fold_amount(text: str) -> str:
    told = amount(text)
    return "" if told is None else f"{told:.2f}"


def _study_amount(found: Values) -> None:
    found.more["sum"] = np.array([float(text or 0) for text in found.text] or [0.0])


def _unequal_amounts(one: Values, other: Values, a: Ints, b: Ints) -> Levels:
    x, y = one.more["sum"][a], other.more["sum"][b]
    off = np.abs(x - y) / np.maximum(np.maximum(np.abs(x), np.abs(y)), 1e-9)
    return np.asarray(np.searchsorted(np.array((0.005, 0.05, 0.3)), off) + 2, dtype=np.int8)


def _unequal_words(one: Values, other: Values, a: Ints, b: Ints) -> Levels:
    first, second = _texts(one, other, a, b)
    level = np.full(len(a), 4, np.int8)
    level[_alike(first, second, fuzz.token_set_ratio) >= 95] = 3
    level[_alike(first, second, JaroWinkler.similarity) >= 0.88] = 2
    return level


def _unequal_texts(one: Values, other: Values, a: Ints, b: Ints) -> Levels:
    first, second = _texts(one, other, a, b)
    alike = _alike(first, second, fuzz.token_sort_ratio)
    return np.asarray(5 - np.searchsorted(np.array((40.0, 60.0, 85.0)), alike), dtype=np.int8)


def _plain_pieces(found: Values) -> dict[str, Piece]:
    return {"same": rows_of(found, found.hash, alone=False)}


def _no_pieces(found: Values) -> dict[str, Piece]:
    return {}


def _fold_name(text: str) -> str:
    return person_name(text)[0]


KINDS: dict[str, Kind] = {
    "name": Kind(("equal", "same sound or words", "one slip", "part of the other", "alike", "different"),
                 (0.70, 0.06, 0.10, 0.05, 0.04, 0.05), _fold_name, _unequal_names, _name_pieces, _study_name),
    "date": Kind(("equal", "one slip", "two parts of three", "as far as told", "same year", "within two years", "different"),
                 (0.72, 0.08, 0.05, 0.06, 0.04, 0.02, 0.03), _fold_day, _unequal_days, _day_pieces, _study_day, True),
    "moment": Kind(("equal", "3 days", "a month", "3 months", "6 months", "a year", "3 years", "further"),
                   (0.30, 0.08, 0.15, 0.2, 0.12, 0.1, 0.04, 0.01), _fold_day, _unequal_moments, _moment_pieces, _study_day,
                   True),
    "id": Kind(("equal", "shown places agree", "one slip", "different"), (0.85, 0.08, 0.04, 0.03), identity,
               _unequal_ids, _id_pieces, _study_id),
    "code": Kind(("equal", "one slip", "same head", "different"), (0.75, 0.08, 0.10, 0.07), identity, _unequal_codes,
                 _code_pieces, _study_code),
    "amount": Kind(("equal", "rounded", "within 5 %", "within 30 %", "different"), (0.8, 0.05, 0.03, 0.05, 0.07),
                   _fold_amount, _unequal_amounts, _plain_pieces, _study_amount, True),
    "place": Kind(("equal", "alike", "part of the other", "different"), (0.8, 0.08, 0.05, 0.07), fold,
                  _unequal_words, _plain_pieces),
    "category": Kind(("equal", "alike", "part of the other", "different"), (0.85, 0.02, 0.03, 0.10), fold,
                     _unequal_words, _plain_pieces),
    "text": Kind(("equal", "very alike", "alike", "a little alike", "different"), (0.3, 0.25, 0.2, 0.15, 0.1), fold,
                 _unequal_texts, _no_pieces),
}  # fmt: skip
"""Kinds of values that a configuration may name, besides `phone`, `numbers` and `people`."""

__all__ = ["KINDS", "Kind", "mixed"]
