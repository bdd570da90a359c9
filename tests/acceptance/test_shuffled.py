"""Acceptance 8: the same thousand messages, each twice and shuffled, give the registry that they give once in order."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

import case_registry
from foundation import embedded_postgres
from foundation.database import make_engine
from foundation.unit_of_work import unit_of_work
from hub.filing import ingest_file
from hub.pipeline import Hub
from tests.acceptance.example_world import PLAYED_AT, load_office, set_up
from tests.acceptance.many_messages import Message, many, trust
from tests.conftest import fresh_database

pytestmark = pytest.mark.slow
ROUNDS = 20


def ingest(hub: Hub, messages: Sequence[Message]) -> tuple[str, Counter[str], int]:
    """The office's records, then every message; the registry's state hash, results, and number of disputes."""
    load_office(hub)
    with unit_of_work(hub.engine) as uow:
        now = uow.now
    results: Counter[str] = Counter()
    for each in messages:
        results[ingest_file(hub, each.partner, each.name, each.content, None, now)["result"]] += 1
    with unit_of_work(hub.engine) as uow:
        disputes = uow.scalar("SELECT count(*) FROM registry.dispute WHERE merged_into IS NULL")
        return case_registry.state_hash(uow), results, disputes


@pytest.mark.parametrize("seed", [7])
def test_a_thousand_messages_twice_and_shuffled(
    cluster: embedded_postgres.Cluster, template: str, tmp_path: Path, seed: int
) -> None:
    messages = many(ROUNDS, seed)
    assert len(messages) >= 1000 and len({each.partner for each in messages}) == 7
    with fresh_database(cluster, template, PLAYED_AT) as url:
        hub = set_up(url, tmp_path / "var")
        trust(hub.keys)
        in_order, results, disputes = ingest(hub, messages)
        hub.engine.dispose()
    assert set(results) <= {"accepted", "duplicate"}, results
    twice = [*messages, *messages]
    Random(seed).shuffle(twice)
    with fresh_database(cluster, template, PLAYED_AT) as url:
        other = dataclasses.replace(
            hub,
            engine=make_engine(url),
            settings=dataclasses.replace(hub.settings, database_url=url),
        )
        shuffled, _, disputes_shuffled = ingest(other, twice)
        other.engine.dispose()
    assert (shuffled, disputes_shuffled) == (in_order, disputes)
