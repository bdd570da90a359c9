"""RabbitMQ of a copy: Debian's package run in the foreground, own node, ports and folders, loopback only."""

from __future__ import annotations

import secrets
import shutil
import socket
from pathlib import Path

import pika

from hub.supervisor.children import Program

# Debian's own wrapper refuses anybody but root and rabbitmq; what it wraps runs for everybody.
PLACES = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/usr/local/sbin/rabbitmq-server")
READY_WITHIN_S = 60.0


def find_server() -> str | None:
    """Path of the server's start script, or None when RabbitMQ (or Erlang) is not installed."""
    if shutil.which("erl") is None:
        return None
    return next((place for place in PLACES if Path(place).exists()), None)


def program(
    start_script: str, base: Path, node: str, port: int, dist_port: int, epmd_port: int
) -> tuple[Program, str]:
    """The program and the AMQP URL. ``node`` must stay the same while ``base`` does: data belong to a name."""
    for folder in (base, base / "home", base / "log"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    password = _password(base / "password")
    (base / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\n"
        f"default_user = concord\ndefault_pass = {password}\n"
        "log.file.level = warning\n"
        "vm_memory_high_watermark.absolute = 512MB\ndisk_free_limit.absolute = 100MB\n",
        encoding="utf-8",
    )
    (base / "enabled_plugins").write_text("[].\n", encoding="ascii")
    url = f"amqp://concord:{password}@127.0.0.1:{port}/%2F"
    environment = {
        "HOME": str(base / "home"),
        "HOSTNAME": "localhost",
        "RABBITMQ_NODENAME": f"{node}@localhost",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(base / "rabbitmq"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(base / "advanced"),
        "RABBITMQ_MNESIA_BASE": str(base / "mnesia"),
        "RABBITMQ_LOG_BASE": str(base / "log"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(base / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(base / "pid"),
        "RABBITMQ_DIST_PORT": str(dist_port),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_PORT": str(epmd_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        # The script then becomes the server, instead of waiting beside it.
        "RUNNING_UNDER_SYSTEMD": "true",
    }
    made = Program(
        "rabbitmq",
        (start_script,),
        ready=lambda: reachable(url),
        ready_within_s=READY_WITHIN_S,
        stop_within_s=8.0,
        environment=environment,
        folder=base,
    )
    return made, url


def reachable(url: str) -> bool:
    """True when the broker lets us in."""
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.stack_timeout = 2
    parameters.connection_attempts = 1
    try:
        with socket.create_connection((parameters.host, parameters.port), timeout=1):
            pass
        pika.BlockingConnection(parameters).close()
        return True
    except (pika.exceptions.AMQPError, OSError):
        return False


def _password(path: Path) -> str:
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(24), encoding="ascii")
    return path.read_text(encoding="ascii").strip()
