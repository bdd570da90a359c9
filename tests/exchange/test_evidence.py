"""Evidence: any message's fate can be shown and checked offline; what was touched is found and placed."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import Engine

from foundation import cades, inbox, verify_evidence
from foundation.actors import SYSTEM
from foundation.keys import KeyStore
from foundation.sealing import seal
from foundation.unit_of_work import unit_of_work
from foundation.verify_evidence import SIGNATURE, SIGNED, STAMP, STAMPED, Trust, packed, verify
from hub.replaying import replay_inbox
from schemas.exchange import RawMessage
from schemas.findings import Refused
from tests.exchange.evidence_side import EvidenceWorld, evidence_world, parts_of

pytestmark = pytest.mark.slow


@pytest.fixture
def world(engine: Engine, database_url: str, tmp_path: Path) -> Iterator[EvidenceWorld]:
    made = evidence_world(engine, database_url, tmp_path)
    yield made
    made.authority.stop()


def repacked(container: bytes, **changed: bytes) -> bytes:
    """The same container with other parts, its zip as right as we can make it."""
    parts = {**parts_of(container), **changed}
    return packed([(name, parts[name]) for name in verify_evidence.PARTS if name in parts])


def test_messages_in_and_out_verify(world: EvidenceWorld) -> None:
    taken, refused = world.take(1), world.take(2, b"\x00\xff not readable", "REFUSED")
    sent, given_up = world.send(1), world.send(2, "PERMANENT")
    world.seal()
    for each, way, fate in ((taken, "in", "applied"), (refused, "in", "refused"), (sent, "out", "sent"),
                               (given_up, "out", "given_up")):  # fmt: skip
        report = verify(world.container(each, way), world.trust)  # type: ignore[arg-type]
        assert report.findings == [] and report.told["fate"] == fate
    parts = parts_of(world.container(refused))
    assert parts["message.bin"] == b"\x00\xff not readable" and b"R00" not in parts["outcome.json"]
    assert parts_of(world.container(sent, "out"))["reply.bin"] == b"<ack>ok</ack>"


def test_it_is_an_asic_e_container_that_others_read(world: EvidenceWorld, tmp_path: Path) -> None:
    message = world.take(1)
    world.seal()
    made = world.container(message)
    # EN 319 162-1, 6.2.2: the first entry is the type, stored, so that the file is known by its first bytes.
    assert made[30:38] == b"mimetype" and made[38:69] == b"application/vnd.etsi.asic-e+zip"
    if shutil.which("openssl") is None:
        pytest.skip("OpenSSL's command is not here")
    with zipfile.ZipFile(io.BytesIO(made)) as opened:
        assert opened.testzip() is None
        opened.extractall(tmp_path / "open")
    hub = tmp_path / "hub.pem"
    hub.write_bytes(world.trust.hubs[0].public_bytes(Encoding.PEM))
    for words in (
        ["cms", "-verify", "-binary", "-inform", "DER", "-in", SIGNATURE, "-content", SIGNED, "-CAfile", str(hub),
         "-partial_chain", "-purpose", "any", "-out", str(tmp_path / "out")],
        ["ts", "-verify", "-data", STAMPED, "-in", STAMP, "-token_in", "-CAfile", str(tmp_path / "authority.crt")],
    ):  # fmt: skip
        done = subprocess.run(
            ["openssl", *words],
            cwd=tmp_path / "open",
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_each_bit_of_every_part_is_missed_and_placed(world: EvidenceWorld) -> None:
    message = world.take(1)
    world.seal()
    made = world.container(message)
    assert verify(made, world.trust).findings == []
    places = {name: made.index(content) for name, content in parts_of(made).items()}
    directory = made.index(b"PK\x01\x02")
    for at in range(0, len(made), 11):
        touched = bytearray(made)
        touched[at] ^= 1 << at % 8
        first = verify(bytes(touched), world.trust).findings[0]
        part = next((n for n, start in places.items() if start <= at < start + len(parts_of(made)[n])), "")
        if part and at < directory:
            assert (first.part, first.place) == (part, f"byte {at - places[part]}"), at
        else:
            assert f"{at} of the file" in first.place, (at, first)
    for cut in (0, 10, len(made) // 2, len(made) - 1):
        assert verify(made[:cut], world.trust).findings
    assert verify(made + b"x", world.trust).findings


def test_a_forged_part_is_named_though_the_zip_is_made_anew(world: EvidenceWorld) -> None:
    message, other = world.take(1), world.take(2)
    world.seal()
    made, foreign = world.container(message), parts_of(world.container(other))
    parts = parts_of(made)
    content = parts["message.bin"]
    found = verify(
        repacked(made, **{"message.bin": content[:300] + b"ZZ" + content[302:]}), world.trust
    ).findings
    assert found[0].part == "message.bin" and found[0].place == "bytes 256 to 511"
    assert any("journal line" in each.what for each in found)
    for part in ("message.bin", "headers.json", "outcome.json", "line.json", "proof.json", "batch.json", "blocks.json",
                 STAMPED, STAMP, SIGNED, SIGNATURE):  # fmt: skip
        change = parts[part][:-2] + bytes([parts[part][-2] ^ 1]) + parts[part][-1:]
        found = verify(repacked(made, **{part: change}), world.trust).findings
        assert any(part in (each.part, *each.what.split()) for each in found), (part, found)
    swapped = {name: foreign[name] for name in ("message.bin", "headers.json", "outcome.json")}
    assert verify(repacked(made, **swapped), world.trust).findings
    gone = packed([(name, content) for name, content in parts.items() if name != "headers.json"])
    assert [each.part for each in verify(gone, world.trust).findings][:1] == ["headers.json"]


def test_rubbish_is_reported_and_never_raises(world: EvidenceWorld) -> None:
    message = world.take(1)
    world.seal()
    made = world.container(message)
    parts = parts_of(made)
    chance = random.Random(7)
    for _ in range(400):
        touched = bytearray(made)
        start = chance.randrange(len(made))
        touched[start : start + chance.randrange(1, 40)] = chance.randbytes(chance.randrange(0, 40))
        if bytes(touched) != made:
            assert verify(bytes(touched), world.trust).findings
    for part in parts:
        for content in (
            b"",
            b"[" * 100_000,
            b"{}",
            b"\x30\x80\x00\x00",
            b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            b"null",
        ):
            assert verify(repacked(made, **{part: content}), world.trust).findings, part


def test_another_signer_or_authority_is_not_believed(world: EvidenceWorld, tmp_path: Path) -> None:
    message = world.take(1)
    world.seal()
    made = world.container(message)
    stranger = KeyStore(tmp_path / "stranger")
    cades.prepare(stranger)
    parts = parts_of(made)
    signed = cades.evidence_signer(stranger).sign(parts[SIGNED], world.trust.hubs[0].not_valid_before_utc)
    found = verify(repacked(made, **{SIGNATURE: signed}), world.trust).findings
    assert [each.part for each in found] == [SIGNATURE] and "not trusted" in found[0].what
    # Trust in an authority is no trust in a hub, and the other way round.
    both = Trust(world.trust.authorities, world.trust.hubs)
    assert {each.part for each in verify(made, both).findings} == {SIGNATURE, STAMP}


def test_a_line_or_message_altered_by_sql_gives_no_evidence(world: EvidenceWorld, engine: Engine) -> None:
    first, second, third = (world.take(number) for number in range(3))
    world.seal()
    with unit_of_work(engine) as uow:
        uow.execute("SET LOCAL session_replication_role = replica")
        uow.execute("UPDATE exchange.journal SET actor = 'x' WHERE detail ->> 'inbox' = :id", id=str(first))
        uow.execute("UPDATE exchange.inbox SET headers = '{}' WHERE id = :id", id=second)
    codes = [each.missing.code if each.missing else "" for each in world.made(first, second, third)]
    assert codes == ["EVIDENCE_BROKEN", "EVIDENCE_BROKEN", ""]
    # Whoever writes the seals anew as well has a root that no authority has stamped.
    with unit_of_work(engine) as uow:
        uow.execute("SET LOCAL session_replication_role = replica")
        uow.execute("UPDATE exchange.journal SET batch = NULL, leaf = NULL, no = NULL, hash = NULL")
        token = uow.scalar("SELECT token FROM exchange.journal_batch")
        uow.execute("DELETE FROM exchange.journal_batch")
        uow.execute("DELETE FROM exchange.journal_chain")
    with unit_of_work(engine) as uow:
        assert seal(uow) is not None
        uow.execute("UPDATE exchange.journal_batch SET token = :token, stamped_at = now()", token=token)
    found = verify(world.container(first), world.trust).findings
    assert [(each.part, each.what) for each in found] == [
        (STAMP, "Broken: the time stamp is over something else")
    ]


def test_erased_content_leaves_a_proof_of_its_hash(world: EvidenceWorld, engine: Engine) -> None:
    message = world.take(1)
    with unit_of_work(engine) as uow:
        waits = inbox.store_in(uow, RawMessage("p", "push", "", b"undecided", uow.now))
        assert not inbox.erase(uow, waits.id, "too early")
        assert inbox.erase(uow, message, "依法删除") and not inbox.erase(uow, message, "again")
        row = uow.one("SELECT * FROM exchange.inbox WHERE id = :id", id=message)
        assert row is not None
        with pytest.raises(Exception, match="erased"):
            inbox.raw_of(uow, row)
    refused = world.take(2, state="REFUSED")
    with unit_of_work(engine) as uow:
        assert inbox.erase(uow, refused, "依法删除")
    with pytest.raises(Refused, match="UNKNOWN_ORIGINAL"):
        replay_inbox(world.hub, refused, "again", SYSTEM)
    world.seal()
    made = world.container(message)
    assert "message.bin" not in parts_of(made) and verify(made, world.trust).findings == []
