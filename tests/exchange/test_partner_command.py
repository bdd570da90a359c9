"""``./concord partner …``: add, keys, rotate, suspend, resume, show, list, test, each with ``--json``."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner

from foundation import local_ca
from foundation.algorithms import public_key_of
from foundation.directory import load
from foundation.http_signature import Parts, check, claimed
from foundation.keys import KeyStore
from foundation.settings import settings
from foundation.unit_of_work import unit_of_work
from hub.cli.app import app
from hub.context import hub_of_process
from tests.exchange.partner_side import pem, public_pem
from tests.exchange.test_identity_tls import request_of

Run = Callable[..., Any]


@pytest.fixture
def run(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a command in this process, as the command line does, against a database and key folder of this test."""
    monkeypatch.setenv("CONCORD_DATABASE_URL", database_url)
    monkeypatch.setenv("CONCORD_VAR_DIR", str(tmp_path))
    settings.cache_clear()
    hub_of_process.cache_clear()
    local_ca.prepare(KeyStore(tmp_path / "keys"), ("localhost",), datetime(2026, 3, 1, tzinfo=UTC))

    def command(*words: str, code: int = 0, plain: bool = False) -> Any:
        told = CliRunner().invoke(app, ["partner", *words, *([] if plain else ["--json"])])
        assert told.exit_code == code, told.output
        return (
            told.output
            if plain or (code == 1 and not told.stdout.startswith(("[", "{")))
            else json.loads(told.stdout)
        )

    yield command
    hub_of_process().engine.dispose()
    hub_of_process.cache_clear()
    settings.cache_clear()


def add(run: Run, **told: str) -> Any:
    words = [word for name, value in told.items() for word in (f"--{name}", value)]
    return run(
        "add", "ouqi_street", "--name", "瓯栖街道", "--institution", "330399T", "--agency", "street", *words
    )


def test_add_hands_out_what_the_partner_needs(run: Run, tmp_path: Path) -> None:
    made = add(run, limit="calls_per_s=5", deliver="https://street.example/hook", auth="tls+http")
    assert made["concord_keys"] == ["concord-ouqi_street-http-1", "concord-ouqi_street-tls-2"]
    folder = Path(made["folder"])
    assert {each.name for each in folder.iterdir()} == set(made["files"])
    assert not any(b"PRIVATE" in each.read_bytes() for each in folder.iterdir())
    sheet = json.loads((folder / "partner.json").read_text())
    assert sheet["limits"]["calls_per_s"] == 5.0
    assert sheet["auth"] == ["tls+http"]
    shown = run("show", "ouqi_street")
    assert shown["addresses"] == {"deliver": "https://street.example/hook"}
    assert [each["state"] for each in shown["keys"]] == ["in force", "in force"]
    listed = {each["id"]: each for each in run("list")}
    assert listed["ouqi_street"]["contract"] == "open"
    assert {each["contract"] for each in listed.values()} == {"open", "own"}
    assert run("list", plain=True).startswith("partners")
    assert "BUSINESS_KEY_CONFLICT" in run(
        "add", "ouqi_street", "--name", "x", "--institution", "y", "--agency", "z", code=1
    )


def test_what_is_wrong_is_said(run: Run, tmp_path: Path) -> None:
    assert "NOT_FOUND" in run("show", "nobody", code=1)
    assert "NOT_FOUND" in run("suspend", "nobody", "--reason", "x", code=1)
    add(run)
    assert "FIELD_MISSING" in run("suspend", "ouqi_street", "--reason", " ", code=1)
    assert "LIMIT_EXCEEDED" in run("change", "ouqi_street", "--limit", "burst=0", code=1)
    assert "SCHEMA_VIOLATION" in run("change", "ouqi_street", "--limit", "burst", code=1)
    (tmp_path / "k").write_bytes(b"-----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY-----")
    assert "private key never leaves" in run("keys", "ouqi_street", "--register", str(tmp_path / "k"), code=1)


def test_keys_are_registered_issued_and_revoked(run: Run, tmp_path: Path) -> None:
    add(run)
    for name, content in (("a.pem", public_pem("ed25519")), ("b.crt", pem("rsa"))):
        (tmp_path / name).write_bytes(content)
    run("keys", "ouqi_street", "--register", str(tmp_path / "a.pem"), "--key-id", "street-1")
    run("keys", "ouqi_street", "--register", str(tmp_path / "b.crt"), "--kind", "wss")
    found = run("keys", "ouqi_street", "--request", str(request_of(tmp_path, "client")))
    theirs = {each["kind"]: each for each in found if each["side"] == "theirs"}
    assert {kind: each["algorithm"] for kind, each in theirs.items()} == {
        "http": "ed25519", "wss": "rsa-sha256", "tls": "rsa-sha256",
    }  # fmt: skip
    assert b"BEGIN CERTIFICATE" in (tmp_path / "client.crt").read_bytes()
    assert "FIELD_MISSING" in run("keys", "ouqi_street", "--revoke", "street-1", code=1)
    found = run("keys", "ouqi_street", "--revoke", "street-1", "--reason", "换人")
    assert next(each["state"] for each in found if each["id"] == "street-1") == "revoked"


