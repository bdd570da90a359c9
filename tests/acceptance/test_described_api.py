"""The long run over the API's own descriptions: schemathesis with all its checks, more than 20,000 cases."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from foundation.clock import clock_now
from foundation.settings import ROOT
from foundation.unit_of_work import unit_of_work
from tests.acceptance.conftest import Api
from tests.acceptance.test_many_mutations import GROWS_AT_MOST_MB, resident_mb
from tests.exchange import partner_side

pytestmark = pytest.mark.long
PEOPLE = ("operator1", "cashier1", "clerk1", "auditor1")
AT_LEAST = 20_000
WITHIN_S = 1500
# These stop the time or the session that the other calls stand on, or call partners that are not there.
LEFT_OUT = ("/v1/clock", "/v1/session", "/v1/jobs/{name}")
PARTNER = "described_street"
# An address over its limit is refused with HTTP's own status for that, which the tool does not expect by itself.
CONFIG = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 414, 415, 422, 428, 429]
"""
LIMITS = {"calls_per_s": 100_000, "burst": 100_000}


def cases_of(
    url: str, examples: int, environment: dict[str, str], folder: Path, *more: str
) -> tuple[int, str]:
    """Run all checks; returns how many cases there were, and the report of the checks that failed ("" when none did)."""
    (folder / "schemathesis.toml").write_text(CONFIG)
    command = [
        str(Path(sys.executable).parent / "schemathesis"), "run", url, "--checks", "all", "-n", str(examples),
        "--max-response-time", "2", "--workers", "2", "--continue-on-failure", *more,
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=WITHIN_S, check=False,
        env={**os.environ, **environment, "SCHEMATHESIS_HOOKS": "tests.acceptance.described_hooks", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    generated = re.search(r"(\d+) generated", done.stdout)
    assert generated is not None, done.stdout[-3000:] + done.stderr[-2000:]
    return int(generated[1]), done.stdout[-12_000:] + done.stderr[-2000:] if done.returncode else ""


def test_every_person_s_api(api: Api, tmp_path: Path) -> None:
    before = 0.0
    total = 0
    failures = []
    out = [part for path in LEFT_OUT for part in ("--exclude-path", path)]
    for person in PEOPLE:
        token = api.hub.people._token(person)
        more = ("-H", f"Authorization: Bearer {token}", *out)
        cases, failed = cases_of(f"{api.hub.url}/openapi.json", 100, {}, tmp_path, *more)
        print(f"{person}: {cases} cases", flush=True)
        total += cases
        failures += [f"as {person}\n{failed}"] if failed else []
        before = before or resident_mb(api)
    assert not failures, "\n".join(failures)
    assert total >= AT_LEAST
    assert resident_mb(api) - before < GROWS_AT_MOST_MB


def test_the_open_contract(api: Api, tmp_path: Path) -> None:
    with unit_of_work(api.engine) as uow:
        partner_side.enter_with_keys(uow, PARTNER, limits=LIMITS)
        ahead = (clock_now(uow.conn) - datetime.now(UTC)).total_seconds()
    key = tmp_path / "sender.key"
    key.write_bytes(partner_side.key("rsa").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    environment = {
        "CONCORD_TEST_KEY": str(key),
        "CONCORD_TEST_KEY_ID": f"{PARTNER}-1",
        "CONCORD_TEST_AHEAD_S": str(ahead),
    }
    total, failed = cases_of(f"{api.hub.url}/open/v1/openapi.json", 200, environment, tmp_path)
    assert not failed, failed
    assert total >= 2000
