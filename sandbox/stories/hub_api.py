"""The hub as people use it: logged in, over its REST API."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

TIMEOUT_S = 20.0
PATIENCE_S = 25.0
# A refusal of a call that was cut off before may say only that it had been done: the caller looks.
DONE_BEFORE: dict[str, Any] = {}
REFUSALS = (403, 409, 422)


class Patience:
    """How long a story waits at least wherever it waits; raised where processes are ended on purpose."""

    least_s = 0.0


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
        """Call as that person; a hub that is being restarted is waited for, within PATIENCE_S.

        A POST that was cut off may have been done all the same: it is repeated, and then a refusal gives DONE_BEFORE.
        """
        deadline = time.monotonic() + max(PATIENCE_S, Patience.least_s)
        cut_off = False
        while True:
            try:
                token = self._token(person)
                answer = self._client.request(
                    method, path, headers={"Authorization": f"Bearer {token}"}, **more
                )
            except httpx.TransportError as error:
                if time.monotonic() > deadline:
                    raise
                cut_off = cut_off or (method == "POST" and not isinstance(error, httpx.ConnectError))
                time.sleep(0.2)
                continue
            if answer.status_code == 503 and time.monotonic() < deadline:
                time.sleep(0.3)
                continue
            if cut_off and answer.status_code in REFUSALS:
                return DONE_BEFORE
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


def wait_for(look: Callable[[], Any], seconds: float = 10.0, *, exactly: bool = False) -> Any:
    """Call ``look`` until it returns something true; the last value when time is over.

    ``exactly``: not longer than ``seconds``, whatever the patience.
    """
    deadline = time.monotonic() + (seconds if exactly else max(seconds, Patience.least_s))
    pause = 0.02
    while True:
        found = look()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)
