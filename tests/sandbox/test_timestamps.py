"""The time-stamp authority's stand-in against OpenSSL's own ``ts`` command."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from sandbox.timestamps.stamping import TimeStampResp
from tests.sandbox.conftest import Sandbox

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="OpenSSL's command is not here"),
]
TYPE = {"content-type": "application/timestamp-query"}


def openssl(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["openssl", *words], cwd=folder, capture_output=True, text=True, timeout=20, check=False
    )


def request(folder: Path, *more: str) -> bytes:
    (folder / "data").write_bytes(b"what is to be stamped")
    made = openssl("ts", "-query", "-data", "data", "-out", "asked.tsq", *more, folder=folder)
    assert made.returncode == 0, made.stderr
    return (folder / "asked.tsq").read_bytes()


@pytest.mark.parametrize("digest", ["-sha256", "-sha512"])
def test_openssl_verifies_a_stamp(sandbox: Sandbox, tmp_path: Path, digest: str) -> None:
    reply = sandbox.http.post("/timestamps", content=request(tmp_path, digest, "-cert"), headers=TYPE)
    assert reply.status_code == 200 and reply.headers["content-type"] == "application/timestamp-reply"
    (tmp_path / "reply.tsr").write_bytes(reply.content)
    verify = ["ts", "-verify", "-in", "reply.tsr", "-CAfile", str(tmp_path / "sandbox/certs/timestamps.crt")]
    good = openssl(*verify, "-queryfile", "asked.tsq", folder=tmp_path)
    assert "Verification: OK" in good.stdout, good.stderr
    (tmp_path / "data").write_bytes(b"something else")
    assert openssl(*verify, "-data", "data", folder=tmp_path).returncode != 0


def test_what_cannot_be_stamped_is_refused_in_its_form(sandbox: Sandbox, tmp_path: Path) -> None:
    for body, failure in ((b"rubbish", "bad_data_format"), (request(tmp_path, "-sha1"), "bad_alg")):
        told = TimeStampResp.load(sandbox.http.post("/timestamps", content=body, headers=TYPE).content)
        assert told["status"]["status"].native == "rejection"
        assert told["status"]["fail_info"].native == {failure}
    assert sandbox.http.post("/timestamps", content=b"x").status_code == 415
    sandbox.order("faults", "timestamps", kind="http_500")
    assert sandbox.http.post("/timestamps", content=request(tmp_path), headers=TYPE).status_code == 500
