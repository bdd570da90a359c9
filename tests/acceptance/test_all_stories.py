"""Acceptance 4, the whole of it: every published story as it is and rewritten, and with any two neighbouring messages swapped.

S09 ends a day on the parent account with the statement's first number, so a database plays it once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from hub.supervisor import Options, System
from tests.acceptance.test_stories import SEED, told
from tests.platform.running import own_place

PUBLISHED = tuple(f"S{n:02d}" for n in range(1, 13))
# Neighbouring messages of partners in the stories, as the contracts let them arrive (sandbox/stories/swaps.py).
SWAPS = {
    "S01": 4, "S02": 3, "S03": 2, "S04": 3, "S05": 3, "S06": 2, "S07": 4, "S08": 3, "S09": 0, "S10": 1, "S11": 3, "S12": 1,
}  # fmt: skip

pytestmark = [pytest.mark.alone, pytest.mark.long]


@pytest.fixture(scope="module", params=[0, SEED + 2])
def place(request: pytest.FixtureRequest) -> Iterator[tuple[Path, int]]:
    """A system for each seed."""
    with own_place(21_000) as own:
        options = Options(
            with_airflow=False, port_base=own.port_base, var_dir=own.var_dir, say=lambda _: None
        )
        with System(options):
            yield own.var_dir, request.param


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_story_matches_step_by_step(place: tuple[Path, int], name: str) -> None:
    var_dir, seed = place
    code, lines = told(var_dir, name, "--seed", str(seed))
    assert [(line["no"], line["wrong"]) for line in lines if line["wrong"]] == []
    assert code == 0


@pytest.mark.parametrize("name", [name for name, count in SWAPS.items() if count])
def test_any_two_neighbouring_messages_may_come_swapped(place: tuple[Path, int], name: str) -> None:
    """Without a seed each swapped form is played with other people, numbers and days: the first not met here yet."""
    code, lines = told(place[0], name, "--swap", "0")
    assert [(line["no"], line["wrong"]) for line in lines if line["wrong"]] == []
    late = sum(one["no"] == other["no"] + 1 for one, other in pairwise(lines))
    assert (code, late) == (0, SWAPS[name])
