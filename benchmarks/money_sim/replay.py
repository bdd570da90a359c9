"""``python -m benchmarks.money_sim.replay SEED [--bug NAME]``: one run again, line by line."""

from __future__ import annotations

import argparse
import sys

from benchmarks.money_sim import bugs, farm
from foundation.settings import ROOT


def main() -> int:
    """Exit code 1 when the run was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--bug", default="", help="with this planted bug in the code")
    asked = parser.parse_args()
    with farm.cluster() as cluster:
        if asked.bug:
            bug = next(each for each in bugs.all_bugs() if each.name == asked.bug)
            with bugs.planted(bug) as tree:
                told = next(
                    farm.lines(
                        farm.start(bugs.database(cluster, bug, tree), [asked.seed], "--trace", tree=tree)
                    )
                )
        else:
            told = next(
                farm.lines(farm.start(farm.clone(cluster, "replay"), [asked.seed], "--trace", tree=ROOT))
            )
    print(told["wrong"] or "nothing wrong", told["digest"])
    return 1 if told["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
