"""``./bench NAME [--quick] [--seed N]``: run one benchmark; ``--list`` names them. Last line: one JSON object."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import signal
import sys

from rich.console import Console
from rich.table import Table

from benchmarks.result import KEYS, Result


def built() -> list[str]:
    """Names of the benchmarks that there are."""
    return [name for name in KEYS if importlib.util.find_spec(f"benchmarks.{name}") is not None]


def main(arguments: list[str] | None = None) -> int:
    """Exit code 0 when the run is valid, 1 when it found something lost or wrong, 2 for a wrong name."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("name", nargs="?", choices=built())
    parser.add_argument("--list", action="store_true", help="name the benchmarks")
    parser.add_argument("--quick", action="store_true", help="the same keys in under 10 s")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=None, help="money: how many runs")
    asked = parser.parse_args(arguments)
    if asked.list or not asked.name:
        for name in built():
            doc = (importlib.import_module(f"benchmarks.{name}").__doc__ or "").strip().splitlines()[0]
            print(f"{name:12} {doc}")
        return 0
    # Asked to end, it takes down what it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    module = importlib.import_module(f"benchmarks.{asked.name}")
    extra = {"runs": asked.runs} if asked.runs is not None and asked.name == "money" else {}
    result: Result = module.run(quick=asked.quick, seed=asked.seed, **extra)
    show(asked.name, result)
    print(result.line(asked.name, quick=asked.quick, seed=asked.seed))
    return 1 if result.failed else 0


def show(name: str, result: Result) -> None:
    """The readable table."""
    table = Table(title=f"bench {name}", show_header=False)
    for group, values in (
        ("", result.figures),
        (result.baseline_what, result.baseline),
        ("also", result.also),
    ):
        if group:
            table.add_section()
            table.add_row(f"[bold]{group}[/bold]", "")
        for key, value in values.items():
            table.add_row(key, f"{value:,.2f}" if isinstance(value, float) else str(value))
    table.add_section()
    table.add_row("bound by", result.bound_by)
    if result.failed:
        table.add_row("[red]failed[/red]", result.failed)
    Console(width=110).print(table)


if __name__ == "__main__":
    sys.exit(main())
