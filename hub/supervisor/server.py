"""The database server of a copy: PostgreSQL from the installed wheel, or the one that the user names."""

from __future__ import annotations

import os
import time
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from foundation import embedded_postgres
from foundation.settings import psycopg_url

SECOND_DATABASE_SUFFIX = "_airflow"
# After kill -9 the old backends hold the shared memory for a moment, and a new server must wait for that.
HEAL_TRIES = 20
HEAL_PAUSE_S = 0.25


class Server:
    """``url`` is the hub's database. ``external`` is the user's URL, or empty for the embedded server."""

    def __init__(self, base: Path, port: int, external: str) -> None:
        self.external = psycopg_url(external)
        self._base = base
        self._port = port
        self._cluster: embedded_postgres.Cluster | None = None
        self._pid: int | None = None
        self.restarts = 0

    @property
    def url(self) -> str:
        if self.external:
            return self.external
        assert self._cluster is not None, "start() comes first"
        return self._cluster.url("concord")

    @property
    def pid(self) -> int | None:
        return self._pid

    def start(self) -> str:
        """Start it and make the hub's database; returns the server's version. Raises PostgresFailed."""
        if not self.external:
            self._cluster = embedded_postgres.locate(self._base, self._port)
            if embedded_postgres.running(self._cluster):
                embedded_postgres.stop(self._cluster)  # left by a killed supervisor, maybe on another port
            embedded_postgres.start(self._cluster)
            self._pid = self._postmaster()
            embedded_postgres.create_database(self._cluster, "concord")
        try:
            with psycopg.connect(_plain(self.url), connect_timeout=10) as conn:
                return str(conn.execute("SHOW server_version").fetchone()[0])  # type: ignore[index]
        except psycopg.Error as error:
            raise embedded_postgres.PostgresFailed(
                f"the database server does not let us in: {error}"
            ) from None

    def second_database(self) -> str:
        """URL of the database for Airflow's own tables, made when it is not there. Raises PostgresFailed."""
        url = make_url(self.url)
        name = "airflow" if not self.external else f"{url.database}{SECOND_DATABASE_SUFFIX}"
        try:
            with psycopg.connect(_plain(self.url), autocommit=True, connect_timeout=10) as conn:
                if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
                    conn.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        except psycopg.Error as error:
            raise embedded_postgres.PostgresFailed(
                f"Airflow needs a database of its own, {name}, and it could not be made: {error}"
            ) from None
        return url.set(database=name).render_as_string(hide_password=False)

    def heal(self) -> str:
        """Called again and again: starts the embedded server anew when it has died. Returns what happened."""
        if self._cluster is None or self._pid is None or not _dead(self._pid):
            return ""
        self.restarts += 1
        problem = ""
        for _ in range(HEAL_TRIES):
            try:
                embedded_postgres.start(self._cluster)
                self._pid = self._postmaster()
                return "ended; started again"
            except embedded_postgres.PostgresFailed as error:
                problem = str(error)
                time.sleep(HEAL_PAUSE_S)
        return f"ended and does not start again: {problem[-500:]}"

    def stop(self) -> None:
        if self._cluster is not None:
            embedded_postgres.stop(self._cluster)
            self._pid = None

    def _postmaster(self) -> int | None:
        assert self._cluster is not None
        try:
            return int((self._cluster.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        except (OSError, ValueError, IndexError):
            return None


def _plain(url: str) -> str:
    return url.replace("+psycopg", "")


def _dead(pid: int) -> bool:
    """True when the process is gone. As an adopted orphan it is our child: then its exit is taken here."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return True
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
