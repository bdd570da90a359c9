"""Words on the screen for codes: ``word("IN_COURT", "stage", "zh")`` → 诉讼中. One table, ``data/words.csv``."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from schemas.money import Fen

# Figures after a flag's name that are sums in fen; every other is a count or an ordinal.
FEN_FLAGS = frozenset({"HOLD", "OVERLAP", "EXCESS", "RECOVERY", "RELEASES_HELD"})


@cache
def words() -> dict[str, dict[str, tuple[str, str]]]:
    """All words: group → code → (Chinese, English)."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    with (Path(__file__).parent / "data" / "words.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["group"], {})[row["code"]] = (row["zh"], row["en"])
    return found


def word(code: object, group: str, language: str) -> str:
    """The word for a code in the reader's language; the code itself where the table has none."""
    pair = words().get(group, {}).get(str(code))
    if pair is None:
        return "" if code is None else str(code)
    return pair[1] if language == "en" else pair[0]


def flag_text(flag: str, language: str) -> str:
    """``HOLD:250000`` → 司法冻结 2,500.00 元."""
    name, _, figure = flag.partition(":")
    text = word(name, "flag", language)
    if not figure:
        return text.replace("{yuan}", "?").replace("{n}", "?")
    shown = yuan(int(figure)) if name in FEN_FLAGS and figure.isdigit() else figure
    return text.replace("{yuan}", shown).replace("{n}", shown) if "{" in text else f"{text} {shown}"


def yuan(fen: int | None) -> str:
    """``1234567`` fen as ``12,345.67``; empty for None."""
    if fen is None:
        return ""
    whole, _, cents = Fen(abs(fen)).yuan_text().partition(".")
    return f"{'-' if fen < 0 else ''}{int(whole):,}.{cents}"
