"""``python -m benchmarks.money_sim.worker FIRST COUNT STEP [--plain] [--until-wrong] [--trace]``: runs seeds.

The database is named by CONCORD_SIMULATOR_URL. One JSON line a run. The code that runs is that of the tree first in
PYTHONPATH: this is how the simulator tries a tree with a planted bug.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.money_sim.run import Simulator
from benchmarks.money_sim.site import Site


def main() -> int:
    """Exit code 0 when all seeds ran (whatever the verdicts)."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("first", "count", "step"):
        parser.add_argument(name, type=int)
    parser.add_argument("--plain", action="store_true", help="nothing breaks")
    parser.add_argument("--until-wrong", action="store_true", help="end with the first wrong run")
    parser.add_argument("--trace", action="store_true", help="write what happened, line by line, to stderr")
    asked = parser.parse_args()
    logging.getLogger("concord").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory(prefix="concord-money-") as folder:
        site = Site(os.environ["CONCORD_SIMULATOR_URL"], Path(folder))
        simulator = Simulator(site, faults=not asked.plain)
        gc.freeze()  # what was loaded stays; without this a tenth of the time goes into looking it through
        gc.set_threshold(50_000, 20, 100)
        for place in range(asked.count):
            run = simulator.run(asked.first + place * asked.step)
            if asked.trace:
                print("\n".join(run.lines), file=sys.stderr)
            verdict = run.verdict
            told = {
                "seed": run.seed, "double": verdict.double, "lost": verdict.lost, "broken": verdict.broken,
                "executed": verdict.executed, "made": dict(run.made), "wrong": verdict.text() if verdict.wrong else "",
                "digest": run.digest,
            }  # fmt: skip
            print(json.dumps(told, ensure_ascii=False), flush=True)
            if verdict.wrong and asked.until_wrong:
                break
        site.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
