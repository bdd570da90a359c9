"""A time-stamp authority on a free port for tests: the sandbox's stamping behind a bare HTTP server, which can go away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sandbox.timestamps.keys import authority_keys
from sandbox.timestamps.stamping import answer


class Authority:
    """``spoil`` changes answers before they leave; ``asked`` counts requests."""

    def __init__(self, folder: Path) -> None:
        self.keys = authority_keys(folder / "authority", folder / "authority.crt")
        self.spoil: Callable[[bytes], bytes] = bytes
        self.asked = 0
        self.port = 0
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Listen; on the same port as before after a stop."""
        whole = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                whole.asked += 1
                body = self.rfile.read(int(self.headers["content-length"]))
                made = whole.spoil(answer(whole.keys, body, datetime.now(UTC)))
                self.send_response(200)
                self.send_header("content-type", "application/timestamp-reply")
                self.send_header("content-length", str(len(made)))
                self.end_headers()
                self.wfile.write(made)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Be away: connections are refused."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
