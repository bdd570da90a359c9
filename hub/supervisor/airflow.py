"""Airflow of a copy: its settings, and its four processes, each in a process group of its own.

Never ``airflow standalone``: stopped, it leaves its children behind (stack notes). Settings are environment
variables only; nothing is read from or written to the user's own Airflow folder.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import psycopg

from foundation.settings import ROOT
from hub.supervisor.children import Program, python
from hub.supervisor.ports import PortBase
from hub.supervisor.probes import answers, json_of, listens
from hub.supervisor.written import read, write_private

OPERATOR = "operator"
# Each process forks its workers; 32 would take 5 GB (stack notes).
PARALLELISM = 4
READY_WITHIN_S = 120.0
# Behind the hub's own processes, which people wait for.
NICENESS = 5


def environment(home: Path, database_url: str, ports: PortBase, console_url: str) -> dict[str, str]:
    """Airflow's settings; secrets are made once and kept in ``home`` (mode 0600)."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = _secrets(home / "secrets.json")
    own_url = f"http://127.0.0.1:{ports.port('airflow_api')}"
    sections = {
        "CORE": {
            "DAGS_FOLDER": str(ROOT / "dags"),
            "PLUGINS_FOLDER": str(ROOT / "dags" / "plugins"),
            "EXECUTOR": "LocalExecutor",
            "PARALLELISM": str(PARALLELISM),
            "LOAD_EXAMPLES": "False",
            "DAGS_ARE_PAUSED_AT_CREATION": "False",
            "DEFAULT_TIMEZONE": "Asia/Shanghai",
            "EXECUTION_API_SERVER_URL": f"{own_url}/execution/",
            "FERNET_KEY": kept["fernet"],
            "SIMPLE_AUTH_MANAGER_USERS": f"{OPERATOR}:op",
            "SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        },
        "DATABASE": {"SQL_ALCHEMY_CONN": database_url, "SQL_ALCHEMY_CONN_ASYNC": database_url},
        "API": {
            "HOST": "127.0.0.1",
            "PORT": str(ports.port("airflow_api")),
            "BASE_URL": own_url,
            "SECRET_KEY": kept["cookie"],
            "INSTANCE_NAME": "Concord 运行调度",
        },
        "API_AUTH": {"JWT_SECRET": kept["jwt"]},
        "SCHEDULER": {"SCHEDULER_IDLE_SLEEP_TIME": "0.1"},
        "DAG_PROCESSOR": {"REFRESH_INTERVAL": "30", "PARSING_PROCESSES": "1"},
        "LOGGING": {
            "BASE_LOG_FOLDER": str(home / "logs"),
            "WORKER_LOG_SERVER_PORT": str(ports.port("airflow_worker_log")),
            "TRIGGER_LOG_SERVER_PORT": str(ports.port("airflow_trigger_log")),
        },
        "USAGE_DATA_COLLECTION": {"ENABLED": "False"},
    }
    found = {
        f"AIRFLOW__{section}__{key}": value
        for section, pairs in sections.items()
        for key, value in pairs.items()
    }
    found["AIRFLOW_HOME"] = str(home)
    found["CONCORD_CONSOLE_URL"] = console_url
    # Where Airflow finds airflow_local_settings.py (a pool for each partner's pulls).
    found["PYTHONPATH"] = str(ROOT / "dags" / "settings")
    # Process titles must not overwrite the environment by which the supervisor knows its processes.
    found["SPT_NOENV"] = "1"
    # Airflow calls its own API server on loopback, never through a proxy.
    found["NO_PROXY"] = found["no_proxy"] = "127.0.0.1,localhost"
    return found


def password(home: Path) -> str:
    """The operator's password, made once."""
    path = home / "passwords.json"
    kept = read(path)
    if OPERATOR not in kept:
        kept[OPERATOR] = secrets.token_urlsafe(12)
        write_private(path, kept)
    return str(kept[OPERATOR])


def migrated(home: Path, database_url: str) -> bool:
    """True when this Airflow's tables are in the database already (its own command takes seconds to say so)."""
    if read(home / "migrated.json").get("version") != version("apache-airflow"):
        return False
    try:
        with psycopg.connect(database_url.replace("+psycopg", ""), connect_timeout=10) as conn:
            return conn.execute("SELECT to_regclass('task_instance')").fetchone() != (None,)
    except psycopg.Error:
        return False


def note_migrated(home: Path) -> None:
    write_private(home / "migrated.json", {"version": version("apache-airflow")})


def programs(settings: Mapping[str, str], ports: PortBase) -> list[Program]:
    """The four processes, the scheduler last. Ready is what Airflow's own health report says of each."""
    health = f"http://127.0.0.1:{ports.port('airflow_api')}/api/v2/monitor/health"

    def beats(part: str) -> bool:
        found = json_of(health).get(part)
        return isinstance(found, dict) and found.get("status") == "healthy"

    ready = {
        "api-server": lambda: answers(health),
        "dag-processor": lambda: beats("dag_processor"),
        "triggerer": lambda: beats("triggerer") and listens(ports.port("airflow_trigger_log")),
        "scheduler": lambda: beats("scheduler"),
    }
    return [
        Program(
            f"airflow-{part}",
            python("airflow", part),
            ready=probe,
            ready_within_s=READY_WITHIN_S,
            stop_within_s=8.0,
            environment=settings,
            niceness=NICENESS,
        )
        for part, probe in ready.items()
    ]


def _secrets(path: Path) -> dict[str, str]:
    kept = read(path)
    if not kept:
        kept = {
            "fernet": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "cookie": secrets.token_urlsafe(32),
            "jwt": secrets.token_urlsafe(64),
        }
        write_private(path, kept)
    return kept
