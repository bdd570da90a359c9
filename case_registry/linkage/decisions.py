"""People's word about pairs of a joined register: what it says of the result, and the threshold that it bears out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from case_registry.link_learning import Answer, Estimate, Part, needed, share_of, threshold_for, true_pairs
from case_registry.linkage.engine import Linked, odds
from case_registry.linkage.reasons import probability
from case_registry.linkage.tables import BadTable, read_tables
from case_registry.linkage.values import Array, Floats, Ints

BANDS = (0.001, 0.01, 0.05, 0.2, 0.5, 0.8, 0.95, 0.99, 0.999)
"""Probabilities at which decisions are counted apart."""
LEAST_ANSWERS = 30
"""Fewer decisions than this give no figure."""
SAMPLED = 300
SEED = 20260401
_SAME = frozenset({"same", "yes", "1", "true", "同一", "同一纠纷", "是"})
_DIFFERENT = frozenset({"different", "no", "0", "false", "不同", "不同纠纷", "否"})
_UNCLEAR = frozenset({"", "unclear", "later", "?", "不明", "暂不能判断"})


@dataclass(frozen=True)
class Decided:
    """Pairs of rows i, j on which people decided; `same` says what. `unclear`: rows of the file without a decision."""

    i: Ints
    j: Ints
    same: Array
    unclear: int


def read_decisions(path: Path, ids: Sequence[str]) -> Decided:
    """A file with columns `one`, `other` (ids of records) and `verdict` (same or different; empty = cannot tell).

    The later word about a pair holds. Raises BadTable, with the row, for an id or a verdict that there is not.
    """
    frame = read_tables([path])
    missing = {"one", "other", "verdict"} - set(frame.columns)
    if missing:
        raise BadTable(f"{path.name}: found columns {', '.join(frame.columns)}, expected one, other, verdict")
    place = {name: row for row, name in enumerate(ids)}
    told: dict[tuple[int, int], bool] = {}
    unclear = 0
    for k, (one, other, verdict) in enumerate(frame.select("one", "other", "verdict").iter_rows(), start=2):
        word = (verdict or "").strip().lower()
        if one not in place or other not in place or one == other:
            raise BadTable(f"{path.name}, row {k}: found {one!r}, {other!r}, expected ids of two records")
        if word not in _SAME | _DIFFERENT | _UNCLEAR:
            raise BadTable(f"{path.name}, row {k}: found {verdict!r}, expected same, different or nothing")
        unclear += word in _UNCLEAR
        if word not in _UNCLEAR:
            a, b = sorted((place[one], place[other]))
            told[a, b] = word in _SAME
    pairs = np.array(list(told), dtype=np.int64).reshape(-1, 2)
    return Decided(pairs[:, 0], pairs[:, 1], np.array(list(told.values()), dtype=bool), unclear)


def learnt(linked: Linked, decided: Decided, wanted: float) -> dict[str, Any]:
    """Precision and recall of the result with their intervals, and the threshold for the share `wanted` of right links.

    Each kind of pair (linked or not, by probability) weighs as many as there are of it; honest where the pairs decided on
    were drawn at random within their kind, as `draw` draws them. Pairs that share no key are in no figure. The
    threshold counts every decision alike: where doubtful pairs were asked about more often, it errs upwards.
    """
    bits = linked.model.score(
        linked.prepared, linked.prepared, decided.i, decided.j,
        linked.model.compare(linked.prepared, linked.prepared, decided.i, decided.j),
    )  # fmt: skip
    _, there = _kinds(linked)
    own = _kind(bits, linked.cluster[decided.i] == linked.cluster[decided.j])
    known = np.isin(_pair_key(linked, decided.i, decided.j), _pair_key(linked, linked.all_i, linked.all_j))
    parts = []
    for kind in range(len(there)):
        said = decided.same[known & (own == kind)]
        parts.append((kind > len(BANDS), Part(float(there[kind]), int(said.sum()), len(said))))
    right = true_pairs(part for is_linked, part in parts if is_linked)
    missed = true_pairs(part for is_linked, part in parts if not is_linked)
    number = sum(part.population for is_linked, part in parts if is_linked)
    asked = sum(part.asked for is_linked, part in parts if is_linked)
    enough = asked >= LEAST_ANSWERS
    both = enough and sum(part.asked for is_linked, part in parts if not is_linked) >= LEAST_ANSWERS
    answers: list[Answer] = list(zip(bits.tolist(), decided.same.tolist(), strict=True))
    cut = threshold_for(answers, wanted)
    return {
        "decisions": len(answers), "same": int(decided.same.sum()), "unclear": decided.unclear, "without_key": int((~known).sum()),
        "precision": _told(_over(right, number), enough),
        "recall": _told(share_of(right, missed), both),
        "least_decisions": LEAST_ANSWERS, "wanted": wanted, "needed": needed(wanted),
        "threshold": None if cut is None else {
            "probability": round(float(probability(np.array([cut.score]))[0]), 6), "bits": round(cut.score, 3),
            "right": cut.right, "decisions": cut.asked, "low": round(cut.low, 4),
        },
        "by_probability": _by_probability(parts),
    }  # fmt: skip


def _pair_key(linked: Linked, i: Ints, j: Ints) -> Ints:
    """One number a pair, whichever row is named first."""
    return np.asarray(np.minimum(i, j) * len(linked.cluster) + np.maximum(i, j), dtype=np.int64)


def _over(pairs: Estimate, number: float) -> Estimate:
    """A number of pairs as a share of all."""
    if not number:
        return Estimate(None, 0.0, 1.0)
    return Estimate(
        None if pairs.value is None else pairs.value / number, pairs.low / number, pairs.high / number
    )


def _told(estimate: Estimate, enough: bool) -> dict[str, float | None]:
    value = round(estimate.value, 4) if enough and estimate.value is not None else None
    return {"value": value, "low": round(estimate.low, 4), "high": round(estimate.high, 4)}


def _by_probability(parts: Sequence[tuple[bool, Part]]) -> list[dict[str, Any]]:
    limits = (0.0, *BANDS, 1.0)
    found = []
    for kind, (is_linked, part) in enumerate(parts):
        band = kind % (len(BANDS) + 1)
        if part.population:
            low, high = part.interval
            found.append(
                {"linked": is_linked, "from": limits[band], "to": limits[band + 1], "pairs": int(part.population),
                 "decided": part.asked, "same": part.same, "low": round(low, 4), "high": round(high, 4)}
            )  # fmt: skip
    return found


def _kind(bits: Floats, is_linked: Array) -> Ints:
    """The kind of each pair: its band of probability, those that were linked after those that were not."""
    band = np.searchsorted([odds(p) for p in BANDS], bits, side="right")
    return np.asarray(band + (len(BANDS) + 1) * is_linked, dtype=np.int64)


def _kinds(linked: Linked) -> tuple[Ints, Ints]:
    """The kind of each candidate pair, and how many there are of each kind."""
    kinds = _kind(linked.all_bits, linked.cluster[linked.all_i] == linked.cluster[linked.all_j])
    return kinds, np.bincount(kinds, minlength=2 * (len(BANDS) + 1))


def draw(frame: pl.DataFrame, ids: Sequence[str], linked: Linked, most: int = SAMPLED) -> pl.DataFrame:
    """Pairs for people to decide, drawn at random within each kind, as many of each; without score, in mixed order.

    Columns one, other, verdict (empty), then each column of the records twice, side by side. The same records give the
    same pairs.
    """
    chance = np.random.default_rng(SEED)
    kinds, there = _kinds(linked)
    present = np.flatnonzero(there)
    share = -(-most // max(1, len(present)))
    chosen = [chance.permutation(np.flatnonzero(kinds == kind))[:share] for kind in present]
    drawn = chance.permutation(np.concatenate(chosen))[:most] if chosen else np.zeros(0, np.int64)
    one, other = linked.all_i[drawn], linked.all_j[drawn]
    columns: Mapping[str, Any] = {
        "one": [ids[k] for k in one.tolist()],
        "other": [ids[k] for k in other.tolist()],
        "verdict": [""] * len(drawn),
    }
    sides = [
        pl.Series(f"{name} ({which})", frame[name].gather(rows.tolist()))
        for name in frame.columns
        for which, rows in (("one", one), ("other", other))
    ]
    text = dict.fromkeys(("one", "other", "verdict"), pl.String)
    return pl.DataFrame(columns, schema_overrides=text).with_columns(sides)
