"""Signed messages by the open contract, over REST and SOAP: authenticated, validated, answered after commit, applied, stamped.

The load is a process of its own that signs each distinct message with RSA-2048. Its rate is governed by what the worker
gets done: it rises until the backlog passes half a second, and falls back; so the mean over the window is what the two
cores sustain, and the backlog at the end is told. Every answered message is then looked for: none lost, none applied
twice, each in a journal batch that bears its time stamp.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import orjson
import psycopg

from benchmarks.exchange_hub import BenchHub, running
from benchmarks.exchange_messages import Messages, Sender
from benchmarks.result import Result, percentile
from foundation.settings import ROOT

CONNECTIONS = 32
STATUS_CONNECTIONS = 100
LOOK_S = 0.25
LOOKS_AVERAGED = 8
# The governor's aim, how strongly it steers to it (a share of the rate for each second), and the rate it never goes below.
BACKLOG_SOUGHT_S = 0.5
GAIN = 0.5
LEAST_RATE = 50.0
# The load goes on so long after the window, so that the window ends under load.
TAIL_S = 0.4
DRAIN_WITHIN_S = 60.0


@dataclass
class Window:
    """What one protocol's window gave."""

    answered: int = 0
    done: int = 0
    seconds: float = 0.0
    backlog_s: float = 0.0
    latencies: list[float] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    wrong: str = ""

    @property
    def per_s(self) -> float:
        """Messages answered, applied, sealed and stamped within the window, a second."""
        return self.done / self.seconds if self.seconds else 0.0


def run(*, quick: bool, seed: int) -> Result:
    """One run: REST, SOAP, status queries, and the bare store of the same bytes."""
    seconds, warm, short = (1.0, 0.4, 0.5) if quick else (60.0, 5.0, 10.0)
    with running() as hub:
        windows = {protocol: _window(hub, protocol, warm, seconds, seed) for protocol in ("rest", "soap")}
        statuses = _statuses(hub, short, seed)
        bare = _bare(hub, short, seed)
    rest, soap = windows["rest"], windows["soap"]
    times = rest.latencies + soap.latencies
    wrong = "; ".join(each.wrong for each in windows.values() if each.wrong)
    if not quick and max(rest.backlog_s, soap.backlog_s) > 1.0:
        wrong += f"; backlog {max(rest.backlog_s, soap.backlog_s):.1f} s at the end"
    return Result(
        figures={
            "rest_msgs_per_s": round(rest.per_s, 1),
            "soap_msgs_per_s": round(soap.per_s, 1),
            "submit_p50_ms": round(percentile(times, 0.50) * 1000, 1),
            "submit_p95_ms": round(percentile(times, 0.95) * 1000, 1),
            "submit_p99_ms": round(percentile(times, 0.99) * 1000, 1),
            "status_p95_ms": round(percentile(statuses, 0.95) * 1000, 1),
            "seconds": seconds,
        },
        baseline_what="insert and commit of the same REST bodies, one connection, nothing else",
        baseline={"stored_per_s": round(bare, 1)},
        bound_by=_bound_by(windows),
        also={
            "rest_answered": rest.answered,
            "soap_answered": soap.answered,
            "rest_backlog_s": round(rest.backlog_s, 2),
            "soap_backlog_s": round(soap.backlog_s, 2),
            "rest_cpu_ms_per_msg": _shares(rest),
            "soap_cpu_ms_per_msg": _shares(soap),
            "status_per_s": round(len(statuses) / short, 1),
        },
        failed=wrong.strip("; "),
    )


def _shares(window: Window) -> dict[str, float]:
    return {name: round(used * 1000 / max(window.done, 1), 2) for name, used in window.cpu.items()}


def _bound_by(windows: dict[str, Window]) -> str:
    told = []
    for protocol, window in windows.items():
        whole = sum(window.cpu.values())
        parts = sorted(window.cpu.items(), key=lambda item: -item[1])
        shares = ", ".join(f"{name} {used / whole:.0%}" for name, used in parts if whole)
        told.append(f"{protocol}: {whole / window.seconds:.2f} of the cores busy ({shares})")
    return "CPU; " + "; ".join(told)


def _client(
    hub: BenchHub, what: str, seconds: float, connections: int, seed: int, prefix: str, rate: float
) -> Any:
    command = [
        sys.executable, "-m", "benchmarks.exchange_client", str(hub.folder), "127.0.0.1", str(hub.port), what,
        str(seconds), str(connections), str(seed), prefix, str(rate),
    ]  # fmt: skip
    started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, bufsize=0)
    assert started.stdout is not None
    assert started.stdout.readline() == b"ready\n", "the client did not start"
    return started


def _told(hub: BenchHub, client: Any, name: str) -> Any:
    """What the client wrote at its end."""
    client.stdin.close()
    if client.wait(timeout=90) != 0:
        raise RuntimeError("the client ended with an error")
    return orjson.loads((hub.folder / f"{name}.json").read_bytes())


def _window(hub: BenchHub, protocol: str, warm: float, seconds: float, seed: int) -> Window:
    """Warm up, then measure; the rate is governed throughout."""
    prefix = f"{protocol}-{seed}"
    client = _client(hub, f"submit-{protocol}", warm + seconds + TAIL_S, CONNECTIONS, seed, prefix, 300.0)
    before = hub.cpu() | {"client": 0.0}
    window = Window(seconds=seconds)
    with hub.connect() as conn:
        governor = _Governor(client, conn, prefix, 300.0)
        governor.for_seconds(warm)
        begin, client_before = governor.stamped(), _client_cpu(client)
        before = hub.cpu() | {"client": client_before}
        governor.for_seconds(seconds)
        window.done = governor.stamped() - begin
        after = hub.cpu() | {"client": _client_cpu(client)}
        window.cpu = {name: after[name] - before[name] for name in after}
        window.backlog_s = governor.backlog() / max(window.per_s, 1.0)
        told = _told(hub, client, f"submit-{protocol}-{prefix}")
        window.answered = len(told["answered"])
        window.latencies, window.refused = told["latencies"], told["refused"]
        window.wrong = _check(conn, prefix, told, governor)
    return window


