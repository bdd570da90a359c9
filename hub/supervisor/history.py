"""``python -m hub.supervisor.history N``: load N synthetic disputes unless they are there."""

from __future__ import annotations

import sys
import time

from hub import jobs


def main() -> None:
    count = int(sys.argv[1])
    began = time.monotonic()
    told = jobs.load_history(count)
    print(f"synthetic history: {told} ({time.monotonic() - began:.1f} s)", flush=True)


if __name__ == "__main__":
    main()
