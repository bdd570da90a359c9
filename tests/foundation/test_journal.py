"""The journal: a chain per day that shows where it was touched; alarms once; disclosures kept."""

from __future__ import annotations

import hashlib

import pytest
from sqlalchemy.exc import DBAPIError

from foundation.journal import close_alarm, disclose, journal, raise_alarm, verify_day
from foundation.unit_of_work import UnitOfWork

DAY = "2026-04-01"  # the fixtures' virtual day in Beijing


def write(uow: UnitOfWork, lines: int) -> None:
    for number in range(lines):
        journal(uow, "message", f"p/{number}", hashlib.sha256(bytes([number])).digest(), note=f"第{number}条")


def test_a_whole_chain_verifies(uow: UnitOfWork) -> None:
    write(uow, 5)
    assert verify_day(uow, DAY) is None
    assert verify_day(uow, "2026-03-31") is None


@pytest.mark.parametrize(
    "column", ["digest = sha256('x')", "ref = ref || 'x'", "actor = 'somebody'", "detail = '{}'"]
)
def test_a_touched_line_is_named(uow: UnitOfWork, column: str) -> None:
    write(uow, 5)
    uow.execute("SET LOCAL session_replication_role = replica")  # as one who gets round the trigger
    uow.execute(f"UPDATE exchange.journal SET {column} WHERE no = 3")
    assert verify_day(uow, DAY) == 3


def test_a_missing_line_is_named(uow: UnitOfWork) -> None:
    write(uow, 5)
    uow.execute("SET LOCAL session_replication_role = replica")
    uow.execute("DELETE FROM exchange.journal WHERE no = 2")
    assert verify_day(uow, DAY) == 2


def test_lines_are_only_added(uow: UnitOfWork) -> None:
    write(uow, 1)
    disclose(uow, recipient="r", purpose="p", subject="s", fields=["name"], basis="b")
    for attack in (
        "UPDATE exchange.journal SET ref = 'x'",
        "DELETE FROM exchange.journal",
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
