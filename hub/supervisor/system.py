"""One copy of Concord as a whole: started in parallel, watched, and stopped without leaving a process."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Self

from foundation.settings import ROOT, settings
from hub.supervisor import leftovers, starting, written
from hub.supervisor.children import Child, NotReady, Program
from hub.supervisor.failures import StartFailed, Stopped
from hub.supervisor.ports import PortBase, choose_base
from hub.supervisor.server import Server
from hub.supervisor.watching import confirm_restarts, keep_watch

NEEDED_FREE_BYTES = 300 * 1024**2


def default_var_dir() -> Path:
    return Path(os.environ.get("CONCORD_VAR_DIR") or ROOT / "var").resolve()


@dataclass(frozen=True)
class Options:
    """``port_base`` None means: the one used last time, or the first free one. ``say`` takes progress lines.

    ``whole_process``: this process does nothing else, so that every child of it is the copy's; then orphans
    below it are adopted and taken too.
    """

    with_airflow: bool = True
    port_base: int | None = None
    var_dir: Path = field(default_factory=default_var_dir)
    say: Callable[[str], None] = print
    whole_process: bool = False


class System:
    """A running copy. ``start`` returns when the hub is ready; Airflow may still be on its way (``wait_airflow``).

    ``ports`` and ``server`` are there once ``start`` has taken the copy's lock; ``environment`` is what every
    process of the copy is given.
    """

    ports: PortBase
    server: Server

    def __init__(self, options: Options) -> None:
        self.options = options
        self.var_dir = options.var_dir
        self.stopping = threading.Event()
        self.phase = "starting"
        self.environment: dict[str, str] = {}
        self.children: list[Child] = []
        self._began = time.monotonic()
        self._launching = threading.Lock()
        self._lock: IO[str] | None = None
        self._watch: threading.Thread | None = None
        self._threads = ThreadPoolExecutor(max_workers=16, thread_name_prefix="start")
        self._airflow: Future[None] | None = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start everything. Raises AlreadyRuns, PortBusy, StartFailed or Stopped; then call ``stop``."""
        mark = self._take_place()
        amqp_url, broker = starting.plan_broker(self, mark)
        if broker is not None:
            self.in_background(starting.start_broker, self, broker)
        starting.start_server(self)
        self._write_settings(amqp_url)
        self._watch = threading.Thread(target=keep_watch, args=[self], name="watch", daemon=True)
        self._watch.start()
        threading.Thread(target=confirm_restarts, args=[self], name="confirm", daemon=True).start()
        if self.options.with_airflow:
            self._airflow = self.in_background(starting.start_airflow, self)
        starting.prepare(self)
        starting.start_hub(self)
        self.phase = "ready"

    def wait_airflow(self) -> None:
        """Wait until Airflow's four processes are ready; at once without Airflow. Raises StartFailed, Stopped."""
        if self._airflow is not None:
            self.result(self._airflow)

    def stop(self) -> None:
        """Stop all within 20 s: everyone is asked at once, then killed; the database last; then a sweep."""
        with self._launching:
            self.stopping.set()
        if self._lock is None:
            return
        if self._watch is not None:
            self._watch.join(timeout=5)
        self._threads.shutdown(wait=False, cancel_futures=True)
        began = time.monotonic()
        for child in self.children:
            child.ask_to_stop()
        for child in self.children:
            child.finish_stop(began + child.program.stop_within_s)
        if hasattr(self, "server"):
            self.server.stop()
        leftovers.kill(leftovers.marked(leftovers.instance_mark(self.var_dir)))
        if self.options.whole_process:
            leftovers.kill(leftovers.descendants())
            leftovers.take_orphans()
        (self.var_dir / "run" / "state.json").unlink(missing_ok=True)
        if hasattr(self, "ports"):
            self.ports.release()
        self._lock.close()
        self._lock = None

    def stop_on_signals(self) -> None:
        """Ctrl-C, SIGTERM and a closed terminal set ``stopping``; call it from the main thread."""

        def ask(_signal: int, _frame: object) -> None:
            if not self.stopping.is_set():
                self.options.say("stopping ...")
            self.stopping.set()

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, ask)

    # -- for the parts ---------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        self.options.say(f"[{self.seconds():6.1f} s] {text}")

    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self._began

    def urls(self) -> dict[str, str]:
        """Addresses of this copy's services, for people and for tests."""
        names = ["api", "console", "sandbox_partners", "sandbox_bank"]
        found = {name: f"http://127.0.0.1:{self.ports.port(name)}" for name in names}
        if self.options.with_airflow:
            found["airflow"] = f"http://127.0.0.1:{self.ports.port('airflow_api')}"
        return found

    def launch(self, program: Program) -> Child:
        """Start a program of this copy, watched from then on. Raises Stopped when the copy is going down."""
        with self._launching:
            if self.stopping.is_set():
                raise Stopped
            child = Child(program, self.environment, self.var_dir / "log")
            self.children.append(child)
            child.start()
        return child

    def in_background(self, work: Callable[..., None], *arguments: object) -> Future[None]:
        return self._threads.submit(work, *arguments)

    def result(self, waiting: Future[None]) -> None:
        """Wait for a part of the start, giving way to a stop. Raises StartFailed or Stopped."""
        while not waiting.done():
            if self.stopping.wait(0.05):
                raise Stopped
        try:
            waiting.result()
        except NotReady as problem:
            raise StartFailed(str(problem)) from None
        if self.stopping.is_set():
            raise Stopped

    # -- within ----------------------------------------------------------------------------------------

    def _take_place(self) -> str:
        """Lock, leftovers, ports, folders; returns the copy's mark."""
        (self.var_dir / "run").mkdir(parents=True, exist_ok=True)
        (self.var_dir / "log").mkdir(exist_ok=True)
        self._lock = written.hold(self.var_dir)
        free = shutil.disk_usage(self.var_dir).free
        if free < NEEDED_FREE_BYTES:
            raise StartFailed(f"only {free // 1024**2} MB are free at {self.var_dir}; 300 MB are needed")
        if self.options.whole_process:
            leftovers.adopt_orphans()
        mark = leftovers.instance_mark(self.var_dir)
        left = leftovers.marked(mark)
        if left:
            self.say(f"ending {len(left)} processes that an interrupted run left behind")
            leftovers.end(left, within_s=8)
        remembered = written.read(self.var_dir / "run" / "settings.json").get("port_base")
        self.ports = choose_base(self.options.port_base, int(remembered) if remembered else None)
        self.server = Server(
            self.var_dir / "postgres", self.ports.port("postgres"), os.environ.get("CONCORD_DATABASE_URL", "")
        )
        self.environment = {**os.environ, leftovers.INSTANCE: mark, "PYTHONUNBUFFERED": "1"}
        # pg_ctl is given this process's own environment: its server must carry the mark too.
        os.environ[leftovers.INSTANCE] = mark
        return mark

    def _write_settings(self, amqp_url: str) -> None:
        values = {
            "database_url": self.server.url,
            "amqp_url": amqp_url,
            "port_base": self.ports.base,
            "environment": os.environ.get("CONCORD_ENVIRONMENT", "sandbox"),
        }
        written.write_private(self.var_dir / "run" / "settings.json", values)
        self.environment |= {f"CONCORD_{name.upper()}": str(value) for name, value in values.items()}
        self.environment["CONCORD_VAR_DIR"] = os.environ["CONCORD_VAR_DIR"] = str(self.var_dir)
        settings.cache_clear()
