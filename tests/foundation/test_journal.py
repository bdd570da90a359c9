"""The journal: lines wait for nobody, are sealed in batches, and show where they were touched; alarms; disclosures."""

from __future__ import annotations

import hashlib
import threading

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from foundation import merkle, sealing
from foundation.journal import (
    MOST_LINES,
    SHARDS,
    Line,
    close_alarm,
    disclose,
    journal,
    journal_many,
    raise_alarm,
)
from foundation.sealing import Flaw, seal, verify_day
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub.sealing import watch_backlog

DAY = "2026-04-01"  # the fixtures' virtual day in Beijing


def line(number: int) -> Line:
    ref = f"p/{number}"
    return Line("message", ref, hashlib.sha256(ref.encode()).digest(), {"note": f"第{number}条", "n": number})


def write(uow: UnitOfWork, lines: int) -> None:
    journal_many(uow, [line(number) for number in range(lines)])


def test_a_whole_chain_verifies(uow: UnitOfWork) -> None:
    write(uow, 20)
    journal(uow, "replay", "p/1", b"\1" * 32, reason="因为", amount=1.5)
    assert verify_day(uow, DAY) is None  # nothing is sealed yet
    sealed = seal(uow)
    assert sealed is not None and sealed.lines == 21 and seal(uow) is None
    assert verify_day(uow, DAY) is None
    assert verify_day(uow, "2026-03-31") is None
    write(uow, 3)
    assert seal(uow) is not None and verify_day(uow, DAY) is None


def test_each_shard_is_a_chain_numbered_without_gaps_and_the_root_is_the_tree_s(uow: UnitOfWork) -> None:
    write(uow, 50)
    sealed = seal(uow, most=30)
    again = seal(uow)
    assert sealed is not None and again is not None and (sealed.lines, again.lines) == (30, 20)
    rows = uow.all("SELECT * FROM exchange.journal ORDER BY batch, leaf")
    for shard in range(SHARDS):
        chain = sorted(row["no"] for row in rows if row["shard"] == shard)
        assert chain == list(range(1, len(chain) + 1))
    first = [bytes(row["hash"]) for row in rows if row["batch"] == sealed.no]
    tree = merkle.levels(first)
    assert tree[-1][0] == sealed.root and len(first) == 30
    for place, leaf in enumerate(first):
        assert merkle.climbed(leaf, merkle.path_of(tree, place)) == sealed.root
        assert merkle.climbed(leaf[:-1] + bytes([leaf[-1] ^ 1]), merkle.path_of(tree, place)) != sealed.root


@pytest.mark.parametrize(
    "column",
    ["digest = sha256('x')", "ref = ref || 'x'", "actor = 'somebody'", "detail = '{}'", "hash = sha256('x')",
     "kind = 'sent'", "at = at + interval '1 microsecond'"],
)  # fmt: skip
def test_a_touched_line_is_named(uow: UnitOfWork, column: str) -> None:
    write(uow, 40)
    seal(uow)
    uow.execute("SET LOCAL session_replication_role = replica")  # as one who gets round the trigger
    uow.execute(f"UPDATE exchange.journal SET {column} WHERE shard = 2 AND no = 3")
    found = verify_day(uow, DAY)
    assert found is not None and (found.shard, found.no) == (2, 3)


@pytest.mark.parametrize("last", [False, True])
def test_a_missing_line_is_named(uow: UnitOfWork, last: bool) -> None:
    write(uow, 40)
    seal(uow)
    number = uow.scalar("SELECT max(no) FROM exchange.journal WHERE shard = 1") if last else 2
    uow.execute("SET LOCAL session_replication_role = replica")
    uow.execute("DELETE FROM exchange.journal WHERE shard = 1 AND no = :no", no=number)
    found = verify_day(uow, DAY)
    assert found is not None and (found.shard, found.no) == (1, number)


def test_a_line_put_in_behind_the_sealers_back_is_named(uow: UnitOfWork) -> None:
    write(uow, 40)
    seal(uow)
    uow.execute("SET LOCAL session_replication_role = replica")
    ends = uow.one("SELECT no, hash FROM exchange.journal_chain WHERE shard = 1")
    assert ends is not None
    uow.execute(
        "INSERT INTO exchange.journal (at, shard, kind, ref, digest, actor, batch, leaf, no, hash)"
        " SELECT at, shard, kind, 'made up', digest, actor, batch, 999, :no, :hash FROM exchange.journal"
        " WHERE shard = 1 AND no = 1",
        no=ends["no"] + 1, hash=b"\7" * 32,
    )  # fmt: skip
    assert verify_day(uow, DAY) == Flaw(1, ends["no"] + 1, "the line, or the hash kept with it, was altered")


