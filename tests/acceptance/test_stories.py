"""Acceptance 4: the published stories match step by step, as they are and rewritten by a seed, through the CLI."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from foundation.settings import ROOT
from hub.supervisor import Options, System
from tests.platform.running import own_place

SEED = 20261124
# Each story once a day, half of them rewritten; all of them both ways, and swapped, in test_all_stories.py.
STORIES = {
    0: {"S03": 9, "S04": 6, "S06": 9, "S07": 7, "S09": 5, "S10": 5, "S12": 7},
    SEED: {"flagship": 24, "S01": 13, "S02": 6, "S05": 8, "S08": 9, "S11": 4},
}
WITHIN_S = 420

# Hard cases of escrow that every check plays; the others are played in the long runs.
HARD_EVERY_DAY = ("freeze_races_release", "payee_refuses", "one_fen_off")

pytestmark = pytest.mark.alone


@pytest.fixture(scope="module")
def running() -> Iterator[Path]:
    """The whole system without Airflow, in its own folder and on its own ports."""
    with own_place(20_000) as place:
        options = Options(
            with_airflow=False, port_base=place.port_base, var_dir=place.var_dir, say=lambda _: None
        )
        with System(options):
            yield place.var_dir


def told(var_dir: Path, *arguments: str) -> tuple[int, list[dict]]:  # type: ignore[type-arg]
    done = subprocess.run(
        [sys.executable, "-m", "hub", "story", *arguments, "--json"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "CONCORD_VAR_DIR": str(var_dir)},
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, done.stderr[-2000:]
    return done.returncode, lines


@pytest.mark.parametrize("seed", list(STORIES))
def test_stories_match_step_by_step(running: Path, seed: int) -> None:
    code, lines = told(running, *STORIES[seed], "--seed", str(seed))
    wrong = [(line["story"], line["no"], line["wrong"]) for line in lines if line["wrong"]]
    assert wrong == [] and code == 0
    steps = {name: sum(line["story"] == name for line in lines) for name in STORIES[seed]}
    assert steps == STORIES[seed]


def test_two_messages_arrive_the_other_way_round(running: Path) -> None:
    code, lines = told(running, "S11", "--swap", "1", "--seed", str(SEED + 1))
    assert [line["no"] for line in lines] == [2, 1, 3, 4]
    assert [line["wrong"] for line in lines if line["wrong"]] == [] and code == 0


def hard_cases() -> dict[str, list[str]]:
    """Case → stories, of the table of cases that court escrow offices name."""
    with (ROOT / "sandbox" / "stories" / "hard_cases.csv").open(encoding="utf-8", newline="") as file:
        return {row["case"]: row["stories"].split() for row in csv.DictReader(file)}


def play_all(var_dir: Path, names: Sequence[str], seed: int) -> None:
    """Play stories and say what was wrong in which step."""
    code, lines = told(var_dir, *names, "--seed", str(seed))
    assert [(line["story"], line["no"], line["what"], line["wrong"]) for line in lines if line["wrong"]] == []
    assert code == 0 and {line["story"] for line in lines} == set(names)


def test_hard_cases_of_every_day(running: Path) -> None:
    play_all(running, HARD_EVERY_DAY, SEED)


def own_stories() -> list[str]:
    """The stories of money, none of the published ones among them."""
    from sandbox.stories.pack import PACKS

    return sorted({path.parent.name for path in PACKS[0].glob("*/expected.json")} - {"flagship"})


@pytest.mark.long
def test_stories_of_money_as_they_are_written(running: Path) -> None:
    play_all(running, own_stories(), 0)


@pytest.mark.long
@pytest.mark.parametrize("case", sorted(hard_cases()))
def test_every_hard_case_is_a_story(running: Path, case: str) -> None:
    """Each under a seed of its own: a story that stands for two cases is played twice, as two other stories."""
    play_all(running, hard_cases()[case], 1000 + sorted(hard_cases()).index(case))


def test_the_table_of_hard_cases_names_stories_that_are_there() -> None:
    from sandbox.stories.pack import story_names

    told = {name for names in hard_cases().values() for name in names}
    assert told <= set(story_names())
    assert set(own_stories()) <= told, "a story of money that the table does not name"
    assert len(hard_cases()) == 24


def test_a_rewritten_story_has_other_people_numbers_sums_and_days(running: Path) -> None:
    """The seed changes what the story says, so a result that does not follow from its messages could not match."""
    from sandbox.rewrite import rewrite_story
    from sandbox.stories.pack import PACKS, story_folder

    for name in STORIES[SEED]:
        folder = story_folder(name)
        own = folder / "disputes.csv"
        target = running / f"rewritten-{name}"
        rewrite_story(folder, own if own.exists() else PACKS[1] / "disputes.csv", target, SEED)
        before = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
        after = json.loads((target / "expected.json").read_text(encoding="utf-8"))
        figures = [[list(step["escrow"].values()) for step in each["steps"]] for each in (before, after)]
        if any(any(case["funded_fen"] for case in step) for step in figures[0]):
            assert figures[0] != figures[1], name
        assert [step["at"] for step in before["steps"]] != [step["at"] for step in after["steps"]], name
        states = [
            [[case["state"] for case in step["escrow"].values()] for step in each["steps"]]
            for each in (before, after)
        ]
        assert states[0] == states[1], name


def test_an_unknown_story_is_named_as_such(running: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hub", "story", "S99"],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "CONCORD_VAR_DIR": str(running)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2 and "S99" in done.stderr
