"""Keys that run out are told to people in time; limits of adapters come from their contracts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from foundation.keys import KeyStore
from foundation.partner_keys import register_key
from foundation.settings import Settings
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub.partner_watch import watch
from hub.pipeline import Hub
from hub.sending import adapter_limits
from tests.exchange.partner_side import BEGIN, enter, pem


@pytest.fixture
def hub(bare_hub: Hub) -> Hub:
    return bare_hub


def alarms(uow: UnitOfWork) -> list[tuple[str, str]]:
    return [
        (row["kind"], row["subject"])
        for row in uow.all("SELECT kind, subject FROM exchange.alarm ORDER BY kind")
    ]


def test_thirty_and_seven_days_before(hub: Hub, set_clock: Callable[[datetime], None]) -> None:
    end = BEGIN + timedelta(days=365)
    with unit_of_work(hub.engine) as uow:
        enter(uow)
        register_key(uow, "ouqi_street", "http", pem(), key_id="k1")
        assert watch(hub, uow) == 0
    seen = []
    for days in (31, 29, 8, 6):
        set_clock(end - timedelta(days=days))
        with unit_of_work(hub.engine) as uow:
            watch(hub, uow)
            seen.append([kind for kind, _ in alarms(uow)])
    at_last = ["key_ends_within_a_month", "key_ends_within_a_week"]
    assert seen == [[], at_last[:1], at_last[:1], at_last]
    with unit_of_work(hub.engine) as uow:
        assert watch(hub, uow) == 1  # told once, not each minute
        assert len(alarms(uow)) == 2


def test_a_key_that_is_followed_is_no_alarm(hub: Hub, set_clock: Callable[[datetime], None]) -> None:
    with unit_of_work(hub.engine) as uow:
        enter(uow)
        register_key(uow, "ouqi_street", "http", pem(), key_id="k1")
        register_key(uow, "ouqi_street", "http", pem("p256", days=800), key_id="k2")
    set_clock(BEGIN + timedelta(days=360))
    with unit_of_work(hub.engine) as uow:
        assert watch(hub, uow) == 0


def test_certificates_of_adapters_are_watched_in_production(
    engine: Engine, database_url: str, tmp_path: Path, set_clock: Callable[[datetime], None]
) -> None:
    keys = KeyStore(tmp_path / "keys")
    from connectors import all_connectors

    adapter = next(iter(all_connectors()))
    keys.trust(adapter, "a.crt", pem())
    hub = Hub(engine, keys, Settings(database_url, "", tmp_path, 8600, "production"))
    set_clock(BEGIN + timedelta(days=360))
    with unit_of_work(engine) as uow:
        assert watch(hub, uow) == 1
        assert alarms(uow) == [("key_ends_within_a_week", f"{adapter}/theirs")]


def test_limits_of_adapters_come_from_their_manifests() -> None:
    from connectors import all_connectors

    for adapter in all_connectors().values():
        told, limits = adapter.manifest.get("limits", {}), adapter_limits(adapter.id)
        if "rate_per_min" in told:
            assert limits.send_per_s == pytest.approx(told["rate_per_min"] / 60)
        elif "rate_per_s" in told:
            assert limits.send_per_s == told["rate_per_s"]
    assert adapter_limits("nobody").send_at_once == 2
