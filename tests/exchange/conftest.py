"""The hub over a database of the test's own, and the same with one partner that may call as fast as it likes."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from foundation.keys import KeyStore
from foundation.settings import Settings
from foundation.unit_of_work import unit_of_work
from hub.pipeline import Hub
from tests.exchange.partner_side import enter_with_keys


@pytest.fixture
def bare_hub(engine: Engine, database_url: str, tmp_path: Path) -> Hub:
    """Nobody is entered yet."""
    return Hub(engine, KeyStore(tmp_path / "keys"), Settings(database_url, "", tmp_path, 8600, "sandbox"))


@pytest.fixture
def hub(bare_hub: Hub) -> Hub:
    """With the partner of ``partner_side``, its keys and its agreement."""
    with unit_of_work(bare_hub.engine) as uow:
        enter_with_keys(uow, limits={"calls_per_s": 10_000, "burst": 10_000})
    return bare_hub
