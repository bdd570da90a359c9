"""At the real doors: suspension and revocation within a second in two API processes, and a partner's calls at once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine

from foundation import partners
from foundation.keys import KeyStore
from foundation.partner_keys import revoke_key
from foundation.settings import Settings
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub.pipeline import Hub
from tests.conftest import free_port
from tests.exchange.open_side import OpenSide, at_story_start, message, served
from tests.exchange.partner_side import enter_with_keys

ASKED = "/open/v1/messages/none"


@pytest.fixture
def two(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[list[OpenSide]]:
    """The same partner at two API processes over one database."""
    with unit_of_work(engine) as uow:
        enter_with_keys(uow, limits={"calls_per_s": 10_000, "burst": 10_000})
    processes: list[subprocess.Popen[bytes]] = []
    sides: list[OpenSide] = []
    for _ in range(2):
        port = free_port()
        environment = {
            **os.environ, "CONCORD_DATABASE_URL": database_url, "CONCORD_VAR_DIR": str(tmp_path),
            "CONCORD_PORT_BASE": str(port),
        }  # fmt: skip
        processes.append(subprocess.Popen([sys.executable, "-m", "exchange_api"], env=environment))
        sides.append(OpenSide(f"http://127.0.0.1:{port}", at_story_start(engine)))
    until = time.monotonic() + 90
    for side in sides:
        while True:
            try:
                assert side.get(ASKED).status_code == 404
                break
            except httpx.TransportError:
                assert time.monotonic() < until
                time.sleep(0.2)
    yield sides
    for process in processes:
        process.terminate()
        process.wait(20)


def suspend(uow: UnitOfWork) -> None:
    partners.suspend(uow, "ouqi_street", "测试停用")


def resume(uow: UnitOfWork) -> None:
    partners.resume(uow, "ouqi_street", "测试恢复")


def revoke(uow: UnitOfWork) -> None:
    revoke_key(uow, "ouqi_street-1", "测试吊销")


@pytest.mark.slow
def test_a_change_acts_within_a_second_at_both_doors(engine: Engine, two: list[OpenSide]) -> None:
    steps: list[tuple[Callable[[UnitOfWork], None], str]] = [
        (suspend, "PARTNER_SUSPENDED"), (resume, "NOT_FOUND"), (revoke, "KEY_REVOKED"),
    ]  # fmt: skip
    for act, code in steps:
        with unit_of_work(engine) as uow:
            act(uow)
        changed = time.monotonic()
        for side in two:
            # A call that begins a second after the change meets it, and so does every later one.
            time.sleep(max(0.0, changed + 1.0 - time.monotonic()))
            assert side.get(ASKED).json()["code"] == code


def test_a_partner_that_keeps_many_calls_open_is_told_to_come_back(
    engine: Engine, database_url: str, tmp_path: Path
) -> None:
    with unit_of_work(engine) as uow:
        enter_with_keys(uow, limits={"calls_at_once": 2, "calls_per_s": 10_000, "burst": 10_000})
    hub = Hub(engine, KeyStore(tmp_path / "keys"), Settings(database_url, "", tmp_path, 8600, "sandbox"))
    with served(hub) as url:
        side = OpenSide(url, at_story_start(engine))
        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(lambda number: side.post(message(number)), range(64)))
        busy = [each for each in answers if each.status_code == 429]
        assert busy and all(each.headers["retry-after"] == "1" for each in busy)
        assert {each.json()["code"] for each in busy} == {"RATE_LIMITED"}
        taken = [each for each in answers if each.status_code == 202]
        assert len(taken) + len(busy) == 64 and taken
        assert side.post(message(100)).status_code == 202  # nothing of them is left counted
    with unit_of_work(engine) as uow:
        assert uow.scalar("SELECT count(*) FROM exchange.inbox") == len(taken) + 1
