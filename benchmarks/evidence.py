"""Evidence of 10,000 messages: exported as ASiC-E, verified offline; one-bit changes found and placed."""

from __future__ import annotations

import cProfile
import io
import json
import pstats
import random
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography import x509

from benchmarks.evidence_site import BATCH, Site, site
from benchmarks.postgres import migrated_database
from benchmarks.result import Result
from foundation import verify_evidence
from foundation.envelope import content_of
from foundation.unit_of_work import unit_of_work
from foundation.verify_evidence import Trust, verify
from hub import evidence

MESSAGES, QUICK_MESSAGES = 10_000, 300
CHANGES, QUICK_CHANGES = 1_000, 150
PROFILED = 500


def run(*, quick: bool, seed: int) -> Result:
    """Build a hub with sealed messages, export them, verify them in a process of its own, and change single bits."""
    messages, changes = (QUICK_MESSAGES, QUICK_CHANGES) if quick else (MESSAGES, CHANGES)
    folder = Path(tempfile.mkdtemp(prefix="concord-evidence-"))
    try:
        with migrated_database({"shared_buffers": "256MB"}) as url, site(url, folder, messages, seed) as made:
            return _measure(made, folder, changes, seed)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _measure(made: Site, folder: Path, changes: int, seed: int) -> Result:
    ours, plain = folder / "ours", folder / "plain"
    ours.mkdir()
    plain.mkdir()
    missing = 0
    began = time.perf_counter()
    with unit_of_work(made.hub.engine) as uow:
        for each in evidence.export(uow, made.messages):
            missing += each.missing is not None
            (ours / each.name).write_bytes(each.content)
    export_s = time.perf_counter() - began
    verify_s, verified = _verify_apart(made, folder, ours)
    trust = Trust(
        *(x509.load_pem_x509_certificates(pem.read_bytes()) for pem in (made.hub_pem, made.tsa_pem))
    )
    found, seen = _change_bits(ours, changes, seed, lambda data, at: _placed(data, at, trust))
    plain_export_s, plain_verify_s = _plain(made, plain)
    plain_found, _ = _change_bits(plain, changes, seed, lambda data, at: (not _plain_ok(data), ""))
    bytes_each = sum(path.stat().st_size for path in ours.iterdir()) // len(made.messages)
    wrong = []
    if missing or verified != len(made.messages):
        wrong.append(f"{missing} messages have no container, {verified} of {len(made.messages)} verify")
    if found != changes:
        wrong.append(f"{changes - found} changes not found or not placed, such as {seen}")
    return Result(
        {
            "messages": len(made.messages),
            "export_s": export_s,
            "verify_s": verify_s,
            "changes_tried": changes,
            "changes_found": found,
        },
        "a zip and SHA-256SUMS for each message, read from the same database, checked with zipfile and hashlib;"
        " a change counts as found there when anything is noticed, wherever",
        {"export_s": plain_export_s, "verify_s": plain_verify_s, "changes_found": plain_found},
        _bound_by(made, ours, trust),
        {
            "stamped batches": made.batches,
            "lines a batch": BATCH,
            "bytes a container": bytes_each,
            "export_per_s": len(made.messages) / export_s,
            "verify_per_s": len(made.messages) / verify_s,
        },
        "; ".join(wrong),
    )


def _verify_apart(made: Site, folder: Path, containers: Path) -> tuple[float, int]:
    """Seconds, start of Python included, and how many verify: a copy of the file alone, isolated, without sockets."""
    alone = folder / "alone"
    alone.mkdir()
    shutil.copy(verify_evidence.__file__, alone / "verify_evidence.py")
    closed = "import socket, sys, runpy; socket.socket = None; sys.argv = sys.argv[1:]"
    closed += "; runpy.run_path(sys.argv[0], run_name='__main__')"
    words = ["verify_evidence.py", "--hub", str(made.hub_pem), "--tsa", str(made.tsa_pem), str(containers)]
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-I", "-c", closed, *words], cwd=alone, capture_output=True, text=True, timeout=600, check=False
    )  # fmt: skip
    seconds = time.perf_counter() - began
    return seconds, sum(json.loads(line)["ok"] for line in done.stdout.splitlines() if line.startswith("{"))


def _change_bits(
    folder: Path, changes: int, seed: int, noticed: Callable[[bytes, int], tuple[bool, str]]
) -> tuple[int, str]:
    """How many of random one-bit changes of random files are noticed, and the first that is not."""
    chance = random.Random(seed)
    files = sorted(folder.iterdir(), key=str)
    found, missed = 0, ""
    for _ in range(changes):
        data = bytearray(chance.choice(files).read_bytes())
        at = chance.randrange(len(data))
        data[at] ^= 1 << chance.randrange(8)
        good, told = noticed(bytes(data), at)
        found += good
        missed = missed or ("" if good else told)
    return found, missed


