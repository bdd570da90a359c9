"""An adapter's endpoints behind a real HTTP server, with an inbox in memory that keeps the hub's rules."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from types import ModuleType

from schemas.exchange import HttpRequest, Known, Outcome, RawMessage
from schemas.findings import Finding, Refused
from tests.connectors.answering_server import Answer, Call, answering


class Inbox:
    """Who sent what: the first content under an id stays, the same again gets the same receipt."""

    def __init__(self, adapter: ModuleType, errors: dict[str, str]) -> None:
        self.adapter, self.errors = adapter, errors
        self.first: dict[str, tuple[str, Outcome]] = {}
        self.stored: list[RawMessage] = []

    def take(self, message: RawMessage, known: Known) -> Outcome:
        self.stored.append(message)
        reading = self.adapter.read(message, known)
        findings = tuple(
            replace(f, partner_code=f.partner_code or self.errors.get(f.code, "")) for f in reading.findings
        )
        if reading.refused:
            return Outcome(reading.message_id, "REFUSED", findings, reply_hint=reading.reply_hint)
        if reading.message_id in self.first:
            digest, before = self.first[reading.message_id]
            if digest == reading.compare_digest:
                return replace(before, result="DUPLICATE", findings=())
            finding = Finding(
                "SAME_ID_OTHER_BYTES",
                reading.meta["id_path"],
                reading.message_id,
                reading.meta["id_expected"],
                partner_code=self.errors["SAME_ID_OTHER_BYTES"],
            )
            return Outcome(reading.message_id, "QUARANTINED", (finding,), reply_hint=reading.reply_hint)
        outcome = Outcome(
            reading.message_id, "ACCEPTED", findings, f"R{len(self.first):04d}", reply_hint=reading.reply_hint
        )
        self.first[reading.message_id] = (reading.compare_digest, outcome)
        return outcome


@contextmanager
def adapter_server(
    mapping: ModuleType, service: ModuleType, known: Known, now: datetime
) -> Iterator[tuple[str, Inbox]]:
    """The adapter's one path served on loopback; gives its address and the inbox behind it."""
    inbox = Inbox(mapping, service.ERRORS)
    endpoint = service.ENDPOINTS[0]
    address = ""

    def answer(call: Call) -> Answer:
        if call.method == "GET":
            wsdl = next(each.wsdl for each in service.ENDPOINTS if each.wsdl)
            return 200, {"Content-Type": "text/xml"}, wsdl.replace(b"{{ADDRESS}}", address.encode())
        request = HttpRequest(
            call.method, call.path, call.headers, call.body, now, client_address="127.0.0.1"
        )
        try:
            messages = endpoint.unpack(request, known)
            made = endpoint.answer([inbox.take(each, known) for each in messages], request)
        except Refused as refused:
            made = endpoint.refuse(refused.findings, request)
        return made.status, dict(made.headers), made.body

    with answering(answer) as url:
        address = url + endpoint.path
        yield address, inbox
