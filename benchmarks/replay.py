"""Journal replay: the registry made again from the stored messages of a live hub gives the same state hash.

The live hub takes messages of the open contract by its own functions (stored encrypted, receipted, applied in batches,
journalled); then a process of its own reads them all back into an empty database, a thousand at a time.
"""

from __future__ import annotations

import hashlib
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import orjson
import psycopg

from benchmarks.exchange_hub import enter_partner
from benchmarks.exchange_messages import PARTNER, Messages
from benchmarks.postgres import durable_cluster
from benchmarks.result import Result
from connectors.open_contract.shape import canonical
from foundation import embedded_postgres
from foundation.database import make_engine
from foundation.keys import KeyStore
from foundation.receipts import receipt_key
from foundation.settings import Settings
from foundation.unit_of_work import unit_of_work
from hub import migrate, submitting
from hub.applying import apply_due
from hub.journal_replay import Replayed, replay
from hub.pipeline import Hub

TOGETHER = 500


def run(*, quick: bool, seed: int) -> Result:
    """One run over 1,500 (quick) or 1,000,000 messages."""
    messages = 1_500 if quick else 1_000_000
    with durable_cluster() as cluster, tempfile.TemporaryDirectory(prefix="concord-bench-") as name:
        urls = []
        for database in ("live", "again"):
            embedded_postgres.create_database(cluster, database)
            migrate.upgrade(cluster.url(database), movable_clock=True)
            urls.append(cluster.url(database))
        hub = _hub(urls[0], Path(name))
        enter_partner(urls[0], Path(name))
        begun = time.perf_counter()
        _live(hub, messages, seed)
        live_s = time.perf_counter() - begun
        begun = time.perf_counter()
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            made, peak_mb = pool.submit(_again, urls[0], Path(name), urls[1]).result()
        seconds = time.perf_counter() - begun
        bare = _bare(urls[0])
        hub.engine.dispose()
    equal = made.live == made.again
    wrong = "" if equal and made.messages == messages and not made.own else f"replay differs: {made}"
    return Result(
        {"messages": made.messages, "seconds": round(seconds, 2), "peak_mb": peak_mb, "hash_equal": equal},
        "the same rows read from the inbox and nothing done with them",
        {"read_s": round(bare, 3)},
        "one core of Python: reading a message, working its case out, its rows as JSON; PostgreSQL's inserts beside it",
        {"messages_per_s": round(made.messages / seconds), "live_s": round(live_s, 2)},
        wrong,
    )  # fmt: skip


def _hub(url: str, folder: Path) -> Hub:
    settings = Settings(url, "", folder, 8600, "sandbox")
    return Hub(make_engine(url), KeyStore(settings.key_dir), settings)


def _live(hub: Hub, count: int, seed: int) -> None:
    """Store and apply so many messages as the hub does."""
    made = Messages(seed, "replay")
    key = receipt_key(hub.settings.key_dir)
    waiting = (made.next() for _ in range(count))
    while part := list(islice(waiting, TOGETHER)):
        with unit_of_work(hub.engine) as uow:
            submitting.take(uow, key, [_given(message) for message in part])
        while apply_due(hub, TOGETHER):
            pass


def _given(message: dict[str, Any]) -> submitting.Given:
    return submitting.Given(
        PARTNER, "submit", orjson.dumps(message), {}, str(message["message_id"]), "record", str(message["case_key"]),
        int(message["sequence"]), hashlib.sha256(canonical(message)).hexdigest(),
    )  # fmt: skip


def _again(live_url: str, folder: Path, empty_url: str) -> tuple[Replayed, int]:
    """The replay in a process of its own, with the most memory it ever took (MB)."""
    found = replay(_hub(live_url, folder), empty_url)
    return found, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _bare(url: str) -> float:
    begun = time.perf_counter()
    with psycopg.connect(url.replace("+psycopg", "")) as conn, conn.cursor("bare") as cursor:
        cursor.itersize = 1_000
        cursor.execute("SELECT id, partner, content, data_key, content_hash FROM exchange.inbox ORDER BY seq")
        for _ in cursor:
            pass
    return time.perf_counter() - begun