def test_writers_do_not_wait_for_each_other(engine: Engine) -> None:
    done = threading.Event()

    def second() -> None:
        with unit_of_work(engine) as other:
            write(other, 5)
        done.set()

    with unit_of_work(engine) as first:
        write(first, 5)
        seal(first)
        thread = threading.Thread(target=second)
        thread.start()
        assert done.wait(5), "a line waited for another transaction's line or seal"
    thread.join()
    with unit_of_work(engine) as uow:
        sealed = seal(uow)
        assert sealed is not None and sealed.lines == 5 and verify_day(uow, DAY) is None


def test_a_sealer_leaves_shards_that_another_holds(engine: Engine) -> None:
    with unit_of_work(engine) as uow:
        write(uow, 40)
    with unit_of_work(engine) as first:
        assert seal(first) is not None
        with unit_of_work(engine) as second:
            assert seal(second) is None
    with unit_of_work(engine) as uow:
        assert verify_day(uow, DAY) is None
        assert uow.scalar("SELECT count(*) FROM exchange.journal WHERE batch IS NULL") == 0


def test_sealers_at_once_seal_every_line_once(engine: Engine) -> None:
    stop = threading.Event()
    errors: list[Exception] = []

    def keep_sealing() -> None:
        while not stop.is_set():
            try:
                with unit_of_work(engine) as uow:
                    seal(uow, most=7)
            except Exception as error:
                errors.append(error)
                return

    def keep_writing(first: int) -> None:
        for number in range(first, first + 100):
            with unit_of_work(engine) as uow:
                journal_many(uow, [line(number), line(number + 1000)])

    sealers = [threading.Thread(target=keep_sealing) for _ in range(3)]
    writers = [threading.Thread(target=keep_writing, args=(100 * each,)) for each in range(3)]
    for thread in sealers + writers:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    for thread in sealers:
        thread.join()
    assert not errors
    with unit_of_work(engine) as uow:
        seal(uow)
        assert verify_day(uow, DAY) is None
        assert uow.scalar("SELECT count(*) FROM exchange.journal WHERE batch IS NOT NULL") == 600
        assert uow.scalar("SELECT sum(lines) FROM exchange.journal_batch") == 600


def test_a_sealer_that_dies_leaves_nothing(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with unit_of_work(engine) as uow:
        write(uow, 10)
    for step in ("_ends", "_write", "_keep_ends"):
        kept = getattr(sealing, step)

        def dies_after(*given, kept=kept):  # type: ignore[no-untyped-def]
            kept(*given)
            raise KeyboardInterrupt

        monkeypatch.setattr(sealing, step, dies_after)
        with pytest.raises(KeyboardInterrupt), unit_of_work(engine) as uow:
            seal(uow)
        monkeypatch.setattr(sealing, step, kept)
    with unit_of_work(engine) as uow:
        assert uow.scalar("SELECT count(*) FROM exchange.journal_batch") == 0
        sealed = seal(uow)
        assert sealed is not None and sealed.lines == 10 and verify_day(uow, DAY) is None


def test_too_long_a_wait_is_an_alarm(uow: UnitOfWork) -> None:
    write(uow, 1)
    watch_backlog(uow)
    assert uow.scalar("SELECT count(*) FROM exchange.alarm") == 0
    uow.execute("SET LOCAL session_replication_role = replica")
    uow.execute("UPDATE exchange.journal SET written = written - interval '2 minutes'")
    watch_backlog(uow)
    assert uow.scalar("SELECT kind FROM exchange.alarm") == "journal_unsealed"


def test_too_many_lines_at_once_are_refused(uow: UnitOfWork) -> None:
    with pytest.raises(ValueError, match="20001 journal lines"):
        journal_many(uow, [line(1)] * (MOST_LINES + 1))


def test_lines_are_only_added(uow: UnitOfWork) -> None:
    write(uow, 1)
    seal(uow)
    write(uow, 1)
    disclose(uow, recipient="r", purpose="p", subject="s", fields=["name"], basis="b")
    for attack in (
        "UPDATE exchange.journal SET ref = 'x'",
        "UPDATE exchange.journal SET ref = 'x' WHERE batch IS NULL",
        "UPDATE exchange.journal SET hash = sha256('x') WHERE batch IS NOT NULL",
        "UPDATE exchange.journal SET batch = NULL, leaf = NULL, no = NULL, hash = NULL",
        "DELETE FROM exchange.journal",
        "TRUNCATE exchange.journal, exchange.journal_batch",
        "UPDATE exchange.journal_batch SET root = sha256('x')",
        "DELETE FROM exchange.journal_chain",
        "UPDATE exchange.journal_chain SET no = 0",
        "DELETE FROM exchange.disclosure",
    ):
        with pytest.raises(DBAPIError, match="APPEND_ONLY"), uow.conn.begin_nested():
            uow.execute(attack)


def test_an_alarm_is_open_once_and_can_be_raised_again_after_it_was_closed(uow: UnitOfWork) -> None:
    first = raise_alarm(uow, "k", "s")
    assert first is not None and raise_alarm(uow, "k", "s") is None
    assert close_alarm(uow, first, "seen") is True
    assert close_alarm(uow, first, "again") is False
    assert raise_alarm(uow, "k", "s") is not None
