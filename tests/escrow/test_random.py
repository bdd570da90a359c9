"""Random sequences of acts keep the books right and nobody paid twice (the machine is in random_desk.py)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from psycopg import sql
from sqlalchemy import Engine

from foundation.clock import move_clock
from foundation.database import make_engine
from foundation.embedded_postgres import Cluster
from tests.escrow.random_desk import Desk


@pytest.fixture
def fresh(cluster: Cluster, template: str) -> Iterator[Callable[[], Engine]]:
    """A new database for each sequence."""
    made: list[str] = []

    def make() -> Engine:
        name = f"r_{uuid4().hex[:12]}"
        with psycopg.connect(cluster.url("postgres").replace("+psycopg", ""), autocommit=True) as admin:
            for old in made:
                admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(old)))
            made.clear()
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        made.append(name)
        engine = make_engine(cluster.url(name))
        with engine.begin() as conn:
            move_clock(conn, datetime(2026, 4, 1, 1, tzinfo=UTC))
        return engine

    yield make
    with psycopg.connect(cluster.url("postgres").replace("+psycopg", ""), autocommit=True) as admin:
        for old in made:
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(old)))


def run(fresh: Callable[[], Engine], examples: int, steps: int) -> None:
    machine = type("Desk", (Desk,), {"fresh": staticmethod(fresh)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, deadline=None, print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


@pytest.mark.slow
def test_random_acts_keep_the_books(fresh: Callable[[], Engine]) -> None:
    run(fresh, 8, 25)


@pytest.mark.long
def test_many_random_acts_keep_the_books(fresh: Callable[[], Engine]) -> None:
    run(fresh, 120, 50)
