"""kill -9 of the bank: what it took is executed once, what it booked is told, numbers have no holes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from tests.sandbox.conftest import Listener, Sandbox, free_port
from tests.sandbox.hub_side import BankEnd, order, pain001, until

ROOT = Path(__file__).parents[2]
PAYMENTS, KILLS = 24, 4


def start(var: Path, hub: str, port: int) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-m", "sandbox.bank_process", "--port", str(port), "--hub", hub, "--var", str(var), "--pool-fen", "0"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    for _ in range(200):
        try:
            httpx.get(f"http://127.0.0.1:{port}/control/health", timeout=1, trust_env=False)
            return process
        except httpx.HTTPError:
            time.sleep(0.05)
    process.kill()
    raise AssertionError("the bank did not start")


@pytest.mark.slow
def test_paid_once_whatever_is_killed(tmp_path: Path, hub: Listener) -> None:
    """Each order is sent until it is answered, by a hub that keeps its request; the process dies at random moments."""
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    port = free_port()
    process = start(tmp_path, hub.url, port)
    try:
        link = BankEnd(Sandbox(f"http://127.0.0.1:{port}", tmp_path), hub)
        link.act("settings", rate_per_s=0, night="manual", windows=False, hurry=2000)
        account = link.funded("S990", 100_000)
        kills = set(chance.sample(range(PAYMENTS), KILLS))
        for number in range(PAYMENTS):
            told = link.envelope(pain001(order(f"OQK{number}", account, 100 + number)), "pain.001.001.09")
            if number in kills:
                try:
                    link.box.http.post(
                        "/bank/escrow/v1/messages", json=told, timeout=chance.uniform(0.002, 0.03)
                    )
                except httpx.HTTPError:
                    pass
                time.sleep(chance.uniform(0, 0.05))
                process.send_signal(signal.SIGKILL)
                process.wait(10)
                process = start(tmp_path, hub.url, port)
            assert link.post(told)["code"] == "A00000"
        until(lambda: all(row["state"] == "TAKEN" for row in link.book()["outbound"]), seconds=30)
        _judge(link, account)
    finally:
        process.kill()
        process.wait(10)


def _judge(link: BankEnd, account: str) -> None:
    book, spent = link.book(), sum(100 + number for number in range(PAYMENTS))
    assert [(p["state"], p["executions"]) for p in book["payments"]] == [("ACSC", 1)] * PAYMENTS
    assert link.account(account)["ledger_fen"] == 100_000 - spent and book["balanced"]
    assert [row["seq"] for row in book["outbound"]] == list(range(1, len(book["outbound"]) + 1))
    reached = {message.seq: message for message in link.messages()}
    assert sorted(reached) == [row["seq"] for row in book["outbound"]]
    debits = [m.one("Refs/EndToEndId") for m in reached.values() if m.all("Ntry/CdtDbtInd") == ["DBIT"]]
    assert sorted(debits) == sorted(f"OQK{number}" for number in range(PAYMENTS))
    states = [m.one("TxSts") for m in reached.values() if m.msg_type.startswith("pain.002")]
    assert (states.count("ACSP"), states.count("ACSC")) == (PAYMENTS, PAYMENTS)
