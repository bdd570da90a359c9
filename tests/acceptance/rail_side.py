"""The made-up way to pay itself: accounts, payments and lists, in its own books."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.connectors.answering_server import Answer, Call, answering

JSON = {"Content-Type": "application/json"}


@dataclass
class Post:
    """The post's books. ``payments``: by number, each once; ``lines``: what moved, by account."""

    secret: str
    url: str = ""
    accounts: dict[str, str] = field(default_factory=dict)  # request → account
    payments: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    repeats: int = 0
    asked: int = 0
    lists: int = 0

    def balance(self, account: str) -> int:
        return sum(line["fen"] for line in self.lines.get(account, ()))

    def book(
        self, account: str, fen: int, name: str, other: str, number: str | None = None
    ) -> dict[str, Any]:
        lines = self.lines.setdefault(account, [])
        line = {
            "ref": f"{account}-{len(lines) + 1}",
            "fen": fen,
            "name": name,
            "account": other,
            "number": number,
        }
        lines.append(line)
        return line

    def pay_out(self) -> list[dict[str, Any]]:
        """Carry out every payment that was taken; returns the lines."""
        done = []
        for number, told in self.payments.items():
            if told["state"] == "TAKEN":
                told["state"] = "PAID"
                done.append(self.book(told["from"], -told["fen"], told["name"], told["to"], number))
        return done

    def tell(
        self, door: str, account: str, lines: list[dict[str, Any]], day: str, *, whole: bool = False
    ) -> httpx.Response:
        """Tell the hub of lines: as a notice, or as the day's list with its balances."""
        self.lists += 1
        told: dict[str, Any] = {"id": f"L{self.lists}", "of": account, "day": day, "lines": lines}
        if whole:
            moved = sum(line["fen"] for line in lines)
            told |= {"openingFen": self.balance(account) - moved, "closingFen": self.balance(account)}
        return self.send(door, json.dumps(told, ensure_ascii=False).encode())

    def send(self, door: str, body: bytes, seal: str = "") -> httpx.Response:
        headers = {**JSON, "X-Post-Seal": seal or self.seal(body)}
        return httpx.post(door, content=body, headers=headers, timeout=20, trust_env=False)

    def seal(self, body: bytes) -> str:
        return hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()

    def answer(self, call: Call) -> Answer:
        if not hmac.compare_digest(call.headers.get("x-post-seal", ""), self.seal(call.body)):
            return self._sealed(401, {"code": "P401"})
        told = json.loads(call.body) if call.body else {}
        if call.path == "/accounts":
            account = self.accounts.setdefault(told["request"], f"7700{len(self.accounts) + 1:06d}")
            return self._sealed(200, {"account": account})
        if call.method == "POST":
            return self._take(told)
        self.asked += 1
        payment = self.payments.get(call.path.rpartition("/")[2])
        if payment is None:
            return self._sealed(404, {"code": "P404"})
        return self._sealed(200, {"payment": {"number": payment["number"], "state": payment["state"]}})

    def _take(self, told: dict[str, Any]) -> Answer:
        self.repeats += told["number"] in self.payments
        known = self.payments.setdefault(told["number"], {**told, "state": "TAKEN"})
        return self._sealed(200, {"payment": {"number": known["number"], "state": known["state"]}})

    def _sealed(self, status: int, told: dict[str, Any]) -> Answer:
        body = json.dumps(told).encode()
        return status, {**JSON, "X-Post-Seal": self.seal(body)}, body


@contextmanager
def post_office(secret: str) -> Iterator[Post]:
    """The post on a loopback port."""
    post = Post(secret)
    with answering(post.answer) as url:
        post.url = url
        yield post
