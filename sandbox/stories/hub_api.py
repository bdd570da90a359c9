"""The hub as people use it: logged in, over its REST API."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

TIMEOUT_S = 20.0
PATIENCE_S = 25.0


class HubRefused(Exception):
    """The hub answered with a problem; the text holds its code and detail."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status} {body}")
        self.status = status
        self.body = body


class HubApi:
    """One session per person; people are named by the log-in names of ``logins``."""

    def __init__(self, base_url: str, logins: dict[str, str]) -> None:
        self._client = httpx.Client(base_url=base_url, timeout=TIMEOUT_S, trust_env=False)
        self._logins = logins
        self._tokens: dict[str, str] = {}

    def get(self, person: str, path: str, **params: Any) -> Any:
        return self._call(person, "GET", path, params=params)

    def post(self, person: str, path: str, body: dict[str, Any] | None = None) -> Any:
        return self._call(person, "POST", path, json=body or {})

    def put(self, person: str, path: str, body: dict[str, Any]) -> Any:
        return self._call(person, "PUT", path, json=body)

    def _call(self, person: str, method: str, path: str, **more: Any) -> Any:
        """Call as that person; a hub that is being restarted is waited for, within PATIENCE_S."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                token = self._token(person)
                answer = self._client.request(
                    method, path, headers={"Authorization": f"Bearer {token}"}, **more
                )
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
                continue
            if answer.status_code == 503 and time.monotonic() < deadline:
                time.sleep(0.3)
                continue
            if answer.status_code >= 400:
                raise HubRefused(answer.status_code, _body(answer))
            return _body(answer)

    def _token(self, person: str) -> str:
        if person not in self._tokens:
            answer = self._client.post("/v1/session", json={"id": person, "password": self._logins[person]})
            if answer.status_code >= 400:
                raise HubRefused(answer.status_code, _body(answer))
            self._tokens[person] = answer.json()["token"]
        return self._tokens[person]


def _body(answer: httpx.Response) -> Any:
    kind = answer.headers.get("content-type", "")
    return answer.json() if "json" in kind else answer.text


def wait_for(look: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Call ``look`` until it returns something true; the last value when time is over."""
    deadline = time.monotonic() + seconds
    pause = 0.02
    while True:
        found = look()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)
