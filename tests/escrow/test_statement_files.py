"""Large statement files: stored in parts first, taken once, and taken up again after a fall."""

from __future__ import annotations

import io
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

import escrow
from foundation import file_parts
from foundation.envelope import Damaged
from foundation.keys import KeyStore
from foundation.settings import Settings
from foundation.unit_of_work import unit_of_work
from hub import batch_orders, replaying, statement_files
from hub.pipeline import Hub
from schemas.findings import Refused
from tests.rails.bench import BANK, example

NIGHT = example(BANK, "b06_camt053_subaccount.xml")


@pytest.fixture
def hub(engine: Engine, tmp_path: Path) -> Hub:
    keys = KeyStore(tmp_path / "storage-keys")
    return Hub(engine, keys, Settings(str(engine.url), "", tmp_path, 0, "sandbox"))


def test_a_file_is_stored_and_then_taken_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_parts, "PART", 500)
    stored = statement_files.store_file(hub, BANK.id, io.BytesIO(NIGHT), "night.xml")
    with unit_of_work(hub.engine) as uow:
        assert uow.scalar("SELECT state FROM exchange.inbox WHERE id = :id", id=stored) == "RECEIVED"
        assert uow.scalar("SELECT count(*) FROM exchange.file_part") == -(-len(NIGHT) // 500)
        assert (
            uow.scalar("SELECT count(*) FROM exchange.file_part WHERE position('Stmt'::bytea IN content) > 0")
            == 0
        )
    # The process that stored it fell: a worker takes it up.
    done = replaying.take_up(hub, stored)
    assert done["outcome"]["result"] == "ACCEPTED" and done["meta"]["lines"] > 0
    with unit_of_work(hub.engine) as uow:
        lines = uow.scalar("SELECT count(*) FROM escrow.statement_line")
        assert lines == done["meta"]["lines"] == done["meta"]["new"]
        assert uow.scalar("SELECT bool_and(source = :id) FROM escrow.statement", id=str(stored))
        assert [each for each in escrow.prove(uow) if each.invariant != "I12"] == []
    again = statement_files.store_file(hub, BANK.id, io.BytesIO(NIGHT), "night.xml")
    assert statement_files.process_file(hub, again)["outcome"]["result"] == "DUPLICATE"
    with unit_of_work(hub.engine) as uow:
        assert uow.scalar("SELECT count(*) FROM escrow.statement_line") == lines


def test_a_bad_file_posts_nothing_and_is_kept(hub: Hub) -> None:
    for raw in (example(BANK, "b08_camt053_balance_wrong.xml"), NIGHT[:-200], b"no statement at all"):
        stored = statement_files.store_file(hub, BANK.id, io.BytesIO(raw), "night.xml")
        done = statement_files.process_file(hub, stored)
        assert done["outcome"]["result"] == "REFUSED" and done["outcome"]["findings"]
    with unit_of_work(hub.engine) as uow:
        assert uow.scalar("SELECT count(*) FROM escrow.statement_line") == 0
        assert [row["kind"] for row in uow.all("SELECT kind FROM escrow.recon_break")] == ["BALANCE"]


def test_a_part_that_was_altered_does_not_open(hub: Hub) -> None:
    stored = statement_files.store_file(hub, BANK.id, io.BytesIO(NIGHT), "night.xml")
    with pytest.raises(IntegrityError), unit_of_work(hub.engine) as uow:
        uow.execute("UPDATE exchange.file_part SET content = 'x'")
    with psycopg.connect(
        hub.engine.url.render_as_string(hide_password=False).replace("+psycopg", "")
    ) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(
            "UPDATE exchange.file_part SET content = set_byte(content, 9, (get_byte(content, 9) + 1) % 256)"
        )
    with pytest.raises(Damaged):
        statement_files.process_file(hub, stored)


def test_payouts_are_read_from_a_file_whole_or_not_at_all() -> None:
    read = batch_orders.read_items("case,instalment,seat,yuan\n甲号,1,A1,1234.50\n甲号,1,A2,0.01\n".encode())
    assert [each.fen for each in read] == [123450, 1]
    for content in (
        b"\xff\xfe", b"case,seat\n", "case,instalment,seat,yuan\n甲,1,A1,1.234\n".encode(),
        "case,instalment,seat,yuan\n甲,1,A1,1.00\n甲,1,A1,1.00\n".encode(), "case,instalment,seat,yuan\n甲,x,A1,1.00\n".encode(),
    ):  # fmt: skip
        with pytest.raises(Refused):
            batch_orders.read_items(content)
