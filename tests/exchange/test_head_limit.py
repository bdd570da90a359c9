"""The head of a request is bounded: a long one is answered, one without end is cut off."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import Engine

from exchange_api.head_limit import MOST_HEAD_BYTES
from foundation.keys import KeyStore
from foundation.settings import Settings
from hub.pipeline import Hub
from tests.exchange.open_side import served


@pytest.fixture
def url(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[str]:
    hub = Hub(engine, KeyStore(tmp_path / "keys"), Settings(database_url, "", tmp_path, 8600, "sandbox"))
    with served(hub) as base:
        yield base


@pytest.mark.parametrize("path", ["/v1/health", "/open/v1/messages/M-1"])
def test_a_head_over_the_limit_is_answered_with_a_problem(url: str, path: str) -> None:
    answer = httpx.get(f"{url}{path}", headers={"x-much": "a" * 60_000}, trust_env=False)
    assert (answer.status_code, answer.json()["status"]) == (431, 431)


def test_a_head_without_end_is_cut_off(url: str) -> None:
    at = urlsplit(url)
    with socket.create_connection((at.hostname, at.port or 80), timeout=10) as line:
        line.sendall(b"GET /v1/health HTTP/1.1\r\nhost: x\r\n")
        sent = 0
        got = b""
        try:
            while sent < 4 * MOST_HEAD_BYTES:
                sent += line.send(b"x-much: " + b"a" * 4000 + b"\r\n")
            got = line.recv(100)
        except OSError:
            pass
        assert sent < 4 * MOST_HEAD_BYTES or not got or b" 431 " in got
        assert b" 200 " not in got


def test_a_connection_is_kept_for_many_requests_with_bodies(url: str) -> None:
    with httpx.Client(base_url=url, trust_env=False) as client:
        for _ in range(12):  # together far more than the limit of one head
            answer = client.post(
                "/open/v1/messages", content=b"x" * 100_000, headers={"content-type": "application/json"}
            )
            assert answer.status_code == 401
