"""People, sessions, keys, the clock row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from foundation import clock, staff
from foundation.keys import KeyMissing, KeyStore
from foundation.unit_of_work import UnitOfWork, unit_of_work


def test_log_in_and_out(uow: UnitOfWork) -> None:
    staff.add_staff(uow, "c1", "周敏", "司法局", ["cashier"], "secret")
    assert staff.log_in(uow, "c1", "wrong") is None
    assert staff.log_in(uow, "nobody", "secret") is None
    token = staff.log_in(uow, "c1", "secret")
    assert token is not None
    actor = staff.session_actor(uow, token)
    assert actor is not None and actor.has("cashier") and not actor.has("checker")
    staff.log_out(uow, token)
    assert staff.session_actor(uow, token) is None


def test_unknown_role_is_refused(uow: UnitOfWork) -> None:
    with pytest.raises(ValueError, match="unknown role"):
        staff.add_staff(uow, "c1", "n", "o", ["king"], "x")


def test_virtual_time_goes_on_and_is_the_same_for_everyone(engine: Engine) -> None:
    at = datetime(2026, 5, 1, tzinfo=UTC)
    with engine.begin() as conn:
        clock.move_clock(conn, at)
    with unit_of_work(engine) as one, unit_of_work(engine) as two:
        assert timedelta(0) <= one.now - at < timedelta(seconds=5)
        assert abs(two.now - one.now) < timedelta(seconds=5)
    with engine.begin() as conn:
        clock.release_clock(conn)
        assert abs(clock.clock_now(conn) - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_production_clock_refuses_to_be_moved(engine: Engine) -> None:
    with engine.begin() as conn:
        conn.execute(text("UPDATE exchange.clock SET movable = false"))
    with engine.begin() as conn, pytest.raises(clock.ClockRefused):
        clock.move_clock(conn, datetime(2026, 5, 1, tzinfo=UTC))


def test_keys_are_made_once_and_readable_by_the_owner_only(tmp_path: Path) -> None:
    keys = KeyStore(tmp_path / "keys")
    with pytest.raises(KeyMissing):
        keys.private_key("a")
    keys.make_pair("a", "test a")
    before = keys.certificate("a")
    keys.make_pair("a", "test a")
    assert keys.certificate("a") == before
    assert (tmp_path / "keys" / "a.key").stat().st_mode & 0o077 == 0
    assert keys.private_key("a").public_key() == before.public_key()
    keys.make_secret("s")
    assert len(keys.secret("s")) > 30
