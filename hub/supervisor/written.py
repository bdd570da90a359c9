"""Files by which a running copy tells others about itself: ``var/run/settings.json`` and ``state.json``.

``settings.json`` is what every process reads its settings from (mode 0600: it holds the database's password).
``state.json`` lists processes, ports and addresses while the copy runs. A held lock, not a file's being there,
says that a copy runs; so a file left by a killed supervisor misleads nobody.
"""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import IO, Any


class AlreadyRuns(Exception):
    """Another supervisor holds this copy; the text says which."""


def write_private(path: Path, content: dict[str, Any]) -> None:
    """Replace a JSON file in one step, readable by its owner only."""
    part = path.with_suffix(".part")
    with os.fdopen(
        os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        json.dump(content, file, ensure_ascii=False, indent=1)
    part.replace(path)


def read(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty when it is not there or not whole."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def hold(var_dir: Path) -> IO[str]:
    """Take the copy's lock for as long as the returned file is open. Raises AlreadyRuns."""
    handle = (var_dir / "run" / "supervisor.lock").open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        state = read(var_dir / "run" / "state.json")
        urls = state.get("urls", {})
        raise AlreadyRuns(
            f"Concord runs already from this copy (process {state.get('pid', '?')}, "
            f"console {urls.get('console', '?')}). Stop it there with Ctrl-C, or: kill {state.get('pid', 'PID')}"
        ) from None
    return handle


def running_copy(var_dir: Path) -> dict[str, Any] | None:
    """State of the copy that runs on ``var_dir`` (pid, phase, urls, processes); None when none runs."""
    lock = var_dir / "run" / "supervisor.lock"
    if not lock.exists():
        return None
    with lock.open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return read(var_dir / "run" / "state.json")
    return None
