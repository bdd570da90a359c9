"""What becomes of every published example: each is given to ``./concord ingest``, and the results are written down.

``python -m tests.docs.examples --write`` brings docs/partner/examples.md up to date; a test compares it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connectors import all_connectors
from escrow import all_rails
from foundation import embedded_postgres
from foundation.clock import move_clock
from foundation.database import make_engine
from hub import migrate
from tests.acceptance.hub_process import API, RunningHub, running_hub
from tests.conftest import free_port
from tests.docs.rows import code, table
from tests.platform.tree import ROOT

PAGE = ROOT / "docs" / "partner" / "examples.md"
# The office's own records, among which the partners' messages belong.
OWN_RECORDS = ROOT / "sandbox" / "story_pack" / "contract" / "mediation_records.csv"
WITHIN_S = 400
BEGIN, END = "<!-- results -->\n", "<!-- end of results -->"
# After every date in the examples: a date in the future would be remarked upon.
RECEIVED_AT = datetime(2026, 7, 1, 1, 0, tzinfo=UTC)
KINDS = {"valid": "right", "awkward": "odd, to be taken", "invalid": "wrong, to be refused"}


def page_of(database_url: str, var_dir: Path) -> str:
    """The page's text, with the results of this moment. The database must be migrated and empty."""
    engine = make_engine(database_url)
    with engine.begin() as conn:
        move_clock(conn, RECEIVED_AT)
    engine.dispose()
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    return head + BEGIN + _results(database_url, var_dir) + END + tail


def _results(database_url: str, var_dir: Path) -> str:
    parts = []
    with running_hub(database_url, var_dir, processes=(API,)) as hub:
        loaded = _command(hub, "import-office", str(OWN_RECORDS))
        assert loaded.returncode == 0, loaded.stderr[-2000:]
        for name, folder in folders().items():
            files = sorted(
                path for path in folder.iterdir() if path.is_file() and not path.name.endswith(".expect.json")
            )
            given = [path for path in files for _ in range(2 if _needs_a_second_look(path) else 1)]
            done = _command(hub, "ingest", name, *map(str, given))
            lines = [json.loads(line) for line in done.stdout.splitlines()]
            assert len(lines) == len(given), done.stderr[-2000:]
            last = dict(zip(given, lines, strict=True))
            rows = [_row(path, told) for path, told in last.items()]
            columns = ["example", "what it is", "result", "records", "findings", "notes"]
            parts.append(f"\n## `{name}`\n\n{table(columns, rows)}")
    return "".join(parts)


def _command(hub: RunningHub, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hub", *arguments],
        env=hub.environment, cwd=ROOT, capture_output=True, text=True, timeout=WITHIN_S, check=False,
    )  # fmt: skip


def folders() -> dict[str, Path]:
    """Folders of examples by the id of their adapter or rail."""
    found = {each.id: each.folder / "examples" for each in all_connectors().values()}
    found.update({each.id: each.folder / "examples" for each in all_rails().values()})
    return {name: folder for name, folder in found.items() if folder.exists()}


def expectation(path: Path) -> dict[str, Any]:
    """What the contract says must come of an example."""
    found: dict[str, Any] = json.loads(Path(f"{path}.expect.json").read_text(encoding="utf-8"))
    return found


def _needs_a_second_look(path: Path) -> bool:
    """A replay shows only when the same message comes again."""
    reports = expectation(path)["expected"].get("report", ())
    return any("send this file twice" in str(each["expected"]) for each in reports)


def _row(path: Path, told: dict[str, Any]) -> tuple[object, ...]:
    expected = expectation(path)
    records = told.get("records", told.get("meta", {}).get("lines", ""))
    return (
        code(path.name), KINDS.get(expected["kind"], expected["kind"]), _result(path, told), records or "",
        _said(told["findings"]), _said(told["notes"]),
    )  # fmt: skip


def _result(path: Path, told: dict[str, Any]) -> str:
    return str(told["result"]) + (", the second time" if _needs_a_second_look(path) else "")


def _said(findings: list[dict[str, str]]) -> str:
    """Codes, each with its first place."""
    places: dict[str, list[str]] = {}
    for each in findings:
        places.setdefault(each["code"], []).append(each["path"])
    return "<br>".join(
        f"{code(name)} at {code(found[0])}" + (f" and {len(found) - 1} more" if len(found) > 1 else "")
        for name, found in places.items()
    )


@contextmanager
def own_database() -> Iterator[str]:
    """URL of a migrated database on a PostgreSQL of its own, gone afterwards."""
    base = Path("/var/tmp" if os.geteuid() == 0 else tempfile.gettempdir())
    base = base / f"concord-examples-{uuid.uuid4().hex[:8]}"
    cluster = embedded_postgres.locate(base, free_port())
    try:
        embedded_postgres.start(cluster, durable=False)
        embedded_postgres.create_database(cluster, "concord")
        migrate.upgrade(cluster.url("concord"), movable_clock=True)
        yield cluster.url("concord")
    finally:
        embedded_postgres.stop(cluster)
        shutil.rmtree(base, ignore_errors=True)


def main() -> int:
    with own_database() as url, tempfile.TemporaryDirectory() as var_dir:
        made = page_of(url, Path(var_dir))
    if "--write" in sys.argv:
        PAGE.write_text(made, encoding="utf-8")
    else:
        print(made)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
