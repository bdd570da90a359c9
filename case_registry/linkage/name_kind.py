"""Names: Chinese by character and sound, Latin by spelling, sound, initials and order of words."""

from __future__ import annotations

import numpy as np
from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, JaroWinkler

from case_registry.linkage.folding import has_han, person_name, sound
from case_registry.linkage.kind import Kind, alike, texts
from case_registry.linkage.values import Ints, Levels, Piece, Values, hashes, rows_of


def _fold_name(text: str) -> str:
    return person_name(text)[0]


def _study_name(found: Values) -> None:
    sounds = [sound(text) for text in found.text]
    found.more["sound"] = hashes(sounds)
    found.more["sorted"] = hashes([" ".join(sorted(key.split())) if not has_han(text) else text
                                   for key, text in zip(sounds, found.text, strict=True)])  # fmt: skip
    found.more["han"] = np.array([has_han(text) for text in found.text], dtype=bool)
    found.more["words"] = np.array([text.count(" ") + 1 for text in found.text], dtype=np.int16)
    found.more["long"] = np.array([len(text) for text in found.text], dtype=np.int16)


def _unequal_names(one: Values, other: Values, a: Ints, b: Ints) -> Levels:
    first, second = texts(one, other, a, b)
    level = np.full(len(a), 6, np.int8)
    han = one.more["han"][a] & other.more["han"][b]
    shorter = np.minimum(one.more["long"][a], other.more["long"][b])
    jaro = alike(first, second, JaroWinkler.similarity)
    edits = alike(first, second, OSA.distance)
    level[~han & (jaro >= 0.82) & (shorter >= 3)] = 5
    words = ~han & (np.maximum(one.more["words"][a], other.more["words"][b]) > 1)
    if words.any():
        k = np.flatnonzero(words)
        shared = alike([first[x] for x in k], [second[x] for x in k], fuzz.token_set_ratio)
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


NAME = Kind(("equal", "same sound or words", "one slip", "part of the other", "alike", "different"),
                 (0.70, 0.06, 0.10, 0.05, 0.04, 0.05), _fold_name, _unequal_names, _name_pieces, _study_name)  # fmt: skip
