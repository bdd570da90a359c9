"""Writes Markdown tables; knows nothing of what is in them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table that ends with a line break."""
    lines = [_line(columns), _line(["---"] * len(columns)), *(_line(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _cell(value: object) -> str:
    text = "yes" if value is True else "" if value in (False, None) else str(value)
    return text.replace("|", "\\|").replace("\n", " ")


def code(value: object) -> str:
    """The value as code; empty stays empty."""
    return f"`{value}`" if value not in ("", None) else ""


def size(octets: int) -> str:
    """Bytes as people say them."""
    for unit, each in (("MiB", 1024**2), ("KiB", 1024)):
        if octets >= each:
            return f"{octets / each:.0f} {unit}"
    return f"{octets} bytes"
