"""Every command of README and docs is run, against a system that is started once for these tests, without Airflow.

The usual ports and ``var/`` of the pages become those of the tests' system; nothing else of a command changes.
A block that cannot run here says so with one of the reasons in ``tests.docs.pages.REASONS``.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs import pages
from tests.docs.running import Place, run
from tests.platform.running import own_place
from tests.platform.tree import ROOT

pytestmark = pytest.mark.docs
UP_WITHIN_S = 400
WITH_BLOCKS = [page for page in pages.pages() if any(not block.reason for block in pages.blocks(page))]


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """``./run --without-airflow`` in a folder of its own, the flagship story played."""
    with own_place(25_000) as started, tempfile.TemporaryDirectory() as folder:
        started.start("--without-airflow")
        started.wait_up(UP_WITHIN_S)
        link = Path(folder) / "var"
        os.symlink(started.var_dir, link)
        yield Place(started.var_dir, link, started.port_base)
        assert started.process is not None
        assert started.process.poll() is None, f"a documented command ended the system\n{started.output()}"


@pytest.mark.parametrize("page", WITH_BLOCKS, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_run(page: Path, place: Place) -> None:
    for ran in run(place, [block for block in pages.blocks(page) if not block.reason]):
        told = f"{ran.block.place}\n{ran.block.body}\n--- exit {ran.code}\n{ran.output[-4000:]}"
        assert ran.code == ran.block.exit, told
        for text in ran.block.shows:
            assert text in ran.output, f"not shown: {text}\n{told}"


def test_every_block_is_run_or_says_why_not() -> None:
    for page in pages.pages():
        for block in pages.blocks(page):
            assert not block.reason or block.reason in pages.REASONS, f"{block.place}: {block.reason}"
