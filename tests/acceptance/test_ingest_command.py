"""`concord ingest` as an operator runs it: a JSON line a file, in their order, and an exit code that says how it went."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from foundation.settings import ROOT
from tests.acceptance.example_files import OFFICE_RECORDS, all_examples
from tests.acceptance.example_world import environment, set_up

pytestmark = pytest.mark.slow
FILES = {each.name[:3]: each for each in all_examples()}


def test_ingest_command(database_url: str, tmp_path: Path) -> None:
    set_up(database_url, tmp_path / "var").engine.dispose()

    def run(*arguments: str) -> tuple[int, list[dict[str, Any]], str]:
        done = subprocess.run(
            [sys.executable, "-m", "hub", *arguments],
            env=environment(database_url, tmp_path / "var"), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr[-2000:]
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        return done.returncode, lines, done.stderr

    def ingest(partner: str, *names: str, at: str = "") -> tuple[int, list[dict[str, Any]], str]:
        # Copies under other names: what a file is, is told by what is in it.
        paths = []
        for place, name in enumerate(names):
            source = FILES[name].path
            path = tmp_path / f"{place}.bin"
            path.write_bytes(source.read_bytes())
            paths.append(str(path))
        return run("ingest", partner, *paths, *(("--at", at) if at else ()))

    assert run("import-office", str(OFFICE_RECORDS))[0] == 0
    code, lines, _ = ingest("court", "c01", "c01", "c11", "c22")
    assert code == 1
    assert [line["result"] for line in lines] == ["accepted", "duplicate", "refused", "quarantined"]
    assert (
        lines[0]["records"] == 19
        and lines[0]["disputes"]
        and lines[0]["receipt_no"] == lines[1]["receipt_no"]
    )
    (finding,) = lines[2]["findings"]
    assert (finding["code"], finding["partner_code"]) == ("ID_CHECK_DIGIT", "C0305")
    assert lines[3]["answer"] == "C0208"
    code, (line,), _ = ingest("bank", "b01")
    assert (code, line["result"], line["records"]) == (0, "accepted", 5)
    code, lines, _ = ingest("arbitration", "a20", "a21", "a03")
    assert (code, [line["records"] for line in lines], lines[1]["rejected_records"]) == (0, [12, 3, 1], 1)
    code, (line,), _ = ingest("procuratorate", "j01", at="2026-03-02T09:01:00")
    assert (code, line["answer"]) == (0, "J0000")
    code, (line,), _ = ingest("procuratorate", "j02", at="2026-03-02T10:00:00")
    assert (code, line["findings"][0]["code"]) == (1, "TIMESTAMP_EXPIRED")
    code, lines, said = ingest("nobody", "c03")
    assert (code, lines) == (2, []) and "unknown partner" in said
    code, lines, said = ingest("court", "c03", at="yesterday")
    assert (code, lines) == (2, []) and "--at" in said
