"""Words of the registry for screens: `word("stage", "IN_COURT")` → 诉讼中."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files


@cache
def words() -> dict[str, dict[str, str]]:
    """All words by group (agency, kind, state, stage, told, what, event)."""
    found: dict[str, dict[str, str]] = tomllib.loads(
        files("case_registry").joinpath("data/words.toml").read_text("utf-8")
    )
    return found


def word(group: str, code: str) -> str:
    """The Chinese word for a code; the code itself where there is none."""
    return words().get(group, {}).get(code, code)
