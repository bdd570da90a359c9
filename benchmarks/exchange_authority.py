"""A time-stamp authority for the exchange benchmark, a process of its own: the sandbox's, at the machine's time.

``python -m benchmarks.exchange_authority FOLDER PORT``; its keys are made in the folder before it listens.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from sandbox.timestamps.keys import authority_keys
from sandbox.timestamps.stamping import answer


def main() -> None:
    """Answer until it is ended."""
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    authority = authority_keys(folder / "authority", folder / "tsa.pem")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made = answer(authority, self.rfile.read(int(self.headers["content-length"])), datetime.now(UTC))
            self.send_response(200)
            self.send_header("content-length", str(len(made)))
            self.end_headers()
            self.wfile.write(made)

        def log_message(self, *_: Any) -> None:
            """Say nothing of each request."""

    HTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main()
