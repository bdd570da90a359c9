"""Acceptance 3: every published example, taken by the hub as `concord ingest` takes it, is recorded as its side file says.

One database, the office's own records in it, each partner's files in the order of their names; each file is one test.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from foundation import embedded_postgres
from tests.acceptance.example_checks import check
from tests.acceptance.example_effects import EFFECTS
from tests.acceptance.example_files import Example, all_examples, in_order
from tests.acceptance.example_world import PLAYED_AT, World, load_office, play, set_up
from tests.conftest import fresh_database

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(
    cluster: embedded_postgres.Cluster, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    with fresh_database(cluster, template, PLAYED_AT) as url:
        hub = set_up(url, tmp_path_factory.mktemp("examples"))
        loaded = load_office(hub)
        assert (loaded["new"], loaded["refused"]) == (60, [])
        made = World(hub)
        play(made, in_order(all_examples()), check)
        yield made
        hub.engine.dispose()


def test_there_are_156_of_them() -> None:
    assert len(all_examples()) == 156 == len({each.name for each in all_examples()})
    assert {each.name[:3] for each in all_examples()} >= set(EFFECTS)


@pytest.mark.parametrize("example", all_examples(), ids=lambda each: each.name)
def test_example(world: World, example: Example) -> None:
    played = world.played[example.name]
    assert not played.differences, "\n".join(played.differences)
