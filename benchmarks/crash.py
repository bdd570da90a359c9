"""kill -9 before and after every commit, send and acknowledgement of API, worker and connectors, under load.

The whole copy runs under its own supervisor, which heals what dies. A partner sends cases of several messages, each until it
is acknowledged; a petition office's letters are taken up by the mediation office and answered; a webhook is told of it. The
database and the broker are killed too, and the database's disk is filled once. At the end the senders' and receivers' own
logs are compared with what the hub has.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.crash_judge import Judged, compare, compare_notices, rest
from benchmarks.crash_killer import DISK, Killer, in_background, plan, small_disk
from benchmarks.crash_office import OPERATOR, PARTNER, TOPICS, Office, Receiver, listening
from benchmarks.crash_points import all_points
from benchmarks.exchange_hub import enter_partner
from benchmarks.result import Result
from foundation.settings import ROOT
from hub.supervisor import Options, System
from hub.supervisor.written import read
from sandbox.stories.hub_api import HubApi, Patience
from sandbox.stories.stand_ins import StandIns

DISK_SIZE = "9g"
LANES = 24
MEAN_OF_A_CASE = 2.45
PREFIX = "crash"


@dataclass
class Size:
    """How much is done: at least so many ``messages``, killed at so many different points of the code (``kills``)."""

    messages: int
    kills: int
    letters: int
    alone_s: float
    servers: int


QUICK = Size(messages=400, kills=2, letters=4, alone_s=1.0, servers=0)
FULL = Size(messages=100_000, kills=42, letters=600, alone_s=20.0, servers=4)


def run(*, quick: bool, seed: int) -> Result:
    """One run; prints the plan's points as they are killed."""
    size = QUICK if quick else FULL
    planned = plan(seed, size.servers)
    if not quick:
        print("\n".join(f"  {each}" for each in sorted({str(kill.what) for kill in planned})))
    with _place(quick) as (var_dir, disk), _under_hooks(var_dir):
        options = Options(with_airflow=False, port_base=None, var_dir=var_dir, say=lambda _text: None)
        with System(options) as system, listening(receiver := Receiver(seed)) as hook:
            killer = Killer(system, var_dir / "crash", disk)
            rate, judged = _under_load(system, var_dir, killer, receiver, hook, planned, size, seed)
            judged.faults += killer.wrong
    points = killer.points()
    return Result(
        figures={
            "messages": judged.messages,
            "kill_points": len(points),
            "kills": len(killer.done),
            "lost": judged.lost,
            "twice": judged.twice,
            "order_breaks": judged.order_breaks,
            "resent_other_number": judged.resent,
        },
        baseline_what="messages a second acknowledged by the same copy before the first kill",
        baseline={"acknowledged_per_s": round(rate, 1)},
        bound_by="the time that a killed process takes to come back, and CPU in between",
        also={
            "points_in_the_code": len(all_points()),
            "killed_at": sorted(points),
            "not_reached_in_time": len(killer.not_reached),
            "disk_filled": DISK in killer.done
            if disk
            else "not possible here: no file system can be mounted",
            "webhook_tellings": len(receiver.log),
        },
        failed="; ".join(_verdict(judged))[:3000],
    )


def _verdict(judged: Judged) -> list[str]:
    counts = {"lost": judged.lost, "twice": judged.twice, "out of order": judged.order_breaks}
    told = [f"{count} {name}" for name, count in counts.items() if count]
    if judged.resent:
        told.append(f"{judged.resent} sent again under another number")
    return told + judged.faults[:10]


@contextmanager
def _place(quick: bool) -> Iterator[tuple[Path, Path | None]]:
    """A folder of the copy's own, its database on a disk of its own that can be filled."""
    top = "/var/tmp" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="concord-crash-", dir=top, ignore_cleanup_errors=True) as name:
        var_dir = Path(name)
        var_dir.chmod(0o755)
        (var_dir / "crash").mkdir()
        if quick:
            yield var_dir, None
            return
        with small_disk(var_dir / "postgres", DISK_SIZE) as disk:
            yield var_dir, disk


@contextmanager
def _under_hooks(var_dir: Path) -> Iterator[None]:
    """What the copy starts from here on carries the hooks."""
    ours = {
        "CONCORD_CRASH_DIR": str(var_dir / "crash"),
        "PYTHONPATH": f"{ROOT / 'benchmarks' / 'crash_site'}{os.pathsep}{ROOT}",
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value


def _under_load(
    system: System,
    var_dir: Path,
    killer: Killer,
    receiver: Receiver,
    hook: str,
    planned: Any,
    size: Size,
    seed: int,
) -> tuple[float, Judged]:
    """Start the traffic, kill by plan, wait until all has come to rest, compare."""
    Patience.least_s = 120.0
    urls = system.urls()
    people = HubApi(urls["api"], read(var_dir / "run" / "logins.json"))
    enter_partner(system.server.url, var_dir)
    body = {"partner": PARTNER, "kind": "webhook", "topics": TOPICS, "address": hook}
    people.post(OPERATOR, "/v1/subscriptions", body)
    _say("up")
    office = Office(people, StandIns([urls["sandbox_partners"]]), seed)
    stop = threading.Event()
    letters = in_background(lambda: office.work(stop, size.letters))
    sender = _sender(system, var_dir, int(size.messages / MEAN_OF_A_CASE) + 10, seed)
    sent = var_dir / f"sent-{PREFIX}"
    rate = _alone(sent, size.alone_s)
    killer.work(planned[: len(planned) // 4], lambda: len(killer.points()) >= size.kills // 2)
    killer.fill_disk()
    killer.work(planned[len(planned) // 4 :], lambda: len(killer.points()) >= size.kills)
    _say(f"{len(killer.done)} kills")
    (var_dir / f"enough-{PREFIX}").touch()
    output, _ = sender.communicate(timeout=3000)
    _say("everything sent")
    stop.set()
    letters.join(timeout=180)
    judged = Judged(messages=json.loads(output.splitlines()[-1])["sent"], faults=office.wrong)
    with psycopg.connect(system.server.url.replace("+psycopg", ""), autocommit=True) as conn:
        rest(conn, judged)
        _say("at rest")
        compare(conn, sent, PREFIX, judged)
        compare_notices(conn, urls["sandbox_partners"], office, judged)
    judged.resent += receiver.resent_other_number()
    if told := receiver.order_breaks():
        judged.faults.append(f"the webhook was told out of order: {told[:3]}")
    judged.order_breaks += len(told)
    return rate, judged


_BEGAN = time.monotonic()


def _say(text: str) -> None:
    print(f"[{time.monotonic() - _BEGAN:6.1f} s] {text}", flush=True)


def _sender(system: System, var_dir: Path, cases: int, seed: int) -> subprocess.Popen[bytes]:
    port = str(system.ports.port("api"))
    command = [
        sys.executable, "-m", "benchmarks.crash_sender", str(var_dir), "127.0.0.1", port, str(cases), str(LANES),
        str(seed), PREFIX,
    ]  # fmt: skip
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)


def _alone(sent: Path, seconds: float) -> float:
    """Acknowledged messages a second before the first kill; the points that are reached are found meanwhile."""
    limit = time.monotonic() + 60
    while (not sent.exists() or not sent.stat().st_size) and time.monotonic() < limit:
        time.sleep(0.05)
    before = sent.read_bytes().count(b"\n")
    time.sleep(seconds)
    return (sent.read_bytes().count(b"\n") - before) / seconds
