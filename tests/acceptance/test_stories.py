"""Acceptance 4: the published stories match step by step, as they are and rewritten by a seed, through the CLI."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.settings import ROOT
from hub.supervisor import Options, System
from tests.platform.running import own_place

STORIES = ("flagship", "S01", "S02", "S05", "S08", "S11")
SEED = 20261124
WITHIN_S = 420

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


@pytest.mark.parametrize("seed", [0, SEED])
def test_stories_match_step_by_step(running: Path, seed: int) -> None:
    code, lines = told(running, *STORIES, "--seed", str(seed))
    wrong = [(line["story"], line["no"], line["wrong"]) for line in lines if line["wrong"]]
    assert wrong == [] and code == 0
    steps = {name: sum(line["story"] == name for line in lines) for name in STORIES}
    assert steps == {"flagship": 24, "S01": 13, "S02": 6, "S05": 8, "S08": 9, "S11": 4}


def test_a_rewritten_story_has_other_people_numbers_sums_and_days(running: Path) -> None:
    """The seed changes what the story says, so a result that does not follow from its messages could not match."""
    from sandbox.rewrite import rewrite_story
    from sandbox.stories.pack import PACKS, story_folder

    for name in STORIES:
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
