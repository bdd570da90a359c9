"""pytest plugin: marks as ``quick`` what needs neither a database nor a process, so that ``./check fast`` is fast."""

from __future__ import annotations

import pytest

NOT_QUICK = {"slow", "long", "alone", "browser", "docs"}
# The fixture below everything that needs a database.
DATABASE = "cluster"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        marks = {mark.name for mark in item.iter_markers()}
        if not marks & NOT_QUICK and DATABASE not in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.quick)
