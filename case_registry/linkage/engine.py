"""Linking a table: prepare, find candidates, learn weights, score, group. One process, one table in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from case_registry.linkage.blocking import candidate_pairs, rules
from case_registry.linkage.config import BadConfig, Config
from case_registry.linkage.facts import Facts
from case_registry.linkage.fields import Field
from case_registry.linkage.grouping import FORBIDDEN, group
from case_registry.linkage.scoring import Model, compare
from case_registry.linkage.shaping import repeated, shaped, silenced
from case_registry.linkage.values import Array, Floats, Ints, Levels
from case_registry.linkage.weights import Weights, learn

CHANCE_PAIRS = 300_000
SURE_BITS = 6.0
FEW_DOUBLES = 0.02


@dataclass
class Linked:
    """`cluster`: the group of each row (its first row's number). Pairs i, j with log odds `bits` from `propose` up;
    `linked`: whether the pair ended in one group. `all_i`, `all_j`, `all_bits`: every candidate pair that nothing keeps
    apart, where they are asked for."""

    cluster: Ints
    i: Ints
    j: Ints
    bits: Floats
    linked: Array
    model: Model
    prepared: list[Any] = field(default_factory=list)
    all_i: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    all_j: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    all_bits: Floats = field(default_factory=lambda: np.zeros(0))


def link(frame: pl.DataFrame, config: Config, *, keep_all: bool = False) -> Linked:
    """Group the rows of a table. `keep_all`: keep every candidate pair, for decisions to be weighed by. Raises BadConfig
    for a column that there is not."""
    rows = frame.height
    fields = shaped(config.fields, frame)
    prepared = prepare(frame, fields)
    if rows < 2:
        none = np.zeros(0, np.int64)
        weights = Weights([np.array(f.start) for f in fields], [np.array(f.start) for f in fields], 0.5)
        model = Model(config, fields, weights)
        return Linked(np.zeros(rows, np.int64), none, none, np.zeros(0), np.zeros(0, bool), model, prepared)
    facts = Facts(frame, config)
    source = facts.code(config.source, "source") if config.source else None
    within = config.within_source
    pieces = {f.label: f.pieces(p) for f, p in zip(fields, prepared, strict=True)}
    only_between = source if within is False else None
    i, j, used = candidate_pairs(rules(pieces, rows), rows, config.max_pairs, only_between)
    levels = compare(fields, prepared, prepared, i, j)
    model = _learnt(config, fields, prepared, rows, levels, only_between)
    model.rules = used
    bits = model.score(prepared, prepared, i, j, levels)
    if source is not None and within is None:
        within = not _no_doubles(source, i, j, bits)

    def apart(a: Ints, b: Ints, own: Sequence[Levels]) -> Array:
        found = facts.apart(fields, a, b, own)
        return found | (source[a] == source[b]) if source is not None and within is False else found

    def judged(a: Ints, b: Ints) -> Floats:
        own = model.compare(prepared, prepared, a, b)
        return np.where(apart(a, b, own), FORBIDDEN, model.score(prepared, prepared, a, b, own))

    limit, floor = odds(config.threshold), odds(config.propose)
    forbidden = apart(i, j, levels)
    held = np.where(model.strong(levels), bits, np.minimum(bits, limit))
    cluster = group(rows, i, j, np.where(forbidden, FORBIDDEN, held), judged, limit)
    every = (i[~forbidden], j[~forbidden], bits[~forbidden]) if keep_all else ()
    keep = (bits >= floor) & ~forbidden
    i, j, bits = i[keep], j[keep], bits[keep]
    return Linked(cluster, i, j, bits, cluster[i] == cluster[j], model, prepared, *every)


def odds(probability: float) -> float:
    """A probability as log odds in bits."""
    return float(np.log2(probability / (1 - probability)))


def prepare(frame: pl.DataFrame, fields: Sequence[Field]) -> list[Any]:
    """Boil every field's columns down. Raises BadConfig."""
    found = []
    for f in fields:
        try:
            found.append(f.prepare(frame))
        except KeyError as error:
            expected = "a column: " + ", ".join(frame.columns)
            raise BadConfig(f"field {f.label}", error.args[0], expected) from None
    return found


def _learnt(
    config: Config, fields: list[Field], prepared: Sequence[Any], rows: int, levels: Sequence[Levels], source: Ints | None
) -> Model:  # fmt: skip
    pairs = rows * (rows - 1) / 2
    if rows * (rows - 1) // 2 <= CHANCE_PAIRS:
        i, j = np.triu_indices(rows, 1)
    else:
        draw = np.random.default_rng(20260401)
        i, j = draw.integers(0, rows, CHANCE_PAIRS), draw.integers(0, rows, CHANCE_PAIRS)
        i, j = i[i != j], j[i != j]
    if source is not None:
        keep = source[i] != source[j]
        pairs *= float(keep.mean()) if len(keep) else 1.0
        i, j = i[keep], j[keep]
    chance = compare(fields, prepared, prepared, i.astype(np.int64), j.astype(np.int64))
    repeats = repeated(fields, prepared)
    silenced(chance, repeats)
    silenced(levels, repeats)
    weights = learn(fields, levels, chance, rows, max(pairs, 1.0), _given(config, fields))
    return Model(config, fields, weights, repeats)


def _given(config: Config, fields: Sequence[Field]) -> Weights | None:
    told = config.weights
    if not told:
        return None
    blank = [np.full(len(f.levels), np.nan) for f in fields]
    found = Weights([b.copy() for b in blank], blank, float(told.get("prior", np.nan)))
    for place, f in enumerate(fields):
        row = told.get("field", {}).get(f.label, {})
        for name, target in (("m", found.m), ("u", found.u)):
            if name in row:
                if len(row[name]) != len(f.levels):
                    path = f"weights.field.{f.label}.{name}"
                    raise BadConfig(path, len(row[name]), f"{len(f.levels)} values: {', '.join(f.levels)}")
                target[place] = np.array(row[name], dtype=np.float64)
    return found


def _no_doubles(source: Ints, i: Ints, j: Ints, bits: Floats) -> bool:
    """Whether the data say that no source holds a thing twice: of the sure pairs, hardly any is within one."""
    sure = bits > SURE_BITS
    within = int((sure & (source[i] == source[j])).sum())
    return within < FEW_DOUBLES * int(sure.sum())
