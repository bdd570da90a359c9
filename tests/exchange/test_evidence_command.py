"""The command over a real database: export, kit, verify, check, erase, rewrap."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Engine

from tests.exchange.evidence_side import PARTNER, EvidenceWorld, evidence_world
from tests.platform.tree import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture
def world(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[EvidenceWorld]:
    made = evidence_world(engine, database_url, tmp_path)
    yield made
    made.authority.stop()


def command(world: EvidenceWorld, *words: str) -> tuple[int, str]:
    environment = {
        **os.environ,
        "CONCORD_DATABASE_URL": world.hub.settings.database_url,
        "CONCORD_VAR_DIR": str(world.folder),
        "CONCORD_TSA_URL": world.authority.url,
    }
    done = subprocess.run(
        [sys.executable, "-m", "hub", "evidence", *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def document(told: tuple[int, str]) -> dict[str, Any]:
    assert told[0] == 0, told[1]
    found: dict[str, Any] = json.loads(told[1])
    return found


def test_from_export_to_erasure(world: EvidenceWorld, tmp_path: Path) -> None:
    messages = [world.take(number) for number in range(3)]
    sent = world.send(1)
    out = tmp_path / "out"
    code, told = command(world, "export", "--out", str(out), "--partner", PARTNER)
    assert code == 1 and told.count("EVIDENCE_NOT_READY") == 3
    world.seal()
    found = document(
        command(world, "export", "--out", str(out), "--partner", PARTNER, "--since", "2026-04-01")
    )
    assert found["containers"] == 3 and len(list(out.glob("*.asice"))) == 3
    assert document(command(world, "export", "--out", str(out), "--way", "out", str(sent)))["containers"] == 1
    assert command(world, "export", "--out", str(out), "--message", "nobody's")[0] == 1

    kit = tmp_path / "kit"
    assert document(command(world, "kit", str(kit)))["files"] == ["hub.pem", "tsa.pem", "verify_evidence.py"]
    assert (kit / "hub.pem").read_bytes() == world.trust.hubs[0].public_bytes(Encoding.PEM)
    code, told = command(world, "verify", str(out))
    assert code == 0 and [json.loads(line)["ok"] for line in told.splitlines()] == [True] * 4
    one = next(out.glob("*m-0*"))
    one.write_bytes(one.read_bytes().replace(b"yyyy", b"yyzy", 1))
    code, told = command(
        world, "verify", "--hub", str(kit / "hub.pem"), "--tsa", str(kit / "tsa.pem"), str(one)
    )
    first = json.loads(told)["findings"][0]
    assert code == 1 and first["part"] == "message.bin" and first["what"] == "7a; expected 79"

    assert document(command(world, "check", "2026-04-01"))["whole"] is True
    assert document(command(world, "erase", str(messages[0]), "--reason", "依法删除"))["erased"] is True
    assert command(world, "erase", str(messages[0]), "--reason", "again")[0] == 1
    assert document(command(world, "rewrap"))["rewrapped"] == 0
