"""``python -m benchmarks.money_sim.prove [--units] [BUG ...]``: each planted bug, the run that finds it, as what.

Writes docs/developer/planted-bugs.md. With `--units` the unit tests that each bug names run with it as well; bugs that
do not touch the same text are planted together there, and a set that a test sees is tried again one by one.
"""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime

from benchmarks.money_sim import bugs, farm
from benchmarks.money_sim.bugs import Bug, Hunted
from foundation.settings import ROOT

PAGE = ROOT / "docs" / "developer" / "planted-bugs.md"
HEAD = """# Planted bugs of the money path

Each is a small change to product code (`benchmarks/money_bugs/NAME.toml`) that the unit tests of the escrow and of its rails do not
see, and that the simulator must find within 500 runs (`./bench money`, see [benchmarks](benchmarks.md)). Written by
`.venv/bin/python -m benchmarks.money_sim.prove --units` on {day}; the runs are numbered from seed 0, the words are the judge's.
A line again, statement by statement: `.venv/bin/python -m benchmarks.money_sim.replay SEED --bug NAME`.

<!-- planted bugs -->
| bug | what it does | unit tests | found in run | seen as |
| --- | --- | --- | --- | --- |
"""


def sets(found: list[Bug]) -> list[list[Bug]]:
    """The bugs in as few sets as can be planted together."""
    made: list[list[Bug]] = []
    for bug in found:
        for each in made:
            try:
                bugs.changed(together([*each, bug]))
            except bugs.BugGone:
                continue
            each.append(bug)
            break
        else:
            bugs.changed(bug)
            made.append([bug])
    return made


def together(several: list[Bug]) -> Bug:
    """Several bugs as one."""
    changes = tuple(change for bug in several for change in bug.replacements)
    tests = tuple(sorted({test for bug in several for test in bug.tests}))
    return Bug("+".join(bug.name for bug in several), "", changes, tests)


def unseen(found: list[Bug]) -> dict[str, str]:
    """ "pass" or the end of pytest's output, by bug."""
    told: dict[str, str] = {}
    for each in sets(found):
        passed, output = bugs.passes(together(each))
        for bug in each:
            if not passed and len(each) > 1:
                alone, output = bugs.passes(bug)
                told[bug.name] = "pass" if alone else output
            else:
                told[bug.name] = "pass" if passed else output
            print(bug.name, told[bug.name][-1000:], flush=True)
    return told


def row(hunted: Hunted, units: str) -> str:
    """One line of the table."""
    cells = (
        f"`{hunted.bug.name}`",
        hunted.bug.says,
        units,
        str(hunted.runs) if hunted.seed is not None else f"not in {hunted.runs}",
        hunted.text[:160],
    )
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> int:
    """Exit code 1 when a bug was not found, or a unit test saw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bugs", nargs="*", help="only these; the page is not written")
    parser.add_argument("--units", action="store_true", help="run the unit tests too")
    asked = parser.parse_args()
    chosen = [bug for bug in bugs.all_bugs() if not asked.bugs or bug.name in asked.bugs]
    units = unseen(chosen) if asked.units else {}
    lines, bad = [], any(told != "pass" for told in units.values())
    with farm.cluster() as cluster:
        for bug in chosen:
            hunted = bugs.hunt(cluster, bug)
            bad = bad or hunted.seed is None
            state = {"": "not run", "pass": "pass"}.get(units.get(bug.name, ""), "one sees it")
            lines.append(row(hunted, state))
            print(lines[-1], flush=True)
    if not asked.bugs:
        text = HEAD.format(day=datetime.now(UTC).date().isoformat()) + "\n".join(lines) + "\n<!-- end -->\n"
        PAGE.write_text(text, "utf-8")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
