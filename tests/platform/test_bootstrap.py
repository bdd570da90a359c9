"""What happens before there is an environment: found Python, plain words, standard library only."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub.bootstrap import environment
from tests.platform.tree import ROOT

BOOTSTRAP = ROOT / "hub" / "bootstrap"


@pytest.mark.parametrize("script", sorted(BOOTSTRAP.glob("*.py")), ids=lambda path: path.name)
def test_it_needs_the_standard_library_only(script: Path) -> None:
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for module in modules:
            assert module.startswith("hub.bootstrap") or module.split(".")[0] in sys.stdlib_module_names, (
                module
            )


@pytest.mark.parametrize("script", ["run", "check", "concord", ".ci/run"])
def test_scripts_may_be_executed(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)


def test_no_python_is_said_plainly(tmp_path: Path) -> None:
    """A path with the shell's own tools and an old Python only."""
    copy = tmp_path / "a copy" / "hub" / "bootstrap"
    copy.mkdir(parents=True)
    (copy / "launch.sh").write_text((BOOTSTRAP / "launch.sh").read_text(encoding="utf-8"), encoding="utf-8")
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("sh", "dirname"):
        (tools / name).symlink_to(Path("/usr/bin" if Path(f"/usr/bin/{name}").exists() else "/bin") / name)
    old = tools / "python3"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
    old.chmod(0o755)
    told = subprocess.run(
        ["/bin/sh", str(copy / "launch.sh"), "hub"],
        env={"PATH": str(tools)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 3
    assert "needs Python 3.11 or later" in told.stderr
    assert "CONCORD_PYTHON" in told.stderr


def test_a_changed_lock_makes_the_environment_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, stamp = tmp_path / "requirements.lock", tmp_path / "stamp"
    lock.write_bytes(environment.LOCK.read_bytes())
    monkeypatch.setattr(environment, "LOCK", lock)
    monkeypatch.setattr(environment, "STAMP", stamp)
    assert not environment.up_to_date()
    stamp.write_text(environment.wanted(), encoding="utf-8")
    assert environment.up_to_date()
    lock.write_bytes(lock.read_bytes() + b"\n")
    assert not environment.up_to_date()


def test_no_disk_is_said_plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "NEEDED_BYTES", 2**60)
    with pytest.raises(environment.Missing, match=r"GB are free.*2 GB are needed"):
        environment.make()


@pytest.mark.slow
def test_a_failing_step_shows_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    (tmp_path / "var").mkdir()
    for text, expected in (
        ("error sending request for url", "no network"),
        ("No space left on device", "disk is full"),
        ("strange", "this step failed: one"),
    ):
        code = f"import sys; print({text!r}); sys.exit(1)"
        with pytest.raises(environment.Missing, match=expected):
            environment.step("one", [sys.executable, "-c", code], {})
