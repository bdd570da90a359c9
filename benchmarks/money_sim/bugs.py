"""Planted bugs: faults of the kind that payment systems really had, each a small change to product code.

One TOML file each in benchmarks/money_bugs: its `kind`, what it does (`says`), the replacements (`file`, `old`, `new`; `old`
occurs exactly once), and the unit tests that do not see it (`tests`). The change is made to a copy of the tree. `prove`
writes beside it how it was found: after how many `runs` from seed 0 on, at which `seed`, by which `check` of the judge,
and whether the `units` pass.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.money_sim import farm
from foundation import embedded_postgres
from foundation.settings import ROOT

FOLDER = ROOT / "benchmarks" / "money_bugs"
MOST_RUNS = 500
ROOMS = ("schemas", "foundation", "case_registry", "mediation", "escrow", "insight", "connectors", "hub", "exchange_api", "console",
         "sandbox", "benchmarks", "tests", "docs", "dags", "pyproject.toml")  # fmt: skip


class BugGone(Exception):
    """A bug's text is not in the product any more: the bug must be written anew."""


@dataclass(frozen=True)
class Replacement:
    """`old` becomes `new` in `file`."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Bug:
    """A planted bug. `tests`: unit tests that pass with it; `seed`, `runs`, `check`, `units`: what is on record of it."""

    name: str
    says: str
    replacements: tuple[Replacement, ...]
    tests: tuple[str, ...]
    kind: str = ""
    seed: int | None = None
    runs: int | None = None
    check: str = ""
    units: str = ""


@dataclass(frozen=True)
class Hunted:
    """`seed` of the first wrong run, None when none of `runs` was; `text`: as what it was seen."""

    bug: Bug
    runs: int
    seed: int | None
    text: str


def all_bugs() -> list[Bug]:
    """All planted bugs, by name."""
    found = []
    for path in sorted(FOLDER.glob("*.toml")):
        told = tomllib.loads(path.read_text("utf-8"))
        changes = tuple(Replacement(each["file"], each["old"], each["new"]) for each in told["replace"])
        found.append(
            Bug(
                path.stem,
                told["says"],
                changes,
                tuple(told["tests"]),
                told["kind"],
                told.get("seed"),
                told.get("runs"),
                told.get("check", ""),
                told.get("units", ""),
            )
        )
    return found


def record(name: str, **found: str | int) -> None:
    """Write what was found into the bug's file, below `says`."""
    path = FOLDER / f"{name}.toml"
    lines = [
        line for line in path.read_text("utf-8").splitlines() if line.split(" = ")[0] not in (*found, "seed")
    ]
    at = next(place for place, line in enumerate(lines) if line.startswith("tests = "))
    lines[at:at] = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in found.items()]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def changed(bug: Bug, root: Path = ROOT) -> dict[str, str]:
    """Texts of the files as the bug leaves them. Raises BugGone when a text is not there exactly once."""
    texts: dict[str, str] = {}
    for each in bug.replacements:
        text = texts.get(each.file) or (root / each.file).read_text("utf-8")
        if text.count(each.old) != 1:
            raise BugGone(
                f"{bug.name}: {each.file} has the text {text.count(each.old)} times, not once: {each.old!r}"
            )
        texts[each.file] = text.replace(each.old, each.new)
    return texts


@contextmanager
def planted(bug: Bug, *, tests: bool = False) -> Iterator[Path]:
    """A copy of the tree with the bug in it; rooms that it does not touch are links. `tests`: for running those."""
    with tempfile.TemporaryDirectory(prefix="concord-bug-") as folder:
        tree = Path(folder)
        touched = {each.file.split("/")[0] for each in bug.replacements}
        touched |= {"tests", "pyproject.toml"} if tests else set()
        for room in ROOMS:
            source = ROOT / room
            if not source.exists():
                continue
            if room not in touched:
                (tree / room).symlink_to(source.resolve())
            elif source.is_dir():
                shutil.copytree(source, tree / room, symlinks=True)  # compiled files too: most stay true
            else:
                shutil.copy(source, tree / room)
        for file, text in changed(bug).items():
            (tree / file).write_text(text, "utf-8")
        yield tree


def database(cluster: embedded_postgres.Cluster, bug: Bug, tree: Path) -> str:
    """A database for the bug: a copy of the template, or migrated by the bug's own SQL."""
    name = "bug_" + bug.name.replace("-", "_")[:50]
    if not any(each.file.endswith(".sql") for each in bug.replacements):
        return farm.clone(cluster, name)
    embedded_postgres.create_database(cluster, name)
    subprocess.run(
        [sys.executable, "-c", f"from hub import migrate; migrate.upgrade({cluster.url(name)!r}, movable_clock=True)"],
        check=True, cwd=tree, env={**os.environ, "PYTHONPATH": str(tree)}, timeout=120,
    )  # fmt: skip
    farm.freeze_clock(cluster.url(name), name)
    return farm.url(cluster, name)


def hunt(cluster: embedded_postgres.Cluster, bug: Bug, *, most: int = MOST_RUNS, first: int = 0) -> Hunted:
    """Run seeds from `first` on with the bug in the code until one is wrong, at most `most`."""
    runs = 0
    with planted(bug) as tree:
        process = farm.start(
            database(cluster, bug, tree), range(first, first + most), "--until-wrong", tree=tree
        )
        for told in farm.lines(process):
            runs += 1
            if told["wrong"]:
                process.wait()
                return Hunted(bug, runs, told["seed"], told["wrong"])
        code = process.wait()
    if code:
        raise RuntimeError(f"{bug.name}: the simulator ended with code {code} after {runs} runs")
    return Hunted(bug, runs, None, "")


def passes(bug: Bug, timeout_s: int = 900) -> tuple[bool, str]:
    """Whether the unit tests that the bug names pass with it; and the end of their output."""
    with planted(bug, tests=True) as tree:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *bug.tests],
            cwd=tree, env={**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}, capture_output=True,
            text=True, timeout=timeout_s, check=False,
        )  # fmt: skip
    return done.returncode == 0, done.stdout[-1500:]
