"""The table of results in the documents is what the hub says, and what the hub says is what the contracts expect."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.examples import PAGE, expectation, folders, page_of

pytestmark = [pytest.mark.docs, pytest.mark.slow]
ROW = re.compile(
    r"^\| `(?P<name>[^`]+)` \| [^|]+ \| (?P<result>[a-z]+)[^|]* \| [^|]* \| (?P<findings>[^|]*) \|",
    re.MULTILINE,
)


def test_results_are_as_written_down(database_url: str, tmp_path: Path) -> None:
    """To bring the page up to date: ``python -m tests.docs.examples --write``."""
    assert page_of(database_url, tmp_path / "var") == PAGE.read_text(encoding="utf-8")


def test_results_are_as_the_contracts_expect() -> None:
    found = {row["name"]: row for row in ROW.finditer(PAGE.read_text(encoding="utf-8"))}
    examples = [
        path for folder in folders().values() for path in folder.iterdir()
        if path.is_file() and not path.name.endswith(".expect.json")
    ]  # fmt: skip
    assert len(examples) == 156
    for path in examples:
        row, expected = found[path.name], expectation(path)
        if expected["kind"] != "invalid":
            assert row["result"] in ("accepted", "duplicate"), path.name
            continue
        assert row["result"] in ("refused", "quarantined"), path.name
        for each in expected["expected"]["report"]:
            assert f"`{each['code']}` at `{each['path']}`" in row["findings"], path.name
