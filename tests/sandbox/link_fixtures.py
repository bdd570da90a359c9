"""pytest plugin: the bank process with the hub's side of its links, for one test each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox.conftest import Listener
from tests.sandbox.hub_side import BankEnd, served
from tests.sandbox.wallet_side import WalletEnd


@pytest.fixture
def bank_link(tmp_path: Path, hub: Listener) -> Iterator[BankEnd]:
    """The bank's link, clock at 2026-04-01 09:00 Beijing time, no limit of calls, nights by order."""
    with served(tmp_path, hub.url) as box:
        end = BankEnd(box, hub)
        box.clock("2026-04-01T09:00:00+08:00")
        end.act("settings", night="manual", rate_per_s=0)
        yield end


@pytest.fixture
def wallet_link(tmp_path: Path, hub: Listener) -> Iterator[WalletEnd]:
    """The wallet's gateway, clock at 2026-04-01 09:00 Beijing time, 1,000.00 yuan in the pool."""
    with served(tmp_path, hub.url) as box:
        end = WalletEnd(box, hub)
        box.clock("2026-04-01T09:00:00+08:00")
        end.act("settings", rate_per_s=0)
        end.act("top_up", fen=100_000)
        yield end
