"""Kills by plan: arms a point, waits until the process has died at it, waits until it is back, goes on to the next."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.crash_points import Point, all_points
from hub.supervisor import System
from hub.supervisor.probes import answers

REACHED_WITHIN_S = 6.0
BACK_WITHIN_S = 90.0
FULL_S = 4.0
DATABASE, BROKER, DISK = "postgres", "rabbitmq", "disk full"
# Programs of other purposes: they are not under test here.
NOT_UNDER_TEST = ("hub/cli/", "hub/migrate.py", "hub/setup_keys.py", "hub/history.py", "hub/office_import.py")


@dataclass(frozen=True)
class Kill:
    """One kill: at a point, when it is reached for the ``skip`` + 1st time, or of a whole server."""

    what: Point | str
    skip: int = 0

    def __str__(self) -> str:
        return f"{self.what}" + (f" (after {self.skip} more)" if self.skip else "")


def plan(seed: int, servers: int) -> list[Kill]:
    """All points in an order made from the seed, twice over, with the servers' kills between; the same for the same seed."""
    chance = random.Random(seed)
    points = [each for each in all_points() if not each.place.startswith(NOT_UNDER_TEST)]
    made: list[Kill] = []
    for _ in range(2):
        chance.shuffle(points)
        made += [Kill(point, chance.randrange(4)) for point in points]
    for number in range(servers):
        at = 5 + number * 7
        made.insert(at, Kill(DATABASE if number % 2 == 0 else BROKER))
    return made


@dataclass
class Killer:
    """Carries a plan out against a running copy. ``disk``: the mounted folder that is filled once, if there is one."""

    system: System
    folder: Path
    disk: Path | None
    done: list[str] = field(default_factory=list)
    not_reached: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def work(self, planned: list[Kill], enough: Callable[[], bool]) -> None:
        """Go through the plan until ``enough``; points that this load has never reached are passed over."""
        for kill in planned:
            if enough():
                return
            if isinstance(kill.what, Point):
                self._at_point(kill.what, kill)
            elif kill.what == DATABASE:
                self._database()
            else:
                self._broker()

    def points(self) -> set[str]:
        """The different points of the code at which a process was killed; servers and the disk are not counted."""
        return {each.split(" (after")[0] for each in self.done} - {DATABASE, BROKER, DISK}

    def reached(self) -> dict[str, str]:
        """Point → program, of all that was reached so far."""
        return {
            line: path.name.removeprefix("reached-")
            for path in self.folder.glob("reached-*")
            for line in path.read_text(encoding="utf-8").splitlines()
        }

    def _at_point(self, point: Point, kill: Kill) -> None:
        program = self.reached().get(str(point))
        if program is None:
            return
        child = next(each for each in self.system.children if each.program.name == program)
        before = child.pid
        armed, done = self.folder / f"armed-{program}", self.folder / f"done-{program}"
        armed.write_text(f"{point} #{kill.skip}", encoding="utf-8")
        limit = time.monotonic() + REACHED_WITHIN_S
        while not done.exists() and time.monotonic() < limit:
            time.sleep(0.01)
        if not done.exists():
            armed.unlink(missing_ok=True)
            time.sleep(0.05)
        if not done.exists():
            self.not_reached.append(str(point))
            return
        done.unlink()
        self.done.append(str(kill))
        self._wait(lambda: child.pid not in (None, before) and self._ready(program), program)

    def _ready(self, program: str) -> bool:
        if program == "api":
            return answers(f"{self.system.urls()['api']}/health")
        return True

    def _database(self) -> None:
        server, pid = self.system.server, self.system.server.pid
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL)
        self.done.append(DATABASE)
        self._wait(lambda: server.pid not in (None, pid) and self._ready("api"), DATABASE)

    def _broker(self) -> None:
        child = next((each for each in self.system.children if each.program.name == BROKER), None)
        if child is None or child.pid is None:
            return
        pid = child.pid
        os.kill(pid, signal.SIGKILL)
        self.done.append(BROKER)
        self._wait(lambda: child.pid not in (None, pid) and child.program.ready(), BROKER)

    def fill_disk(self) -> None:
        """Fill the database's disk for a while, then make room again."""
        if self.disk is None:
            return
        filler = self.disk / "filler"
        with filler.open("wb") as file:
            try:
                while True:
                    file.write(b"\0" * 1_048_576)
            except OSError:
                pass
        self.done.append(DISK)
        time.sleep(FULL_S)
        filler.unlink()
        self._wait(lambda: self._ready("api"), DISK)

    def _wait(self, true: Callable[[], bool], what: str) -> None:
        limit = time.monotonic() + BACK_WITHIN_S
        while not true():
            if time.monotonic() > limit:
                self.wrong.append(f"{what} was not back within {BACK_WITHIN_S:.0f} s")
                return
            time.sleep(0.05)


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Path | None]:
    """A file system of its own for the database, where this machine lets us mount one; else None."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = os.geteuid() == 0 and (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder)],
            capture_output=True, check=False,
        ).returncode == 0
    )  # fmt: skip
    try:
        yield folder if mounted else None
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], capture_output=True, check=False)


def in_background(work: Callable[[], None]) -> threading.Thread:
    """Start ``work`` in a thread."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread
