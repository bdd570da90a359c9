"""Likelihood that a dispute escalates within some weeks: signs with weights, and what each adds. Pure; numbers are data.

The weights come from a fit (`escalation_fit`), the hit rate from a back-test of those very weights: a likelihood without
one is not told (supervision.md 7; PIPL 24: open, fair, a person decides). It decides nothing: no grade, lamp, supervision
case or payment follows from it.
"""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson

from case_registry import factor_table

BANDS = ("HIGH", "RAISED", "LOW")


@cache
def table() -> dict[str, Any]:
    """What is forecast, signs and bands (`data/escalation.toml`), with `by_id` of the signs; each has its words."""
    raw = tomllib.loads(files("case_registry").joinpath("data/escalation.toml").read_text("utf-8"))
    indicators = factor_table.table()["by_id"]
    raw["sign"] = [{**{k: indicators[row["id"]][k] for k in ("zh", "en")}, **row} if row["id"] in indicators else row
                   for row in raw["sign"]]  # fmt: skip
    raw["by_id"] = {row["id"]: row for row in raw["sign"]}
    return raw


@dataclass(frozen=True)
class Model:
    """Weights as natural log-odds. `back_test`: how these weights did on generated histories, None = not known."""

    version: str
    base: float
    weights: Mapping[str, float]
    back_test: Mapping[str, Any] | None = None

    @property
    def digest(self) -> str:
        """Names the weights together with what they mean; a back-test of others proves nothing of these."""
        told = table()
        meant = [[{k: v for k, v in row.items() if k not in ("zh", "en")} for row in told[part]]
                 for part in ("band", "kind", "sign")]  # fmt: skip
        said = [
            told["horizon_days"],
            meant,
            f"{self.base:.2f}",
            [[n, f"{w:.2f}"] for n, w in sorted(self.weights.items())],
        ]
        return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def read_model(text: str) -> Model:
    """A fitted model from its file. A back-test of other weights, or of another table, is left out. Raises KeyError."""
    raw = tomllib.loads(text)
    told = raw.get("back_test")
    model = Model(raw["version"], float(raw["base"]), {n: float(w) for n, w in raw["weight"].items()})
    unknown = set(model.weights) - set(table()["by_id"])
    if unknown:
        raise KeyError(f"weights of signs that there are not: {', '.join(sorted(unknown))}")
    if told is None or told["model"] != model.digest:
        return model
    return Model(model.version, model.base, model.weights, told)


@cache
def model() -> Model:
    """The model in force (`data/escalation_fitted.toml`)."""
    return read_model(files("case_registry").joinpath("data/escalation_fitted.toml").read_text("utf-8"))


@dataclass(frozen=True)
class Likelihood:
    """A likelihood in whole per cent, its band, and the signs that made it, weightiest first."""

    percent: int
    band: str
    reasons: tuple[dict[str, Any], ...]


def share_of(weights: Model, signs: Mapping[str, str] | frozenset[str]) -> float:
    """The likelihood (0 to 1) under these signs."""
    # In the weights' own order, whatever the signs': the same signs give the same number in every process.
    odds = math.fsum([weights.base, *(weight for name, weight in weights.weights.items() if name in signs)])
    return 1 / (1 + math.exp(-odds))


def band_of(percent: int) -> str:
    """The band of a likelihood in whole per cent."""
    found: str = next(row["name"] for row in table()["band"] if percent >= row["from_percent"])
    return found


def percent_of(share: float) -> int:
    """Whole per cent, rounded half up; 1 to 99, since nothing here is certain."""
    return min(99, max(1, math.floor(share * 100 + 0.5)))


def likelihood(weights: Model, signs: Mapping[str, str]) -> Likelihood:
    """The likelihood under these signs (sign → why it is true).

    Each reason says by how many points of per cent the likelihood would differ without its sign; signs that do not
    move it by a whole point are left out.
    """
    share = share_of(weights, signs)
    percent = percent_of(share)
    reasons = []
    for name, why in signs.items():
        without = share_of(weights, frozenset(signs) - {name})
        points = percent - percent_of(without)
        if points:
            row = table()["by_id"][name]
            reasons.append({"id": name, "zh": row["zh"], "en": row["en"], "points": points, "why": why})
    reasons.sort(key=lambda each: (-abs(each["points"]), each["id"]))
    return Likelihood(percent, band_of(percent), tuple(reasons))
