"""``./check [fast|full]``: sets up what is absent and checks everything, one section after another.

``fast`` is the everyday part: format, lint, types, imports and quick tests, all beside each other. Without an
argument the whole check: all tests, documents, one browser test, one end-to-end run with Airflow. ``full`` adds
the long runs. Exit code 0 only when every section passed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from hub.bootstrap.debian import absent, install_absent

ROOT = Path(__file__).resolve().parents[2]
# pytest's exit code when a selection holds no test.
NO_TESTS = 5


@dataclass(frozen=True)
class Section:
    """A named command. ``shown``: its output goes straight to the reader; else only when it fails."""

    name: str
    command: list[str]
    shown: bool = False
    may_be_empty: bool = False


def tool(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def pytest(selection: str, *arguments: str) -> list[str]:
    return tool("pytest", "-m", selection, *arguments)


STATIC = [
    Section("format", tool("ruff", "format", "--check", "--quiet", ".")),
    Section("lint", tool("ruff", "check", "--quiet", ".")),
    Section("types", tool("mypy")),
    Section("imports", [str(Path(sys.executable).parent / "lint-imports"), "--no-logo"]),
]
# Two runs beside each other, one a core; each imports only what its folders need.
FIRST_HALF = ["tests/connectors", "tests/schemas"]
NOT_EVERY_DAY = [
    f"tests/{folder}"
    for folder in ("acceptance", "benchmarks", "console", "docs", "exchange", "linkage", "sandbox")
]
QUICK = [
    Section("quick tests of adapters and language", pytest("quick", *FIRST_HALF), shown=True),
    Section(
        "quick tests of the rest",
        pytest("quick", "tests", *(f"--ignore={folder}" for folder in [*FIRST_HALF, *NOT_EVERY_DAY])),
        shown=True,
    ),
]
TESTS = Section(
    "tests",
    # In the order of the folders, long ones first: by number of tests the longest would come last, alone.
    pytest(
        "not alone and not browser and not docs and not long",
        *("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "--durations=20", "--durations-min=3"),
    ),
    shown=True,
)
DOCS = Section("documents", pytest("docs and not alone"), shown=True, may_be_empty=True)
BROWSER = Section("browser", pytest("browser"), shown=True, may_be_empty=True)
# Whole runs in a place and on ports of their own can be beside others; what counts their seconds cannot.
OWN_PLACE = ["tests/acceptance", "tests/benchmarks", "tests/docs"]
STORIES = Section("stories, kills, quick start", pytest("alone and not long", *OWN_PLACE), shown=True)
ALONE = Section(
    "whole system, end to end with Airflow",
    pytest("alone and not long", "tests", *(f"--ignore={folder}" for folder in OWN_PLACE)),
    shown=True,
)
LONG = Section("long runs", pytest("long"), shown=True, may_be_empty=True)


def main() -> int:
    arguments = sys.argv[1:]
    if len(arguments) > 1 or not {*arguments} <= {"fast", "full"}:
        print(__doc__.strip())
        return 0 if arguments in (["--help"], ["-h"]) else 2
    began = time.monotonic()
    failed = fast() if arguments == ["fast"] else whole(long_runs=arguments == ["full"])
    took = f"{time.monotonic() - began:.0f} s"
    print(
        f"== check: {'FAILED: ' + ', '.join(failed) if failed else 'all sections passed'} ({took})",
        flush=True,
    )
    return 1 if failed else 0


def fast() -> list[str]:
    """Static checks beside the quick tests; their output is shown when all are done, so that it does not mix."""
    return two_at_once([*QUICK, *STATIC])


def two_at_once(sections: list[Section]) -> list[str]:
    """Run sections beside each other, one a core; the names of those that failed."""
    with ThreadPoolExecutor(max_workers=2) as beside:
        running = {section.name: beside.submit(run, section, captured=True) for section in sections}
        return [name for name, waiting in running.items() if not waiting.result()]


def whole(*, long_runs: bool) -> list[str]:
    there, told = install_absent()
    header("set-up")
    print(f"   {told}")
    beside = [DOCS]
    if "chromium" in absent():
        print("   the browser section is left out: no chromium")
    else:
        beside.append(BROWSER)
    failed = two_at_once(STATIC)
    failed += [] if run(TESTS) else [TESTS.name]
    failed += two_at_once([*beside, STORIES])
    failed += [section.name for section in [ALONE, *([LONG] if long_runs else [])] if not run(section)]
    # As root everything can be put in, so its absence is a failure; an ordinary user is only told.
    return failed + (["set-up"] if not there and os.geteuid() == 0 else [])


def run(section: Section, *, captured: bool = False) -> bool:
    """Run one section and print its line; True when it passed."""
    began = time.monotonic()
    output: int | None = subprocess.PIPE if captured or not section.shown else None
    if output is None:
        header(section.name)
    done = subprocess.run(
        section.command, cwd=ROOT, stdin=subprocess.DEVNULL,
        stdout=output, stderr=subprocess.STDOUT if output else None, text=True, check=False,
    )  # fmt: skip
    passed = done.returncode == 0 or (done.returncode == NO_TESTS and section.may_be_empty)
    took = time.monotonic() - began
    told = (done.stdout or "").rstrip() if section.shown or not passed else ""
    verdict = "ok" if passed else f"FAILED (exit {done.returncode})"
    print(
        "\n".join(part for part in (told, f"== {section.name}: {verdict} in {took:.1f} s") if part),
        flush=True,
    )
    return passed


def header(name: str) -> None:
    print(f"== {name} ...", flush=True)


if __name__ == "__main__":
    sys.exit(main())