def test_ours_rotates_with_overlap(run: Run, engine: Engine) -> None:
    add(run, auth="http")
    made = run("rotate", "ouqi_street", "--lead-days", "7", "--overlap-days", "30", "--algorithm", "ed25519")
    keys = {each["id"]: each for each in run("keys", "ouqi_street")}
    assert keys[made["key"]]["state"] == "announced"
    assert keys[made["key"]]["algorithm"] == "ed25519"
    former = datetime.fromisoformat(keys["concord-ouqi_street-http-1"]["valid_to"])
    begin = datetime.fromisoformat(keys[made["key"]]["valid_from"])
    assert former - begin == timedelta(days=30)
    assert f"{made['key']}.pem" in made["files"]
    assert "LIMIT_EXCEEDED" in run("rotate", "ouqi_street", code=1)


def test_suspension_and_its_end(run: Run, engine: Engine) -> None:
    add(run)
    run("suspend", "ouqi_street", "--reason", "合同到期")
    with unit_of_work(engine) as uow:
        assert load(uow.conn).partners["ouqi_street"].state == "suspended"
        actor = uow.scalar("SELECT actor FROM exchange.journal WHERE kind = 'partner_suspended'")
    assert str(actor).startswith("cli/")
    shown = run("show", "ouqi_street")
    assert (shown["state"], shown["state_reason"]) == ("suspended", "合同到期")
    run("resume", "ouqi_street", "--reason", "续签")
    assert run("show", "ouqi_street")["state"] == "active"
    adapter = next(each["id"] for each in run("list") if each["contract"] == "own")
    run("suspend", adapter, "--reason", "维护")
    assert run("show", adapter)["state"] == "suspended"
    run("resume", adapter, "--reason", "维护结束")


class _Answers(BaseHTTPRequestHandler):
    status = 200
    taken: list[Parts]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = tuple((name.lower(), value) for name, value in self.headers.items())
        type(self).taken.append(Parts("POST", "http", self.headers["host"], self.path, "", headers, body))
        self.send_response(type(self).status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def answering() -> Iterator[tuple[type[_Answers], HTTPServer]]:
    handler = type("Handler", (_Answers,), {"taken": []})
    server = HTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield handler, server
    server.shutdown()
    server.server_close()


def test_the_call_is_signed_and_says_what_fails(
    run: Run, engine: Engine, answering: tuple[type[_Answers], HTTPServer]
) -> None:
    handler, server = answering
    add(run, auth="http")
    assert run("test", "ouqi_street", code=1)[-1]["what"] == "address"
    run("change", "ouqi_street", "--deliver", f"http://127.0.0.1:{server.server_port}/hook")
    steps = run("test", "ouqi_street")
    assert [each["what"] for each in steps] == ["address", "connection", "answer"]
    with unit_of_work(engine) as uow:
        row = uow.one("SELECT public_key FROM exchange.partner_key WHERE id = 'concord-ouqi_street-http-1'")
        assert row is not None
        parts = handler.taken[-1]
        check(parts, claimed(parts), public_key_of(bytes(row["public_key"]), "key"), uow.now)
    for status, words in ((401, "do not accept our signature"), (404, "no such address"), (302, "point elsewhere"),
                          (503, "fault of its own"), (429, "limit our rate"), (400, "refuse the test")):  # fmt: skip
        handler.status = status
        assert words in run("test", "ouqi_street", code=1)[-1]["mend"]
    run("change", "ouqi_street", "--deliver", "http://no-such-name.invalid/")
    assert run("test", "ouqi_street", code=1)[-1]["what"] == "name"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        run("change", "ouqi_street", "--deliver", f"http://127.0.0.1:{nobody.getsockname()[1]}/")
        assert "service is down" in run("test", "ouqi_street", code=1)[-1]["mend"]


def test_the_calls_tls_is_explained(
    run: Run, tmp_path: Path, answering: tuple[type[_Answers], HTTPServer]
) -> None:
    _, server = answering
    keys = KeyStore(tmp_path / "keys")
    add(run, auth="http")
    run("change", "ouqi_street", "--deliver", f"https://localhost:{server.server_port}/hook")
    assert "is it http?" in run("test", "ouqi_street", code=1)[-1]["mend"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(keys.folder / "api_tls.crt", keys.folder / "api_tls.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    assert [each["what"] for each in run("test", "ouqi_street")] == ["address", "connection", "tls", "answer"]
    run("change", "ouqi_street", "--deliver", f"https://127.0.0.1:{server.server_port}/hook")
    assert "another name than 127.0.0.1" in run("test", "ouqi_street", code=1)[-1]["mend"]
