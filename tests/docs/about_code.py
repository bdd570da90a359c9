"""Tables about the code: state machines, what follows from what, operations over REST, words on the screen."""

from __future__ import annotations

import csv
import importlib
import inspect
from collections.abc import Callable
from functools import partial

from fastapi.routing import APIRoute

from benchmarks.result import KEYS
from exchange_api import (
    desk,
    disputes,
    escalation,
    evidence,
    link_review,
    office,
    paper,
    payment_acts,
    payments,
    people,
    sharing,
    subscriptions,
    supervision,
    trust,
)
from hub import choreography, migrate
from schemas.state_machine import StateMachine
from tests.docs.rows import code, table
from tests.platform.tree import ROOT

# A diagram with more moves is no longer read by anybody.
MOST_DRAWN = 22
DOMAIN_ROOMS = ("case_registry", "mediation", "escrow")


def machine(found: StateMachine) -> str:
    """The machine's diagram; a large one drawn without its loops, with all its moves in a table below."""
    if len(found.moves) <= MOST_DRAWN:
        # Mermaid would take a semicolon for the end of the line.
        return f"```mermaid\n{found.mermaid().replace(';', ',')}```\n"
    edges: dict[tuple[str, str], list[str]] = {}
    for move in found.moves:
        if move.state != move.next:
            events = edges.setdefault((move.state, move.next), [])
            events.extend([move.event] if move.event not in events else [])
    drawn = ["stateDiagram-v2", f"    [*] --> {found.initial}"]
    drawn += [f"    {before} --> {after}: {', '.join(events)}" for (before, after), events in edges.items()]
    drawn += [f"    {state} --> [*]" for state in sorted(found.final)]
    moves = _moves(found)
    diagram = "\n".join(drawn)
    return f"```mermaid\n{diagram}\n```\n\n<details><summary>All moves</summary>\n\n{moves}\n</details>\n"


def _moves(found: StateMachine) -> str:
    """All moves; states that an event treats alike share a row."""
    ways: dict[tuple[str, str], list[str]] = {}
    for move in found.moves:
        after = "stays" if move.next == move.state else code(move.next)
        when = f" when {move.guard}" if move.guard not in ("", f"said {move.next}") else ""
        effect = f" ({move.effect})" if move.effect else ""
        ways.setdefault((move.event, move.state), []).append(after + when + effect)
    alike: dict[tuple[str, str], list[str]] = {}
    for (event, state), nexts in ways.items():
        alike.setdefault((event, "; ".join(nexts)), []).append(code(state))
    return table(
        ["event", "in state", "next"],
        [(code(event), " ".join(states), nexts) for (event, nexts), states in alike.items()],
    )


def benchmarks() -> str:
    """The benchmarks that there are, and the keys of their figures."""
    from benchmarks.__main__ import built

    return table(
        ["benchmark", "figures"], [(code(name), " ".join(map(code, KEYS[name]))) for name in built()]
    )


def machines() -> str:
    rows = []
    for room in DOMAIN_ROOMS:
        for found in importlib.import_module(room).MACHINES:
            rows.append(
                (code(found.name), code(room), len(found.states), len(found.moves), code(found.initial))
            )
    return table(["machine", "room", "states", "moves", "begins"], rows)


def what_follows() -> str:
    rows = []
    for event, actions in choreography.ACTIONS.items():
        for action in actions:
            said = (inspect.getdoc(action) or "").splitlines()
            rows.append(
                (
                    code(event),
                    code(f"{action.__module__.removeprefix('hub.')}.{action.__name__}"),
                    said[0] if said else action.__name__.replace("_", " "),
                )
            )
    return table(["event", "action", "what it does"], rows)


def rest() -> str:
    rows = []
    modules = (
        people, disputes, escalation, link_review, office, payments, payment_acts, paper, desk, trust, evidence, sharing, subscriptions,
        supervision,
    )  # fmt: skip
    for module in modules:
        for route in module.router.routes:
            assert isinstance(route, APIRoute)
            rows.extend((method, code(route.path), route.summary) for method in sorted(route.methods))
    return table(["method", "address", "what it does"], rows)


def words(group: str) -> str:
    with (ROOT / "console" / "data" / "words.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            (code(row["code"]), row["zh"], row["en"]) for row in csv.DictReader(file) if row["group"] == group
        ]
    return table(["code", "中文", "in English"], rows)


def hard_cases() -> str:
    """Cases that court escrow offices name, and the stories that play them."""
    with (ROOT / "sandbox" / "stories" / "hard_cases.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            (row["zh"], row["case"], ", ".join(code(each) for each in row["stories"].split()))
            for row in csv.DictReader(file)
        ]
    return table(["中文", "case", "story"], rows)


TABLES: dict[str, Callable[[], str]] = {
    "hard-cases": hard_cases,
    "benchmarks": benchmarks,
    "machines": machines,
    "what-follows": what_follows,
    "rest": rest,
    "stages": partial(words, "stage"),
    "flags": partial(words, "flag"),
    **{
        f"machine-{found.name.replace('_', '-')}": partial(machine, found) for found in migrate.all_machines()
    },
}
