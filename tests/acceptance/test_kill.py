"""Acceptance 5: kill -9 of any one process at random moments of the story; after the restart it ends right."""

from __future__ import annotations

import secrets

import pytest

from tests.acceptance.kill import programs, run
from tests.acceptance.kill_plan import KILLED, MONEY_AT_LEAST, Kill, in_flight, money_steps, plan

FEW, MANY = 3, 10


def test_the_plan_follows_the_seed() -> None:
    for seed in range(50):
        planned = plan(seed, MANY)
        assert planned == plan(seed, MANY)
        assert len({kill.step for kill in planned}) == MANY
        assert {kill.program for kill in planned} == set(KILLED)
        assert sum(money_steps()[kill.step] for kill in planned) >= MONEY_AT_LEAST


@pytest.mark.alone
def test_three_kills() -> None:
    _killed(FEW)


@pytest.mark.long
@pytest.mark.alone
def test_ten_kills_with_airflow_and_the_database_among_them() -> None:
    _killed(MANY, everything=True)


@pytest.mark.long
@pytest.mark.alone
def test_the_worker_dies_before_it_hears_that_the_payment_was_taken() -> None:
    _judged(in_flight(), "--in-flight")


def _killed(kills: int, *, everything: bool = False) -> None:
    seed = secrets.randbits(32)
    how = f"--seed {seed} --kills {kills}" + (" --with-airflow --with-database" if everything else "")
    planned = plan(seed, kills, programs(with_airflow=everything, with_database=everything))
    _judged(planned, how, with_airflow=everything)


def _judged(planned: list[Kill], how: str, *, with_airflow: bool = False) -> None:
    print(f"python -m tests.acceptance.kill {how}")
    wrong = run(planned, with_airflow=with_airflow)
    assert not wrong, "\n".join([f"python -m tests.acceptance.kill {how}", *wrong])
