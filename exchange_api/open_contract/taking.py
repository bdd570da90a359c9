"""From a request to a checked message, the same for both protocols; and to the line in which messages are stored together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from anyio import to_thread

from connectors.open_contract.checking import checked_plain
from exchange_api.open_contract.standing import Inside, Rate, Standing
from exchange_api.open_contract.together import Full, Together
from exchange_api.open_contract.wire import Request
from foundation.directory import Partner
from foundation.identity import Call, Identity, identify
from foundation.receipts import ReceiptKey, receipt_key
from foundation.replays import Proof
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub import batches, operations
from hub.operations import TAKES
from hub.pipeline import Hub
from hub.submitting import Given, Taken, take
from schemas.findings import Finding, Refused

# One commit takes at most so many; in line are at most so many more.
MOST_TOGETHER = 200
WAITING = 2000
STATUS_WAITING = 2000
# What is kept of a request's head beside the body: the proof of who sent it.
_KEPT = (
    "content-type",
    "content-digest",
    "signature-input",
    "signature",
    "host",
    "idempotency-key",
    "soapaction",
)
Plain = dict[str, Any]


class Desk:
    """What the doors of one process share: who calls, the line of messages, the line of status queries."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.standing = Standing(hub)
        self.rate = Rate()
        self.inside = Inside()
        # In production a request must have been signed for this hub by name; a sandbox is called by any.
        self._hosts = frozenset() if hub.settings.sandbox else frozenset(hub.settings.tls_names)
        self.key: ReceiptKey = receipt_key(hub.settings.key_dir)
        self._line: Together[Given, Taken] = Together(hub, self._take, "take", MOST_TOGETHER, WAITING)
        self._asked: Together[tuple[str, Plain], Plain | None] = Together(
            hub, operations.statuses, "status", MOST_TOGETHER, STATUS_WAITING
        )
        self._seen: dict[int, set[bytes]] = {}

    def _take(self, uow: UnitOfWork, given: Sequence[Given]) -> list[Taken]:
        return take(uow, self.key, given)

    async def start(self) -> None:
        """Begin to know who the partners are; the first call waits for the first look."""
        if not self.standing.started:
            await to_thread.run_sync(self.standing.start)

    def stop(self) -> None:
        """Finish what is in line."""
        self._line.stop()
        self._asked.stop()
        self.standing.stop()

    def identify(self, request: Request, protocol: Literal["rest", "soap"]) -> Identity:
        """Who calls, within its rate and its calls at once; ``door`` tells when it was answered. Raises Refused."""
        call = Call(protocol, request.parts, request.certificate)
        found = identify(self.standing.directory(), call, self.standing.now(), self._hosts)
        goes, left, wait = self.rate.take(found.partner)
        request.extra = self.rate.headers(found.partner, left, wait)
        if not goes:
            limits = found.partner.limits
            request.extra.append((b"retry-after", b"%d" % wait))
            told = f"{limits.calls_per_s:g} calls a second, {limits.burst} at once"
            raise Refused(Finding("RATE_LIMITED", "request", "too many calls", told))
        try:
            self.inside.enter(found.partner)
        except Refused:
            request.extra.append((b"retry-after", b"1"))
            raise
        request.partner = found.partner.id
        if len(request.body) > found.partner.limits.body_bytes:
            most = found.partner.limits.body_bytes
            raise Refused(Finding("TOO_LARGE", "/", f"{len(request.body)} bytes", f"at most {most} bytes"))
        return found

    def once(self, proof: Proof | None) -> None:
        """A signed question is answered once: its signature is remembered in this process. Raises Refused."""
        if proof is None:
            return
        marks = self._seen.setdefault(proof.slot, set())
        if proof.mark in marks:
            raise Refused(
                Finding(
                    "NONCE_REPLAYED", proof.path, "seen before", "a signature of its own for each request"
                )
            )
        marks.add(proof.mark)
        if len(self._seen) > 4:  # slots of five minutes; a signature lives for one of them
            del self._seen[min(self._seen)]

    def checked(
        self, operation: str, partner: Partner, plain: Plain, request: Request, proof: Proof | None
    ) -> Given:
        """The message as it goes into the line; with its findings where it is to be refused."""
        told = checked_plain(plain, partner.agency)
        given: dict[str, Any] = {
            "partner": partner.id, "operation": operation, "content": request.body, "proof": proof,
            "headers": kept(request), "message_id": told.message_id,
        }  # fmt: skip
        message, findings = told.message, told.findings
        if message is not None and message.kind != TAKES[operation]:
            wanted = f"{TAKES[operation]} with {operation}"
            findings = (Finding("SCHEMA_VIOLATION", "/kind", message.kind, wanted), *findings)
        if message is None or findings:
            return Given(**given, findings=findings)
        return Given(
            **given, kind=message.kind, case_key=message.case_key, sequence=message.sequence, digest=told.digest
        )  # fmt: skip

    def refused(
        self, operation: str, partner: Partner, request: Request, proof: Proof | None, why: Refused
    ) -> Given:
        """A message that could not be read, to be kept as it came."""
        return Given(partner.id, operation, request.body, kept(request), proof=proof, findings=why.findings)

    def give_batch(
        self, identity: Identity, batch_id: str, content: bytes, request: Request
    ) -> tuple[bytes, bool]:
        """Store an archive; its receipt, and whether it was there before. Raises Refused."""
        with unit_of_work(self.hub.engine) as uow:
            return batches.give(
                uow, self.key, identity.partner, batch_id, content, kept(request), identity.proof
            )

    async def store(self, given: Given) -> Taken:
        """What became of a message, after its commit. Raises Refused: UNAVAILABLE when too many wait."""
        try:
            return await self._line.give(given)
        except Full:
            raise Refused(Finding("UNAVAILABLE", "service", "busy", "send the same again later")) from None

    async def status(self, partner: Partner, asked: Plain) -> Plain:
        """One message's status; many are looked up together. Raises Refused: NOT_FOUND, UNAVAILABLE."""
        try:
            found = await self._asked.give((partner.id, asked))
        except Full:
            raise Refused(Finding("UNAVAILABLE", "service", "busy", "ask again later")) from None
        if found is None:
            raise operations.unknown(asked)
        return found


def kept(request: Request) -> dict[str, str]:
    """The head's lines that are stored with a message, with method and target: what its signature was made over."""
    told = {name: value for name, value in request.parts.headers if name in _KEPT}
    query = f"?{request.parts.query}" if request.parts.query else ""
    return {**told, ":method": request.method, ":target": f"{request.parts.path}{query}"}
