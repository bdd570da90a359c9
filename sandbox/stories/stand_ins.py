"""The stand-ins as the story's director uses them: their control API, over loopback."""

from __future__ import annotations

import base64
import time
from typing import Any

import httpx

from sandbox.stories.hub_api import Patience

PATIENCE_S = 25.0
# Words of the books for a message that was not taken yet; anything else is the hub's own verdict.
UNSETTLED = ("", "SENDING", "NO_ANSWER", "AGAIN", "not", "E00503")
AGAIN_AFTER_S = 6.0


class CutOff(Exception):
    """The stand-in ended while it was doing what it was told: it may have been done or not."""


class StandIns:
    """Control of all stand-ins; ``urls`` names the processes, each tells which partners it plays."""

    def __init__(self, urls: list[str]) -> None:
        self._client = httpx.Client(timeout=70.0, trust_env=False)
        self._home: dict[str, str] = {}
        self._urls = urls
        for url in urls:
            for partner in self._call("GET", f"{url}/control/health")["partners"]:
                self._home[partner] = url

    @property
    def partners(self) -> list[str]:
        return sorted(self._home)

    def set_clock(self, at: str | None) -> None:
        for url in self._urls:
            self._call("POST", f"{url}/control/clock", json={"at": at})

    def tick(self) -> None:
        """Let all stand-ins do now what is due by their clocks."""
        for url in self._urls:
            self._call("POST", f"{url}/control/tick")

    def emit(self, partner: str, content: bytes, **more: Any) -> dict[str, Any]:
        """Let the partner send this content to the hub; returns what it was answered.

        When the partner or the hub ends meanwhile, the partner's books tell whether it went out; a partner that
        would try again only after hours is told to try now.
        """
        since = self.last_entry(partner)
        answered = self._emit_once(partner, content, more)
        deadline = time.monotonic() + max(PATIENCE_S, Patience.least_s)
        again_at = time.monotonic() + AGAIN_AFTER_S
        while _unsettled(answered) and time.monotonic() < deadline:
            time.sleep(0.3)
            sent = self._sent(partner, since)
            taken = [entry for entry in sent if not _unsettled(entry)]
            if taken:
                answered |= {name: taken[-1][name] for name in ("status", "verdict", "reply")}
                answered.setdefault("message_id", taken[-1]["request_id"])
            elif time.monotonic() > again_at and (not sent or "delivery" in answered):
                answered = self._emit_once(partner, content, more)
                again_at = time.monotonic() + AGAIN_AFTER_S
        return answered

    def _emit_once(self, partner: str, content: bytes, more: dict[str, Any]) -> dict[str, Any]:
        order = {"content_base64": base64.b64encode(content).decode(), **more}
        try:
            found: dict[str, Any] = self._call(
                "POST", f"{self._home[partner]}/control/emit/{partner}", once=True, json=order
            )
        except CutOff:
            return {}
        return found

    def _sent(self, partner: str, since: int) -> list[dict[str, Any]]:
        """What this partner sent to the hub after line ``since`` of its books."""
        page = self._call(
            "GET", f"{self._home[partner]}/control/books/{partner}?since={since}&limit=500&direction=out"
        )
        found: list[dict[str, Any]] = page["entries"]
        return found

    def order(self, partner: str, **order: Any) -> dict[str, Any]:
        """Any other order to a stand-in (policy, deposits, scripted answers, statements)."""
        found: dict[str, Any] = self._call(
            "POST", f"{self._home[partner]}/control/offer/{partner}", json=order
        )
        return found

    def hold(self, partner: str, operation: str = "") -> None:
        """Calls of the hub wait at this partner until ``release``."""
        body = {"kind": "hold", "operation": operation, "times": 1}
        self._call("POST", f"{self._home[partner]}/control/faults/{partner}", json=body)

    def fault(self, partner: str, **order: Any) -> None:
        """Order a fault: kind, operation, point, seconds, times."""
        self._call("POST", f"{self._home[partner]}/control/faults/{partner}", json=order)

    def tell(self, partner: str, order: dict[str, Any]) -> dict[str, Any]:
        """Let the partner send a message that it makes by itself, once; what it was answered."""
        found: dict[str, Any] = self._call(
            "POST", f"{self._home[partner]}/control/emit/{partner}", json=order
        )
        return found

    def release(self, partner: str, operation: str = "") -> None:
        """Let held calls go: those of one operation, or all."""
        self._call("POST", f"{self._home[partner]}/control/release/{partner}?operation={operation}", json={})

    def last_entry(self, partner: str) -> int:
        """Number of the newest line of the partner's books."""
        last = 0
        while True:
            page = self._call(
                "GET", f"{self._home[partner]}/control/books/{partner}?since={last}&limit=1000&bodies=false"
            )
            if not page["entries"]:
                return last
            last = page["last"]

    def received(self, partner: str, since: int = 0) -> list[dict[str, Any]]:
        """What the hub sent to this partner after line ``since`` of its books, with bodies."""
        page = self._call(
            "GET", f"{self._home[partner]}/control/books/{partner}?since={since}&limit=500&direction=in"
        )
        found: list[dict[str, Any]] = page["entries"]
        return found

    def books(self, partner: str, **params: Any) -> dict[str, Any]:
        found: dict[str, Any] = self._call(
            "GET", f"{self._home[partner]}/control/books/{partner}", params=params
        )
        return found

    def _call(self, method: str, url: str, *, once: bool = False, **more: Any) -> Any:
        """A stand-in that is being restarted is waited for, within PATIENCE_S. ``once``: raises CutOff rather than
        do something twice."""
        deadline = time.monotonic() + max(PATIENCE_S, Patience.least_s)
        while True:
            try:
                answer = self._client.request(method, url, **more)
                break
            except httpx.TransportError as error:
                if once and not isinstance(error, httpx.ConnectError):
                    raise CutOff from error
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
        if answer.status_code >= 400:
            raise RuntimeError(f"{method} {url}: {answer.status_code} {answer.text[:500]}")
        return answer.json()


def _unsettled(told: dict[str, Any]) -> bool:
    """Nobody knows that the hub has taken it: cut off, no answer, or "come back later"."""
    verdict = str(told.get("verdict", ""))
    if verdict in ("HELD", "OFFERED", "RAW"):
        return False
    return told.get("status") in (None, 500, 503) or verdict.split(" ")[0] in UNSETTLED
