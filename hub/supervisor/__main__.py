"""``./run``: everything started, the flagship story played, then up until Ctrl-C."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from hub.supervisor.commands import run_shown
from hub.supervisor.failures import StartFailed, Stopped
from hub.supervisor.greeting import greeting
from hub.supervisor.ports import PortBusy
from hub.supervisor.system import Options, System, default_var_dir
from hub.supervisor.written import AlreadyRuns

HISTORY_WITHIN_S = 3600.0
STORY_WITHIN_S = 600.0
EXIT_FAILED, EXIT_CANNOT_START = 1, 3


def main() -> int:
    options = _read_arguments()
    system = System(
        Options(
            with_airflow=not options.without_airflow,
            port_base=options.port_base,
            var_dir=options.var_dir,
            say=say,
            whole_process=True,
        )
    )
    system.stop_on_signals()
    code = 0
    try:
        code = _work(system, options)
    except (AlreadyRuns, PortBusy) as problem:
        say(str(problem))
        code = EXIT_CANNOT_START
    except StartFailed as problem:
        say(f"Concord did not start: {problem}")
        code = EXIT_FAILED
    except Stopped:
        code = EXIT_FAILED if options.once else 0
    finally:
        began = time.monotonic()
        system.stop()
        if hasattr(system, "ports"):
            say(f"stopped in {time.monotonic() - began:.1f} s; nothing is left running")
    return code


def _work(system: System, options: argparse.Namespace) -> int:
    system.start()
    history = run_shown("hub.supervisor.history", [str(options.history)], system, HISTORY_WITHIN_S)
    if history != 0:
        say(f"the synthetic history could not be loaded (code {history})")
        return EXIT_FAILED
    told = run_shown("hub", ["story", "flagship"], system, STORY_WITHIN_S)
    if told != 0:
        say(f"the flagship story did not end as it must (code {told})")
        if options.once:
            return EXIT_FAILED
    system.wait_airflow()
    say(greeting(system))
    if options.once:
        return 0
    while not system.stopping.wait(1.0):
        pass
    return 0


def _read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./run", description="Start Concord, play the flagship story, stay up."
    )
    parser.add_argument(
        "--once", action="store_true", help="end after the story: 0 when it went right, 1 when not"
    )
    parser.add_argument(
        "--without-airflow", action="store_true", help="leave Airflow out (starts in seconds)"
    )
    parser.add_argument(
        "--history", type=int, default=2000, metavar="N", help="synthetic disputes to load (2000)"
    )
    parser.add_argument(
        "--port-base", type=int, metavar="N", help="first of this copy's ports (8600, or the next free)"
    )
    parser.add_argument(
        "--var-dir", type=Path, default=default_var_dir(), help="where data, keys and logs lie (var)"
    )
    options = parser.parse_args()
    if options.history < 0:
        parser.error("--history takes a number of 0 or more")
    options.var_dir = options.var_dir.resolve()
    return options


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
