"""Working everything out anew changes nothing where all is right, and mends what is not; history loads as it is told."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import Engine

from case_registry import Source, Spoken, rebuild_page, rebuilt_hash, record_many, state_hash
from foundation.unit_of_work import unit_of_work
from hub.history import load_told
from hub.rebuilding import rebuild
from sandbox.history.stream import generate
from tests.case_registry.test_many import picture

pytestmark = pytest.mark.slow
DISPUTES = 120


def told() -> list[tuple[Source, list[Any]]]:
    return [(Source(t.agency, t.agency, t.agency), [t.record]) for t in generate(DISPUTES, 3)]


def url_of(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def test_history_loads_as_it_is_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hub.history.COMMIT_EVERY", 50)
    loaded = load_told(url_of(engine), told())
    assert loaded["records"] == len(told())
    with unit_of_work(engine) as uow:
        found = picture(uow)
        uow.execute(
            "TRUNCATE registry.dispute, registry.source_case, registry.link_key RESTART IDENTITY CASCADE"
        )
        record_many(uow, [Spoken(source, uuid.uuid4(), records) for source, records in told()])
        expected = picture(uow)
    # Messages and reasons are the load's own; who founded what depends on the way, and so do notes of it.
    for name in ("hash", "episode", "key", "episode_edge", "edge"):
        assert found[name] == expected[name], name
    for name in ("clock", "statement", "conflict"):
        assert len(found[name]) == len(expected[name]), name


def test_what_is_wrong_is_mended(engine: Engine) -> None:
    url = url_of(engine)
    load_told(url, told())
    assert rebuild(url) | {"hash": ""} == {
        "disputes": rebuild(url)["disputes"],
        "differing": 0,
        "same": True,
        "hash": "",
    }
    with unit_of_work(engine) as uow:
        right = uow.all("SELECT id, stage, title, flags FROM registry.dispute ORDER BY seq")
        uow.execute("UPDATE registry.dispute SET title = 'x', stage = 'NONE' WHERE seq % 10 = 0")
        uow.execute("UPDATE registry.episode SET state = 'OPEN', outcome = 'x' WHERE id % 7 = 0")
        page = rebuild_page(uow, 0, 10_000)
        assert page.differing > 20
        assert rebuild_page(uow, 0, 10_000).differing == 0
        assert [
            dict(r) for r in uow.all("SELECT id, stage, title, flags FROM registry.dispute ORDER BY seq")
        ] == [dict(r) for r in right]
        assert state_hash(uow) == rebuilt_hash(uow)
