"""``python -m exchange_api``: the API on this copy's port, loopback."""

from __future__ import annotations

import uvicorn

from exchange_api import quiet_log
from exchange_api.app import make_app
from hub.context import hub_of_process

# Below this the guard answers with a problem document that says the limit; above it the connection just ends.
MOST_HEAD_BYTES = 512 * 1024


def main() -> None:
    """Serve until SIGTERM."""
    quiet_log.set_up()
    hub = hub_of_process()
    uvicorn.run(
        make_app(hub),
        host="127.0.0.1",
        port=hub.settings.port("api"),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        http="h11",  # the parser that can be told a limit for the head
        h11_max_incomplete_event_size=MOST_HEAD_BYTES,
    )


if __name__ == "__main__":
    main()
