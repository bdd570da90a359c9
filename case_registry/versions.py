"""The order of a partner's statements about one subject: its own version, never our arrival."""

from __future__ import annotations

from collections.abc import Sequence

_OFFSET = 10**19


def version_key(version: Sequence[str | int]) -> str:
    """One text whose byte order is the lexicographic order of `version`.

    Integers sort before texts in the same place. Raises ValueError on an integer beyond ±10^19 and on a
    control character, which no partner's version holds.
    """
    return "\x1f".join(_part(item) for item in version)


def _part(item: str | int) -> str:
    if isinstance(item, int):
        if not -_OFFSET < item < _OFFSET:
            raise ValueError("a version number has at most 19 digits")
        return f"i{item + _OFFSET:020d}"
    if any(c < " " for c in item):
        raise ValueError("a version text has no control characters")
    return "s" + item
