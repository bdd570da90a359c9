"""The table of indicators and grades (`data/unstable_factors.toml`)."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def table() -> dict[str, Any]:
    """The table, with `by_id` and `by_grade` for look-up."""
    raw = tomllib.loads(files("case_registry").joinpath("data/unstable_factors.toml").read_text("utf-8"))
    raw["by_id"] = {row["id"]: row for row in raw["indicator"]}
    raw["by_grade"] = {row["name"]: row for row in raw["grade"]}
    return raw


def window_of(indicator: str) -> int:
    """For how many days a note counts; 0 = as long as the dispute."""
    return int(table()["by_id"].get(indicator, {}).get("window", table()["window_days"]))
