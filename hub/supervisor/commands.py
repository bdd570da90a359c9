"""Commands that run to their end under the supervisor: setting up, loading, telling a story."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from hub.supervisor.children import python
from hub.supervisor.failures import Stopped

if TYPE_CHECKING:
    from hub.supervisor.system import System

TAIL_LINES = 25
GRACE_S = 3.0


class CommandFailed(Exception):
    """A command ended badly or took too long; the text says which, with its last lines."""


def run_quietly(
    module: str, arguments: list[str], system: System, within_s: float, extra: Mapping[str, str] | None = None
) -> None:
    """Run one of our modules, its output in a log; raises CommandFailed with the log's tail, or Stopped."""
    name = "-".join([module.split(".")[-1], *(each for each in arguments if each.isalpha())])
    log = system.var_dir / "log" / f"{name}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            python(module, *arguments),
            env={**system.environment, **(extra or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        code = _wait(process, system, within_s)
    if code != 0:
        tail = log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:]
        how = f"took longer than {within_s:.0f} s" if code is None else f"ended with {code}"
        raise CommandFailed(f"{name} {how}; its last lines:\n" + "\n".join(f"    {line}" for line in tail))


def run_shown(module: str, arguments: list[str], system: System, within_s: float) -> int:
    """Run one of our modules with its output to the terminal; returns its exit code. Raises Stopped."""
    process = subprocess.Popen(
        python(module, *arguments), env=system.environment, stdin=subprocess.DEVNULL, start_new_session=True
    )
    code = _wait(process, system, within_s)
    return 124 if code is None else code


def _wait(process: subprocess.Popen[bytes], system: System, within_s: float) -> int | None:
    """Exit code, or None when it was ended for taking too long."""
    limit = time.monotonic() + within_s
    while True:
        try:
            return process.wait(timeout=0.1)
        except subprocess.TimeoutExpired:
            pass
        if system.stopping.is_set() or time.monotonic() > limit:
            process.terminate()
            try:
                process.wait(timeout=GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if system.stopping.is_set():
                raise Stopped
            return None
