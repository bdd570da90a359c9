"""The table of the planted bugs of the money path, from their files."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.money_sim import bugs
from tests.docs.rows import code, table


def planted() -> str:
    rows = []
    for bug in sorted(bugs.all_bugs(), key=lambda each: (each.kind, each.name)):
        files = " ".join(dict.fromkeys(code(each.file) for each in bug.replacements))
        found = "not yet" if bug.runs is None else f"run {bug.runs} (seed {bug.seed})"
        rows.append([bug.kind, code(bug.name), files, bug.says, found, bug.check, bug.units or "not run"])
    return table(
        ["class", "bug", "changed", "what it breaks", "found at", "by the check", "unit tests"], rows
    )


TABLES: dict[str, Callable[[], str]] = {"planted-bugs": planted}
