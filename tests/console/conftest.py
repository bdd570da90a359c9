"""A console on a fresh database, and people logged in to it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from starlette.testclient import TestClient

import escrow
from connectors import all_connectors
from console.app import make_console
from foundation.keys import KeyStore
from foundation.settings import Settings
from hub.pipeline import Hub
from tests.console.world import PASSWORD, County


@pytest.fixture(scope="session")
def key_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys of the ways to pay and of the partners, made once: an order's bytes may be signed."""
    folder = tmp_path_factory.mktemp("keys")
    keys = KeyStore(folder)
    for name in ("hub", *escrow.all_rails(), *all_connectors()):
        keys.make_pair(name, name)
    return folder


@pytest.fixture
def county(engine: Engine, key_folder: Path, tmp_path: Path, database_url: str) -> County:
    found = County(Hub(engine, KeyStore(key_folder), Settings(database_url, "", tmp_path, 8600, "sandbox")))
    found.staff()
    return found


class Reader:
    """A person at the console: pages as text, forms sent as a browser sends them."""

    def __init__(self, client: TestClient) -> None:
        self.client = client

    def page(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:2000])
        assert "default-src 'self'" in answer.headers["content-security-policy"] or "/print" in path
        return answer.text

    def send(self, page: str, path: str, status: int = 200, at: str | None = None, **fields: Any) -> str:
        """Fill in and send the form that stands on ``page`` and goes to ``path``; ends on the page after it."""
        form = form_to(self.page(page), at or path)
        answer = self.client.post(
            path, data={**form, **fields}, headers={"referer": f"http://testserver{page}"}
        )
        assert answer.status_code == status, (path, answer.status_code, answer.text[:3000])
        return answer.text


def form_to(page: str, action: str) -> dict[str, str]:
    """The hidden fields of the form with that action, the inner-most facts that a browser sends along."""
    for form in re.findall(r"<form\b.*?</form>", page, re.S):
        if f'action="{action}"' in form:
            hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
            return dict(hidden)
    raise AssertionError(f"no form to {action}")


@pytest.fixture
def enter(county: County) -> Iterator[Callable[[str], Reader]]:
    """Log in as somebody: ``enter("cashier1")``."""
    clients: list[TestClient] = []
    app = make_console(county.hub)

    def log_in(name: str) -> Reader:
        client = TestClient(app, raise_server_exceptions=True)
        clients.append(client)
        answer = client.post(
            "/login", data={"id": name, "password": PASSWORD, "target": "/"}, follow_redirects=False
        )
        assert answer.status_code == 303, answer.text
        return Reader(client)

    yield log_in
    for client in clients:
        client.close()
