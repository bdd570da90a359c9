"""pytest plugin: the bank process with the hub's side of its links, for one test each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.bank_process import make_app
from sandbox.certificates import rsa_key
from tests.sandbox.conftest import Listener
from tests.sandbox.hub_side import BankEnd, served
from tests.sandbox.wallet_side import WalletEnd


@pytest.fixture(scope="session")
def key_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of both sides, made once: making them takes longer than most tests."""
    var = tmp_path_factory.mktemp("keys")
    make_app(var, "http://127.0.0.1:1")
    for name in ("bank_link", "alipay_app"):
        rsa_key(var / "sandbox" / "test" / f"{name}.key")
    return var / "sandbox"


@pytest.fixture
def var_with_keys(tmp_path: Path, key_files: Path) -> Path:
    for folder in ("keys", "certs", "test"):
        shutil.copytree(key_files / folder, tmp_path / "sandbox" / folder)
    return tmp_path


@pytest.fixture
def bank_link(var_with_keys: Path, hub: Listener) -> Iterator[BankEnd]:
    """The bank's link, clock at 2026-04-01 09:00 Beijing time, no limit of calls, nights by order."""
    with served(var_with_keys, hub.url) as box:
        end = BankEnd(box, hub)
        box.clock("2026-04-01T09:00:00+08:00")
        end.act("settings", night="manual", rate_per_s=0)
        yield end


@pytest.fixture
def wallet_link(var_with_keys: Path, hub: Listener) -> Iterator[WalletEnd]:
    """The wallet's gateway, clock at 2026-04-01 09:00 Beijing time, 1,000.00 yuan in the pool."""
    with served(var_with_keys, hub.url) as box:
        end = WalletEnd(box, hub)
        box.clock("2026-04-01T09:00:00+08:00")
        end.act("settings", rate_per_s=0)
        end.act("top_up", fen=100_000)
        yield end
