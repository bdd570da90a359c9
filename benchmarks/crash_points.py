"""Where a process may be killed: before and after every commit, send and acknowledgement in the product's code.

The list is read from the code itself, so that a new one is a new point. A place is ``file:function``.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("exchange_api", "hub", "foundation", "connectors")
PHASES = ("before", "after")
# Calls that send something out of the process; and those by which the broker is told that a message is taken.
SENDS = {"request": "send", "basic_publish": "send", "basic_ack": "ack"}
# Answers over HTTP are acknowledgements too: by the part of the API that gives them.
ANSWERS = {
    "/open/v1": "exchange_api/open_contract/rest.py:answer",
    "/open/soap": "exchange_api/open_contract/soap.py:answer",
    "/partners": "exchange_api/partners.py:answer",
    "/rails": "exchange_api/rails.py:answer",
    "/v1": "exchange_api/app.py:answer",
}


@dataclass(frozen=True, order=True)
class Point:
    """One moment. ``kind``: commit, send or ack; ``phase``: before or after it."""

    kind: str
    place: str
    phase: str

    def __str__(self) -> str:
        return f"{self.phase} {self.kind} {self.place}"


@cache
def all_points() -> tuple[Point, ...]:
    """Every point of the code, sorted."""
    found = {("ack", place) for place in ANSWERS.values()}
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            name = path.relative_to(ROOT).as_posix()
            if name not in ("foundation/unit_of_work.py", "foundation/wire.py"):
                found |= {(kind, f"{name}:{function}") for kind, function in _in_module(path)}
    return tuple(sorted(Point(kind, place, phase) for kind, place in found for phase in PHASES))


def _in_module(path: Path) -> set[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for node in ast.walk(function):
            if isinstance(node, ast.With):
                calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
                names = {_called(call) for call in calls}
                if names & {"unit_of_work", "begin"}:
                    found.add(("commit", function.name))
            elif isinstance(node, ast.Call) and _called(node) in SENDS and _sends(node):
                found.add((SENDS[_called(node)], function.name))
    return found


def _called(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _sends(call: ast.Call) -> bool:
    """``wire.request`` and ``channel.basic_…``, not every ``request``."""
    if _called(call) != "request":
        return True
    owner = call.func.value if isinstance(call.func, ast.Attribute) else None
    name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    return name == "wire"
