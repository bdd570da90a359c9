"""``python -m tests.acceptance.kill --seed N``: the flagship story while processes are killed at random moments.

The whole system runs in a folder and on ports of its own; the supervisor heals what is killed. At the end the books
of the bank, of the wallet and of the partners decide (``kill_books``).
"""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from foundation.settings import ROOT
from hub.supervisor import Options, System, airflow
from hub.supervisor.airflow_rest import AirflowRest
from hub.supervisor.written import read
from tests.acceptance.kill_books import differences
from tests.acceptance.kill_plan import (
    DATABASE,
    KILLED,
    MONEY_AT_LEAST,
    STORY,
    Kill,
    Killer,
    in_flight,
    money_steps,
    plan,
    story,
)
from tests.platform.running import own_place

PATIENCE_S = 100.0  # a lease of a worker that died lasts 60 s
WITHIN_S = 1500.0
SCHEDULER = "airflow-scheduler"


def run(planned: list[Kill], *, with_airflow: bool = False, say: Callable[[str], None] = print) -> list[str]:
    """Everything; returns what was wrong (empty = it ended right, nothing twice, nothing lost)."""
    say("; ".join(map(str, planned)))
    with own_place(27_000) as place:
        options = Options(
            with_airflow=with_airflow, port_base=place.port_base, var_dir=place.var_dir, say=say
        )
        with System(options) as system:
            system.wait_airflow()
            killer = Killer(system, planned, say)
            wrong = _play(system, place.var_dir, killer, say)
            killer.finish()
            wrong += _kills(system, killer, len(planned))
            wrong += differences(system.urls(), read(place.var_dir / "run" / "logins.json"), story())
            if with_airflow:
                wrong += _scheduler_goes_on(system)
            if wrong:
                wrong += _logs(place.var_dir)
    return wrong


def _kills(system: System, killer: Killer, planned: int) -> list[str]:
    """Every kill took place, enough of them while money moved, and each was healed."""
    wrong = []
    if len(killer.done) != planned:
        wrong.append(f"only {len(killer.done)} of {planned} kills took place")
    of_money = sum(money_steps().get(step, False) for step in killer.during)
    if of_money < min(planned, MONEY_AT_LEAST):
        wrong.append(f"only {of_money} kills during money steps: {killer.during}")
    restarts = system.server.restarts + sum(child.restarts for child in system.children)
    if restarts < len(killer.done):
        wrong.append(f"{restarts} restarts after {len(killer.done)} kills")
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
        try:
            for line in player.stdout:
                told: dict[str, Any] = json.loads(line)
                way = f"{told['sender']} → {told['receiver']}"
                say(f"  step {told['no']} {way} {told['ms']} ms {told['wrong'] or ''}")
                wrong += [f"step {told['no']}: {each}" for each in told["wrong"]]
                killer.step_begins(told["no"] + 1)
            code = player.wait()
        finally:
            limit.cancel()
            player.kill()
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
    parser.add_argument("--with-database", action="store_true", help="PostgreSQL is among those killed")
    parser.add_argument(
        "--in-flight", action="store_true", help="the worker, at each payment, at the worst moment"
    )
    told = parser.parse_args()
    # Asked to end, it takes down what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    seed = secrets.randbits(32) if told.seed is None else told.seed
    planned = (
        in_flight()
        if told.in_flight
        else plan(seed, told.kills, programs(told.with_airflow, told.with_database))
    )
    print(f"seed {seed}")
    wrong = run(planned, with_airflow=told.with_airflow, say=lambda text: print(text, flush=True))
    print("\n".join(wrong) or "ended right: nothing twice, nothing lost")
    return 1 if wrong else 0


def programs(with_airflow: bool, with_database: bool = False) -> tuple[str, ...]:
    """Which programs may be killed."""
    return (*KILLED, *([SCHEDULER] if with_airflow else []), *([DATABASE] if with_database else []))


if __name__ == "__main__":
    raise SystemExit(main())
