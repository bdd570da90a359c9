"""``python -m tests.acceptance.kill --seed N``: the flagship story while processes are killed at random moments.

The whole system runs in a folder and on ports of its own; the supervisor heals what is killed. At the end the books
of the bank, of the wallet and of the partners decide (``kill_books``).
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from foundation.settings import ROOT
from hub.supervisor import Options, System, airflow
from hub.supervisor.airflow_rest import AirflowRest
from hub.supervisor.written import read
from sandbox.stories.pack import load, story_folder
from tests.acceptance.kill_books import differences
from tests.platform.running import own_place

STORY = "flagship"
PATIENCE_S = 100.0  # a lease of a worker that died lasts 60 s
WITHIN_S = 1500.0
MONEY_AT_LEAST = 3
MOST_DELAY_S = 0.3
KILLED = ("api", "worker", "sandbox-bank", "sandbox-partners")


@dataclass(frozen=True)
class Kill:
    """Kill ``program`` ``delay_s`` after step ``step`` of the story has begun."""

    step: int
    delay_s: float
    program: str


def plan(seed: int, kills: int, programs: tuple[str, ...]) -> list[Kill]:
    """Random moments and processes: each process at least once where there are enough kills, money steps preferred."""
    chance = Random(seed)
    steps = _steps()
    money = [number for number, of_money in steps.items() if of_money]
    chosen = set(chance.sample(money, min(MONEY_AT_LEAST, kills)))
    chosen |= set(chance.sample(sorted(steps.keys() - chosen), kills - len(chosen)))
    order = list(programs)
    chance.shuffle(order)
    hit = (order * kills)[: min(kills, len(order))]
    hit += [chance.choice(programs) for _ in range(kills - len(hit))]
    chance.shuffle(hit)
    return [
        Kill(step, round(chance.uniform(0.0, MOST_DELAY_S), 3), program)
        for step, program in zip(sorted(chosen), hit, strict=True)
    ]


def _steps() -> dict[int, bool]:
    """Steps of the story but the first and the last → whether money moves in them."""
    folder = story_folder(STORY)
    story = load(folder, folder / "disputes.csv")
    return {
        step.no: any(told["state"] not in ("NONE", "SIGNED") for told in step.escrow.values())
        for step in story.steps[1:-1]
    }


class Killer:
    """Kills by plan while the story goes on; ``done`` says what was killed when."""

    def __init__(self, system: System, planned: list[Kill], say: Callable[[str], None]) -> None:
        self._system = system
        self._planned = {kill.step: kill for kill in planned}
        self._say = say
        self._threads: list[threading.Thread] = []
        self.done: list[str] = []
        self.during: list[int] = []  # steps that were going on at the kills
        self._step = 1

    def step_begins(self, number: int) -> None:
        self._step = number
        kill = self._planned.pop(number, None)
        if kill is not None:
            thread = threading.Thread(target=self._carry_out, args=[kill])
            thread.start()
            self._threads.append(thread)

    def finish(self) -> None:
        for thread in self._threads:
            thread.join(timeout=60)

    def _carry_out(self, kill: Kill) -> None:
        time.sleep(kill.delay_s)
        child = next(each for each in self._system.children if each.program.name == kill.program)
        limit = time.monotonic() + 60
        while child.pid is None and time.monotonic() < limit:
            time.sleep(0.02)  # it is being started again after the kill before
        pid = child.pid
        assert pid is not None, f"{kill.program} did not come back"
        os.kill(pid, signal.SIGKILL)
        self.during.append(self._step)
        self.done.append(f"step {kill.step} +{kill.delay_s} s: {kill.program} ({pid})")
        self._say(f"killed {self.done[-1]}")


def run(
    seed: int, kills: int, *, with_airflow: bool = False, say: Callable[[str], None] = print
) -> list[str]:
    """Everything; returns what was wrong (empty = it ended right, nothing twice, nothing lost)."""
    programs = (*KILLED, "airflow-scheduler") if with_airflow else KILLED
    planned = plan(seed, kills, programs)
    say(
        f"seed {seed}: " + "; ".join(f"step {each.step} +{each.delay_s} s {each.program}" for each in planned)
    )
    with own_place(27_000) as place:
        options = Options(
            with_airflow=with_airflow,
            port_base=place.port_base,
            var_dir=place.var_dir,
            say=say,
            whole_process=False,
        )
        with System(options) as system:
            system.wait_airflow()
            killer = Killer(system, planned, say)
            wrong = _play(system, place.var_dir, killer, say)
            killer.finish()
            if len(killer.done) != kills:
                wrong.append(f"only {len(killer.done)} of {kills} kills took place")
            of_money = sum(_steps().get(step, False) for step in killer.during)
            if of_money < min(kills, MONEY_AT_LEAST):
                wrong.append(f"only {of_money} kills during money steps: {killer.during}")
            restarts = sum(child.restarts for child in system.children)
            if restarts < len(killer.done):
                wrong.append(f"{restarts} restarts after {len(killer.done)} kills")
            wrong += differences(system.urls(), read(place.var_dir / "run" / "logins.json"), STORY)
            if with_airflow:
                wrong += _scheduler_goes_on(system)
            if wrong:
                wrong += _logs(place.var_dir)
    return wrong


def _play(system: System, var_dir: Path, killer: Killer, say: Callable[[str], None]) -> list[str]:
    urls = system.urls()
    command = [
        sys.executable, "-m", "sandbox.stories", STORY, "--json", "--seed", "0", "--patience", str(PATIENCE_S),
        "--hub", urls["api"], "--stand-in", urls["sandbox_partners"], "--stand-in", urls["sandbox_bank"],
        "--logins", str(var_dir / "run" / "logins.json"),
    ]  # fmt: skip
    errors = var_dir / "log" / "story.err"
    wrong: list[str] = []
    with errors.open("wb") as file:
        player = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=file, text=True)
        limit = threading.Timer(WITHIN_S, player.kill)
        limit.start()
        assert player.stdout is not None
        for line in player.stdout:
            told: dict[str, Any] = json.loads(line)
            say(
                f"  step {told['no']} {told['sender']} → {told['receiver']} {told['ms']} ms {told['wrong'] or ''}"
            )
            wrong += [f"step {told['no']}: {each}" for each in told["wrong"]]
            killer.step_begins(told["no"] + 1)
        code = player.wait()
        limit.cancel()
    if code != 0:
        wrong.append(f"the story ended with {code}: {errors.read_text(errors='replace')[-2000:]}")
    return wrong


def _scheduler_goes_on(system: System) -> list[str]:
    """A scheduler that was killed works again: a run that is asked for now is played."""
    rest = AirflowRest(
        system.urls()["airflow"], airflow.OPERATOR, airflow.password(system.var_dir / "airflow")
    )
    try:
        run_id = rest.trigger("deadline_watch")
        limit = time.monotonic() + 240
        while (state := rest.run_state("deadline_watch", run_id)) in ("queued", "running"):
            if time.monotonic() > limit:
                return [f"deadline_watch is still {state}"]
            time.sleep(1)
        return [] if state == "success" else [f"deadline_watch ended as {state}"]
    finally:
        rest.close()


def _logs(var_dir: Path) -> list[str]:
    return [
        f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}"
        for path in sorted((var_dir / "log").glob("*.log"))
        if path.stem in (*KILLED, "airflow-scheduler")
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.acceptance.kill", description=__doc__)
    parser.add_argument(
        "--seed", type=int, default=None, help="which moments and processes; printed when not given"
    )
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument(
        "--with-airflow", action="store_true", help="the scheduler is among those that are killed"
    )
    told = parser.parse_args()
    seed = secrets.randbits(32) if told.seed is None else told.seed
    wrong = run(seed, told.kills, with_airflow=told.with_airflow, say=lambda text: print(text, flush=True))
    print("\n".join(wrong) or "ended right: nothing twice, nothing lost")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
