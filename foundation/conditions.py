"""A bound that a room puts on its rows without knowing where it comes from: who looks, and what that person may see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Condition = Callable[[str], tuple[str, Mapping[str, Any]]]
"""Given the SQL column by which a row is known (its number), a condition on the row and the condition's parameters."""


def every_row(_column: str) -> tuple[str, Mapping[str, Any]]:
    """No bound: what the hub's own work sees."""
    return "true", {}
