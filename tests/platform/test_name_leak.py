"""Name leak is zero: an adapter's, a rail's or a partner institution's id stands in its own folder only."""

from __future__ import annotations

import re
from pathlib import Path

from tests.platform.tree import owned_ids, text_of, tracked

# The stand-ins, tests, data and documents may name them (design, "Name leak is zero").
FREE_ROOMS = {"sandbox", "tests", "docs", "benchmarks"}
# A library may be called as a rail is.
FREE_FILES = {"README.md", "requirements.in"}
DATA_FOLDERS = {"data", "examples", "contract"}
DATA_SUFFIXES = {".csv", ".json", ".xml", ".lock"}


def may_name_anything(name: Path) -> bool:
    return (
        name.parts[0] in FREE_ROOMS
        or str(name) in FREE_FILES
        or bool(DATA_FOLDERS & set(name.parts[:-1]))
        or name.suffix in DATA_SUFFIXES
    )


def test_manifests_are_found() -> None:
    ids = owned_ids()
    assert (
        len([word for word, folders in ids.items() if any("rails" in folder.parts for folder in folders)])
        >= 2
    )
    assert len(ids) >= 8


def test_no_id_stands_outside_its_folder() -> None:
    patterns = {
        word: re.compile(rf"(?<![A-Za-z0-9_]){re.escape(word)}(?![A-Za-z0-9_])") for word in owned_ids()
    }
    leaks = []
    for name in tracked():
        if may_name_anything(name):
            continue
        text = text_of(name)
        for word, folders in owned_ids().items():
            if any(folder in name.parents for folder in folders):
                continue
            if found := patterns[word].search(text):
                leaks.append(f"{name}:{text.count(chr(10), 0, found.start()) + 1}: {word}")
    assert not leaks, "\n".join(leaks)


def test_a_leak_would_be_seen() -> None:
    """The test is not blind: each id is found at least in its own manifest."""
    for word, folders in owned_ids().items():
        assert any(
            word in text_of(name) or word in name.parts for name in tracked() if folders & set(name.parents)
        )
