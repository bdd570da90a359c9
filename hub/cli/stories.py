"""``./concord story NAME…|all``: plays stories in a process of their own, against the hub that runs or one it starts."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Annotated

import typer

from foundation.settings import ROOT, settings
from hub.cli.output import errors

WITHIN_S = 3600


def story(
    names: Annotated[list[str], typer.Argument(help="story names, or all")],
    seed: Annotated[int | None, typer.Option(help="rewrite names, sums, dates and ids by this seed")] = None,
    swap: Annotated[
        int | None,
        typer.Option(help="this step's message arrives after the next one's; 0: each pair that may, in turn"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line a step")] = False,
) -> None:
    """Exit 0 only if every step of every story matched."""
    from hub.supervisor import Options, System, running_copy

    running = running_copy(settings().var_dir)
    if running:
        raise typer.Exit(_play(names, seed, swap, as_json))
    errors.print("nothing runs yet: starting what the story needs, and stopping it again")
    system = System(
        Options(with_airflow=False, var_dir=settings().var_dir, say=lambda text: errors.print(text))
    )
    try:
        system.start()
        settings.cache_clear()
        code = _play(names, seed, swap, as_json)
    finally:
        system.stop()
    raise typer.Exit(code)


def _play(names: list[str], seed: int | None, swap: int | None, as_json: bool) -> int:
    found = settings()
    command = [
        sys.executable, "-m", "sandbox.stories", *names,
        "--hub", f"http://127.0.0.1:{found.port('api')}",
        "--stand-in", f"http://127.0.0.1:{found.port('sandbox_partners')}",
        "--stand-in", f"http://127.0.0.1:{found.port('sandbox_bank')}",
        "--logins", str(found.var_dir / "run" / "logins.json"),
    ]  # fmt: skip
    if seed is not None:
        command += ["--seed", str(seed)]
    if swap is not None:
        command += ["--swap", str(swap)]
    if as_json:
        command.append("--json")
    return subprocess.run(command, cwd=ROOT, timeout=WITHIN_S).returncode


def known_logins() -> dict[str, str]:
    """Log-in names and passwords of this copy, made at set-up."""
    path = settings().var_dir / "run" / "logins.json"
    told: dict[str, str] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return told
