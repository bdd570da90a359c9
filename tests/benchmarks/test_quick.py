"""Each benchmark runs in its quick form and gives its keys, so that none rots unseen."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.__main__ import built
from benchmarks.result import KEYS
from tests.platform.tree import ROOT

pytestmark = pytest.mark.slow


# These start the product's processes and take more than ten seconds; the long runs have them.
LONGER = {"crash", "exchange", "isolation", "ledger", "money", "payout", "reconcile", "registry", "replay"}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] if name in LONGER else []) for name in built()]
)
def test_quick_form(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", name, "--quick"], cwd=ROOT, capture_output=True, text=True, timeout=180, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["bench"] == name and told["quick"] is True
    assert set(KEYS[name]) <= set(told["figures"])
    assert told["baseline"]["what"] and told["baseline"]["figures"] and told["bound_by"]
