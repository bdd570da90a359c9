"""Writes made-up adapters into a folder, as a new agency would be added: a manifest, a mapping, a client."""

from __future__ import annotations

from pathlib import Path

MANIFEST = """id = "{id}"
institution = "330399{letter}"
agency = "street"
name_zh = "{id}"

[properties]
pushes = false
pulls = false

[errors]
default = "E"
"""
MAPPING = '''"""Nothing comes in."""

from schemas.exchange import Known, RawMessage, Reading


def read(message: RawMessage, known: Known) -> Reading:
    return Reading(message_id="", compare_digest="")
'''
CLIENT = '''"""Posts JSON; 2xx is taken, everything else comes again."""

import orjson

from schemas.exchange import ConnectorContext, SendResult

OPERATIONS = ("Tell",)


def build(operation: str, body: dict, ctx: ConnectorContext) -> bytes:
    return orjson.dumps(body)


def send(wire, ctx: ConnectorContext, operation: str, content: bytes) -> SendResult:
    reply = wire.request("POST", ctx.base_url, content=content, timeout_s=40)
    if reply.status is None:
        return SendResult("RETRY", reply.outcome, reply.error)
    return SendResult("DELIVERED" if reply.status < 300 else "RETRY", str(reply.status))
'''


def write(folder: Path, ids: list[str]) -> None:
    """One adapter for each id."""
    for place, each in enumerate(ids):
        at = folder / each
        at.mkdir(parents=True)
        (at / "partner.toml").write_text(MANIFEST.format(id=each, letter=chr(ord("E") + place)))
        (at / "__init__.py").write_text("")
        (at / "mapping.py").write_text(MAPPING)
        (at / "client.py").write_text(CLIENT)
