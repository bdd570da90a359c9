"""Ids, codes, sums, places and texts, and the table of all kinds that a configuration may name."""

from __future__ import annotations

import numpy as np
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, JaroWinkler

from case_registry.linkage.day_kinds import DATE, MOMENT
from case_registry.linkage.folding import amount, fold, identity
from case_registry.linkage.kind import Kind, alike, texts
from case_registry.linkage.name_kind import NAME
from case_registry.linkage.values import Ints, Levels, Piece, Values, hashes, rows_of


def _study_id(found: Values) -> None:
    found.more["hidden"] = np.array(["*" in text for text in found.text], dtype=bool)
    ends = [
        text[:4] + text[-4:] if len(text) > 9 and "*" not in text[:4] + text[-4:] else ""
        for text in found.text
    ]
    found.more["ends"] = np.where([bool(e) for e in ends], hashes(ends), np.uint64(0))


def _unequal_ids(one: Values, other: Values, a: Ints, b: Ints) -> Levels:
    first, second = texts(one, other, a, b)
    level = np.where(alike(first, second, OSA.distance) <= 1, 3, 4).astype(np.int8)
    for k in np.flatnonzero(one.more["hidden"][a] | other.more["hidden"][b]):
        x, y = first[k], second[k]
        shown = [(p, q) for p, q in zip(x, y, strict=False) if "*" not in (p, q)]
        level[k] = 2 if len(x) == len(y) and len(shown) >= 4 and all(p == q for p, q in shown) else 4
    return level


def _id_pieces(found: Values) -> dict[str, Piece]:
    whole = np.where(found.more["hidden"], np.uint64(0), found.hash)
    return {"same": rows_of(found, whole), "ends": rows_of(found, found.more["ends"])}


def _unequal_codes(one: Values, other: Values, a: Ints, b: Ints) -> Levels:
    first, second = texts(one, other, a, b)
    level = np.full(len(a), 4, np.int8)
    level[one.more["head"][a] == other.more["head"][b]] = 3
    level[alike(first, second, OSA.distance) <= 1] = 2
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
    first, second = texts(one, other, a, b)
    level = np.full(len(a), 4, np.int8)
    level[alike(first, second, fuzz.token_set_ratio) >= 95] = 3
    level[alike(first, second, JaroWinkler.similarity) >= 0.88] = 2
    return level


def _unequal_texts(one: Values, other: Values, a: Ints, b: Ints) -> Levels:
    first, second = texts(one, other, a, b)
    close = alike(first, second, fuzz.token_sort_ratio)
    return np.asarray(5 - np.searchsorted(np.array((40.0, 60.0, 85.0)), close), dtype=np.int8)


def _plain_pieces(found: Values) -> dict[str, Piece]:
    return {"same": rows_of(found, found.hash, alone=False)}


def _no_pieces(found: Values) -> dict[str, Piece]:
    return {}


KINDS: dict[str, Kind] = {
    "name": NAME,
    "date": DATE,
    "moment": MOMENT,
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
