"""The stand-ins' book in memory: every run begins with a copy of the same fresh book."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sandbox.books import Books


class MemoryBooks(Books):
    """`keep` remembers the book as it is now; `fresh` goes back to that."""

    def __init__(self) -> None:
        super().__init__(Path(":memory:"))
        self._image = b""

    def keep(self) -> None:
        """Remember the book as it is."""
        self._image = self._db.serialize()

    def fresh(self) -> None:
        """Begin anew with the remembered book."""
        self._db.close()
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.deserialize(self._image)
