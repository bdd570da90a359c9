"""Our top-level names are ours: no installed distribution and no DAG path hides one of them."""

from __future__ import annotations

import importlib.util
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.platform.tree import ROOMS, ROOT

NAMES = (*ROOMS, "tests")


@pytest.mark.parametrize("name", NAMES)
def test_the_name_means_our_folder(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None
    assert Path(spec.origin).parent == ROOT / name


def test_no_distribution_has_one_of_our_names() -> None:
    installed = packages_distributions()
    taken = {name: installed[name] for name in NAMES if name in installed and installed[name] != ["concord"]}
    assert not taken


def test_no_dag_path_hides_a_name() -> None:
    """Airflow puts these folders on the path: what lies in them becomes a top-level name in every task."""
    standard = set(sys.stdlib_module_names)
    installed = set(packages_distributions())
    for folder in (ROOT / "dags", ROOT / "dags" / "plugins", ROOT / "dags" / "settings"):
        names = {path.stem for path in folder.glob("*.py")} | {
            path.name for path in folder.iterdir() if path.is_dir()
        }
        names -= {"__init__", "__pycache__"}
        assert not names & (set(NAMES) | standard | installed), names & (set(NAMES) | standard | installed)
