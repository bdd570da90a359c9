"""The other traffic while processes are killed: letters of a petition office, the mediation office that takes each up, the
notices that go back, and a webhook that wants to be told."""

from __future__ import annotations

import hashlib
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from connectors import connectors_named
from sandbox.stories.hub_api import HubApi, HubRefused
from sandbox.stories.stand_ins import StandIns
from schemas.identifiers import resident_check_digit

STAND_IN = "petition"
PARTNER = connectors_named(STAND_IN)[0].id
CLERK, OPERATOR = "clerk1", "operator1"
TOPICS = ["dispute_opened", "stage_changed", "holder_changed", "linked"]


class Receiver:
    """A webhook that keeps what it was told, and now and then answers 500 or is slow."""

    def __init__(self, seed: int) -> None:
        self.log: list[tuple[str, str, str, int]] = []  # webhook-id, event, SHA-256 of the body, status
        self.subjects: dict[str, list[int]] = {}
        self._chance = random.Random(f"{seed}/receiver")
        self._lock = threading.Lock()

    def take(self, headers: Any, body: bytes) -> int:
        """One telling; the status to answer."""
        told = json.loads(body)
        with self._lock:
            status = 500 if self._chance.random() < 0.05 else 200
            row = (headers["webhook-id"], told["id"], hashlib.sha256(body).hexdigest(), status)
            first = status == 200 and not any(each[1] == told["id"] and each[3] == 200 for each in self.log)
            self.log.append(row)
            if first:
                self.subjects.setdefault(told.get("subject", ""), []).append(int(told["id"]))
        return status

    def resent_other_number(self) -> int:
        """Events that were told under two numbers, or under one number with two contents."""
        numbers: dict[str, set[tuple[str, str]]] = {}
        for number, event, digest, _ in self.log:
            numbers.setdefault(event, set()).add((number, digest))
        return sum(len(each) > 1 for each in numbers.values())

    def order_breaks(self) -> list[tuple[str, list[int]]]:
        """Disputes of which a later event was taken before an earlier one, with the events as they were taken."""
        return [(subject, each) for subject, each in self.subjects.items() if each != sorted(each)]


@contextmanager
def listening(receiver: Receiver) -> Iterator[str]:
    """The webhook's address on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            status = receiver.take(self.headers, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/hook"
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Office:
    """Letters and what the office does with them; ``matters`` are the mediation numbers that were taken up."""

    hub: HubApi
    stand_ins: StandIns
    seed: int
    letters: list[str] = field(default_factory=list)
    matters: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def work(self, stop: threading.Event, most: int) -> None:
        """One letter after the other until ``stop`` or ``most``."""
        for serial in range(1, most + 1):
            if stop.is_set():
                return
            try:
                self._one(serial)
            except Exception as error:
                self.wrong.append(f"letter {serial}: {type(error).__name__} {error}"[:500])
            time.sleep(0.2)

    def _one(self, serial: int) -> None:
        chance = random.Random(f"{self.seed}/{serial}")
        number = f"XF33039920260{800_000 + serial}"[:19]
        people = [self._person(chance) for _ in range(2)]
        letter = {
            "XFJBH": number, "YXFJBH": None, "XFRXM": people[0][0], "SFZH": people[0][1], "XB": "1",
            "LXDH": f"100577{serial:05d}", "ZZ": "浙江省温州市瓯栖县云渡镇", "XFRQ": "2026-01-09", "XFXS": "02", "RS": 1,
            "JTF": "0", "NRFL": "0101", "WTSD": "330399101", "NR": f"第{serial}件，请求处理。", "BXFR": people[1][0],
            "SJJE": "1000.00", "CFXF": "0", "ZRDW": "瓯栖县司法局", "ZBSJ": "2026-01-09 10:00:00", "BLQX": "2026-03-10",
            "BLZT": "02", "CZLX": "A", "BBH": 1, "FJ": [],
        }  # fmt: skip
        self.stand_ins.emit(STAND_IN, json.dumps(letter, ensure_ascii=False).encode(), operation="AddXfj")
        self.letters.append(number)
        mediation = f"瓯栖调〔2026〕云渡{serial:04d}号"
        body = {
            "mediation_number": mediation, "committee": "瓯栖县云渡镇人民调解委员会", "mediator": "周敏",
            "cause": "相邻关系纠纷", "accepted_on": "2026-01-12", "claimed_fen": 100_000, "referral": number,
            "parties": [
                {"key": "A1", "role": "applicant", "kind": "person", "name": people[0][0], "id_number": people[0][1]},
                {"key": "R1", "role": "respondent", "kind": "person", "name": people[1][0], "id_number": people[1][1]},
            ],
        }  # fmt: skip
        try:
            self.hub.post(CLERK, "/v1/matters", body)
        except HubRefused as refused:
            if refused.status != 409:
                raise
        self.matters.append(mediation)

    @staticmethod
    def _person(chance: random.Random) -> tuple[str, str]:
        born = f"{chance.randrange(1950, 2005)}{chance.randrange(1, 13):02d}{chance.randrange(1, 29):02d}"
        first17 = f"330399{born}{chance.randrange(1000):03d}"
        name = chance.choice("赵钱孙李周吴郑王") + "".join(
            chance.choice("伟芳娜秀英敏静丽强磊") for _ in range(2)
        )
        return name, first17 + resident_check_digit(first17)
