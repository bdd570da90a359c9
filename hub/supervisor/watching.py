"""What goes on all the time while a copy runs: heal what dies, take orphans, keep ``state.json`` true."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from hub.supervisor import leftovers, written

if TYPE_CHECKING:
    from hub.supervisor.system import System

WATCH_EVERY_S = 0.05
REAP_EVERY_S = 0.5


def keep_watch(system: System) -> None:
    """Runs in its own thread until the copy stops."""
    reaper = leftovers.OrphanReaper()
    reap_at = 0.0
    shown: object = None
    while not system.stopping.wait(WATCH_EVERY_S):
        for child in list(system.children):
            happened = child.heal()
            if happened and happened != "again" and not system.stopping.is_set():
                then = "" if child.state == "given-up" else "; starting it again"
                system.say(f"{child.program.name} {happened}{then}")
        if happened := system.server.heal():
            system.say(f"PostgreSQL {happened}")
        if system.options.whole_process and time.monotonic() > reap_at:
            reaper.reap({child.pid or 0 for child in system.children})
            reap_at = time.monotonic() + REAP_EVERY_S
        now_shown = [
            system.phase,
            system.server.pid,
            *((child.pid, child.state) for child in system.children),
        ]
        if now_shown != shown:
            shown = now_shown
            write_state(system)


def confirm_restarts(system: System) -> None:
    """Marks as up what was started again and does its work; apart from the watch, for a probe may take seconds."""
    while not system.stopping.wait(REAP_EVERY_S):
        for child in list(system.children):
            if child.state == "starting" and child.restarts and child.program.ready():
                child.confirm()


def write_state(system: System) -> None:
    """Bring ``var/run/state.json`` up to date."""
    processes = {
        child.program.name: {
            "pid": child.pid,
            "state": child.state,
            "restarts": child.restarts,
            "log": str(child.log),
        }
        for child in system.children
    }
    if not system.server.external:
        processes["postgres"] = {
            "pid": system.server.pid,
            "state": "up" if system.server.pid else "starting",
            "restarts": system.server.restarts,
            "log": "",
        }
    state = {
        "pid": os.getpid(),
        "phase": system.phase,
        "port_base": system.ports.base,
        "urls": system.urls(),
        "processes": processes,
    }
    written.write_private(system.var_dir / "run" / "state.json", state)
