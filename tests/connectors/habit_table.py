"""An adapter's example table: one line for each numbered habit, each naming what exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def check_habit_table(table: dict[str, Any], habits: int, examples: Path) -> None:
    """Every habit once, its examples and tests there, and what must hold said."""
    rows = table["habit"]
    assert [row["number"] for row in rows] == list(range(1, habits + 1))
    for row in rows:
        assert row["must"] and row["says"] and (row["examples"] or row["tests"])
        for name in row["examples"]:
            assert (examples / name).exists(), name
        for test in row["tests"]:
            path, _, function = test.partition("::")
            source = (ROOT / path).read_text("utf-8")
            assert re.search(rf"^def {function}\(", source, re.M), test
