"""The check can fail: a broken state move, a broken trigger and a broken ledger sum each turn its tests red.

Each case breaks one place in a copy of the tree and runs there the tests that guard it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.platform.tree import ROOT, tracked

pytestmark = pytest.mark.slow

MACHINES = "escrow/machines.py"
GUARDS = "hub/migrations/sql/0043_escrow_guards.sql"
EXCHANGE = "hub/migrations/sql/0010_exchange.sql"
TABLES = "tests/escrow/test_tables.py"
ATTACKS = "tests/escrow/test_attacks.py"

# (what is broken, file, text there, text instead, tests that must turn red)
BROKEN = [
    (
        "UNKNOWN becomes a failure by itself",
        MACHINES,
        'Move("UNKNOWN", "answer", o,',
        'Move("UNKNOWN", "say", o,',
        f"{TABLES}::test_unknown_is_left_by_an_answer_or_a_line_only",
    ),
    (
        "a suspended case cannot be paid out again",
        MACHINES,
        '("FUNDED", "PART_FUNDED", "RELEASING", "SUSPENDED"))',
        '("FUNDED", "PART_FUNDED", "RELEASING"))',
        f"{TABLES}::test_escrow_table_is_that_of_the_design",
    ),
    (
        "the database lets any move pass",
        EXCHANGE,
        "IF old_state IS DISTINCT FROM new_state AND NOT EXISTS (",
        "IF false AND NOT EXISTS (",
        f"{TABLES}::test_the_database_refuses_what_the_table_has_not",
    ),
    (
        "an entry need not sum to zero",
        GUARDS,
        "IF total <> 0 OR parts < 2 THEN",
        "IF parts < 2 THEN",
        f"{ATTACKS}::test_sums_and_balances_hold",
    ),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's files, to break in peace."""
    target = tmp_path_factory.mktemp("copy")
    for path in tracked():
        there = target / path
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, there)
    return target


def run_tests(copy: Path, selection: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-x", "-p", "no:xdist", selection]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=300, check=False)


@pytest.mark.parametrize(
    ("file", "before", "after", "tests"), [each[1:] for each in BROKEN], ids=[each[0] for each in BROKEN]
)
def test_a_break_turns_the_check_red(copy: Path, file: str, before: str, after: str, tests: str) -> None:
    place = copy / file
    whole = place.read_text(encoding="utf-8")
    assert whole.count(before) == 1, f"{file} no longer holds {before!r} once: name the place anew"
    try:
        place.write_text(whole.replace(before, after), encoding="utf-8")
        red = run_tests(copy, tests)
    finally:
        place.write_text(whole, encoding="utf-8")
    assert red.returncode == 1, red.stdout[-3000:] + red.stderr[-1000:]
    assert "failed" in red.stdout


@pytest.mark.long
def test_the_unbroken_copy_is_green(copy: Path) -> None:
    green = run_tests(copy, ATTACKS)
    assert green.returncode == 0, green.stdout[-3000:] + green.stderr[-1000:]
    assert "passed" in green.stdout
