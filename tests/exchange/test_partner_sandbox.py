"""The engineer's own sandbox: real receipts for the samples it makes, every call explained, faults on request, nothing left behind."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from foundation import http_signature
from foundation.http_signature import Parts
from tests.conftest import free_port

pytestmark = pytest.mark.slow
NAME = "street_a"
TARGET = "/open/v1/messages"


@dataclass
class Box:
    process: subprocess.Popen[bytes]
    out: Path
    host: str

    def call(self, message: dict[str, Any], **headers: str) -> httpx.Response:
        """A message signed with the key that the sandbox has made."""
        body = orjson.dumps(message)
        plain = {"host": self.host, "content-type": "application/json"}
        key = load_pem_private_key((self.out / f"{NAME}.key").read_bytes(), None)
        parts = Parts("POST", "http", self.host, TARGET, "", tuple(plain.items()), body)
        signed = http_signature.sign(
            parts, key=key, key_id=f"{NAME}-1", now=datetime.now(UTC), nonce=secrets.token_urlsafe(12)  # type: ignore[arg-type]
        )  # fmt: skip
        return httpx.post(
            f"http://{self.host}{TARGET}", content=body, headers={**plain, **signed, **headers}, timeout=30
        )

    def said(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = httpx.get(f"http://{self.host}/sandbox/calls").json()["calls"]
        return found


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    port, out = free_port(), tmp_path_factory.mktemp("sandbox")
    command = [
        sys.executable,
        "-m",
        "exchange_api.partner_sandbox",
        NAME,
        "--port",
        str(port),
        "--out",
        str(out),
    ]
    process = subprocess.Popen(command)
    until = time.monotonic() + 170
    while True:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/health").is_success:
                break
        except httpx.TransportError:
            pass
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.2)
    yield Box(process, out, f"127.0.0.1:{port}")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def sample(box: Box) -> dict[str, Any]:
    whole = (box.out / "sample-rest.http").read_bytes()
    found: dict[str, Any] = orjson.loads(whole.partition(b"\r\n\r\n")[2])
    return found


def test_the_samples_are_taken_over_both_protocols_and_get_one_receipt(box: Box) -> None:
    host, _, port = box.host.partition(":")
    with socket.create_connection((host, int(port)), 30) as link:
        link.sendall((box.out / "sample-rest.http").read_bytes())
        answer = b""
        while b'"signed"' not in answer:
            answer += link.recv(65536)
    assert answer.startswith(b"HTTP/1.1 202")
    receipt = orjson.loads(answer.partition(b"\r\n\r\n")[2])
    soap = httpx.post(
        f"http://{box.host}/open/soap", content=(box.out / "sample-soap.xml").read_bytes(),
        headers={"content-type": "text/xml; charset=utf-8"}, timeout=30,
    )  # fmt: skip
    assert soap.status_code == 200 and f"<signed>{receipt['signed']}</signed>" in soap.text
    # Replayed as they are, both are refused: a message is repeated with a signature of its own.
    again = httpx.post(
        f"http://{box.host}/open/soap", content=(box.out / "sample-soap.xml").read_bytes(),
        headers={"content-type": "text/xml; charset=utf-8"}, timeout=30,
    )  # fmt: skip
    assert "NONCE_REPLAYED" in again.text


def test_a_wrong_signature_is_answered_with_the_bytes_that_it_should_be_over(box: Box) -> None:
    message = {**sample(box), "message_id": "WRONG-1"}
    assert box.call(message, **{"content-type": "application/json; charset=utf-8"}).status_code == 401
    told = box.said()[-1]["told"]
    assert told[0].startswith("SIGNATURE_INVALID at header Signature")
    assert '"@method": POST' in told and f'"@authority": {box.host}' in told
    assert '"content-type": application/json; charset=utf-8' in told


def test_what_is_wrong_in_a_message_is_explained(box: Box) -> None:
    message = {**sample(box), "message_id": "WRONG-2", "kind": "recrod"}
    assert box.call(message).status_code == 422
    told = "\n".join(box.said()[-1]["told"])
    assert "at /kind" in told and "recrod" in told


def test_faults_come_when_they_are_asked_for_and_nothing_counts_twice(box: Box) -> None:
    message = {**sample(box), "message_id": "FAULT-1", "case_key": "JD-FAULT"}
    busy = box.call(message, **{"Concord-Sandbox-Fault": "busy"})
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "2")
    with pytest.raises(httpx.TransportError):
        box.call(message, **{"Concord-Sandbox-Fault": "lost"})
    # The work was done and the answer lost: the repetition finds the first receipt.
    again = box.call(message)
    assert (again.status_code, again.headers["concord-result"]) == (200, "seen before")
    begin = time.monotonic()
    assert box.call(message, **{"Concord-Sandbox-Fault": "slow"}).status_code == 200
    assert time.monotonic() - begin >= 10


def test_what_is_handed_out_holds_no_private_key_of_the_hub(box: Box) -> None:
    private = [each.name for each in box.out.iterdir() if b"PRIVATE" in each.read_bytes()]
    assert private == [f"{NAME}.key"]
    assert (box.out / f"{NAME}.key").stat().st_mode & 0o077 == 0
