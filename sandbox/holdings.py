"""A generic stand-in for a partner that offers the comparison of holdings, on the wire.

``python -m sandbox.holdings --file HELD.jsonl [--port N]`` serves what stands in a file: a line of JSON for each message
(way, day, id, digest, withdrawn, content_base64, withdrawn_by_base64). It counts what it is asked.
"""

from __future__ import annotations

import argparse
import json
import threading
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from schemas.holdings import WAYS, Held, Holdings, Range

MOST_BODY = 1_000_000
MOST_PAGE = 10_000


@dataclass
class HoldingsStandIn:
    """What the partner holds, by way; ``asked``: ids that it was asked for; ``calls`` by name; ``rows`` that it told."""

    lines: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    calls: dict[str, int] = field(default_factory=dict)
    rows: int = 0
    _sides: dict[str, Holdings] = field(default_factory=dict)
    _sorted: dict[str, list[list[Any]]] = field(default_factory=dict)
    _content: dict[str, dict[str, Any]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def hold(self, lines: Iterable[dict[str, Any]]) -> None:
        """Hold exactly these messages from now on."""
        self.lines = list(lines)
        by_way: dict[str, list[Held]] = {way: [] for way in WAYS}
        self._content, self._sorted = {}, {}
        for each in self.lines:
            by_way[each["way"]].append(
                Held(each["day"], each["id"], each["digest"], bool(each.get("withdrawn")))
            )
            if each["way"] == "to_hub" and "content_base64" in each:
                self._content[each["id"]] = each
        self._sides = {way: Holdings(held) for way, held in by_way.items()}

    def answer(self, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Answer one call: status and JSON."""
        name = path.rstrip("/").rpartition("/")[2]
        asked = json.loads(body)
        with self._lock:
            self.calls[name] = self.calls.get(name, 0) + 1
            if name == "days":
                told = self._sides[asked["way"]].days(asked["since"], asked["until"])
                self.rows += len(told)
                return 200, {
                    "days": [{"day": day, "count": one.count, "hash": one.hash} for day, one in told.items()]
                }
            if name == "ranges":
                return 200, {"ranges": [self._range(asked["way"], Range(**each)) for each in asked["ranges"]]}
            if name == "messages":
                self.asked += asked["ids"]
                return 200, {
                    "messages": [self._message(each) for each in asked["ids"] if each in self._content]
                }
            if name == "all":
                return 200, {
                    "entries": self._all(asked["way"], asked["after"], min(int(asked["most"]), MOST_PAGE))
                }
            if name == "counters":
                return 200, {"calls": self.calls, "rows": self.rows, "asked": self.asked}
        return 404, {"error": path}

    def _all(self, way: str, after: str, most: int) -> list[list[Any]]:
        """A page of the whole book in the order of ids: what the comparison by hashes is measured against."""
        if way not in self._sorted:
            self._sorted[way] = sorted(
                [each["id"], each["digest"], bool(each.get("withdrawn"))]
                for each in self.lines
                if each["way"] == way
            )
        start = bisect_right(self._sorted[way], [after, "~"]) if after else 0
        found = self._sorted[way][start : start + most]
        self.rows += len(found)
        return found

    def _range(self, way: str, asked: Range) -> dict[str, Any]:
        (told,) = self._sides[way].ranges([asked])
        self.rows += len(told.entries) + len(told.parts or ())
        if told.parts is not None:
            parts = [
                {"prefix": part, "count": one.count, "hash": one.hash}
                for part, one in sorted(told.parts.items())
            ]
            return {"day": asked.day, "prefix": asked.prefix, "parts": parts}
        entries = [{"id": one.id, "digest": one.digest, "withdrawn": one.withdrawn} for one in told.entries]
        return {"day": asked.day, "prefix": asked.prefix, "entries": entries}

    def _message(self, name: str) -> dict[str, Any]:
        held = self._content[name]
        return {
            "id": name, "content_base64": held["content_base64"],
            **({"withdrawn_by_base64": held["withdrawn_by_base64"]} if "withdrawn_by_base64" in held else {}),
        }  # fmt: skip


def server(standin: HoldingsStandIn, port: int = 0) -> ThreadingHTTPServer:
    """An HTTP server on loopback that answers for the stand-in; port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            status, told = standin.answer(self.path, self.rfile.read(min(length, MOST_BODY)))
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Quiet: the counters say what was asked."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    """Serve a file; the first line on standard output is the address."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--port", type=int, default=0)
    told = parser.parse_args()
    standin = HoldingsStandIn()
    with told.file.open(encoding="utf-8") as file:
        standin.hold(json.loads(line) for line in file)
    serving = server(standin, told.port)
    print(f"http://127.0.0.1:{serving.server_address[1]}", flush=True)
    serving.serve_forever()


if __name__ == "__main__":
    main()
