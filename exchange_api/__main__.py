"""``python -m exchange_api``: the API on this copy's port, loopback."""

from __future__ import annotations

import uvicorn

from exchange_api.app import make_app
from hub.context import hub_of_process


def main() -> None:
    """Serve until SIGTERM."""
    hub = hub_of_process()
    uvicorn.run(
        make_app(hub),
        host="127.0.0.1",
        port=hub.settings.port("api"),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=64 * 1024,
    )


if __name__ == "__main__":
    main()
