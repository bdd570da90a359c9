"""Settings: read once from the environment, given to processes at their edge."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DEFAULT_PORT_BASE = 8600
# Offsets from the port base; one table, so that two copies beside each other never clash.
PORT_OFFSETS = {
    "api": 0,
    "console": 1,
    "sandbox_partners": 2,
    "sandbox_bank": 3,
    "airflow_api": 4,
    "airflow_worker_log": 5,
    "airflow_trigger_log": 6,
    "postgres": 7,
    "rabbitmq": 8,
    "rabbitmq_dist": 9,
    "epmd": 10,
    "api_tls": 11,
}


@dataclass(frozen=True)
class Settings:
    """What a process needs to know about where it runs.

    ``environment`` is ``sandbox`` (virtual clock allowed, made-up people only) or ``production``.
    ``database_url`` is a SQLAlchemy URL for psycopg; ``amqp_url`` is empty when no broker is there.
    """

    database_url: str
    amqp_url: str
    var_dir: Path
    port_base: int
    environment: str
    # CONCORD_TLS_HOST: address on which the API is served with TLS and client certificates, empty: it is not.
    # CONCORD_TLS_NAMES: host names and addresses that its certificate is for.
    tls_host: str = ""
    tls_names: tuple[str, ...] = ("localhost", "127.0.0.1")

    @property
    def key_dir(self) -> Path:
        """Where private keys lie: ``CONCORD_KEY_DIR`` or ``var/keys``."""
        return Path(os.environ.get("CONCORD_KEY_DIR") or self.var_dir / "keys")

    def port(self, service: str) -> int:
        """Port of a service of this copy (see ``PORT_OFFSETS``)."""
        return self.port_base + PORT_OFFSETS[service]

    def partner_url(self, partner_id: str) -> str:
        """Base URL of a partner or rail, from ``var/partners.json``; empty when not configured."""
        path = self.var_dir / "partners.json"
        if not path.exists():
            return ""
        urls: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return urls.get(partner_id, "")

    @property
    def tsa_url(self) -> str:
        """The time-stamp authority (RFC 3161): ``CONCORD_TSA_URL``, or the one entered at set-up; empty when none is."""
        return os.environ.get("CONCORD_TSA_URL") or self.partner_url("timestamps")

    @property
    def sandbox(self) -> bool:
        return self.environment == "sandbox"


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The settings of this process. ``CONCORD_*`` variables win over ``var/run/settings.json``."""
    var_dir = Path(os.environ.get("CONCORD_VAR_DIR") or ROOT / "var")
    stored: dict[str, str] = {}
    written = var_dir / "run" / "settings.json"
    if written.exists():
        stored = json.loads(written.read_text(encoding="utf-8"))

    def value(name: str, default: str) -> str:
        return os.environ.get(f"CONCORD_{name.upper()}") or str(stored.get(name, "")) or default

    return Settings(
        database_url=psycopg_url(value("database_url", "")),
        amqp_url=value("amqp_url", ""),
        var_dir=var_dir,
        port_base=int(value("port_base", str(DEFAULT_PORT_BASE))),
        environment=value("environment", "sandbox"),
        tls_host=value("tls_host", ""),
        tls_names=tuple(value("tls_names", "localhost,127.0.0.1").split(",")),
    )


def psycopg_url(url: str) -> str:
    """The same URL with the psycopg driver named, as SQLAlchemy wants it."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url[len(prefix) :]
    return url
