"""``python -m benchmarks.money_sim.prove [--units] [BUG ...]``: each planted bug, the run that finds it, as what.

Writes what was found into the bugs' files; docs/developer/planted-bugs.md is made from them (`python -m tests.docs.tables
--write`). With `--units` the unit tests that each bug names run with it as well; bugs that do not touch the same text are
planted together there, and a set that a test sees is tried again one by one.
"""

from __future__ import annotations

import argparse
import sys

from benchmarks.money_sim import bugs, farm
from benchmarks.money_sim.bugs import Bug, Hunted
from benchmarks.money_sim.judge import check_of


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


def main() -> int:
    """Exit code 1 when a bug was not found, or a unit test saw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bugs", nargs="*", help="only these")
    parser.add_argument("--units", action="store_true", help="run the unit tests too")
    asked = parser.parse_args()
    chosen = [bug for bug in bugs.all_bugs() if not asked.bugs or bug.name in asked.bugs]
    bad = False
    with farm.cluster() as cluster:
        for bug in chosen:
            hunted = bugs.hunt(cluster, bug)
            note(hunted)
            bad = bad or hunted.seed is None
    for name, told in (unseen(chosen) if asked.units else {}).items():
        bugs.record(name, units="pass" if told == "pass" else "one sees it")
        bad = bad or told != "pass"
    return 1 if bad else 0


def note(hunted: Hunted) -> None:
    """Say it, and write it into the bug's file."""
    if hunted.seed is None:
        print(f"{hunted.bug.name}: not found in {hunted.runs} runs", flush=True)
        return
    check = check_of(hunted.text)
    bugs.record(hunted.bug.name, seed=hunted.seed, runs=hunted.runs, check=check)
    print(f"{hunted.bug.name}: run {hunted.runs}, {check}: {hunted.text[:200]}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
