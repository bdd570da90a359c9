"""The live board: whoever watches it is told within a second of a committed change (server-sent events).

One connection a process listens; a change is worked out once for all who watch, at most so often.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson
import psycopg

import case_registry
from foundation.unit_of_work import unit_of_work
from hub.pipeline import Hub

log = logging.getLogger("concord.board")

APART_S = 0.2  # least time between two boards
BEAT_S = 15.0  # a comment when nothing happened, so that dead connections are noticed
LAST_S = 600.0  # then the watcher comes again, and is asked who he is
MOST_WATCHERS = 200


class TooManyWatchers(Exception):
    """No more watchers are let in by this process."""


@dataclass(eq=False)
class _Watcher:
    loop: asyncio.AbstractEventLoop
    changed: asyncio.Event


class BoardFeed:
    """The boards of one process, kept for those who watch."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._lock = threading.Lock()
        self._working = threading.Lock()
        self._watchers: set[_Watcher] = set()
        self._listening = False
        self._version = 0
        self._boards: dict[str, tuple[int, bytes]] = {}

    async def watch(self, county: str = "") -> AsyncIterator[bytes]:
        """The board now, and again after each change, as server-sent events; ends after LAST_S. Raises TooManyWatchers."""
        me = _Watcher(asyncio.get_running_loop(), asyncio.Event())
        self._enter(me)
        try:
            begun, shown = time.monotonic(), b""
            while time.monotonic() - begun < LAST_S:
                me.changed.clear()
                board = await asyncio.to_thread(self._board, county)
                if board != shown:
                    yield b"event: board\ndata: " + board + b"\n\n"
                    shown = board
                await asyncio.sleep(APART_S)
                try:
                    await asyncio.wait_for(me.changed.wait(), BEAT_S)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            with self._lock:
                self._watchers.discard(me)

    def _enter(self, watcher: _Watcher) -> None:
        with self._lock:
            if len(self._watchers) >= MOST_WATCHERS:
                raise TooManyWatchers
            self._watchers.add(watcher)
            if not self._listening:
                self._listening = True
                threading.Thread(target=self._listen, name="board", daemon=True).start()

    def _board(self, county: str) -> bytes:
        with self._working:
            version = self._version
            known = self._boards.get(county)
            if known is not None and known[0] == version:
                return known[1]
            with unit_of_work(self.hub.engine) as uow:
                made = orjson.dumps(case_registry.board(uow, county))
            if len(self._boards) > MOST_WATCHERS:
                self._boards.clear()
            self._boards[county] = (version, made)
            return made

    def _listen(self) -> None:
        """Listen while somebody watches; a lost connection is taken up again, and counts as a change."""
        url = self.hub.settings.database_url.replace("+psycopg", "")
        while True:
            try:
                with psycopg.connect(url, autocommit=True) as conn:
                    conn.execute(f"LISTEN {case_registry.BOARD_CHANGED}")
                    self._tell()
                    while self._wanted():
                        if list(conn.notifies(timeout=1.0, stop_after=1)):
                            self._tell()
                    return
            except psycopg.Error as error:
                log.warning("the board's listener lost its connection: %s", error)
                time.sleep(1.0)
                if not self._wanted():
                    return

    def _wanted(self) -> bool:
        with self._lock:
            self._listening = bool(self._watchers)
            return self._listening

    def _tell(self) -> None:
        with self._lock:
            self._version += 1
            watchers = list(self._watchers)
        for watcher in watchers:
            try:
                watcher.loop.call_soon_threadsafe(watcher.changed.set)
            except RuntimeError:  # its loop is gone, and so is the watcher
                with self._lock:
                    self._watchers.discard(watcher)
