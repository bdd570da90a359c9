"""Why two rows are held to be one thing: field by field, with what each side says and the bits it is worth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson

from case_registry.linkage.scoring import Model
from case_registry.linkage.values import Ints

Reason = dict[str, Any]


def reasons(
    model: Model, one: Sequence[Any], other: Sequence[Any], i: Ints, j: Ints
) -> Iterator[list[Reason]]:
    """For each pair the fields that both tell, strongest first: field, agreement, weight (bits), one, other."""
    fields = model.fields
    levels = model.compare(one, other, i, j)
    bits = [model.bits(k, one, other, i, j, levels[k]) for k in range(len(fields))]
    for place, (a, b) in enumerate(zip(i.tolist(), j.tolist(), strict=True)):
        told = [k for k in range(len(fields)) if levels[k][place]]
        told.sort(key=lambda k: -abs(bits[k][place]))
        yield [
            {
                "field": fields[k].label,
                "agreement": fields[k].levels[levels[k][place] - 1],
                "weight": round(float(bits[k][place]), 2),
                "one": fields[k].shown(one[k], a),
                "other": fields[k].shown(other[k], b),
            }
            for k in told
        ]


def as_text(found: list[Reason]) -> str:
    """Reasons as one JSON text."""
    return orjson.dumps(found).decode()


def probability(bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Log odds in bits as a probability."""
    return np.asarray(1 / (1 + np.exp2(-np.clip(bits, -60, 60))))
