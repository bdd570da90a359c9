"""Two copies beside each other: ports, the copy's lock, and the words when a place is taken."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from foundation.settings import PORT_OFFSETS
from hub.supervisor import ports, written
from hub.supervisor.ports import PortBusy, choose_base, first_taken


@contextmanager
def listening(port: int) -> Iterator[None]:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port))
        taken.listen()
        yield


def free_base() -> int:
    return next(base for base in range(21_000, 30_000, 40) if first_taken(base) is None)


def test_a_busy_port_that_was_asked_for_is_named() -> None:
    base = free_base()
    with (
        listening(base + PORT_OFFSETS["postgres"]),
        pytest.raises(PortBusy, match=rf"port {base + 7} is in use.*--port-base"),
    ):
        choose_base(base, None)


def test_without_asking_the_next_free_base_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    base = free_base()
    monkeypatch.setattr(ports, "DEFAULT_PORT_BASE", base)
    with listening(base):
        found = choose_base(None, None)
    assert found.base == base + ports.STEP
    assert found.port("console") == base + ports.STEP + 1
    found.release()


def test_the_base_of_last_time_comes_first() -> None:
    base = free_base()
    found = choose_base(None, base)
    assert found.base == base
    found.release()


def test_two_copies_starting_at_once_do_not_take_one_base() -> None:
    base = free_base()
    first = choose_base(base, None)
    with pytest.raises(PortBusy, match="another copy"):
        choose_base(base, None)
    second = choose_base(None, base)
    assert second.base != base
    first.release()
    second.release()


def test_a_port_out_of_range_is_refused() -> None:
    with pytest.raises(PortBusy, match="outside"):
        choose_base(80, None)


def test_one_copy_runs_once(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert written.running_copy(tmp_path) is None
    with written.hold(tmp_path):
        written.write_private(tmp_path / "run" / "state.json", {"pid": 4711, "urls": {"console": "http://x"}})
        assert written.running_copy(tmp_path) == {"pid": 4711, "urls": {"console": "http://x"}}
        with pytest.raises(written.AlreadyRuns, match=r"process 4711.*http://x.*kill 4711"):
            written.hold(tmp_path)
    # The file is still there, as after kill -9: the lock decides.
    assert written.running_copy(tmp_path) is None
    assert (tmp_path / "run" / "state.json").stat().st_mode & 0o077 == 0
