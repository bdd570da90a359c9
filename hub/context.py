"""Makes the hub of this process: engine, keys, settings, once."""

from __future__ import annotations

from functools import lru_cache

from foundation.database import make_engine
from foundation.keys import KeyStore
from foundation.settings import settings
from hub.pipeline import Hub


class NoDatabase(Exception):
    """No database is configured: ``./run`` starts one, or set CONCORD_DATABASE_URL."""


@lru_cache(maxsize=1)
def hub_of_process() -> Hub:
    """The hub by the settings of this process. Raises NoDatabase."""
    found = settings()
    if not found.database_url:
        raise NoDatabase("no database is configured: ./run starts one, or set CONCORD_DATABASE_URL")
    return Hub(make_engine(found.database_url), KeyStore(found.key_dir), found)
