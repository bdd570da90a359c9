"""Hides parts of personal values by the rules of ``data/sharing.toml``; what a rule does not know is hidden whole."""

from __future__ import annotations

from typing import Any

HIDDEN = "***"


def masked(value: Any, rule: dict[str, Any]) -> Any:
    """``value`` with only what the rule keeps.

    A rule keeps ``keep_first`` and ``keep_last`` characters, or all up to the first word of ``keep_until``; ``hide_as``
    stands for the rest, one ``*`` a character without it. A value too short to hide anything is hidden whole. Lists
    are masked one by one; None stays None.
    """
    if value is None:
        return None
    if isinstance(value, list | tuple):
        return [masked(each, rule) for each in value]
    text = str(value)
    if "keep_until" in rule:
        return _until(text, rule)
    first, last = int(rule.get("keep_first", 0)), int(rule.get("keep_last", 0))
    hidden = len(text) - first - last
    if hidden <= 0:
        return HIDDEN
    tail = text[len(text) - last :] if last else ""
    return text[:first] + str(rule.get("hide_as") or "*" * hidden) + tail


def _until(text: str, rule: dict[str, Any]) -> str:
    """All up to the first place named; an address that names none is hidden whole."""
    ends = [text.find(word) + len(word) for word in rule["keep_until"] if text.find(word) > 0]
    if not ends:
        return HIDDEN
    return text[: min(ends)] + (str(rule.get("hide_as", "*")) if min(ends) < len(text) else "")
