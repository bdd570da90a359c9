"""What every stand-in works with: the process's books, clock and faults, and the way a call of the hub is received."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import Response

from sandbox.books import Books, Entry
from sandbox.clock import VirtualClock
from sandbox.faults import Fault, FaultPlan, break_answer, wait_out
from sandbox.outbound import HubEndpoints

Finding = dict[str, Any]


def finding(code: str, path: str, found: str, expected: str) -> Finding:
    """What a stand-in notes about a message that is not as its contract says."""
    return {"code": code, "path": path, "found": found, "expected": expected}


@dataclass(frozen=True)
class Inbound:
    """A call of the hub. `path` is below the partner's prefix; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    url: str


@dataclass
class Answer:
    """What the stand-in answers, and what it writes in its books about the call.

    `digest`: of the business content that decides same or other under `request_id`; "" = of the body's bytes.
    """

    status: int
    body: bytes
    content_type: str
    verdict: str = "ACCEPTED"
    request_id: str | None = None
    digest: str = ""
    findings: list[Finding] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Desk:
    """One sandbox process's tools, shared by its stand-ins. `var` is `<var>/sandbox`."""

    books: Books
    clock: VirtualClock
    faults: FaultPlan
    endpoints: HubEndpoints
    var: Path
    seed: int
    credentials: Mapping[str, Mapping[str, str]]

    def token(self, partner: str, name: str) -> str:
        """A new opaque token of 32 hex digits; the same row of tokens for the same seed."""
        number = self.books.next_number(partner, name)
        return hashlib.sha256(f"{self.seed}|{partner}|{name}|{number}".encode()).hexdigest()[:32]

    def random(self, *parts: object) -> random.Random:
        """A random source that depends on the seed and the words given only."""
        return random.Random(f"{self.seed}|" + "|".join(map(str, parts)))

    def rules(self, partner: str) -> dict[str, Any]:
        """Switches of a stand-in that were set by an offer (`{"rules": {...}}`); absent = off."""
        return dict(self.books.get(partner, "rule", "all") or {})

    def set_rules(self, partner: str, told: Mapping[str, Any]) -> dict[str, Any]:
        self.books.put(partner, "rule", "all", {**self.rules(partner), **told})
        return self.rules(partner)

    def receive(
        self,
        partner: str,
        operation: str,
        call: Inbound,
        work: Callable[[Fault | None], Answer],
        fault_answer: Callable[[], Answer],
    ) -> Response:
        """Carry out a call of the hub and write it down, in one commit that precedes the answer.

        `work` gets the fault that is to be made in the content (wrong_signature, duplicate, wrong_order), or None.
        `fault_answer` is the partner's own way of saying that it failed.
        """
        fault = self.faults.take(partner, "serve", operation)
        late = fault is not None and fault.point == "late"
        wait_out(None if late else fault)
        with self.books.transaction():
            if fault and fault.kind == "http_500":
                answer = Answer(500, b"Internal Server Error", "text/plain", verdict="FAULT")
            elif fault and fault.kind == "fault":
                answer = fault_answer()
                answer.verdict = "FAULT"
            elif fault and fault.kind == "reset" and fault.point == "before":
                answer = Answer(500, b"", "text/plain", verdict="FAULT")
            else:
                answer = work(fault)
            self._write_down(partner, operation, call, answer, fault)
        response = Response(
            answer.body, answer.status, media_type=answer.content_type, headers=answer.headers
        )
        wait_out(fault if late else None)
        return break_answer(response, fault)

    def _write_down(
        self, partner: str, operation: str, call: Inbound, answer: Answer, fault: Fault | None
    ) -> None:
        self.books.record(
            Entry(
                partner=partner,
                direction="in",
                operation=operation,
                at=self.clock.now(),
                body=call.body,
                request_id=answer.request_id,
                digest=answer.digest,
                method=call.method,
                url=call.url,
                headers=dict(call.headers),
                status=answer.status,
                reply=answer.body,
                reply_headers={"content-type": answer.content_type, **answer.headers},
                verdict=answer.verdict,
                findings=tuple(answer.findings),
                fault=fault.kind if fault else None,
            )
        )
