"""Runs the commands of a page, block by block in one shell, against a system that was started for the tests."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from foundation.settings import DEFAULT_PORT_BASE, PORT_OFFSETS
from tests.docs.pages import Block
from tests.platform.tree import ROOT

WITHIN_S = 400
_ADDRESS = re.compile(r"127\.0\.0\.1:(\d{4})\b")
_VAR = re.compile(r"(?<![\w./-])var/")


@dataclass(frozen=True)
class Place:
    """Where the system of the tests lives. ``link``: its var folder under a name without blanks."""

    var_dir: Path
    link: Path
    port_base: int

    def command(self, text: str) -> str:
        """A documented command with this system's ports and folder in place of the usual ones."""
        return _VAR.sub(f"{self.link}/", _ADDRESS.sub(self._address, text))

    def _address(self, found: re.Match[str]) -> str:
        offset = int(found[1]) - DEFAULT_PORT_BASE
        return f"127.0.0.1:{self.port_base + offset}" if offset in PORT_OFFSETS.values() else found[0]


@dataclass(frozen=True)
class Ran:
    """A block that was run. ``code`` is None for one that the shell never finished."""

    block: Block
    code: int | None
    output: str


def run(place: Place, blocks: list[Block]) -> list[Ran]:
    """Run blocks one after another in one shell, which ends at the first command that fails."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        script = out / "script.sh"
        script.write_text(
            "set -e\n"
            + "".join(_guarded(place, each, out / str(number)) for number, each in enumerate(blocks)),
            encoding="utf-8",
        )
        environment = {
            **os.environ,
            "CONCORD_VAR_DIR": str(place.var_dir),
            "COLUMNS": "160",
            "NO_PROXY": "127.0.0.1,localhost",
        }
        subprocess.run(
            ["sh", str(script)], cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, timeout=WITHIN_S, check=False
        )  # fmt: skip
        return [_seen(each, out / str(number)) for number, each in enumerate(blocks)]


def _guarded(place: Place, block: Block, out: Path) -> str:
    body = place.command(block.body)
    if block.exit:
        return f"if {{\n{body}\n}} > {out} 2>&1\nthen echo 0 > {out}.code\nelse echo $? > {out}.code\nfi\n"
    return f"{{\n{body}\n}} > {out} 2>&1\necho 0 > {out}.code\n"


def _seen(block: Block, out: Path) -> Ran:
    code = Path(f"{out}.code")
    output = out.read_text(encoding="utf-8", errors="replace") if out.exists() else ""
    return Ran(block, int(code.read_text(encoding="ascii")) if code.exists() else None, output)
