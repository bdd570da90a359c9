"""Sealing and stamping by workers: an authority that is away, lies or comes back; workers that are killed between steps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from foundation.actors import SYSTEM
from foundation.clock import clock_now
from foundation.journal import Line, journal_many
from foundation.sealing import verify_day, verify_seals
from foundation.timestamps import NoStamp
from foundation.unit_of_work import UnitOfWork, unit_of_work
from foundation.wire import Wire
from hub import jobs, sealing
from tests.exchange.evidence_side import EvidenceWorld, evidence_world

pytestmark = pytest.mark.slow
DAY = "2026-04-01"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def world(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[EvidenceWorld]:
    made = evidence_world(engine, database_url, tmp_path)
    yield made
    made.authority.stop()


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def write(engine: Engine, lines: int, first: int = 0) -> None:
    with unit_of_work(engine) as uow:
        journal_many(
            uow, [Line("sent", f"p/{n}", n.to_bytes(32, "big")[::-1]) for n in range(first, first + lines)]
        )


def rows(engine: Engine, sql: str) -> list[Any]:
    with unit_of_work(engine) as uow:
        return list(uow.all(sql))


def checked(world: EvidenceWorld) -> tuple[int, int, str]:
    with unit_of_work(world.hub.engine) as uow:
        assert verify_day(uow, DAY) is None
        return verify_seals(uow, DAY, world.trust.authorities)


def test_one_stamp_a_batch_and_none_a_message(world: EvidenceWorld, engine: Engine, wire: Wire) -> None:
    for batch in range(3):
        write(engine, 100, 100 * batch)
        assert sealing.seal_all(world.hub) == 100
    assert sealing.stamp_waiting(world.hub, wire) == 3 and sealing.stamp_waiting(world.hub, wire) == 0
    assert world.authority.asked == 3 and checked(world) == (3, 0, "")


def test_while_the_authority_is_away_lines_are_sealed_and_stamped_later(
    world: EvidenceWorld, engine: Engine, wire: Wire
) -> None:
    world.authority.stop()
    for batch in range(2):
        write(engine, 5, 10 * batch)
        assert sealing.seal_all(world.hub) == 5
    with pytest.raises(NoStamp, match="ConnectError"):
        sealing.stamp_waiting(world.hub, wire)
    assert checked(world) == (0, 2, "")
    with unit_of_work(engine) as uow:
        sealing.watch_backlog(uow)
        assert uow.scalar("SELECT count(*) FROM exchange.alarm") == 0
        uow.execute("SET LOCAL session_replication_role = replica")
        uow.execute("UPDATE exchange.journal_batch SET sealed = sealed - interval '2 hours'")
        sealing.watch_backlog(uow)
        assert uow.scalar("SELECT kind FROM exchange.alarm") == "batches_unstamped"
    world.authority.start()
    assert sealing.stamp_waiting(world.hub, wire) == 2 and checked(world) == (2, 0, "")


@pytest.mark.parametrize(
    ("what", "spoil"),
    [
        ("does not verify", lambda made: made[:-1] + bytes([made[-1] ^ 1])),
        ("no TimeStampResp", lambda made: b"<html>busy</html>"),
        ("gave no stamp", lambda made: bytes.fromhex("30053003020102")),
    ],
)
def test_a_wrong_stamp_is_not_kept(
    world: EvidenceWorld, engine: Engine, wire: Wire, what: str, spoil: Any
) -> None:
    world.authority.spoil = spoil
    write(engine, 5)
    sealing.seal_all(world.hub)
    with pytest.raises(NoStamp, match=what):
        sealing.stamp_waiting(world.hub, wire)
    assert rows(engine, "SELECT token FROM exchange.journal_batch") == [{"token": None}]
    world.authority.spoil = bytes
    assert sealing.stamp_waiting(world.hub, wire) == 1


def test_an_answer_of_before_is_not_taken_for_this_request(
    world: EvidenceWorld, engine: Engine, wire: Wire
) -> None:
    kept: list[bytes] = []
    world.authority.spoil = lambda made: kept[0] if kept else (kept.append(made) or b"")  # type: ignore[func-returns-value]
    write(engine, 5)
    sealing.seal_all(world.hub)
    for what in ("no TimeStampResp", "nonce"):
        with pytest.raises(NoStamp, match=what):
            sealing.stamp_waiting(world.hub, wire)


def test_two_stampers_share_the_batches(world: EvidenceWorld, engine: Engine) -> None:
    for batch in range(30):
        write(engine, 1, batch)
        sealing.seal_all(world.hub)
    done: list[int] = []

    def work() -> None:
        wire = Wire()
        while (stamped := sealing.stamp_waiting(world.hub, wire)) > 0:
            done.append(stamped)
        wire.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done) == 30 == world.authority.asked and checked(world) == (30, 0, "")


def test_the_worker_s_threads_seal_and_stamp_by_themselves(world: EvidenceWorld, engine: Engine) -> None:
    stop = threading.Event()
    threads = [
        threading.Thread(target=work, args=(world.hub, stop))
        for work in (sealing.keep_sealing, sealing.keep_stamping)
    ]
    for thread in threads:
        thread.start()
    write(engine, 50)
    until = time.monotonic() + 10
    while time.monotonic() < until and not rows(
        engine, "SELECT 1 FROM exchange.journal_batch WHERE token IS NOT NULL"
    ):
        time.sleep(0.05)
    stop.set()
    for thread in threads:
        thread.join(10)
    (row,) = rows(
        engine,
        "SELECT sealed - (SELECT min(written) FROM exchange.journal) AS wait FROM exchange.journal_batch",
    )
    assert row["wait"].total_seconds() < 2 and checked(world) == (1, 0, "")


def test_sealers_killed_anywhere_leave_every_line_in_one_chain(world: EvidenceWorld, engine: Engine) -> None:
    """Processes that seal without pause are killed (-9) at random moments while lines are written."""
    code = (
        "import sys\nfrom foundation.database import make_engine\nfrom foundation.sealing import seal\n"
        "from foundation.unit_of_work import unit_of_work\nengine = make_engine(sys.argv[1])\nprint('up', flush=True)\n"
        "while True:\n    with unit_of_work(engine) as uow:\n        seal(uow, most=37)\n"
    )
    written = 0
    for round_ in range(4):
        sealers = [
            subprocess.Popen(
                [sys.executable, "-c", code, world.hub.settings.database_url],
                cwd=ROOT,
                stdout=subprocess.PIPE,
            )
            for _ in range(2)
        ]
        for sealer in sealers:
            assert sealer.stdout is not None and sealer.stdout.readline() == b"up\n"
        until = time.monotonic() + 0.15 + 0.07 * round_
        while time.monotonic() < until:
            write(engine, 10, written)
            written += 10
        for sealer in sealers:
            os.kill(sealer.pid, signal.SIGKILL)
            sealer.wait()
            assert sealer.stdout is not None
            sealer.stdout.close()
    sealed = rows(engine, "SELECT count(*) AS n FROM exchange.journal WHERE batch IS NOT NULL")[0]["n"]
    assert 0 < sealed <= written
    until = time.monotonic() + 20  # the server notices a little later that a killed sealer is gone
    while time.monotonic() < until and rows(
        engine, "SELECT 1 FROM exchange.journal WHERE batch IS NULL LIMIT 1"
    ):
        world.seal()
    world.seal()  # the killed ones may have sealed everything; they stamped nothing
    stamped, unstamped, flaw = checked(world)
    assert (unstamped, flaw) == (0, "") and stamped > 1
    (told,) = rows(
        engine,
        "SELECT count(*) AS lines, count(DISTINCT (batch, leaf)) AS places,"
        " (SELECT sum(lines) FROM exchange.journal_batch) AS in_batches FROM exchange.journal",
    )
    assert told["lines"] == told["places"] == told["in_batches"] == written


def test_the_nightly_check_raises_an_alarm(world: EvidenceWorld, engine: Engine, set_clock: Any) -> None:
    write(engine, 20)
    world.seal()
    set_clock("2026-04-02T02:45:00")
    assert jobs.check_journal(world.hub)["whole"] is True
    with unit_of_work(engine) as uow:
        uow.execute("SET LOCAL session_replication_role = replica")
        uow.execute("UPDATE exchange.journal SET detail = '{\"a\": 1}' WHERE leaf = 5")
    told = jobs.check_journal(world.hub)
    assert told["whole"] is False and "altered" in told["chain"]
    assert rows(engine, "SELECT kind, subject FROM exchange.alarm") == [
        {"kind": "journal_broken", "subject": DAY}
    ]


def test_seals_written_anew_have_no_stamp(world: EvidenceWorld, engine: Engine) -> None:
    write(engine, 20)
    world.seal()
    for sql, what in (
        ("UPDATE exchange.journal_batch SET root = sha256('x')", "root"),
        ("UPDATE exchange.journal_batch SET leaves = leaves || sha256('x'), lines = lines + 1", "root"),
        ("UPDATE exchange.journal SET leaf = leaf + 1 WHERE leaf = 3", "leaf 4"),
        ("UPDATE exchange.journal_batch SET lines = lines + 1", "over something else"),
        ("DELETE FROM exchange.journal_batch", "missing"),
    ):
        with engine.connect() as conn:
            uow = UnitOfWork(conn, SYSTEM, clock_now(conn))
            uow.execute("SET LOCAL session_replication_role = replica")
            uow.execute("ALTER TABLE exchange.journal_batch DROP CONSTRAINT journal_batch_check")
            uow.execute(sql)
            assert what in verify_seals(uow, DAY, world.trust.authorities)[2], sql
            conn.rollback()
