"""Reading an order of the control API: each field once, of its type; what nobody reads is unknown and refused."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from sandbox.control import BadOrder


class Told:
    """The fields of one order. Raises BadOrder on a missing, mistyped or (in `done`) unknown field."""

    def __init__(self, order: dict[str, Any]) -> None:
        self._left = dict(order)

    def text(self, name: str, default: str | None = None) -> str:
        found = self._take(name, default)
        if not isinstance(found, str):
            raise BadOrder(f"{name}: a text")
        return found

    def number(self, name: str, default: int | None = None) -> int:
        """A whole number; amounts are whole fen."""
        found = self._take(name, default)
        if isinstance(found, bool) or not isinstance(found, int):
            raise BadOrder(f"{name}: a whole number")
        return found

    def flag(self, name: str, default: bool) -> bool:
        found = self._take(name, default)
        if not isinstance(found, bool):
            raise BadOrder(f"{name}: true or false")
        return found

    def maybe(self, name: str) -> Any:
        """The field as it is, or None."""
        return self._left.pop(name, None)

    def maybe_number(self, name: str) -> int | None:
        return None if self._left.get(name) is None else self.number(name)

    def _take(self, name: str, default: Any) -> Any:
        found = self._left.pop(name, default)
        if found is None:
            raise BadOrder(f"{name} is missing")
        return found

    def done(self) -> None:
        if self._left:
            raise BadOrder(f"unknown: {', '.join(sorted(self._left))}")


def named_act(order: dict[str, Any], acts: Container[str]) -> tuple[str, dict[str, Any]] | None:
    """(act, its order) of {"act": name, fields…} or {name: {fields…}}; None when the order names no act."""
    if isinstance(order.get("act"), str):
        return order["act"], {key: value for key, value in order.items() if key != "act"}
    if len(order) == 1:
        name, fields = next(iter(order.items()))
        if name in acts and isinstance(fields, dict):
            return name, fields
    return None
