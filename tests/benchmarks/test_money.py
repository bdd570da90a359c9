"""The simulator of the money path: the same seed is the same run, and planted bugs are found and are no other tests' work."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.money_sim import bugs, farm
from benchmarks.money_sim.bugs import Bug
from benchmarks.money_sim.judge import check_of
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


def test_what_is_on_record_of_a_bug_is_whole() -> None:
    for bug in bugs.all_bugs():
        assert bug.kind
        assert (bug.seed is None) == (bug.runs is None) == (not bug.check), bug.name
        assert bug.runs is None or bug.runs <= bugs.MOST_RUNS


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("lost: A1/1: 0 paid of 5; B1I1 went to 62, approved was 63", "other than approved"),
        ("lost: A1/1: 0 paid of 5; I7 （2026）1号: a freeze holds no more than its document says", "invariant I7"),
        ("lost: A1/1: 0 paid of 5; lost: 5 fen of the payers neither paid nor refunded", "not paid"),
        ("double: A1/1: 10 paid of 5; the hub holds B1I1 for FAILED, the bank has paid it", "paid twice"),
    ],
)  # fmt: skip
def test_a_verdict_is_called_by_the_check_that_says_most(text: str, check: str) -> None:
    assert check_of(text) == check


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
