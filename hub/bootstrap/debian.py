"""Debian's packages that the check uses: put in when root and absent, else said plainly."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

# Package, and a file that shows it is there.
PACKAGES = {
    "rabbitmq-server": Path("/usr/lib/rabbitmq/bin/rabbitmq-server"),
    "chromium": Path("/usr/bin/chromium"),
    "fonts-noto-cjk": Path("/usr/share/fonts/opentype/noto"),
}
UPDATE_WITHIN_S, INSTALL_WITHIN_S = 180, 600


def absent() -> list[str]:
    """Packages whose file is not there."""
    return [name for name, shown_by in PACKAGES.items() if not shown_by.exists()]


def install_absent() -> tuple[bool, str]:
    """Install what is absent. Returns whether all is there now, and a sentence about it."""
    wanted = absent()
    if not wanted:
        return True, f"there: {', '.join(PACKAGES)}"
    names = " ".join(wanted)
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return False, f"absent: {names}; as root: apt-get install {names}. Tests that need them are left out."
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    quiet = ["apt-get", "-qq", "-o", "Dpkg::Use-Pty=0"]
    for command, within in (
        ([*quiet, "update"], UPDATE_WITHIN_S),
        ([*quiet, "install", "-y", "--no-install-recommends", *wanted], INSTALL_WITHIN_S),
    ):
        done = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=within, check=False
        )  # fmt: skip
        if done.returncode != 0:
            told = (done.stderr or done.stdout).strip().splitlines()[-3:]
            return False, f"{' '.join(command[-3:])} failed: {' '.join(told)}"
    left = absent()
    return not left, f"still absent: {' '.join(left)}" if left else f"installed: {names}"
