"""Words on the screen: Chinese in the templates, English beside them in ``texts.toml``."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def _english() -> dict[str, str]:
    found: dict[str, str] = tomllib.loads((Path(__file__).parent / "texts.toml").read_text(encoding="utf-8"))[
        "en"
    ]
    return found


def in_language(text: str, language: str) -> str:
    """The Chinese text itself, or its English where the reader wants English and there is one."""
    return _english().get(text, text) if language == "en" else text


def known_texts() -> dict[str, str]:
    """All translations; a test compares them with the templates."""
    return dict(_english())
