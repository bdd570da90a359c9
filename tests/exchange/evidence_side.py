"""A hub with messages in and out, sealed and stamped, for the tests of evidence."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Engine

from foundation import cades, inbox, outbox
from foundation.keys import KeyStore
from foundation.settings import Settings
from foundation.timestamps import AUTHORITY
from foundation.unit_of_work import unit_of_work
from foundation.verify_evidence import Trust
from foundation.wire import Wire
from hub import evidence, sealing
from hub.pipeline import Hub
from hub.sending import _record
from schemas.exchange import Outcome, RawMessage, SendResult
from tests.exchange.authority import Authority

PARTNER = "ouqi_street"


@dataclass
class EvidenceWorld:
    """The hub, its authority, and whom a verifier trusts."""

    hub: Hub
    authority: Authority
    trust: Trust
    folder: Path

    def take(self, number: int, content: bytes | None = None, state: str = "APPLIED") -> UUID:
        """Store a message and decide about it."""
        told = content if content is not None else f'{{"案号": "{number}", "x": "{"y" * 700}"}}'.encode()
        with unit_of_work(self.hub.engine) as uow:
            raw = RawMessage(PARTNER, "push", "submit", told, uow.now, {"content-type": "application/json"})
            stored = inbox.store_in(uow, raw)
        with unit_of_work(self.hub.engine) as uow:
            result = "ACCEPTED" if state == "APPLIED" else "REFUSED"
            receipt = f"R{number:010d}" if state == "APPLIED" else ""
            inbox.decide(uow, stored.id, state, Outcome(f"m-{number}", result, (), receipt, uow.now))
        return stored.id

    def send(self, number: int, outcome: str = "DELIVERED") -> UUID:
        """Owe a message and record a try of it, as the sender does."""
        content = json.dumps({"number": number}).encode()
        with unit_of_work(self.hub.engine) as uow:
            owed = outbox.enqueue(
                uow, partner=PARTNER, operation="Tell", message_id=f"o-{number}", case_key="", body={"n": number}
            )  # fmt: skip
            outbox.keep_bytes(uow, owed, content)
            row = uow.one(
                "UPDATE exchange.outbox SET state = 'SENDING', attempts = 1 WHERE id = :id RETURNING *",
                id=owed,
            )
        assert row is not None
        _record(self.hub, row, SendResult(outcome, "0", "taken", b"<ack>ok</ack>"), {}, content)  # type: ignore[arg-type]
        return owed

    def seal(self) -> None:
        """Seal and stamp what there is."""
        sealing.seal_all(self.hub)
        wire = Wire()
        while sealing.stamp_waiting(self.hub, wire):
            pass
        wire.close()

    def container(self, message: UUID, way: evidence.Way = "in") -> bytes:
        """The one container; asserts that there is one."""
        (made,) = self.made(message, way=way)
        assert made.missing is None, made.missing
        return made.content

    def made(self, *messages: UUID, way: evidence.Way = "in") -> list[evidence.Evidence]:
        with unit_of_work(self.hub.engine) as uow:
            return list(evidence.export(uow, messages, way))


def evidence_world(engine: Engine, url: str, folder: Path) -> EvidenceWorld:
    """The world with an authority that answers."""
    keys = KeyStore(folder / "keys")
    cades.prepare(keys)
    authority = Authority(folder)
    authority.start()
    keys.trust(AUTHORITY, "root.crt", authority.keys.root.public_bytes(Encoding.PEM))
    (folder / "partners.json").write_text(json.dumps({"timestamps": authority.url}))
    hub = Hub(engine, keys, Settings(url, "", folder, 8600, "sandbox"))
    trust = Trust([keys.certificate(cades.EVIDENCE_KEY)], [authority.keys.root])
    return EvidenceWorld(hub, authority, trust, folder)


def parts_of(container: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(container)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}
