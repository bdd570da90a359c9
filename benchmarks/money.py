"""The money path under a storm: seeded runs of the real code, judged by the bank's own book; planted bugs are found.

./bench money [--runs N] [--seed S] [--quick]
"""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from benchmarks.money_sim import bugs, farm
from benchmarks.money_sim.tally import FAULTS
from benchmarks.result import Result
from foundation import embedded_postgres

RUNS, QUICK_RUNS = 10_000, 10
PLAIN_SHARE = 20  # one plain run for so many with faults
QUICK_BUGS, QUICK_BUG_RUNS = 2, 30
BOUND_BY = (
    "statements: about 1,000 small SQL statements a run; of its CPU time a third is the database,"
    " the rest the driver, SQLAlchemy and Python"
)


def run(*, quick: bool, seed: int, runs: int | None = None) -> Result:
    """`runs` (default 10,000, quick 10) with faults, a twentieth of that without, and the hunt for planted bugs."""
    count = runs if runs is not None else QUICK_RUNS if quick else RUNS
    with farm.cluster() as cluster:
        found = farm.many(cluster, count, seed)
        plain = farm.many(cluster, max(4, count // PLAIN_SHARE), seed, faults=False)
        hunted = hunt_quickly(cluster) if quick else [bugs.hunt(cluster, bug) for bug in bugs.all_bugs()]
    show(found, hunted, seed)
    caught = sum(1 for each in hunted if each.seed is not None)
    figures = {
        "runs": found.runs, "double": found.double, "lost": found.lost, "broken_invariants": found.broken,
        "bugs_planted": len(hunted), "bugs_found": caught, "runs_per_s": round(found.runs / found.seconds, 2),
    }  # fmt: skip
    missing = [] if quick else found.tally.missing()
    failed = "; ".join(
        [
            *(f"seed {number}: {text[:200]}" for number, text in found.failing[:3]),
            *(f"not found: {each.bug.name}" for each in hunted if each.seed is None),
            *(f"never happened: {kind}" for kind in missing),
        ]
    )
    baseline = {
        "runs": plain.runs,
        "runs_per_s": round(plain.runs / plain.seconds, 2),
        "wrong": len(plain.failing),
    }
    return Result(figures, "the same path, nothing breaks", baseline, BOUND_BY, failed=failed)


def hunt_quickly(cluster: embedded_postgres.Cluster) -> list[bugs.Hunted]:
    """The bugs that are found soonest by what is on record."""
    on_record = sorted(
        (bug for bug in bugs.all_bugs() if bug.seed is not None), key=lambda bug: bug.seed or 0
    )
    return [bugs.hunt(cluster, bug, most=QUICK_BUG_RUNS) for bug in on_record[:QUICK_BUGS]]


def show(found: farm.Found, hunted: list[bugs.Hunted], seed: int) -> None:
    """Settings; attempts and payouts for each kind of fault; after how many runs each bug was found; how to replay a run."""
    console = Console(width=110)
    console.print(f"PostgreSQL of the simulator, thrown away afterwards: {farm.settings_shown()}")
    table = Table("fault", "attempts", "payouts in such runs", title="faults")
    for kind in FAULTS:
        table.add_row(kind, str(found.tally.attempts[kind]), str(found.tally.payouts[kind]))
    console.print(table)
    table = Table("planted bug", "found after runs", "as", title="bugs")
    for each in hunted:
        table.add_row(each.bug.name, str(each.runs) if each.seed is not None else "not found", each.text[:60])
    console.print(table)
    for number, text in found.failing:
        console.print(f"seed {number}: {text}")
        console.print(f"  replay: .venv/bin/python -m benchmarks.money_sim.replay {number}")
