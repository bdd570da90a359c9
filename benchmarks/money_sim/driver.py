"""The driver made quick for runs by the thousand: what runs is the same SQL, parsed and planned once a process.

By itself the driver prepares a text when it has come five times, keeps a hundred, forgets all of them at each ROLLBACK
(a table might have been changed in between; here none is) and reads each text's parameters anew beyond 128 texts. Crashes
and refusals roll back several times a run, so that most statements were parsed and planned each time they came.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import psycopg
from psycopg import _queries
from psycopg._preparing import PrepareManager
from sqlalchemy import Engine, event

STATEMENTS = 4000
OPTIONS = b"SET plan_cache_mode = force_generic_plan; SET jit = off"


class KeptOverRollback(PrepareManager):
    """PostgreSQL keeps a prepared statement over a ROLLBACK; so does this."""

    prepare_threshold = 0
    prepared_max = STATEMENTS

    def clear(self) -> bool:
        """Nothing is forgotten."""
        return False


def keep_prepared(connection: psycopg.Connection[Any]) -> None:
    """Prepare every text of this connection when it first comes, and keep it."""
    connection._prepared = KeptOverRollback()
    connection.execute(OPTIONS, prepare=False)
    connection.commit()


def tune(engine: Engine) -> None:
    """For the engine of a site, before its first connection: the database is near and is not restarted."""
    vars(_queries)["_query2pg"] = lru_cache(STATEMENTS)(_queries._query2pg_nocache)
    engine.pool._pre_ping = False
    vars(vars(engine.pool)["_pool"])["use_lifo"] = True  # the connection that knows most statements first
    event.listen(engine, "connect", lambda connection, _: keep_prepared(connection))
