"""Put on PYTHONPATH by ``./bench crash``: the API and the worker get the hooks of ``benchmarks.crash_hooks``."""

import os
import sys

_PROGRAMS = {"exchange_api": "api", "hub.worker": "worker"}


def _program() -> str:
    """Which program ``python -m MODULE`` is about to run; sys.argv is not made yet at this moment."""
    given = sys.orig_argv
    return _PROGRAMS.get(given[given.index("-m") + 1], "") if "-m" in given else ""


if os.environ.get("CONCORD_CRASH_DIR") and _program():
    from pathlib import Path

    from benchmarks.crash_hooks import install

    install(Path(os.environ["CONCORD_CRASH_DIR"]), _program())
