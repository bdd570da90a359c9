"""One program under the supervisor: how it is started, when it is ready, how it is stopped and healed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hub.supervisor.leftovers import CHILD, INSTANCE, kill, marked

LOG_KEEP_BYTES = 20 * 1024**2
BACK_OFF_S = (0.05, 0.5, 1.0, 2.0, 5.0, 10.0)
SHORT_LIFE_S = 20.0
# What ends so often before it was ever ready is broken: the start does not wait for its limit then.
STARTING_LIVES = 3


class NotReady(Exception):
    """A program did not become ready in its time; the text has the last lines of its log."""


@dataclass(frozen=True)
class Program:
    """What to start. ``ready`` answers whether it does its work; ``ready_within_s`` is the stated limit.

    After ``lives`` short lives in a row it is given up; being killed while it did its work does not count.
    """

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], bool] = lambda: True
    ready_within_s: float = 30.0
    stop_within_s: float = 5.0
    environment: Mapping[str, str] = field(default_factory=dict)
    niceness: int = 0
    folder: Path | None = None
    lives: int = 12


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """Command line of one of our modules, or of an installed one, in this environment."""
    return (sys.executable, "-m", module, *arguments)


class Child:
    """A program with its process: started in a process group of its own, its output in its own log file."""

    def __init__(self, program: Program, base_environment: Mapping[str, str], log_dir: Path) -> None:
        self.program = program
        self.log = log_dir / f"{program.name}.log"
        self.restarts = 0
        self.state = "new"  # new, starting, up, waiting (for its restart), given-up, stopped
        self._environment = {**base_environment, **program.environment, CHILD: program.name}
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._again_at = 0.0
        self._short_lives = 0
        self._failures = 0
        self._lock = threading.RLock()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.state in ("starting", "up") else None

    def start(self) -> None:
        with self._lock:
            _keep_short(self.log)
            with self.log.open("ab") as output:
                self._process = subprocess.Popen(
                    self.program.argv,
                    env=self._environment,
                    cwd=self.program.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            if self.program.niceness:
                try:
                    os.setpriority(os.PRIO_PROCESS, self._process.pid, self.program.niceness)
                except OSError:
                    pass
            self._started = time.monotonic()
            self.state = "starting"

    def wait_ready(self, stop: threading.Event) -> bool:
        """Wait for ``ready`` within the stated limit; False when ``stop`` came first. Raises NotReady."""
        limit = time.monotonic() + self.program.ready_within_s
        while not stop.is_set():
            if self.state == "given-up" or self.restarts >= STARTING_LIVES:
                raise NotReady(f"{self.program.name} ended again and again\n{self.tail()}")
            if self.pid is not None and self.program.ready():
                self.confirm()
                return True
            if time.monotonic() > limit:
                within = f"{self.program.ready_within_s:.0f} s"
                raise NotReady(f"{self.program.name} was not ready within {within}\n{self.tail()}")
            time.sleep(0.1)
        return False

    def confirm(self) -> None:
        """It does its work."""
        with self._lock:
            if self.state == "starting":
                self.state = "up"

    def heal(self) -> str:
        """Called again and again: notices an end, and starts anew after the back-off. Returns what happened."""
        with self._lock:
            if self._process is None or self.state in ("stopped", "given-up"):
                return ""
            if self.state == "waiting":
                if time.monotonic() < self._again_at:
                    return ""
                self.restarts += 1
                self.start()
                return "again"
            code = self._process.poll()
            if code is None:
                return ""
            self._end_group()
            short = time.monotonic() - self._started < SHORT_LIFE_S
            self._short_lives = self._short_lives + 1 if short else 0
            # Who did its work and was killed has not failed by itself: it is never given up for that.
            killed = code == -signal.SIGKILL and self.state == "up"
            self._failures = self._failures + (not killed) if short else 0
            if self._failures >= self.program.lives:
                self.state = "given-up"
                return f"ended with {_how(code)} {self._failures} times in a row, given up"
            self._again_at = time.monotonic() + BACK_OFF_S[min(self._short_lives, len(BACK_OFF_S) - 1)]
            self.state = "waiting"
            return f"ended with {_how(code)}"

    def ask_to_stop(self) -> None:
        """First half of stopping: SIGTERM to the process itself (its own way of going down)."""
        with self._lock:
            self.state = "stopped"
            if self._process is not None and self._process.poll() is None:
                self._process.terminate()

    def finish_stop(self, limit: float) -> None:
        """Second half: wait until ``limit`` (monotonic), then kill the group and whatever carries its mark."""
        if self._process is None:
            return
        try:
            self._process.wait(timeout=max(0.0, limit - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass
        self._end_group()
        self._process.wait()

    def tail(self, lines: int = 15) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(max(0, self.log.stat().st_size - 8000))
            text = file.read().decode("utf-8", errors="replace")
        return "\n".join(f"    {self.program.name}: {line}" for line in text.splitlines()[-lines:])

    def _end_group(self) -> None:
        assert self._process is not None
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        kill(marked(self._environment[INSTANCE], self.program.name))


def _how(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"code {code}"


def _keep_short(log: Path) -> None:
    if log.exists() and log.stat().st_size > LOG_KEEP_BYTES:
        log.replace(log.with_suffix(".log.1"))
