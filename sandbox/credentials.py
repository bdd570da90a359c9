"""Shared secrets of the sandbox's partners: `<var>/sandbox/credentials.json`, made with test values when absent.

The hub's set-up reads the same file and registers the values in its own key store.
"""

from __future__ import annotations

import json
from pathlib import Path

# The values are the contract pack's published test secrets; they open nothing but the sandbox.
TEST_VALUES: dict[str, dict[str, str]] = {
    "court": {"user": "oqhub", "password": "test-only", "list_token": "test-only"},
    "petition": {"token": "test-only"},
    "procuratorate": {
        "user": "jcy330399",
        "password": "test-only",
        "hub_user": "hub",
        "hub_password": "test-only",
    },
    "arbitration": {
        "client_id": "oqhub",
        "client_secret": "test-only",
        "webhook_secret": "test-only-arbitration-webhook",
    },
    "gateway": {"app_key": "OQHUB01", "app_secret": "test-only-secret"},
}


def load_credentials(var: Path) -> dict[str, dict[str, str]]:
    """Read `var/credentials.json` (`var` is `<var>/sandbox`); missing partners get the test values."""
    path = var / "credentials.json"
    told: dict[str, dict[str, str]] = {}
    if path.exists():
        told = json.loads(path.read_text("utf-8"))
    merged = {partner: {**values, **told.get(partner, {})} for partner, values in TEST_VALUES.items()}
    if merged != told:
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_suffix(".part")
        half.write_text(json.dumps({**told, **merged}, ensure_ascii=False, indent=1), "utf-8")
        half.replace(path)
    return merged
