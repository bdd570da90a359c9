"""Finds and ends processes: those below the supervisor, and those a killed supervisor left behind.

Every process that the supervisor starts carries ``CONCORD_INSTANCE`` (which copy) and ``CONCORD_CHILD`` (which
program) in its environment, and its own children inherit both; so they are found whatever process group or
parent they have come to. On Linux the supervisor also adopts orphans below it, so that none is lost.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import signal
import sys
import time
from pathlib import Path

import psutil

INSTANCE = "CONCORD_INSTANCE"
CHILD = "CONCORD_CHILD"
_PR_SET_CHILD_SUBREAPER = 36
# A thread that waits for its own child takes it in milliseconds; what stays a zombie longer is an orphan.
ORPHAN_AFTER_S = 1.0


def instance_mark(var_dir: Path) -> str:
    """The mark of the copy whose files lie in ``var_dir``."""
    return hashlib.sha256(str(var_dir.resolve()).encode()).hexdigest()[:16]


def adopt_orphans() -> None:
    """Make this process the parent of orphans among its descendants (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants() -> list[psutil.Process]:
    """Everything below this process that is not dead already."""
    return [each for each in psutil.Process().children(recursive=True) if _alive(each)]


def marked(instance: str, child: str = "") -> list[psutil.Process]:
    """Processes of the copy ``instance`` (of its program ``child``), but not this one."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid():
                continue
            environment = process.environ()
            if (
                environment.get(INSTANCE) == instance
                and child in ("", environment.get(CHILD))
                and _alive(process)
            ):
                found.append(process)
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or another user's
    return found


def end(processes: list[psutil.Process], within_s: float) -> None:
    """SIGTERM, then SIGKILL to those still there after ``within_s``."""
    for process in processes:
        _signal(process, signal.SIGTERM)
    _gone, alive = psutil.wait_procs(processes, timeout=within_s)
    kill(alive)


def kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(processes, timeout=2)


class OrphanReaper:
    """Takes the exit status of adopted orphans, so that they do not stay zombies."""

    def __init__(self) -> None:
        self._seen: dict[int, float] = {}

    def reap(self, own: set[int]) -> None:
        """``own`` are processes that somebody here waits for himself."""
        now = time.monotonic()
        zombies = set()
        for child in psutil.Process().children():
            try:
                if child.pid not in own and child.status() == psutil.STATUS_ZOMBIE:
                    zombies.add(child.pid)
            except psutil.Error:
                continue
        self._seen = {pid: self._seen.get(pid, now) for pid in zombies}
        for pid, since in list(self._seen.items()):
            if now - since >= ORPHAN_AFTER_S:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass
                del self._seen[pid]


def take_orphans(within_s: float = 2.0) -> None:
    """At the very end: take the exit status of every child that is left, so that none stays a zombie."""
    limit = time.monotonic() + within_s
    while time.monotonic() < limit:
        try:
            if os.waitpid(-1, os.WNOHANG) == (0, 0):
                time.sleep(0.05)
        except ChildProcessError:
            return


def _alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _signal(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        pass
