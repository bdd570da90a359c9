"""Small questions by which the supervisor knows that a program is ready."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any
from urllib.parse import urlsplit


def answers(url: str, timeout_s: float = 2.0) -> bool:
    """True when the address gives any HTTP answer below 500."""
    status, _body = get(url, timeout_s)
    return 0 < status < 500


def get(url: str, timeout_s: float = 2.0) -> tuple[int, bytes]:
    """Status and body of a GET; status 0 when nothing answers."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port, timeout=timeout_s)
    try:
        connection.request("GET", parts.path or "/")
        reply = connection.getresponse()
        return reply.status, reply.read()
    except (OSError, http.client.HTTPException):
        return 0, b""
    finally:
        connection.close()


def listens(port: int) -> bool:
    """True when something accepts connections on this loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
    except OSError:
        return False


def json_of(url: str, timeout_s: float = 2.0) -> dict[str, Any]:
    """A JSON object from an address; empty when it does not answer with one."""
    status, body = get(url, timeout_s)
    try:
        found = json.loads(body) if 200 <= status < 300 else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
