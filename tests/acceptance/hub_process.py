"""The hub as it runs: set up over a database, its API and a worker as processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from foundation.keys import KeyStore
from foundation.settings import PORT_OFFSETS, ROOT
from hub.supervisor.ports import first_taken
from sandbox.stories.hub_api import HubApi

UP_WITHIN_S = 60.0
API, WORKER = ("exchange_api",), ("hub.worker",)


@dataclass
class RunningHub:
    """A hub that a test may call and look into. ``people``: its REST API as the persons of ``logins.json``."""

    url: str
    var_dir: Path
    environment: dict[str, str]
    people: HubApi

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``python -m hub …`` (the command line ``./concord``) against this hub."""
        return subprocess.run(
            [sys.executable, "-m", "hub", *arguments],
            env=self.environment, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip

    def logs(self) -> str:
        """The last lines of every process, for a failing test."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(errors='replace')[-4000:]}"
            for path in self.var_dir.glob("*.log")
        )


@contextmanager
def running_hub(
    database_url: str,
    var_dir: Path,
    *,
    more: Mapping[str, str] | None = None,
    addresses: Mapping[str, str] | None = None,
    secrets: Mapping[str, str] | None = None,
    trusted: Mapping[str, bytes] | None = None,
    processes: Sequence[tuple[str, ...]] = (API, WORKER),
) -> Iterator[RunningHub]:
    """Set a hub up as its operator does, start ``processes`` and give it once the API answers.

    ``addresses``: partner or rail id → base URL, entered in ``partners.json`` before the set-up;
    ``secrets``: key-store name → shared secret; ``trusted``: partner or rail id → its certificate in PEM.
    """
    base = _free_base()
    environment = {
        **os.environ,
        "CONCORD_DATABASE_URL": database_url,
        "CONCORD_VAR_DIR": str(var_dir),
        "CONCORD_PORT_BASE": str(base),
        "CONCORD_ENVIRONMENT": "sandbox",
        "CONCORD_AMQP_URL": "",
        "PYTHONUNBUFFERED": "1",
        **(more or {}),
    }
    keys = KeyStore(var_dir / "keys")
    for name, value in (secrets or {}).items():
        keys.put_secret(name, value)
    for name, pem in (trusted or {}).items():
        keys.trust(name, "of-the-test.crt", pem)
    var_dir.mkdir(parents=True, exist_ok=True)
    (var_dir / "partners.json").write_text(json.dumps(dict(addresses or {})), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "hub.setup_keys"],
        env=environment, cwd=ROOT, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    running = [_start(module, environment, var_dir) for module in processes]
    logins = json.loads((var_dir / "run" / "logins.json").read_text(encoding="utf-8"))
    url = f"http://127.0.0.1:{base + PORT_OFFSETS['api']}"
    hub = RunningHub(url, var_dir, environment, HubApi(url, logins))
    try:
        _wait_up(hub, running)
        yield hub
    finally:
        for process in running:
            process.terminate()
        for process in running:
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start(module: tuple[str, ...], environment: dict[str, str], var_dir: Path) -> subprocess.Popen[bytes]:
    with (var_dir / f"{module[0]}.log").open("wb") as log:
        return subprocess.Popen(
            [sys.executable, "-m", *module], env=environment, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip


def _wait_up(hub: RunningHub, running: list[subprocess.Popen[bytes]]) -> None:
    limit = time.monotonic() + UP_WITHIN_S
    while True:
        try:
            if httpx.get(f"{hub.url}/v1/health", timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        ended = [process.args for process in running if process.poll() is not None]
        assert not ended, f"{ended} ended\n{hub.logs()}"
        assert time.monotonic() < limit, f"the API is not up\n{hub.logs()}"
        time.sleep(0.2)


def _free_base() -> int:
    import random

    picks = random.SystemRandom()
    return next(base for _ in range(200) if first_taken(base := picks.randrange(26_000, 32_000, 20)) is None)
