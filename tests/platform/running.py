"""Starts ``./run`` as a person does, in a place of its own, and looks at it from outside."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hub.supervisor import leftovers
from hub.supervisor.ports import first_taken
from tests.platform.tree import ROOT

HISTORY = "40"


class Run:
    """One ``./run`` with its own var folder and ports."""

    def __init__(self, var_dir: Path, port_base: int) -> None:
        self.var_dir = var_dir
        self.port_base = port_base
        self.process: subprocess.Popen[bytes] | None = None
        self._output = var_dir / "terminal.txt"

    def start(self, *arguments: str) -> None:
        command = [
            str(ROOT / "run"),
            "--var-dir",
            str(self.var_dir),
            "--port-base",
            str(self.port_base),
            "--history",
            HISTORY,
        ]
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def output(self) -> str:
        return self._output.read_text(encoding="utf-8", errors="replace")

    def state(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(
                (self.var_dir / "run" / "state.json").read_text(encoding="utf-8")
            )
        except FileNotFoundError:
            return {}
        return found

    def wait(self, true: Callable[[], bool], within_s: float, what: str) -> None:
        limit = time.monotonic() + within_s
        while not true():
            assert self.process is not None
            assert self.process.poll() is None, f"./run ended while waiting for: {what}\n{self.output()}"
            assert time.monotonic() < limit, f"{what}: not within {within_s} s\n{self.output()}"
            time.sleep(0.2)

    def wait_up(self, within_s: float) -> None:
        self.wait(lambda: "Concord is up" in self.output(), within_s, "everything up, story told")

    def ended(self, within_s: float) -> int:
        """Exit code of a run that ends by itself."""
        assert self.process is not None
        return self.process.wait(timeout=within_s)

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Ask it to stop; returns after how many seconds it was gone."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(timeout=30)
        return time.monotonic() - began

    def left(self) -> list[str]:
        """Processes of this copy that are still there."""
        mark = leftovers.instance_mark(self.var_dir)
        return [" ".join(process.cmdline()) for process in leftovers.marked(mark)]


@contextmanager
def own_place(first_base: int) -> Iterator[Run]:
    """A folder that PostgreSQL's user can reach also when we are root, free ports, and nothing left after."""
    parent = "/var/tmp" if os.geteuid() == 0 else None
    var_dir = Path(tempfile.mkdtemp(prefix="concord run ", dir=parent))
    var_dir.chmod(0o755)
    base = next(base for base in range(first_base, first_base + 4000, 40) if first_taken(base) is None)
    run = Run(var_dir, base)
    try:
        yield run
    finally:
        if run.process is not None and run.process.poll() is None:
            run.process.send_signal(signal.SIGTERM)
            try:
                run.process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                run.process.kill()
        leftovers.kill(leftovers.marked(leftovers.instance_mark(var_dir)))
        shutil.rmtree(var_dir, ignore_errors=True)