def _placed(data: bytes, at: int, trust: Trust) -> tuple[bool, str]:
    """Whether the first thing that the verifier says names the changed byte: of a part, or of the file round it."""
    findings = verify(data, trust).findings
    if not findings:
        return False, f"byte {at}: nothing found"
    first = findings[0]
    if f"{at} of the file" in first.place:
        return True, ""
    # Inside a part: where its content starts is read off the headers before it, which are whole then.
    start = 0
    while data[start : start + 4] == b"PK\x03\x04":
        size, length = (
            int.from_bytes(data[start + o : start + o + w], "little") for o, w in ((18, 4), (26, 2))
        )
        name, begins = data[start + 30 : start + 30 + length].decode(), start + 30 + length
        if begins <= at < begins + size:
            good = (first.part, first.place) == (name, f"byte {at - begins}")
            return good, "" if good else f"byte {at - begins} of {name}: {first}"
        start = begins + size
    return False, f"byte {at} of the file: {first}"


def _plain(made: Site, folder: Path) -> tuple[float, float]:
    """The plainest thing: message, headers and outcome in a zip with their SHA-256 beside them."""
    began = time.perf_counter()
    with unit_of_work(made.hub.engine) as uow:
        for start in range(0, len(made.messages), 200):
            rows = uow.all(
                "SELECT id, content, data_key, headers::text AS headers, (result -> 'outcome')::text AS outcome"
                " FROM exchange.inbox WHERE id = ANY(:ids)",
                ids=made.messages[start : start + 200],
            )
            for row in rows:
                (folder / f"{row['id']}.zip").write_bytes(_plain_zip(uow, row))
    export_s = time.perf_counter() - began
    began = time.perf_counter()
    assert all(_plain_ok(path.read_bytes()) for path in folder.iterdir())
    return export_s, time.perf_counter() - began


def _plain_zip(uow: Any, row: Any) -> bytes:
    parts = {
        "message": content_of(uow, row),
        "headers": row["headers"].encode(),
        "outcome": row["outcome"].encode(),
    }
    sums = "".join(f"{sha256(content).hexdigest()}  {name}\n" for name, content in parts.items())
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in (*parts.items(), ("SHA256SUMS", sums.encode())):
            archive.writestr(name, content)
    return made.getvalue()


def _plain_ok(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            sums = archive.read("SHA256SUMS").decode().splitlines()
            return len(sums) == 3 and all(
                sha256(archive.read(line[66:])).hexdigest() == line[:64] for line in sums
            )
    except Exception:
        return False


def _bound_by(made: Site, containers: Path, trust: Trust) -> str:
    """Shares of the profiled time of export and of verification, both by one process on one core."""

    def export() -> None:
        with unit_of_work(made.hub.engine) as uow:
            for _ in evidence.export(uow, made.messages[:PROFILED]):
                pass

    some = sorted(containers.iterdir(), key=str)[:PROFILED]

    def check() -> None:
        for path in some:
            verify(path.read_bytes(), trust)

    return f"one core, in Python. Export: {_shares(export)}. Verification: {_shares(check)}"


# What a profiled function's own time is put down to: part of its file or name → the group, first match.
GROUPS = (
    (("ECPrivateKey", "ECPublicKey", "x509", "Certificate"), "ECDSA and certificates"),
    (("sqlalchemy", "psycopg", "selectors", "socket"), "the database's client"),
    (("decrypt", "keywrap", "Cipher", "envelope.py", "decompress"), "opening stored messages"),
    (("hashlib", "digest", "crc32"), "SHA-256 and CRC"),
    (("lxml", "etree", "_references"), "XML"),
    (("evidence", "cades.py", "merkle.py", "sealing.py"), "building and reading containers in Python"),
    (("posix", "io.", "pathlib", "write_bytes", "read_bytes"), "files"),
)


def _shares(work: Callable[[], None]) -> str:
    """Where the time goes, by groups of functions; those of 5 % and more."""
    profile = cProfile.Profile()
    profile.runcall(work)
    rows: Any = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    total = sum(row[2] for row in rows.values())
    shares: Counter[str] = Counter()
    for (file, _, name), row in rows.items():
        where = f"{file} {name}"
        group = next((group for words, group in GROUPS if any(w in where for w in words)), "other Python")
        shares[group] += row[2]
    return ", ".join(
        f"{group} {own / total:.0%}" for group, own in shares.most_common() if own / total >= 0.05
    )
