"""One partner dead, one taking 30 s, one flapping: how much the p99 of the others' deliveries and calls changes, in pairs.

Real processes: PostgreSQL with fsync, the API, the worker, and the partners' side. Four partners are owed messages at a
steady rate, and one that calls asks for states; a fifth is owed as many and is well in one half of each pair, faulty in the
other. The figure is the median of the pairs' changes, the worst of the three faults, of deliveries and of calls.
"""

from __future__ import annotations

import random
import statistics
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from benchmarks.isolation_site.world import FAULTY, GOOD, World, made, shares
from benchmarks.postgres import migrated_database
from benchmarks.result import Result, percentile

FAULTS = ("dead", "slow", "flapping")
EACH_PER_S = 12.0  # messages owed to each partner
CALLS_PER_S = 30.0


@dataclass
class Side:
    """One side of all pairs of a fault: deliveries' and calls' seconds, each run by itself."""

    deliveries: list[list[float]] = field(default_factory=list)
    calls: list[list[float]] = field(default_factory=list)


def run(*, quick: bool, seed: int) -> Result:
    """``quick``: one pair a fault, half a second a side. Each pair's order is drawn by ``seed``."""
    pairs, seconds = (1, 0.5) if quick else (12, 8.0)
    order = random.Random(seed)
    begin = time.monotonic()
    with (
        migrated_database() as url,
        tempfile.TemporaryDirectory() as folder,
        made(url, Path(folder)) as world,
    ):
        plain = world.start("benchmarks.isolation_site.plain")
        world.warm()
        baseline = _pair(world, "slow", 1.0 if quick else 10.0, order)
        world.stop(plain)
        world.mode("ok")
        world.start("hub.worker")
        world.warm()
        _one(world, "ok", 0.2 if quick else 5.0)
        sides = {fault: (Side(), Side()) for fault in FAULTS}
        for _ in range(pairs):
            for fault in FAULTS:
                for side, (deliveries, calls) in zip(
                    sides[fault], _pair(world, fault, seconds, order), strict=True
                ):
                    side.deliveries.append(deliveries)
                    side.calls.append(calls)
        wrong = world.wrong[:]
        cpu = shares(world, time.monotonic() - begin)
    return _result(sides, baseline, pairs, wrong, cpu, time.monotonic() - begin)


Measured = tuple[list[float], list[float]]


def _pair(world: World, fault: str, seconds: float, order: random.Random) -> tuple[Measured, Measured]:
    """Without and with the fault, in either order, directly after each other."""
    found: dict[str, Measured] = {}
    for mode in order.sample(["ok", fault], 2):
        found[mode] = _one(world, mode, seconds)
    return found["ok"], found[fault]


def _one(world: World, mode: str, seconds: float) -> Measured:
    world.mode(mode)
    stop = threading.Event()
    threads = [threading.Thread(target=_owe, args=(world, each, stop)) for each in (*GOOD, FAULTY)]
    threads.append(threading.Thread(target=_call, args=(world, stop)))
    for each in threads:
        each.start()
    time.sleep(seconds)
    stop.set()
    for each in threads:
        each.join()
    world.mode("ok")  # lets the slow one's calls go
    waits, calls = world.clear()
    return list(waits.values()), calls


def _owe(world: World, partner: str, stop: threading.Event) -> None:
    due = time.monotonic() + random.random() / EACH_PER_S
    while not stop.wait(max(0.0, due - time.monotonic())):
        world.owe(partner)
        due += 1 / EACH_PER_S


def _call(world: World, stop: threading.Event) -> None:
    due = time.monotonic()
    with httpx.Client(timeout=30, trust_env=False) as client:
        while not stop.wait(max(0.0, due - time.monotonic())):
            world.call(client)
            due += 1 / CALLS_PER_S


def _change(without: list[list[float]], with_fault: list[list[float]]) -> float:
    """How much the p99 of all runs' values together changed, in per cent."""
    before, after = (
        percentile([each for run in side for each in run], 0.99) for side in (without, with_fault)
    )
    return 100 * (after / before - 1) if before else 0.0


def _result(
    sides: dict[str, tuple[Side, Side]],
    baseline: tuple[Measured, Measured],
    pairs: int,
    wrong: list[str],
    cpu: str,
    took: float,
) -> Result:
    also: dict[str, float] = {}
    worst: list[float] = []
    for fault, (before, after) in sides.items():
        for what in ("deliveries", "calls"):
            without, with_fault = getattr(before, what), getattr(after, what)
            each = [_change([a], [b]) for a, b in zip(without, with_fault, strict=True)]
            worst.append(statistics.median(each))
            name = f"{fault}_{what}"
            also[f"{name}_p99_change_pct"] = round(worst[-1], 1)
            also[f"{name}_p99_change_of_all_pct"] = round(_change(without, with_fault), 1)
            for label, side in (("well", without), (fault, with_fault)):
                also[f"{name}_p99_ms_{label}"] = round(
                    1000 * percentile([v for run in side for v in run], 0.99), 1
                )
            also[name] = sum(map(len, with_fault))
    plain = _change([baseline[0][0]], [baseline[1][0]])
    also["seconds"] = round(took, 1)
    return Result(
        figures={"p99_change_pct": round(max(worst), 1), "pairs": pairs * len(FAULTS)},
        baseline_what="eight threads, one line for all partners: deliveries, one slow",
        baseline={"p99_change_pct": round(plain, 1)},
        bound_by=f"CPU of these processes, both cores, start included: {cpu}; the faulty partner holds two threads of the worker",
        also=also,
        failed=wrong[0] if wrong else "",
    )
