"""Everything that agencies sent, told again from the stored bytes to an empty registry, gives the live state hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from foundation import embedded_postgres
from foundation.unit_of_work import unit_of_work
from hub.journal_replay import ReplayFailed, replay
from hub.pipeline_many import process_many
from tests.acceptance.example_files import all_examples
from tests.acceptance.example_world import PLAYED_AT, set_up
from tests.acceptance.many_messages import Message, many, trust
from tests.acceptance.test_together import store
from tests.conftest import fresh_database

pytestmark = pytest.mark.slow


def test_the_same_registry_again(
    cluster: embedded_postgres.Cluster, template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.journal_replay.PAGE", 37)
    told = [Message(each.partner, each.name, each.path.read_bytes()) for each in all_examples()]
    told += [m for m in many(1, 5) if m.name[0].isdigit()]
    with (
        fresh_database(cluster, template, PLAYED_AT) as live,
        fresh_database(cluster, template, PLAYED_AT) as empty,
        fresh_database(cluster, template, PLAYED_AT) as other,
    ):
        hub = set_up(live, tmp_path / "var")
        trust(hub.keys)
        process_many(hub, store(hub, told))
        found = replay(hub, empty)
        assert found.messages > 50 and found.own == 0
        assert found.live == found.again
        with pytest.raises(ValueError, match="must be empty"):
            replay(hub, empty)
        with unit_of_work(hub.engine) as uow:  # one byte of a stored hash: the message is not what it was
            row = uow.scalar("SELECT id FROM exchange.inbox WHERE state = 'APPLIED' ORDER BY seq LIMIT 1")
            uow.execute("ALTER TABLE exchange.inbox DISABLE TRIGGER USER")
            uow.execute(
                "UPDATE exchange.inbox SET content_hash = set_byte(content_hash, 0, 255 - get_byte(content_hash, 0)) WHERE id = :id",
                id=row,
            )
        with pytest.raises(ReplayFailed, match="not those that were stored"):
            replay(hub, other)
        hub.engine.dispose()
