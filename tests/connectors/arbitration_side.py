"""The commission's side for tests: its secret, its events, sealed as its contract says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from connectors.arbitration_rest import mapping
from connectors.arbitration_rest.hook_seal import HEADER, seal
from schemas.exchange import Known, RawMessage, Reading

NOW = datetime(2026, 4, 1, 1, 0, tzinfo=UTC)
T = int(NOW.timestamp())
SECRET = "made-in-a-test"
FOLDER = mapping.HERE / "examples"


def event_of(name: str) -> dict[str, Any]:
    return json.loads(json.loads((FOLDER / name).read_text("utf-8"))["body_text"])


def known(**changed: Any) -> Known:
    return Known(**{"secrets": {"webhook": SECRET}, "profile": "production", **changed})


def hook(
    body: bytes, *, at: datetime = NOW, t: int = T, secret: str = SECRET, told: Known | None = None
) -> Reading:
    message = RawMessage(
        "arbitration_rest", "hook", "event", body, at, {HEADER.lower(): seal(body, secret, t)}
    )
    return mapping.read(message, told or known())


def tell(event: Any) -> Reading:
    return hook(json.dumps(event, ensure_ascii=False).encode())


def codes(reading: Reading) -> list[tuple[str, str]]:
    return [(each.code, each.path) for each in reading.findings]


def fields(reading: Reading) -> dict[str, Any]:
    return {claim.field: claim.value for claim in reading.records[0].claims}
