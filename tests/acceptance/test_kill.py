"""Acceptance 5: kill -9 of any one process at random moments of the story; after the restart it ends right."""

from __future__ import annotations

import secrets

import pytest

from tests.acceptance.kill import KILLED, MONEY_AT_LEAST, _steps, plan, run

FEW, MANY = 3, 10


def test_the_plan_follows_the_seed() -> None:
    for seed in range(50):
        planned = plan(seed, MANY, KILLED)
        assert planned == plan(seed, MANY, KILLED)
        assert len({kill.step for kill in planned}) == MANY
        assert {kill.program for kill in planned} == set(KILLED)
        assert sum(_steps()[kill.step] for kill in planned) >= MONEY_AT_LEAST


@pytest.mark.alone
def test_three_kills() -> None:
    _killed(FEW, with_airflow=False)


@pytest.mark.long
@pytest.mark.alone
def test_ten_kills_with_airflow() -> None:
    _killed(MANY, with_airflow=True)


def _killed(kills: int, *, with_airflow: bool) -> None:
    seed = secrets.randbits(32)
    wrong = run(seed, kills, with_airflow=with_airflow)
    again = f"python -m tests.acceptance.kill --seed {seed} --kills {kills}"
    assert not wrong, "\n".join([again + (" --with-airflow" if with_airflow else ""), *wrong])
