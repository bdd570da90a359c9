"""One run from its seed to its verdict."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

import escrow
from benchmarks.money_sim import storm
from benchmarks.money_sim.healing import Healing
from benchmarks.money_sim.judge import Judge, Verdict
from benchmarks.money_sim.office import Office
from benchmarks.money_sim.outside import Outside
from benchmarks.money_sim.scene import Scene
from benchmarks.money_sim.site import Site
from benchmarks.money_sim.stepping import Stepper
from benchmarks.money_sim.tally import Trace
from foundation.unit_of_work import unit_of_work
from hub import reconciling


@dataclass
class Run:
    """What one seed gave."""

    seed: int
    verdict: Verdict
    made: Counter[str]
    digest: str
    lines: list[str]


class Simulator:
    """Runs seeds on one site. `faults` off: the same path with nothing broken (the baseline)."""

    def __init__(self, site: Site, *, faults: bool = True) -> None:
        self.site, self.faults = site, faults
        self.stepper = Stepper(site.engine, site.admin)

    def run(self, seed: int) -> Run:
        """One run; equal for equal seeds."""
        self.site.begin(seed)
        dice, trace = random.Random(f"run {seed}"), Trace()
        outside = Outside(self.site, dice, trace, self.stepper)
        office = Office(self.site, dice, trace, self.stepper, seed)
        scene = Scene(office, outside)
        judge = Judge(office, outside, scene)
        scene.watch = judge.look
        reconciling.Wire = lambda: outside  # type: ignore[misc,assignment]
        if not self.faults:
            office.storm = outside.storm = False
            storm.plain(scene)
        else:
            storm.run(scene)
        Healing(office, outside, scene).run()
        with unit_of_work(self.site.engine) as uow:
            violations = escrow.prove(uow)
        verdict = judge.verdict(violations)
        trace.note(f"verdict: {verdict.text()} executed {verdict.executed}")
        return Run(seed, verdict, trace.made, trace.digest(), trace.lines)
