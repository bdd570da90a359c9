"""Python's garbage collector in long-lived processes: what stays for good is not looked at again and again."""

from __future__ import annotations

import gc

# Objects made before a collection of the youngest; of the usual 700, thousands a second come and go with each message.
YOUNG = 20_000


def collect_seldom() -> None:
    """Take what is loaded now out of the collector's sight, and let it look seldom; once, when a process is set up.

    A collection costs the more the more is loaded: it took a fifteenth of the worker's time under load.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 20)
