"""``python -m sandbox.prepare --var DIR``: the stand-ins make their keys, certificates and credentials, and end.

The hub's set-up calls it before anything is started, so that certificates can be registered both ways.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from sandbox import bank_process, partners_app
from sandbox.credentials import load_credentials


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the stand-ins' keys and certificates")
    parser.add_argument("--var", type=Path, required=True)
    told = parser.parse_args()
    (told.var / "sandbox").mkdir(parents=True, exist_ok=True)
    load_credentials(told.var / "sandbox")
    # Building the applications is what makes their keys; no server is started.
    nowhere = "http://127.0.0.1:1"
    partners_app.make_app(told.var, nowhere)
    bank_process.make_app(told.var, nowhere)


if __name__ == "__main__":
    main()
