"""Facts that keep two rows apart, whatever else agrees."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from case_registry.linkage.config import Apart, BadConfig, Config
from case_registry.linkage.fields import Field
from case_registry.linkage.values import Array, Ints, Levels, column


class Facts:
    """The configuration's facts about the rows of one table; each column is read once."""

    def __init__(self, frame: pl.DataFrame, config: Config) -> None:
        self._frame, self._config = frame, config
        self._codes: dict[str, Ints] = {}
        self._held: dict[tuple[str, tuple[str, ...]], Array] = {}

    def code(self, name: str, path: str) -> Ints:
        """A column's values as codes, -1 = not told. Raises BadConfig for a column that there is not."""
        if name not in self._codes:
            try:
                texts = column(self._frame, name)
            except KeyError:
                raise BadConfig(path, name, "a column: " + ", ".join(self._frame.columns)) from None
            place: dict[str, int] = {"": -1}
            codes = [place.setdefault(text, len(place) - 1) for text in map(str.strip, texts)]
            self._codes[name] = np.array(codes, dtype=np.int64)
        return self._codes[name]

    def apart(self, fields: Sequence[Field], i: Ints, j: Ints, levels: Sequence[Levels]) -> Array:
        """Pairs that may not be one thing: facts of the configuration, and plain contradictions of its fields."""
        found = np.zeros(len(i), bool)
        for fact in self._config.apart:
            found |= self._fact(fact, i, j)
        for f, level in zip(fields, levels, strict=True):
            if f.label in self._config.conflict:
                found |= level == len(f.levels)
        return found

    def _fact(self, fact: Apart, i: Ints, j: Ints) -> Array:
        found = np.ones(len(i), bool)
        for name in fact.same:
            code = self.code(name, "apart.same")
            found &= (code[i] == code[j]) & (code[i] >= 0)
        for name in fact.differ:
            code = self.code(name, "apart.differ")
            found &= (code[i] != code[j]) & (code[i] >= 0) & (code[j] >= 0)
        for name, wanted in fact.values.items():
            held = self._holds(name, wanted)
            found &= held[i] & held[j]
        return found

    def _holds(self, name: str, wanted: tuple[str, ...]) -> Array:
        key = (name, wanted)
        if key not in self._held:
            self.code(name, "apart.values")
            self._held[key] = np.array(
                [text.strip() in wanted for text in column(self._frame, name)], dtype=bool
            )
        return self._held[key]
