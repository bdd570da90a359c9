"""Suspension and revocation act within a second in every process, told of it or not."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from foundation import partners
from foundation.partner_keys import revoke_key
from foundation.unit_of_work import unit_of_work
from tests.exchange.partner_side import enter_with_keys

WITHIN_S = 1.0


@pytest.fixture
def processes(engine: Engine, database_url: str) -> Iterator[dict[str, subprocess.Popen[str]]]:
    with unit_of_work(engine) as uow:
        enter_with_keys(uow)
    made = {
        how: subprocess.Popen(
            [sys.executable, "-m", "tests.exchange.asking_process", database_url, "ouqi_street-1", how],
            stdout=subprocess.PIPE, text=True,
        )
        for how in ("told", "bound")
    }  # fmt: skip
    yield made
    for process in made.values():
        process.kill()
        process.wait()


def seen(process: subprocess.Popen[str]) -> tuple[str, float]:
    assert process.stdout is not None
    state, at = process.stdout.readline().split()
    return state, float(at)


@pytest.mark.slow
def test_a_change_acts_within_a_second_in_all_processes(
    engine: Engine, processes: dict[str, subprocess.Popen[str]]
) -> None:
    assert {how: seen(each)[0] for how, each in processes.items()} == {"told": "active", "bound": "active"}
    time.sleep(1.5)  # both past their start
    for act, wanted in ((_suspend, "suspended"), (_resume, "active"), (_revoke, "revoked")):
        act(engine)
        changed = time.time()
        for how, process in processes.items():
            state, at = seen(process)
            assert state == wanted
            assert at - changed < WITHIN_S, (how, wanted)


def _suspend(engine: Engine) -> None:
    with unit_of_work(engine) as uow:
        partners.suspend(uow, "ouqi_street", "测试停用")


def _resume(engine: Engine) -> None:
    with unit_of_work(engine) as uow:
        partners.resume(uow, "ouqi_street", "测试恢复")


def _revoke(engine: Engine) -> None:
    with unit_of_work(engine) as uow:
        revoke_key(uow, "ouqi_street-1", "测试吊销")
