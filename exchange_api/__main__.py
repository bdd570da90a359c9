"""``python -m exchange_api``: the API on this copy's port, loopback."""

from __future__ import annotations

import uvicorn

from exchange_api import quiet_log
from exchange_api.app import make_app
from exchange_api.head_limit import HeadLimited
from foundation.collecting import collect_seldom
from hub.context import hub_of_process


def main() -> None:
    """Serve until SIGTERM."""
    quiet_log.set_up()
    hub = hub_of_process()
    app = make_app(hub)
    collect_seldom()
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=hub.settings.port("api"),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        http=HeadLimited,
        loop="uvloop",
    )


if __name__ == "__main__":
    main()
