"""The world of the escrow tests on a fresh database."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tests.escrow.world import World


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)
