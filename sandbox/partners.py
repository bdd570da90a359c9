"""Start the partners' stand-ins: `python -m sandbox.partners --port P --hub URL --var DIR [--seed N]`."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import uvicorn

from sandbox.partners_app import make_app


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Stand-ins of court, petition office, procuratorate, arbitration and gateway"
    )
    parser.add_argument("--port", type=int, default=8602)
    parser.add_argument("--hub", default="http://127.0.0.1:8600", help="address of the hub's API")
    parser.add_argument("--var", type=Path, default=Path("var"), help="folder of run-time data")
    parser.add_argument("--seed", type=int, default=0, help="makes tokens and shuffles repeatable")
    told = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    # loopback only: the stand-ins know test secrets and take orders from anybody who can reach them
    uvicorn.run(
        make_app(told.var, told.hub, told.seed),
        host="127.0.0.1",
        port=told.port,
        log_level="warning",
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
