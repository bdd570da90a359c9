"""One process that takes a night's statements and reconciles the day; prints what it took as one JSON line.

Apart from the benchmark, so that its peak of memory is that of the product's own process.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import escrow
from benchmarks.reconcile_plan import DAY
from foundation.database import make_engine
from foundation.keys import KeyStore
from foundation.settings import Settings
from foundation.unit_of_work import unit_of_work
from hub import rail_inbox, statement_files
from hub.pipeline import Hub
from schemas.exchange import RawMessage

RAIL = "bank_direct"


def main(url: str, folder: Path) -> None:
    """Take `night.xml` and the small files of `folder`, then reconcile the day."""
    hub = Hub(make_engine(url), KeyStore(folder / "keys"), Settings(url, "", folder, 0, "sandbox"))
    with unit_of_work(hub.engine) as uow:  # a connection, the code tables and the rails are there
        now = uow.now
    escrow.all_rails()
    steps: dict[str, float] = {}
    begun = at = time.perf_counter()
    used = time.process_time()

    def step(name: str) -> None:
        nonlocal at
        steps[name], at = round(time.perf_counter() - at, 2), time.perf_counter()

    with (folder / "night.xml").open("rb") as file:
        stored = statement_files.store_file(hub, RAIL, file, "night.xml", now)
    step("store")
    told = statement_files.process_file(hub, stored)
    step("take")
    for path in sorted(folder.glob("spoiled-*.xml")):
        rail_inbox.receive(hub, RawMessage(RAIL, "file", "", path.read_bytes(), now, {}, path.name))
    step("small_files")
    with unit_of_work(hub.engine) as uow:
        done = escrow.reconcile_day(uow, DAY)
        statement_files.follow(uow, done.events)
    step("reconcile_day")
    print(
        json.dumps(
            {
                "seconds": round(time.perf_counter() - begun, 2), "cpu_s": round(time.process_time() - used, 2),
                "steps": steps, "result": told["outcome"]["result"],
                "findings": told["outcome"]["findings"][:5], "lines": told["meta"].get("lines", 0),
                "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
