"""Makes .venv from requirements.lock when it is missing or stale, then becomes the module asked for.

Run as a script by launch.sh, with any Python 3.11 or later and nothing but the standard library:
``environment.py MODULE [ARGUMENT...]`` ends as ``.venv/bin/python -m MODULE ARGUMENT...``.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "concord-stamp"
NEEDED_BYTES = 2 * 1024**3
TRY_AGAIN = "Run the same command again when that is mended; what was done so far is kept."
NO_NETWORK = re.compile(
    r"error sending request|dns error|failed to lookup|Name or service|Temporary failure in name|"
    r"Connection (refused|reset|timed out)|Network is unreachable|timed out|NewConnectionError|No route to host"
)


class Missing(Exception):
    """Something that the environment needs is not there; the text says what and what to do."""


def main() -> None:
    module, arguments = sys.argv[1], sys.argv[2:]
    try:
        if not up_to_date():
            with one_at_a_time():
                if not up_to_date():
                    make()
    except Missing as missing:
        print(f"Concord cannot make its environment: {missing}", file=sys.stderr)
        sys.exit(3)
    except KeyboardInterrupt:
        print("\nstopped while making the environment; the next run goes on from here", file=sys.stderr)
        sys.exit(130)
    os.environ.pop("PYTHONHOME", None)
    # A dozen processes start; without compiled files each would compile every package anew, a minute in all.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.execv(PYTHON, [str(PYTHON), "-m", module, *arguments])


def wanted() -> str:
    """What the stamp must say: the lock, the place (an editable install points at it) and the Python."""
    digest = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes()).hexdigest()
    return f"{digest}\n{ROOT}\n"


def up_to_date() -> bool:
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted()


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Hold the copy's lock file, so that ./run and ./check started together do not both install."""
    folder = ROOT / "var"
    try:
        folder.mkdir(exist_ok=True)
        handle = (folder / "environment.lock").open("w")
    except OSError as error:
        raise Missing(f"cannot write in {ROOT} ({error.strerror}). Use a copy that you own.") from None
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another Concord command is making the environment; waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def make() -> None:
    """Four steps, each idempotent; raises Missing with plain words."""
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED_BYTES:
        raise Missing(
            f"{free / 1024**3:.1f} GB are free where {ROOT} lies, and 2 GB are needed. Free some disk. {TRY_AGAIN}"
        )
    say(f"making the environment in {VENV} (first time: a minute or so)")
    if STAMP.exists():
        STAMP.unlink()
    make_venv()
    environment = tool_environment()
    if not list(VENV.glob("lib/python*/site-packages/pip/__init__.py")):
        step("    .venv has no pip: putting it in", [str(PYTHON), "-I", "-m", "ensurepip"], environment)
    step("2/4 the installer, by hash", install_uv_command(), environment)
    uv = [str(PYTHON), "-m", "uv", "pip"]
    locked = ["sync", "--require-hashes", "--python", str(PYTHON), str(LOCK)]
    step("3/4 the packages in requirements.lock, by hash", [*uv, *locked], environment)
    editable = ["install", "--no-deps", "--no-build-isolation", "--python", str(PYTHON), "-e", str(ROOT)]
    step("4/4 Concord itself, editable", [*uv, *editable], environment)
    (VENV / "bootstrap-uv.txt").unlink(missing_ok=True)
    STAMP.write_text(wanted(), encoding="utf-8")


def make_venv() -> None:
    if Path(sys.prefix).resolve() == VENV.resolve():
        say("1/4 .venv is there")
        return
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        raise Missing(
            f"{sys.executable} lacks the venv or ensurepip module. "
            f"Debian: apt-get install python3-venv. {TRY_AGAIN}"
        )
    if VENV.exists() and not (VENV / "pyvenv.cfg").exists():
        raise Missing(f"{VENV} is there and is not a Python environment. Move it away. {TRY_AGAIN}")
    version = ".".join(str(part) for part in sys.version_info[:3])
    step(f"1/4 .venv with Python {version}", [sys.executable, "-I", "-m", "venv", "--clear", str(VENV)], {})


def install_uv_command() -> list[str]:
    """pip installs uv alone, from its own lines in the lock, hashes and all."""
    text = LOCK.read_text(encoding="utf-8")
    found = re.search(r"^uv==.*(?:\n    .*)*", text, re.MULTILINE)
    if found is None:
        raise Missing("requirements.lock does not name uv. Get the file again from the repository.")
    alone = VENV / "bootstrap-uv.txt"
    alone.write_text(found.group(0) + "\n", encoding="utf-8")
    pip = [str(PYTHON), "-I", "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    return [*pip, "--no-deps", "--require-hashes", "-r", str(alone)]


def tool_environment() -> dict[str, str]:
    """Settings for uv: pip's index if the user has set one, and a cache it can write to."""
    # The system's certificates: an office's own proxy is known there and not to uv.
    found: dict[str, str] = {"UV_NO_PROGRESS": "1", "UV_SYSTEM_CERTS": os.environ.get("UV_SYSTEM_CERTS", "1")}
    index = os.environ.get("PIP_INDEX_URL") or configured_index()
    if index and not any(name in os.environ for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL")):
        found["UV_DEFAULT_INDEX"] = index
    cache = Path(os.environ.get("UV_CACHE_DIR") or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    writable = next((parent for parent in (cache, *cache.parents) if parent.exists()), cache)
    if not os.access(writable, os.W_OK):
        found["UV_CACHE_DIR"] = str(ROOT / "var" / "cache" / "uv")
    return found


def configured_index() -> str:
    asked = subprocess.run(
        [str(PYTHON), "-I", "-m", "pip", "config", "get", "global.index-url"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return asked.stdout.strip() if asked.returncode == 0 else ""


def step(title: str, command: list[str], extra: dict[str, str]) -> None:
    """Run one command quietly, with a sign of life every ten seconds; on failure show its last lines."""
    began = time.monotonic()
    say(f"{title} ...")
    log = ROOT / "var" / "environment.log"
    with log.open("w+", encoding="utf-8", errors="replace") as output:
        environment = {**os.environ, **extra}
        environment.pop("PYTHONHOME", None)
        child = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=environment, cwd=ROOT)
        while True:
            try:
                code = child.wait(timeout=10)
                break
            except subprocess.TimeoutExpired:
                say(f"    still at it after {time.monotonic() - began:.0f} s")
            except KeyboardInterrupt:
                child.wait(timeout=10)
                raise
        output.seek(0)
        told = output.read()
    if code != 0:
        tail = "\n".join(told.strip().splitlines()[-12:])
        if NO_NETWORK.search(told):
            raise Missing(
                f"packages cannot be fetched: no network, or no way to the package index.\n{tail}\n{TRY_AGAIN}"
            )
        if "No space left" in told:
            raise Missing(f"the disk is full.\n{tail}\n{TRY_AGAIN}")
        raise Missing(f"this step failed: {title}\n{tail}\n{TRY_AGAIN}")
    say(f"    done in {time.monotonic() - began:.1f} s")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
