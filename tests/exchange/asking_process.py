"""A process that asks its own directory who holds a key, a thousand times a second, and writes each change it sees."""

from __future__ import annotations

import sys
import time

from foundation.database import make_engine
from foundation.directory import DirectoryCache


def main() -> None:
    """Arguments: database URL, key id, ``told`` (listens) or ``bound`` (only looks when its copy is old)."""
    url, key_id, how = sys.argv[1:4]
    cache = DirectoryCache(make_engine(url, pool_size=1))
    if how == "told":
        cache.start()
    last = ""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = cache.current()
        key = found.http.get(key_id)
        state = (
            "revoked" if key and key.revoked_at else found.partners[key.partner].state if key else "unknown"
        )
        if state != last:
            print(state, time.time(), flush=True)
            last = state
        time.sleep(0.001)


if __name__ == "__main__":
    main()
