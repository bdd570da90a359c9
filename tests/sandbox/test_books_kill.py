"""kill -9 of the sandbox process: what it acknowledged is in its books, what it owed is delivered after the restart."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from tests.sandbox.conftest import Listener, Sandbox, free_port
from tests.sandbox.test_arbitration import bearer, event, request

ROOT = Path(__file__).parents[2]


def start(var: Path, hub: str) -> tuple[subprocess.Popen[bytes], Sandbox]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.partners", "--port", str(port), "--hub", hub, "--var", str(var), "--seed", "3"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    box = Sandbox(f"http://127.0.0.1:{port}", var)
    for _ in range(200):
        try:
            box.http.get("/control/health")
            return process, box
        except httpx.ConnectError:
            time.sleep(0.05)
    process.kill()
    raise AssertionError("the sandbox did not start")


@pytest.mark.slow
def test_books_survive_kill_9(tmp_path: Path, hub: Listener) -> None:
    process, box = start(tmp_path, hub.url)
    try:
        box.http.put("/control/endpoints", json={"arbitration": "/hook"})
        box.clock("2026-04-01T09:00:00+08:00")
        headers, told = {**bearer(box), "Idempotency-Key": str(uuid4())}, request()
        taken = box.http.post("/arbitration/v1/consent-award-requests", json=told, headers=headers)
        hub.answer = lambda _: (503, "text/plain", b"")
        owed = box.order("emit", "arbitration", json=event())
        before = box.books("arbitration")["entries"]
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        process, box = start(tmp_path, hub.url)
        assert box.books("arbitration")["entries"][: len(before)] == before
        assert box.http.get("/control/clock").json()["at"].startswith("2026-04-01T01:0")
        again = box.http.post("/arbitration/v1/consent-award-requests", json=told, headers=headers)
        assert again.json() == taken.json()
        hub.answer = lambda _: (200, "text/plain", b"")
        box.clock("2026-04-01T09:00:30+08:00")
        box.tick_until(lambda: not box.order("offer", "arbitration", waiting=True)["deliveries"], rounds=200)
        sent = [
            e
            for e in box.books("arbitration", direction="out")["entries"]
            if e["request_id"] == owed["message_id"]
        ]
        assert [each["status"] for each in sent] == [503, 200]
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
