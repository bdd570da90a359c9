"""Which processes are killed at which moments of the story, by a seed, and the one who does it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

import httpx

from hub.supervisor import System
from hub.supervisor.children import Child
from hub.supervisor.server import Server
from sandbox.stories import messages
from sandbox.stories.pack import Story, load, story_folder

STORY = "flagship"
KILLED = ("api", "worker", "sandbox-bank", "sandbox-partners")
DATABASE = "postgres"
MONEY_AT_LEAST = 3
MOST_DELAY_S = 0.3
HELD_S = 5.0
APART = 3
BACK_WITHIN_S = 60.0


@dataclass(frozen=True)
class Kill:
    """Kill ``program`` ``delay_s`` after step ``step`` of the story has begun.

    ``holder``: kill it while this payment partner has taken the step's payment and has not answered yet.
    """

    step: int
    delay_s: float
    program: str
    holder: str = ""

    def __str__(self) -> str:
        when = f"when {self.holder} has the payment" if self.holder else f"+{self.delay_s} s"
        return f"step {self.step} {when}: {self.program}"


def plan(seed: int, kills: int, programs: tuple[str, ...] = KILLED) -> list[Kill]:
    """Random moments and processes: each process at least once where there are enough kills, money steps preferred."""
    chance = Random(seed)
    steps = money_steps()
    money = [number for number, of_money in steps.items() if of_money]
    chosen = set(chance.sample(money, min(MONEY_AT_LEAST, kills)))
    chosen |= set(chance.sample(sorted(steps.keys() - chosen), kills - len(chosen)))
    hit = _programs(chance, sorted(chosen), programs)
    return [
        Kill(step, round(chance.uniform(0.0, MOST_DELAY_S), 3), program)
        for step, program in zip(sorted(chosen), hit, strict=True)
    ]


def _programs(chance: Random, steps: list[int], programs: tuple[str, ...]) -> list[str]:
    """A program for each step; the same one not again before it had time to come back, if that can be."""
    hit: list[str] = []
    for _ in range(500):
        order = list(programs)
        chance.shuffle(order)
        hit = order[: len(steps)] + [chance.choice(KILLED) for _ in range(len(steps) - len(order))]
        chance.shuffle(hit)
        pairs = zip(zip(steps, hit, strict=True), zip(steps[1:], hit[1:], strict=True), strict=False)
        if not any(one[1] == two[1] and two[0] - one[0] < APART for one, two in pairs):
            break
    return hit


def in_flight() -> list[Kill]:
    """The worst moment: each payment was taken by its partner, and the worker dies before it hears so."""
    paying = [step for step in story().steps if step.sender == "hub" and messages.pays(step.content)]
    return [Kill(step.no, 0.0, "worker", step.receiver) for step in paying]


@cache
def story() -> Story:
    """The story that is played."""
    folder = story_folder(STORY)
    return load(folder, folder / "disputes.csv")


def money_steps() -> dict[int, bool]:
    """Steps of the story but the first and the last → whether money moves in them."""
    return {
        step.no: any(told["state"] not in ("NONE", "SIGNED") for told in step.escrow.values())
        for step in story().steps[1:-1]
    }


class Killer:
    """Kills by plan while the story goes on; ``done`` says what was killed when, ``during`` in which steps."""

    def __init__(self, system: System, planned: list[Kill], say: Callable[[str], None]) -> None:
        self._system = system
        self._planned = {kill.step: kill for kill in planned}
        self._say = say
        self._threads: list[threading.Thread] = []
        self._killed: set[int] = set()
        self._one_at_a_time = {program: threading.Lock() for program in {kill.program for kill in planned}}
        self._step = 1
        self.done: list[str] = []
        self.during: list[int] = []

    def step_begins(self, number: int) -> None:
        """To be called for each step as it begins."""
        self._step = number
        kill = self._planned.pop(number, None)
        if kill is None:
            return
        if kill.holder:
            order = {"kind": "delay", "seconds": HELD_S, "point": "after", "times": 1}
            self._bank("POST", f"/control/faults/{kill.holder}", order)
        thread = threading.Thread(target=self._carry_out, args=[kill])
        thread.start()
        self._threads.append(thread)

    def finish(self) -> None:
        """Wait for kills that are still on their way."""
        for thread in self._threads:
            thread.join(timeout=2 * BACK_WITHIN_S)

    def _carry_out(self, kill: Kill) -> None:
        time.sleep(kill.delay_s)
        if kill.holder:
            self._wait_for_payment(kill.holder)
        running: Child | Server = self._system.server
        if kill.program != DATABASE:
            running = next(each for each in self._system.children if each.program.name == kill.program)
        with self._one_at_a_time[kill.program]:
            limit = time.monotonic() + BACK_WITHIN_S
            while (pid := running.pid) is None or pid in self._killed:
                assert time.monotonic() < limit, f"{kill.program} did not come back"
                time.sleep(0.02)  # it is being started again after the kill before
            os.kill(pid, signal.SIGKILL)
            self._killed.add(pid)
            self.during.append(self._step)
            self.done.append(f"{kill} ({pid}) in step {self._step}")
        self._say(f"killed {self.done[-1]}")

    def _wait_for_payment(self, holder: str) -> None:
        limit = time.monotonic() + BACK_WITHIN_S
        while time.monotonic() < limit:
            book = self._bank("GET", f"/control/{holder}/book")
            if book.get("payments") or book.get("orders"):
                return
            time.sleep(0.02)

    def _bank(self, method: str, path: str, order: dict[str, Any] | None = None) -> Any:
        url = self._system.urls()["sandbox_bank"] + path
        return httpx.request(method, url, json=order, timeout=30, trust_env=False).json()
