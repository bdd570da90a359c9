"""Chooses a base for this copy's ports, so that two copies beside each other never clash."""

from __future__ import annotations

import socket

import psutil

from foundation.settings import DEFAULT_PORT_BASE, PORT_OFFSETS

STEP = 20
TRIES = 50


class PortBusy(Exception):
    """A port that was asked for is taken; the text names it and, where it can be seen, by whom."""


class PortBase:
    """A base whose ports were all free, kept for this copy until ``release`` (or the process ends)."""

    def __init__(self, base: int, mark: socket.socket | None) -> None:
        self.base = base
        self._mark = mark

    def port(self, service: str) -> int:
        return self.base + PORT_OFFSETS[service]

    def release(self) -> None:
        if self._mark is not None:
            self._mark.close()


def choose_base(asked: int | None, remembered: int | None) -> PortBase:
    """The base asked for; else the one used last time; else the default or the first free one after it.

    Raises PortBusy when the base asked for is taken, or when none of ``TRIES`` bases is free.
    """
    if asked is not None:
        if not 1024 <= asked <= 65535 - max(PORT_OFFSETS.values()):
            raise PortBusy(f"--port-base {asked} is outside 1024 to {65535 - max(PORT_OFFSETS.values())}")
        taken = first_taken(asked)
        if taken is not None:
            raise PortBusy(
                f"port {taken} is in use{_by_whom(taken)}; end that or give another --port-base"
                f" (this copy needs {asked} to {asked + max(PORT_OFFSETS.values())})"
            )
        mark = _reserve(asked)
        if mark is False:
            raise PortBusy(
                f"another copy of Concord is starting on port base {asked}; give another --port-base"
            )
        return PortBase(asked, mark or None)
    firsts = [remembered] if remembered else []
    for base in [*firsts, *range(DEFAULT_PORT_BASE, DEFAULT_PORT_BASE + STEP * TRIES, STEP)]:
        if first_taken(base) is None and (mark := _reserve(base)) is not False:
            return PortBase(base, mark or None)
    raise PortBusy(f"no free ports between {DEFAULT_PORT_BASE} and {DEFAULT_PORT_BASE + STEP * TRIES}")


def first_taken(base: int) -> int | None:
    """The first port of the base's plan that something listens on, or None."""
    for offset in sorted(PORT_OFFSETS.values()):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", base + offset))
            except OSError:
                return base + offset
    return None


def _reserve(base: int) -> socket.socket | bool | None:
    """Hold a name that two copies starting at the same moment cannot both have; False when it is held.

    An abstract Unix socket: no file to leave behind, gone with the process. None where there is no such thing.
    """
    if not hasattr(socket, "AF_UNIX"):
        return None
    mark = socket.socket(socket.AF_UNIX)
    try:
        mark.bind(f"\0concord-port-base-{base}")
    except FileNotFoundError:  # not Linux
        mark.close()
        return None
    except OSError:
        mark.close()
        return False
    return mark


def _by_whom(port: int) -> str:
    try:
        for found in psutil.net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr.port == port and found.pid:
                return f" by process {found.pid} ({psutil.Process(found.pid).name()})"
    except psutil.Error:
        pass
    return ""
