"""Each rail's example table covers each numbered habit of its contract, and names what exists."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.rails.bench import RAILS


@pytest.mark.parametrize("rail", RAILS.values(), ids=list(RAILS))
def test_every_habit_has_its_line(rail):
    contract = (rail.folder / "contract" / "CONTRACT.md").read_text("utf-8")
    numbered = re.findall(r"^(\d+)\. ", contract.split("## Habits")[1].split("## Field")[0], re.MULTILINE)
    table = tomllib.loads((rail.folder / "examples.toml").read_text("utf-8"))["habit"]
    assert [str(row["number"]) for row in table] == numbered
    root = rail.folder.parents[2]
    for row in table:
        assert (rail.folder / "examples" / row["example"]).exists(), row
        path, name = row["test"].split("::")
        assert f"def {name}(" in (root / path).read_text("utf-8"), row
        assert row["habit"] and row["holds"]
