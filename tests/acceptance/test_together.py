"""Messages decided many at a time fare as each does alone: fates, receipts, journal, registry, what is owed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

import case_registry
from foundation import embedded_postgres, inbox
from foundation.clock import move_clock
from foundation.database import make_engine
from foundation.unit_of_work import unit_of_work
from hub import pipeline
from hub.filing import OWN_TIME, _adapter_for
from hub.payments import rail_named
from hub.pipeline import Hub
from hub.pipeline_many import process_many
from schemas.exchange import RawMessage
from tests.acceptance.example_files import all_examples
from tests.acceptance.example_world import PLAYED_AT, load_office, set_up
from tests.acceptance.many_messages import Message, many, trust
from tests.conftest import fresh_database

pytestmark = pytest.mark.slow


def store(hub: Hub, messages: Sequence[Message]) -> list[UUID]:
    """Store the messages of agencies; ids in the order in which they came."""
    ids = []
    for each in messages:
        if rail_named(each.partner) is None:
            adapter = _adapter_for(each.partner, each.name, each.content)
            raw = RawMessage(adapter.id, "file", "", each.content, PLAYED_AT, {OWN_TIME: "1"}, each.name)
            ids.append(inbox.store(hub.engine, raw).id)
    return ids


ROWS = {
    "inbox": "SELECT seq, partner, state, message_id, compare_digest, case_key, sequence, receipt_no, attempts, last_error,"
    " decided_at IS NULL, result - 'disputes' - 'meta' #- '{outcome,received_at}', jsonb_array_length(COALESCE(result -> 'disputes', '[]'))"
    " FROM exchange.inbox ORDER BY seq",
    "journal": "SELECT kind, ref, encode(digest, 'hex'), detail ->> 'headers' FROM exchange.journal ORDER BY 1, 2, 3, 4",
    "alarms": "SELECT kind, role FROM exchange.alarm ORDER BY 1, 2",
    # A flag that one message's following raises and another's clears at once may never be shown.
    "events": "SELECT topic, count(*) FROM exchange.event WHERE topic NOT IN ('flag_raised', 'flag_cleared') GROUP BY 1 ORDER BY 1",
    "nonces": "SELECT partner, nonce FROM exchange.nonce ORDER BY 1, 2",
    "outbox": "SELECT partner, operation, count(*) FROM exchange.outbox GROUP BY 1, 2 ORDER BY 1, 2",
    "escrow": "SELECT state, count(*) FROM escrow.escrow_case GROUP BY 1 ORDER BY 1",
    "stages": "SELECT stage, holder, flags, count(*) FROM registry.dispute WHERE merged_into IS NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
}  # fmt: skip


def picture(hub: Hub) -> dict[str, Any]:
    with unit_of_work(hub.engine) as uow:
        found: dict[str, Any] = {
            name: [tuple(row.values()) for row in uow.all(sql.replace("::", "\\:\\:"))]
            for name, sql in ROWS.items()
        }
        found["hash"] = case_registry.state_hash(uow)
        assert case_registry.rebuilt_hash(uow) == found["hash"]
        return found


def freeze(hub: Hub) -> None:
    """Both ways at one moment of the database's clock, so that what is dated is the same."""
    with hub.engine.begin() as conn:
        move_clock(conn, PLAYED_AT)


def test_fates_are_the_same(cluster: embedded_postgres.Cluster, template: str, tmp_path: Path) -> None:
    told = [Message(each.partner, each.name, each.path.read_bytes()) for each in all_examples()]
    told += [m for m in many(2, 11) if m.name[0].isdigit()]
    told += told[::5]  # some of them twice
    hub: Hub | None = None
    found: list[dict[str, Any]] = []
    answers: list[list[Any]] = []

    def alone(hub: Hub, ids: Sequence[UUID]) -> list[pipeline.Processed]:
        return [pipeline.process(hub, i) for i in ids]

    ways: tuple[Callable[[Hub, Sequence[UUID]], list[pipeline.Processed]], ...] = (alone, process_many)
    for way in ways:
        with fresh_database(cluster, template, PLAYED_AT) as url:
            if hub is None:
                hub = set_up(url, tmp_path / "var")
                trust(hub.keys)
                own = hub
            else:
                settings = dataclasses.replace(hub.settings, database_url=url)
                own = dataclasses.replace(hub, engine=make_engine(url), settings=settings)
            load_office(own)
            freeze(own)
            made = way(own, store(own, told))
            answers.append([(p.outcome.result, p.records, p.rejected_records, p.parked, len(p.disputes),
                             [f.code for f in p.outcome.findings], p.outcome.receipt_no) for p in made])  # fmt: skip
            found.append(picture(own))
            own.engine.dispose()
    assert len({a[0] for a in answers[0]}) >= 3, "taken, refused and repeated messages are among them"
    assert answers[1] == answers[0]
    for name in found[0]:
        assert found[1][name] == found[0][name], name


def test_a_fault_of_ours_takes_no_other_with_it(
    cluster: embedded_postgres.Cluster, template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = [m for m in many(1, 12) if m.partner in ("court", "petition")][:12]
    with fresh_database(cluster, template, PLAYED_AT) as url:
        hub = set_up(url, tmp_path / "var")
        load_office(hub)
        ids = store(hub, told)

        @event.listens_for(hub.engine, "before_cursor_execute", retval=True)
        def failing(_c: Any, _cur: Any, sql: str, params: Any, _ctx: Any, _many: bool) -> tuple[str, Any]:
            hit = "INSERT INTO registry.statement" in sql and str(ids[3]) in str(params)
            broken = "UPDATE nothing_of_ours" if hit else sql
            return broken, params

        with pytest.raises(Exception, match="nothing_of_ours"):
            process_many(hub, ids)
        with unit_of_work(hub.engine) as uow:
            rows = {r["id"]: r for r in uow.all("SELECT id, state, attempts, last_error FROM exchange.inbox")}
            assert (
                rows[ids[3]]["state"] == "RECEIVED"
                and rows[ids[3]]["attempts"] == 1
                and rows[ids[3]]["last_error"]
            )
            assert all(rows[i]["state"] != "RECEIVED" for i in ids if i != ids[3])
            assert case_registry.state_hash(uow) == case_registry.rebuilt_hash(uow)
        hub.engine.dispose()
