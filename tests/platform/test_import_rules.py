"""Each import rule can fail: a module that breaks it turns ``lint-imports`` red, and names the rule."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.platform.tree import ROOMS, ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the rooms' Python files, to break in peace."""
    target = tmp_path_factory.mktemp("rooms")
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            copy = target / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


def lint(rooms: Path, contract: str) -> subprocess.CompletedProcess[str]:
    command = [
        str(Path(sys.executable).parent / "lint-imports"),
        "--no-logo",
        "--no-cache",
        "--contract",
        contract,
    ]
    return subprocess.run(
        command,
        cwd=rooms,
        env={**os.environ, "PYTHONPATH": str(rooms)},
        capture_output=True,
        text=True,
        check=False,
    )


def _two(pattern: str) -> tuple[Path, Path]:
    found = sorted(path.parent.relative_to(ROOT) for path in ROOT.glob(pattern))
    assert len(found) >= 2, pattern
    return found[0], found[1]


def breaking() -> list[tuple[str, str, str]]:
    """(contract, file, import that breaks it)."""
    first, second = _two("connectors/*/partner.toml")
    rail, other_rail = _two("escrow/rails/*/manifest.toml")
    inner = sorted(path.stem for path in (ROOT / "case_registry").glob("*.py") if path.stem != "__init__")[0]
    return [
        ("rooms", "schemas/wrong.py", "import foundation"),
        ("rooms", "foundation/wrong.py", "import hub"),
        ("rooms", "escrow/wrong.py", "import mediation"),
        ("rooms", "case_registry/wrong.py", "import escrow"),
        ("rooms", "connectors/wrong.py", "import hub"),
        ("rooms", "hub/wrong.py", "import console"),
        ("rooms", "console/wrong.py", "import exchange_api"),
        ("sandbox-apart", "sandbox/wrong.py", "import foundation"),
        ("nobody-needs-the-sandbox", "hub/wrong.py", "import sandbox"),
        ("front-doors", "console/wrong.py", f"import case_registry.{inner}"),
        ("front-doors", "exchange_api/wrong.py", f"from case_registry.{inner} import anything"),
        ("adapters-apart", f"{first}/wrong.py", f"import {'.'.join(second.parts)}"),
        ("rails-apart", f"{rail}/wrong.py", f"import {'.'.join(other_rail.parts)}"),
    ]


@pytest.mark.parametrize(("contract", "file", "line"), breaking())
def test_breaking_a_rule_turns_the_check_red(rooms: Path, contract: str, file: str, line: str) -> None:
    wrong = rooms / file
    wrong.write_text(f"{line}\n", encoding="utf-8")
    try:
        red = lint(rooms, contract)
    finally:
        wrong.unlink()
    assert red.returncode == 1, red.stdout + red.stderr
    assert "BROKEN" in red.stdout
    assert "wrong" in red.stdout


def test_unbroken_rooms_are_green(rooms: Path) -> None:
    for contract in {contract for contract, _file, _line in breaking()}:
        green = lint(rooms, contract)
        assert green.returncode == 0, green.stdout + green.stderr
