"""The registry worked out anew from what was told: its read side brought to it, its state hash compared."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import case_registry
from foundation.database import make_engine
from foundation.unit_of_work import unit_of_work

NO_TIMEOUT_MS = 0


def rebuild(database_url: str) -> dict[str, Any]:
    """Work everything out anew; returns `disputes`, how many rows were `differing` (and are right now), and whether the
    state hash of what is stored is the `same` as that of everything linked anew.

    Two processes share the work: one links anew, the other works out the disputes. Pages are committed one by one.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        linked = pool.submit(_linked_anew, database_url)
        disputes, differing = _read_side(database_url)
        stored, anew = linked.result()
    return {
        "disputes": disputes,
        "differing": differing,
        "same": stored == anew and not differing,
        "hash": anew,
    }


def _linked_anew(database_url: str) -> tuple[str, str]:
    engine = make_engine(database_url, pool_size=1, timeout_ms=NO_TIMEOUT_MS)
    # One picture for both: what comes in meanwhile is in neither.
    with unit_of_work(engine.execution_options(isolation_level="REPEATABLE READ")) as uow:
        found = case_registry.state_hash(uow), case_registry.rebuilt_hash(uow)
    engine.dispose()
    return found


def _read_side(database_url: str) -> tuple[int, int]:
    engine = make_engine(database_url, pool_size=1, timeout_ms=NO_TIMEOUT_MS)
    disputes = differing = 0
    after: int | None = 0
    while after is not None:
        with unit_of_work(engine) as uow:
            page = case_registry.rebuild_page(uow, after)
        disputes, differing, after = disputes + page.disputes, differing + page.differing, page.after
    engine.dispose()
    return disputes, differing
