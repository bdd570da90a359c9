"""One record against a register in memory: keys sorted by hash, so that a look-up is a handful of binary searches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from case_registry.linkage.blocking import MAX_BLOCK, Rule, rules
from case_registry.linkage.engine import prepare
from case_registry.linkage.reasons import Reason, probability, reasons
from case_registry.linkage.scoring import Model
from case_registry.linkage.values import Ints

MAX_CANDIDATES = 5_000
"""Rows that one record is compared with, at most."""


@dataclass(frozen=True)
class Found:
    """A row of the register that may be the record's: its number, the probability and the reasons field by field."""

    row: int
    probability: float
    bits: float
    reasons: list[Reason]


class Index:
    """A register that single records are held against, weighed as `model` has learnt; read only, one process."""

    def __init__(self, model: Model, frame: pl.DataFrame) -> None:
        self.model = model
        self._held: list[Any] = prepare(frame, model.fields)
        pieces = {f.label: f.pieces(p) for f, p in zip(model.fields, self._held, strict=True)}
        wanted = {rule.name for rule in model.rules}
        self._rules: dict[str, Rule] = {
            rule.name: rule for rule in rules(pieces, frame.height, crowd=MAX_BLOCK, wanted=wanted)
        }

    def candidates(self, prepared: list[Any]) -> Ints:
        """Rows of the register that share a key with the one prepared record."""
        pieces = {f.label: f.pieces(p) for f, p in zip(self.model.fields, prepared, strict=True)}
        rows: list[Ints] = []
        for own in rules(pieces, 1, crowd=0, wanted=self._rules):
            held = self._rules[own.name]
            starts = np.searchsorted(held.hash, own.hash)
            ends = np.searchsorted(held.hash, own.hash, "right")
            rows += [held.row[s:e] for s, e in zip(starts, ends, strict=True) if 0 < e - s <= MAX_BLOCK]
        return np.unique(np.concatenate(rows))[:MAX_CANDIDATES] if rows else np.zeros(0, np.int64)

    def find(self, record: dict[str, str], least: float = 0.05, most: int = 20) -> list[Found]:
        """Rows that are, or may be, of the same thing as `record` (values by column), best first.

        `least`: probability from which a row is told; `most`: rows told.
        """
        prepared = prepare(self._frame(record), self.model.fields)
        rows = self.candidates(prepared)
        if not rows.size:
            return []
        zero = np.zeros(len(rows), np.int64)
        levels = self.model.compare(prepared, self._held, zero, rows)
        bits = self.model.score(prepared, self._held, zero, rows, levels)
        order = np.lexsort((rows, -bits))[:most]
        order = order[probability(bits[order]) >= least]
        why = reasons(self.model, prepared, self._held, zero[order], rows[order])
        return [
            Found(int(rows[k]), float(probability(bits[k : k + 1])[0]), round(float(bits[k]), 2), reason)
            for k, reason in zip(order.tolist(), why, strict=True)
        ]

    def _frame(self, record: dict[str, str]) -> pl.DataFrame:
        names = dict.fromkeys(name for f in self.model.fields for name in f.columns)
        return pl.DataFrame({name: [record.get(name) or ""] for name in names})