def _client_cpu(client: Any) -> float:
    import psutil

    times = psutil.Process(client.pid).cpu_times()
    return float(times.user + times.system)


class _Governor:
    """Sets the client's rate by what the worker gets done and by the backlog: messages stored and not yet applied.

    Following what was done over the last two seconds, it does not overshoot while the effect of a change is on its way.
    """

    def __init__(self, client: Any, conn: psycopg.Connection, prefix: str, rate: float) -> None:
        self.client = client
        self.conn = conn
        self.prefix = prefix
        self.rate = rate
        self._looks: deque[tuple[float, int]] = deque(maxlen=LOOKS_AVERAGED + 1)

    def for_seconds(self, seconds: float) -> None:
        """Govern for so long."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(LOOK_S, left))
            backlog = self.backlog()
            stored = self._count("SELECT last_value FROM exchange.inbox_seq_seq")
            self._looks.append((time.monotonic(), stored - backlog))
            done = (self._looks[-1][1] - self._looks[0][1]) / (self._looks[-1][0] - self._looks[0][0] or 1.0)
            if len(self._looks) == self._looks.maxlen:
                self.rate = max(done, LEAST_RATE) * (
                    1.0 + GAIN * (BACKLOG_SOUGHT_S - backlog / max(done, 1.0))
                )
                self.rate = max(self.rate, LEAST_RATE)
            self.client.stdin.write(f"{self.rate:.1f}\n".encode())

    def backlog(self) -> int:
        """Messages that are stored and not yet applied."""
        return self._count(
            "SELECT count(*) FROM exchange.inbox WHERE state = 'RECEIVED' AND receipt IS NOT NULL"
        )

    def stamped(self) -> int:
        """Messages whose journal line is in a sealed batch that bears its time stamp."""
        return self._count(
            "SELECT count(*) FROM exchange.journal j JOIN exchange.journal_batch b ON b.no = j.batch"
            " WHERE j.kind = 'applied' AND b.token IS NOT NULL AND j.ref LIKE"
            f" 'bench_street/{self.prefix}-%'"
        )

    def _count(self, sql: str) -> int:
        row = self.conn.execute(sql.encode()).fetchone()
        assert row is not None
        return int(row[0])


def _check(conn: psycopg.Connection, prefix: str, told: Any, governor: _Governor) -> str:
    """Wait for the rest, then look for every answered message: applied once, stamped once."""
    wanted = len(told["answered"])
    until = time.monotonic() + DRAIN_WITHIN_S
    while governor.stamped() < wanted and time.monotonic() < until:
        time.sleep(LOOK_S)
    like = f"{prefix}-%"
    applied = {
        row[0]
        for row in conn.execute(
            "SELECT message_id FROM exchange.inbox WHERE message_id LIKE %s AND state = 'APPLIED'", [like]
        )
    }
    lines = conn.execute(
        "SELECT count(*), count(DISTINCT ref) FROM exchange.journal j JOIN exchange.journal_batch b ON b.no = j.batch"
        " WHERE j.kind = 'applied' AND b.token IS NOT NULL AND j.ref LIKE %s",
        [f"bench_street/{like}"],
    ).fetchone()
    twice = conn.execute(
        "SELECT count(*) FROM (SELECT message FROM registry.statement s JOIN exchange.inbox i ON i.id = s.message"
        " WHERE i.message_id LIKE %s GROUP BY message HAVING count(*) > 1) AS t",
        [like],
    ).fetchone()
    assert lines is not None and twice is not None
    lost = len(set(told["answered"]) - applied)
    faults = []
    if told["refused"]:
        faults.append(f"refused: {list(told['refused'].items())[:2]}")
    if lost:
        faults.append(f"{lost} answered messages were not applied")
    if lines[0] != lines[1] or lines[1] < wanted:
        faults.append(f"{lines[0]} stamped lines of {lines[1]} messages, {wanted} answered")
    if twice[0]:
        faults.append(f"{twice[0]} messages applied twice")
    return "; ".join(faults)


def _statuses(hub: BenchHub, seconds: float, seed: int) -> list[float]:
    """Latencies of status queries over 100 connections at once, as fast as they are answered."""
    client = _client(hub, "status", seconds, STATUS_CONNECTIONS, seed, f"rest-{seed}", 4000.0)
    told = _told(hub, client, f"status-rest-{seed}")
    latencies: list[float] = told["latencies"]
    return latencies


def _bare(hub: BenchHub, seconds: float, seed: int) -> float:
    """The plainest thing that keeps the same bytes."""
    messages = Messages(seed, "bare")
    sender = Sender.load(str(hub.folder), "127.0.0.1:1")
    bodies = [sender.submit(messages.next()).split(b"\r\n\r\n", 1)[1] for _ in range(200)]
    with psycopg.connect(hub.url.replace("+psycopg", "")) as conn:
        conn.execute(
            "CREATE TABLE bare_store (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, content bytea NOT NULL)"
        )
        conn.commit()
        count = 0
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            conn.execute("INSERT INTO bare_store (content) VALUES (%s)", [bodies[count % len(bodies)]])
            conn.commit()
            count += 1
    return count / seconds
