"""Stored messages: each under its own key, bound to its row; keys change, and go, and the row says so."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from foundation import envelope, inbox, outbox
from foundation.envelope import Damaged, Erased, NoVault, Vault, content_of
from foundation.keys import KeyMissing, KeyStore
from foundation.unit_of_work import UnitOfWork, unit_of_work
from schemas.exchange import Outcome, RawMessage, SendResult

ROW = uuid.UUID(int=7)


@pytest.mark.parametrize("content", [b"", b"\x00", "纠纷".encode() * 5000, bytes(range(256)) * 20])
def test_what_is_locked_opens_again_and_shows_nothing(tmp_path: Path, content: bytes) -> None:
    vault = Vault(KeyStore(tmp_path), make=True)
    first, second = vault.lock(content, ROW), vault.lock(content, ROW)
    assert vault.open(*first, ROW) == vault.open(*second, ROW) == content
    assert first[0] != second[0] and first[1] != second[1]
    assert len(content) < 2 or content[:50] not in first[1]


def test_what_was_altered_or_moved_to_another_row_does_not_open(tmp_path: Path) -> None:
    vault = Vault(KeyStore(tmp_path), make=True)
    data_key, locked = vault.lock(b"a message", ROW)
    other_key, _ = vault.lock(b"a message", ROW)
    for key, content, row in (
        (data_key, locked[:-1] + bytes([locked[-1] ^ 1]), ROW),
        (data_key, locked, uuid.UUID(int=8)),
        (other_key, locked, ROW),
        (data_key[:-1] + bytes([data_key[-1] ^ 1]), locked, ROW),
    ):
        with pytest.raises(Damaged):
            vault.open(key, content, row)


def test_without_the_wrapping_key_nothing_is_stored_or_read(tmp_path: Path) -> None:
    data_key, locked = Vault(KeyStore(tmp_path / "a"), make=True).lock(b"x", ROW)
    with pytest.raises(KeyMissing, match=r"storage\.secret"):
        Vault(KeyStore(tmp_path / "b")).lock(b"x", ROW)
    with pytest.raises(KeyMissing, match="wraps stored messages"):
        Vault(KeyStore(tmp_path / "b")).open(data_key, locked, ROW)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "storage.secret").write_text("too short")
    with pytest.raises(KeyMissing, match="32 are needed"):
        Vault(KeyStore(tmp_path / "c")).lock(b"x", ROW)


def test_those_who_need_the_first_key_at_once_get_the_same(tmp_path: Path) -> None:
    made: list[bytes] = []
    gate = threading.Barrier(8)

    def work() -> None:
        gate.wait()
        made.append(Vault(KeyStore(tmp_path), make=True).current_id)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8 and len(set(made)) == 1


def test_an_engine_without_a_vault_stores_nothing_in_clear(database_url: str) -> None:
    from foundation.database import make_engine

    bare = make_engine(database_url)
    with pytest.raises(NoVault), unit_of_work(bare) as uow:
        inbox.store_in(uow, RawMessage("p", "push", "", b"x", uow.now))
    bare.dispose()


def fill(uow: UnitOfWork) -> uuid.UUID:
    """A message in, one out, and an answer to it."""
    stored = inbox.store_in(uow, RawMessage("p", "push", "", b"<in>", uow.now))
    owed = outbox.enqueue(uow, partner="p", operation="T", message_id="m", case_key="", body={})
    outbox.keep_bytes(uow, owed, b"<out>")
    row = uow.one(
        "UPDATE exchange.outbox SET state = 'SENDING', attempts = 1 WHERE id = :id RETURNING *", id=owed
    )
    assert row is not None
    outbox.record_attempt(uow, row, SendResult("DELIVERED", "0", "ok", b"<ack>"))
    return stored.id


def contents(uow: UnitOfWork) -> list[bytes]:
    rows = [
        *uow.all("SELECT id, content, data_key FROM exchange.inbox"),
        *uow.all("SELECT id, content, data_key FROM exchange.outbox"),
        *uow.all("SELECT outbox AS id, reply AS content, data_key FROM exchange.outbox_attempt"),
    ]
    return [content_of(uow, row) for row in rows]


def test_a_new_wrapping_key_takes_over_and_the_old_one_may_go(uow: UnitOfWork) -> None:
    fill(uow)
    keys = envelope.vault_of(uow).keys
    old = keys.folder / "storage.secret"
    old.rename(keys.folder / "storage.old.secret")
    keys.make_secret("storage")
    assert contents(uow) == [b"<in>", b"<out>", b"<ack>"]
    assert envelope.rewrap(uow) == 3 and envelope.rewrap(uow) == 0
    (keys.folder / "storage.old.secret").unlink()
    envelope.bind(uow.conn.engine, Vault(keys))  # as a process that never knew the old one
    with unit_of_work(uow.conn.engine) as other:
        assert Vault(keys).current_id == envelope.vault_of(other).current_id
    fresh = Vault(keys)
    row = uow.one("SELECT id, content, data_key FROM exchange.inbox")
    assert row is not None and fresh.open(bytes(row["data_key"]), bytes(row["content"]), row["id"]) == b"<in>"


def test_the_database_lets_keys_only_be_wrapped_anew_or_go(engine: Engine) -> None:
    with unit_of_work(engine) as uow:
        message = fill(uow)
    for attack in (
        "UPDATE exchange.inbox SET content = 'x'",
        "UPDATE exchange.inbox SET data_key = set_byte(data_key, 20, 1 - get_byte(data_key, 20) % 2)",
        "UPDATE exchange.inbox SET data_key = NULL",
        "UPDATE exchange.inbox SET headers = '{\"a\": 1}'",
        "DELETE FROM exchange.inbox",
    ):
        with pytest.raises(DBAPIError, match=r"APPEND_ONLY|check"), unit_of_work(engine) as uow:
            uow.execute(attack)
    with unit_of_work(engine) as uow:
        assert not inbox.erase(uow, message, "not decided yet")
        inbox.decide(uow, message, "REFUSED", Outcome("m", "REFUSED", (), "", uow.now))
        assert inbox.erase(uow, message, "erasure asked for")
    with pytest.raises(DBAPIError, match="APPEND_ONLY"), unit_of_work(engine) as uow:
        uow.execute("UPDATE exchange.inbox SET data_key = 'x', erased_at = NULL")
    with unit_of_work(engine) as uow:
        row = uow.one("SELECT * FROM exchange.inbox")
        assert row is not None and row["content_hash"] is not None
        with pytest.raises(Erased):
            content_of(uow, row)
        assert (
            uow.scalar("SELECT detail ->> 'reason' FROM exchange.journal WHERE kind = 'erased'")
            == "erasure asked for"
        )
