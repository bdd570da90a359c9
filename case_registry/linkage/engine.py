"""Linking a table: prepare, find candidates, learn weights, score, group. One process, one table in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from case_registry.linkage.blocking import Rule, candidate_pairs, rules
from case_registry.linkage.config import BadConfig, Config
from case_registry.linkage.facts import Facts
from case_registry.linkage.fields import Field, Several, Single
from case_registry.linkage.grouping import FORBIDDEN, group
from case_registry.linkage.kinds import KINDS
from case_registry.linkage.values import Array, Floats, Ints, Levels
from case_registry.linkage.weights import Weights, learn, rarity

CHUNK = 1_000_000
CHANCE_PAIRS = 300_000
DAMPED = 0.5
"""How much of the rarity of a set of people counts: people who quarrel once quarrel again, so that is no chance."""


@dataclass
class Model:
    """What is learnt of a register: fields, weights and the kinds of keys that find pairs."""

    config: Config
    weights: Weights
    rules: list[Rule]


@dataclass
class Linked:
    """`cluster`: the group of each row (its first row's number). Pairs i, j with log odds `bits` from `propose` up;
    `linked`: whether the pair ended in one group."""

    cluster: Ints
    i: Ints
    j: Ints
    bits: Floats
    linked: Array
    model: Model
    prepared: list[Any] = field(default_factory=list)


def link(frame: pl.DataFrame, config: Config) -> Linked:
    """Group the rows of a table. Raises BadConfig for a column that there is not."""
    rows = frame.height
    prepared = prepare(frame, config.fields)
    facts = Facts(frame, config)
    source = facts.code(config.source, "source") if config.source else None
    pieces = {f.label: f.pieces(p) for f, p in zip(config.fields, prepared, strict=True)}
    own_source = source if config.within_source is False else None
    i, j, used = candidate_pairs(rules(pieces, rows), rows, config.max_pairs, own_source)
    levels = compare(config.fields, prepared, prepared, i, j)
    weights = _learnt(config, prepared, rows, levels, source if config.within_source is False else None)
    bits = score(config.fields, weights, prepared, prepared, i, j, levels)
    forbidden = facts.apart(i, j, levels)
    if source is not None and config.within_source is None and _no_doubles(source, i, j, bits):
        config.within_source = False
    if source is not None and config.within_source is False:
        forbidden |= source[i] == source[j]
    strong = _strong(config, levels)

    def judged(a: Ints, b: Ints) -> Floats:
        own = compare(config.fields, prepared, prepared, a, b)
        found = score(config.fields, weights, prepared, prepared, a, b, own)
        kept = facts.apart(a, b, own)
        if source is not None and config.within_source is False:
            kept |= source[a] == source[b]
        return np.where(kept, FORBIDDEN, found)

    limit = float(np.log2(config.threshold / (1 - config.threshold)))
    floor = float(np.log2(config.propose / (1 - config.propose)))
    grouped = np.where(forbidden, FORBIDDEN, np.where(strong, bits, np.minimum(bits, limit)))
    cluster = group(rows, i, j, grouped, judged, limit)
    keep = (bits >= floor) & ~forbidden
    i, j, bits = i[keep], j[keep], bits[keep]
    return Linked(cluster, i, j, bits, cluster[i] == cluster[j], Model(config, weights, used), prepared)


def prepare(frame: pl.DataFrame, fields: Sequence[Field]) -> list[Any]:
    """Boil every field's columns down. Raises BadConfig."""
    found = []
    for f in fields:
        try:
            found.append(f.prepare(frame))
        except KeyError as error:
            raise BadConfig(
                f"field {f.label}", error.args[0], "a column: " + ", ".join(frame.columns)
            ) from None
    return found


def compare(
    fields: Sequence[Field], one: Sequence[Any], other: Sequence[Any], i: Ints, j: Ints
) -> list[Levels]:
    """Levels of each field for each pair, chunk by chunk so that memory stays flat."""
    found = [np.zeros(len(i), np.int8) for _ in fields]
    for start in range(0, len(i), CHUNK):
        a, b = i[start : start + CHUNK], j[start : start + CHUNK]
        for place, f in enumerate(fields):
            found[place][start : start + CHUNK] = f.compare(one[place], other[place], a, b)
        _exchanged(fields, one, other, a, b, [level[start : start + CHUNK] for level in found])
    return found


def _exchanged(
    fields: Sequence[Field],
    one: Sequence[Any],
    other: Sequence[Any],
    a: Ints,
    b: Ints,
    levels: Sequence[Levels],
) -> None:
    """Two columns of names may have been filled in the wrong way round: then both agree as exchanged words do."""
    names = [k for k, f in enumerate(fields) if isinstance(f, Single) and f.kind is KINDS["name"]]
    if len(names) != 2:
        return
    x, y = names
    odd = np.flatnonzero((levels[x] > 2) & (levels[y] > 2))
    if not odd.size:
        return
    hash_of = [
        [values[k].hash[values[k].code[rows[odd]]] for k in names] for values, rows in ((one, a), (other, b))
    ]
    crossed = odd[(hash_of[0][0] == hash_of[1][1]) & (hash_of[0][1] == hash_of[1][0])]
    levels[x][crossed] = levels[y][crossed] = 2


def score(
    fields: Sequence[Field], weights: Weights, one: Sequence[Any], other: Sequence[Any], i: Ints, j: Ints,
    levels: Sequence[Levels],
) -> Floats:  # fmt: skip
    """Log odds (bits) that each pair is one thing."""
    found = np.full(len(i), weights.prior_bits())
    for start in range(0, len(i), CHUNK):
        part = slice(start, start + CHUNK)
        for place, f in enumerate(fields):
            found[part] += field_bits(
                f, place, weights, one[place], other[place], i[part], j[part], levels[place][part]
            )
    return found


def field_bits(
    f: Field, place: int, weights: Weights, one: Any, other: Any, i: Ints, j: Ints, level: Levels
) -> Floats:
    """Bits of one field for each pair, the rarity of the value that agrees included."""
    found = weights.bits(place)[level]
    share = f.share(one, other, i, j, level)
    if isinstance(f, Single | Several):
        usual = np.concatenate(([1.0], weights.u[place]))[level]
        return np.asarray(found + np.where(found > 0, rarity(usual, share), 0.0))
    typical = weights.usual.get(f.label)
    if typical is None:
        typical = weights.usual[f.label] = _usual(len(f.levels), share, level)
    return np.asarray(found + DAMPED * rarity(typical[level], share))


def _usual(levels: int, share: Floats, level: Levels) -> Floats:
    """The usual (geometric mean) frequency of what agrees, level by level; nan where none is known."""
    found = np.full(levels + 1, np.nan)
    for k in range(1, levels + 1):
        known = share[(level == k) & ~np.isnan(share)]
        if known.size:
            found[k] = np.exp(np.log(np.maximum(known, 1e-12)).mean())
    return found


def _learnt(
    config: Config, prepared: Sequence[Any], rows: int, levels: Sequence[Levels], source: Ints | None
) -> Weights:
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
    chance = compare(config.fields, prepared, prepared, i.astype(np.int64), j.astype(np.int64))
    return learn(config.fields, levels, chance, rows, max(pairs, 1.0), _given(config))


def _given(config: Config) -> Weights | None:
    told = config.weights
    if not told:
        return None
    blank = [np.full(len(f.levels), np.nan) for f in config.fields]
    found = Weights([b.copy() for b in blank], blank, float(told.get("prior", np.nan)))
    for place, f in enumerate(config.fields):
        row = told.get("field", {}).get(f.label, {})
        for name, target in (("m", found.m), ("u", found.u)):
            if name in row:
                if len(row[name]) != len(f.levels):
                    raise BadConfig(
                        f"weights.field.{f.label}.{name}",
                        len(row[name]),
                        f"{len(f.levels)} values: {f.levels}",
                    )
                target[place] = np.array(row[name], dtype=np.float64)
    return found


def _no_doubles(source: Ints, i: Ints, j: Ints, bits: Floats) -> bool:
    """Whether the data say that no source holds a thing twice: of the sure pairs, hardly any is within one."""
    sure = bits > 6
    within = int((sure & (source[i] == source[j])).sum())
    return within < 0.02 * int(sure.sum())


def _strong(config: Config, levels: Sequence[Levels]) -> Array:
    if not config.strong:
        return np.ones(len(levels[0]), bool)
    found = np.zeros(len(levels[0]), bool)
    for f, level in zip(config.fields, levels, strict=True):
        if f.label in config.strong:
            sure = (1, 2, 4, 6) if len(f.levels) == 13 else (1, 2) if len(f.levels) == 4 else (1,)
            found |= np.isin(level, sure)
    return found
