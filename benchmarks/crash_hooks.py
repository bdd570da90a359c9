"""Hooks inside a process under test: at the armed point it kills itself; every point that is reached is written down.

They are put in by ``crash_site/sitecustomize.py`` when CONCORD_CRASH_DIR names the folder of the plan. The product's
code is untouched: what is wrapped are the library calls it makes.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.crash_points import ANSWERS, ROOMS, ROOT

_PREFIXES = tuple(f"{ROOT.as_posix()}/{room}/" for room in ROOMS)
_NOT_A_PLACE = ("foundation/unit_of_work.py", "foundation/wire.py")


class Hooks:
    """One process's part: which program it is, what is armed, what was reached."""

    def __init__(self, folder: Path, program: str) -> None:
        self.folder = folder
        self.program = program
        self.armed_file = folder / f"armed-{program}"
        self.seen: set[str] = set()
        self.lock = threading.Lock()

    def hit(self, kind: str, phase: str, place: str | None = None) -> None:
        """A point is reached: written down the first time; when it is the armed one, nothing follows."""
        place = place or caller()
        if place is None:
            return
        point = f"{phase} {kind} {place}"
        if point not in self.seen:
            with self.lock:
                self.seen.add(point)
                _append(self.folder / f"reached-{self.program}", point)
        try:
            armed = self.armed_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        wanted, _, skip = armed.rpartition(" #")
        if wanted != point:
            return
        if int(skip) > 0:
            self.armed_file.write_text(f"{wanted} #{int(skip) - 1}", encoding="utf-8")
            return
        self.armed_file.rename(self.folder / f"done-{self.program}")
        os.kill(os.getpid(), signal.SIGKILL)

    def around(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """``call`` with a point before and after it."""

        def hooked(*arguments: Any, **named: Any) -> Any:
            self.hit(kind, "before")
            told = call(*arguments, **named)
            self.hit(kind, "after")
            return told

        return hooked


def caller() -> str | None:
    """``file:function`` of the product's innermost frame, None when it is nobody of the product."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith(_PREFIXES):
            short = name[len(ROOT.as_posix()) + 1 :]
            if short not in _NOT_A_PLACE:
                return f"{short}:{frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _append(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, f"{line}\n".encode())
    finally:
        os.close(descriptor)


def install(folder: Path, program: str) -> None:
    """Wrap commits (SQLAlchemy's dialect), calls (the wire, pika) and answers (uvicorn) of this process."""
    from pika.adapters.blocking_connection import BlockingChannel
    from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
    from uvicorn.protocols.http import h11_impl

    from foundation.wire import Wire

    hooks = Hooks(folder, program)
    PGDialect_psycopg.do_commit = hooks.around("commit", PGDialect_psycopg.do_commit)  # type: ignore[method-assign]
    Wire.request = hooks.around("send", Wire.request)  # type: ignore[method-assign]
    BlockingChannel.basic_publish = hooks.around("send", BlockingChannel.basic_publish)
    BlockingChannel.basic_ack = hooks.around("ack", BlockingChannel.basic_ack)
    cycles = [h11_impl.RequestResponseCycle]
    try:
        from uvicorn.protocols.http import httptools_impl

        cycles.append(httptools_impl.RequestResponseCycle)
    except ImportError:
        pass
    for cycle in cycles:
        cycle.send = _answering(hooks, cycle.send)


def _answering(hooks: Hooks, send: Callable[..., Any]) -> Callable[..., Any]:
    async def hooked(cycle: Any, message: Any) -> None:
        path = cycle.scope["path"]
        place = next((place for prefix, place in ANSWERS.items() if path.startswith(prefix)), None)
        if place and message["type"] == "http.response.start":
            hooks.hit("ack", "before", place)
        await send(cycle, message)
        if place and message["type"] == "http.response.body" and not message.get("more_body"):
            hooks.hit("ack", "after", place)

    return hooked
