"""The simulator of the money path: the same seed is the same run, and planted bugs are found and are no other tests' work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.money_sim import bugs, farm
from benchmarks.money_sim.bugs import Bug
from foundation.embedded_postgres import Cluster
from foundation.settings import ROOT

WANTED = 25


@pytest.fixture(scope="module")
def simulated() -> Iterator[Cluster]:
    with farm.cluster() as made:
        yield made


def test_there_are_bugs_enough() -> None:
    names = [bug.name for bug in bugs.all_bugs()]
    assert len(names) >= WANTED and len(set(names)) == len(names)
    assert all(bug.says and bug.replacements and bug.tests for bug in bugs.all_bugs())


@pytest.mark.parametrize("bug", bugs.all_bugs(), ids=lambda bug: bug.name)
def test_a_planted_bug_still_applies(bug: Bug) -> None:
    """The text that it changes is in the product, once; the changed Python is still Python."""
    for file, text in bugs.changed(bug).items():
        if file.endswith(".py"):
            compile(text, file, "exec")


@pytest.mark.slow
@pytest.mark.alone
def test_the_same_seed_is_the_same_run(simulated: Cluster) -> None:
    """Two processes, two databases: every line of the run is the same, with crashes and two acts at once in it."""
    seeds = range(40, 46)
    first, second = (
        [told["digest"] for told in farm.lines(farm.start(farm.clone(simulated, name), seeds, tree=ROOT))]
        for name in ("same_one", "same_two")
    )
    assert len(first) == len(seeds) and first == second


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.parametrize("bug", bugs.all_bugs(), ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(simulated: Cluster, bug: Bug) -> None:
    found = bugs.hunt(simulated, bug)
    assert found.seed is not None, f"{bug.name} was not found in {found.runs} runs"


@pytest.mark.long
@pytest.mark.alone
@pytest.mark.parametrize("bug", bugs.all_bugs(), ids=lambda bug: bug.name)
def test_unit_tests_do_not_see_a_planted_bug(bug: Bug) -> None:
    passed, told = bugs.passes(bug)
    assert passed, told
