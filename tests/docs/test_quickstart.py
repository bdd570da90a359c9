"""The partners' quick start: each way in takes at most twenty commands, and they do what the page says, as written."""

from __future__ import annotations

import os
import re
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from foundation.settings import DEFAULT_PORT_BASE
from tests.docs import pages
from tests.docs.pages import Block
from tests.docs.running import Place, run
from tests.platform.tree import ROOT

pytestmark = [pytest.mark.docs, pytest.mark.alone, pytest.mark.slow]
PAGE = ROOT / "docs" / "partner" / "quickstart.md"
MOST_COMMANDS = 20
_KIT = re.compile(r"<!-- kit: ([a-z]+) -->\n(.*?)<!-- end of kit -->", re.DOTALL)
# What a way in needs to have been done before: its own sandbox is that of another section.
AFTER = {"requests": "rest"}


def kits() -> dict[str, list[Block]]:
    """The page's ways in with their blocks."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = list(pages.blocks(PAGE))
    return {
        name: [each for each in blocks if f"```sh\n{each.body}```" in body]
        for name, body in _KIT.findall(text)
    }


def commands(blocks: list[Block]) -> list[str]:
    """Each command of these blocks by its first line; what a here-document holds is part of its command."""
    found: list[str] = []
    ends = ""
    goes_on = False
    for line in "\n".join(each.body for each in blocks).splitlines():
        if ends:
            ends = "" if line == ends else ends
            continue
        if line.strip() and not goes_on:
            found.append(line)
        goes_on = line.endswith("\\")
        heredoc = re.search(r"<<'(\w+)'", line)
        ends = heredoc[1] if heredoc else ""
    return found


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="quickstart-") as folder:
        yield Place(Path(folder), Path(folder), DEFAULT_PORT_BASE)
        for pid in Path(folder).glob("street/*.pid"):
            os.kill(int(pid.read_text()), signal.SIGTERM)


def test_both_protocols_have_a_way_in() -> None:
    assert {"rest", "soap"} <= kits().keys()
    assert (
        sum(map(len, kits().values())) == len(list(pages.blocks(PAGE))) - 1
    )  # the last one ends the sandboxes


@pytest.mark.parametrize("name", kits())
def test_at_most_twenty_commands(name: str) -> None:
    needed = [*kits().get(AFTER.get(name, ""), []), *kits()[name]]
    assert 3 <= len(commands(needed)) <= MOST_COMMANDS, "\n".join(commands(needed))


@pytest.mark.parametrize("name", kits())
def test_the_commands_do_what_is_said(name: str, place: Place) -> None:
    needed = [*kits().get(AFTER.get(name, ""), []), *kits()[name]]
    for ran in run(place, needed):
        assert ran.code == 0, f"{ran.block.place}\n{ran.block.body}\n{ran.output[-3000:]}"
        for text in ran.block.shows:
            assert text in ran.output, f"{ran.block.place}: not shown: {text}\n{ran.output[-3000:]}"
