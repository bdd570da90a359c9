"""The supervisor's parts, with real small processes: ready, healed, given up, stopped with all that is below them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hub.supervisor import leftovers
from hub.supervisor.children import Child, NotReady, Program

pytestmark = pytest.mark.slow
MARK = f"test-{os.getpid()}"
SLEEPER = "import time; time.sleep(60)"
# A process whose child goes into a session of its own, as daemons do.
WITH_RUNAWAY = (
    "import subprocess, sys, time;"
    f"subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], start_new_session=True);"
    "time.sleep(60)"
)


def child(folder: Path, code: str, **more: object) -> Child:
    program = Program("small", (sys.executable, "-c", code), **more)  # type: ignore[arg-type]
    return Child(program, {**os.environ, leftovers.INSTANCE: MARK}, folder)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    yield
    left = leftovers.marked(MARK)
    leftovers.kill(left)
    assert not left


def wait_until(true: object, within_s: float = 10.0) -> None:
    limit = time.monotonic() + within_s
    while not true():  # type: ignore[operator]
        assert time.monotonic() < limit, "it did not come about"
        time.sleep(0.05)


def stop(small: Child) -> None:
    small.ask_to_stop()
    small.finish_stop(time.monotonic() + 3)


def test_not_ready_in_time_says_so_with_the_log(tmp_path: Path) -> None:
    slow = child(
        tmp_path,
        f"print('cannot find the moon', flush=True); {SLEEPER}",
        ready=lambda: False,
        ready_within_s=1.0,
    )
    slow.start()
    with pytest.raises(NotReady, match=r"(?s)not ready within 1 s.*cannot find the moon"):
        slow.wait_ready(threading.Event())
    stop(slow)


def test_killed_is_started_again_and_its_runaways_are_ended(tmp_path: Path) -> None:
    small = child(tmp_path, WITH_RUNAWAY)
    small.start()
    wait_until(lambda: len(leftovers.marked(MARK)) == 2)
    before = {process.pid for process in leftovers.marked(MARK)}
    assert small.pid is not None
    os.kill(small.pid, signal.SIGKILL)
    wait_until(lambda: "SIGKILL" in small.heal())
    assert not leftovers.marked(MARK)
    wait_until(lambda: small.heal() == "again")
    assert small.restarts == 1
    wait_until(lambda: len(leftovers.marked(MARK)) == 2)
    assert before.isdisjoint(process.pid for process in leftovers.marked(MARK))
    stop(small)


def test_what_dies_again_and_again_is_given_up(tmp_path: Path) -> None:
    small = child(tmp_path, "raise SystemExit(7)", lives=2)
    small.start()
    told: list[str] = []
    wait_until(lambda: told.append(small.heal()) or small.state == "given-up")
    assert [each for each in told if each] == [
        "ended with code 7",
        "again",
        "ended with code 7 2 times in a row, given up",
    ]
    stop(small)


def test_what_is_killed_at_its_work_is_never_given_up(tmp_path: Path) -> None:
    small = child(tmp_path, SLEEPER, lives=2)
    small.start()
    for killed in range(1, 4):
        small.confirm()
        assert small.pid is not None
        os.kill(small.pid, signal.SIGKILL)
        wait_until(lambda: "SIGKILL" in small.heal())
        wait_until(lambda: small.heal() == "again")
        assert small.restarts == killed
    stop(small)


def test_what_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    small = child(
        tmp_path, f"import signal; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); {SLEEPER}"
    )
    small.start()
    wait_until(lambda: "deaf" in small.tail())
    began = time.monotonic()
    small.ask_to_stop()
    small.finish_stop(time.monotonic() + 0.5)
    assert time.monotonic() - began < 3
    assert small.pid is None


def test_orphans_are_adopted_and_taken() -> None:
    """A daemon below the supervisor comes back to it, can be found, and leaves no zombie."""
    code = f"""
import subprocess, sys, time
from hub.supervisor import leftovers
leftovers.adopt_orphans()
daemon = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}], start_new_session=True)"
subprocess.run([sys.executable, "-c", daemon])
found = leftovers.descendants()
assert len(found) == 1, found
leftovers.kill(found)
reaper = leftovers.OrphanReaper()
reaper.reap(set()); time.sleep(1.1); reaper.reap(set())
import psutil
assert not psutil.Process().children(), psutil.Process().children()
print("taken")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout.strip() == "taken", done.stderr


def test_a_killed_supervisors_processes_are_found(tmp_path: Path) -> None:
    mark = leftovers.instance_mark(tmp_path)
    left = subprocess.Popen([sys.executable, "-c", SLEEPER], env={**os.environ, leftovers.INSTANCE: mark})
    try:
        wait_until(lambda: [process.pid for process in leftovers.marked(mark)] == [left.pid])
        leftovers.end(leftovers.marked(mark), within_s=3)
        assert not psutil.pid_exists(left.pid) or psutil.Process(left.pid).status() == psutil.STATUS_ZOMBIE
    finally:
        left.kill()
        left.wait()
