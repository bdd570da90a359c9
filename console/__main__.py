"""``python -m console``: the console on this copy's port, loopback."""

from __future__ import annotations

import uvicorn

from console.app import make_console
from hub.context import hub_of_process


def main() -> None:
    """Serve until SIGTERM."""
    hub = hub_of_process()
    uvicorn.run(
        make_console(hub),
        host="127.0.0.1",
        port=hub.settings.port("console"),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
