"""The ways to evidence: partners over both protocols, our own people over REST, and the verifier by itself."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Engine

from foundation import verify_evidence
from foundation.directory import Partner
from foundation.partner_limits import limits_of
from foundation.staff import add_staff
from foundation.unit_of_work import unit_of_work
from foundation.verify_evidence import verify
from hub import evidence
from hub.applying import apply_due
from schemas.findings import Refused
from tests.exchange.evidence_side import EvidenceWorld, evidence_world, parts_of
from tests.exchange.open_side import OpenSide, at_story_start, message, served, told
from tests.exchange.partner_side import enter_with_keys

pytestmark = pytest.mark.slow


@pytest.fixture
def world(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[EvidenceWorld]:
    made = evidence_world(engine, database_url, tmp_path)
    yield made
    made.authority.stop()


def called(name: str) -> Partner:
    limits = limits_of({})
    until = datetime(2030, 1, 1, tzinfo=UTC)
    return Partner(name, name, "", "", frozenset(), (), {}, limits, "ACTIVE", "", until, None)


def test_a_partner_gets_its_own_messages_only(world: EvidenceWorld) -> None:
    world.take(1)
    world.send(1)
    caller = called("ouqi_street")
    with unit_of_work(world.hub.engine) as uow, pytest.raises(Refused, match="EVIDENCE_NOT_READY"):
        evidence.evidence(uow, caller, {"message_id": "m-1"})
    world.seal()
    with unit_of_work(world.hub.engine) as uow:
        assert verify(evidence.evidence(uow, caller, {"message_id": "m-1"}), world.trust).findings == []
        told = verify(evidence.evidence(uow, caller, {"message_id": "o-1", "way": "out"}), world.trust).told
        assert told["message"] == "ouqi_street/o-1"
        stranger = called("other")
        for caller_now, asked in ((stranger, "m-1"), (caller, "m-9"), (caller, "")):
            with pytest.raises(Refused, match="NOT_FOUND"):
                evidence.evidence(uow, caller_now, {"message_id": asked})


@pytest.mark.parametrize("protocol", ["rest", "soap"])
def test_partners_ask_for_it_over_both_protocols(world: EvidenceWorld, engine: Engine, protocol: str) -> None:
    with unit_of_work(engine) as uow:
        enter_with_keys(uow, limits={"calls_per_s": 1000, "burst": 1000})
    with served(world.hub) as url:
        side = OpenSide(url, at_story_start(engine))

        def asked(message_id: str, way: str) -> tuple[int, bytes]:
            if protocol == "rest":
                reply = side.get(f"/open/v1/messages/{message_id}/evidence?way={way}")
                return reply.status_code, reply.content
            reply = side.soap("evidence", f"<message_id>{message_id}</message_id><way>{way}</way>")
            return reply.status_code, base64.b64decode(told(reply).get("container", ""))

        receipt = side.post(message(1))
        assert receipt.status_code == 202
        apply_due(world.hub)
        world.send(1)
        early = side.get("/open/v1/messages/M-1/evidence")
        assert early.status_code == 409 and early.json()["code"] == "EVIDENCE_NOT_READY"
        world.seal()
        for name, way, fate in (("M-1", "in", "applied"), ("o-1", "out", "sent")):
            status, container = asked(name, way)
            assert status == 200
            report = verify(container, world.trust)
            assert report.findings == [] and report.told["fate"] == fate
        parts = parts_of(asked("M-1", "in")[1])
        assert parts["receipt.json"] == receipt.content
        assert asked("M-2", "in")[0] in (404, 500)  # SOAP 1.1 says 500 for a fault


def test_our_own_people_ask_over_rest(world: EvidenceWorld, engine: Engine) -> None:
    with unit_of_work(engine) as uow:
        add_staff(uow, "auditor1", "审计", "", ["auditor"], "password-1")
        add_staff(uow, "clerk1", "受理", "", ["intake_clerk"], "password-1")
    taken, sent = world.take(1), world.send(1)
    with served(world.hub) as url, httpx.Client(base_url=url, trust_env=False) as http:

        def token(name: str) -> dict[str, str]:
            answer = http.post("/v1/session", json={"id": name, "password": "password-1"})
            return {"authorization": f"Bearer {answer.json()['token']}"}

        auditor, clerk = token("auditor1"), token("clerk1")
        path = f"/v1/exchange/inbox/{taken}/evidence"
        early = http.get(path, headers=auditor)
        assert (early.status_code, early.json()["code"]) == (409, "EVIDENCE_NOT_READY")
        world.seal()
        assert http.get(path, headers=clerk).status_code == 403 and http.get(path).status_code == 401
        for where in (path, f"/v1/exchange/outbox/{sent}/evidence"):
            reply = http.get(where, headers=auditor)
            assert reply.status_code == 200 and reply.headers["content-type"] == evidence.CONTAINER
            assert verify(reply.content, world.trust).findings == []
        assert http.get(f"/v1/exchange/outbox/{taken}/evidence", headers=auditor).status_code == 404
        described = http.get("/openapi.json").json()["paths"]["/v1/exchange/inbox/{message}/evidence"]
        assert evidence.CONTAINER in described["get"]["responses"]["200"]["content"]


def test_the_verifier_runs_by_itself_and_without_network(world: EvidenceWorld, tmp_path: Path) -> None:
    message = world.take(1)
    world.seal()
    home = tmp_path / "elsewhere"
    home.mkdir()
    shutil.copy(verify_evidence.__file__, home / "verify_evidence.py")
    (home / "good.asice").write_bytes(world.container(message))
    (home / "hub.pem").write_bytes(world.trust.hubs[0].public_bytes(Encoding.PEM))
    shutil.copy(tmp_path / "authority.crt", home / "tsa.pem")
    world.authority.stop()
    closed = "import socket, sys, runpy; socket.socket = None; sys.argv = sys.argv[1:]"
    closed += "; runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [
        sys.executable,
        "-I",
        "-c",
        closed,
        "verify_evidence.py",
        "--hub",
        "hub.pem",
        "--tsa",
        "tsa.pem",
    ]

    def run(name: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, name], cwd=home, capture_output=True, text=True, timeout=30, check=False
        )

    good = run("good.asice")
    assert good.returncode == 0 and '"ok": true' in good.stdout, good.stderr
    touched = bytearray((home / "good.asice").read_bytes())
    touched[touched.index(b"yyyy") + 5] ^= 4
    (home / "bad.asice").write_bytes(touched)
    bad = run("bad.asice")
    assert bad.returncode == 1 and "message.bin: byte " in bad.stdout
