"""The world outside the hub: the wire that breaks as the dice say, the late calls, and the messages on their way."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from benchmarks.money_sim.site import Site
from benchmarks.money_sim.stepping import Stepper
from benchmarks.money_sim.tally import Trace
from foundation.wire import WireReply
from hub import rail_inbox
from sandbox.alipay import signing
from sandbox.alipay.profile import METHODS
from sandbox.bank import api as bank_api
from sandbox.bank import policy
from schemas.exchange import RawMessage

RAIL_OF = {"bank": "bank_direct", "alipay": "alipay"}
# How a call breaks while the storm lasts, with weights.
CALLS = (
    ("", 46), ("call refused", 6), ("call lost before it arrived", 7), ("answer lost after it was booked", 10),
    ("call arrives late", 7), ("answer is HTTP 500", 4), ("answer says unknown", 6), ("answer is garbage", 3),
    ("answer of another call", 4), ("bank is closed", 3),
)  # fmt: skip


@dataclass
class Letter:
    """A message of bank or wallet on its way to the hub. `taken`: the hub answered that it has it."""

    rail: str
    body: bytes
    kind: str
    taken: bool = False
    tries: int = 0


@dataclass
class Call:
    """A call of the hub, as it left."""

    host: str
    method: str
    path: str
    body: bytes


@dataclass
class Outside:
    """One run's outside. It is the wire (`request`), the post office (`letters`) and the late calls."""

    site: Site
    dice: random.Random
    trace: Trace
    stepper: Stepper
    storm: bool = True
    letters: list[Letter] = field(default_factory=list)
    old: list[Letter] = field(default_factory=list)
    late: list[Call] = field(default_factory=list)
    carried: dict[str, int] = field(
        default_factory=dict
    )  # instruction number → step at which it first arrived
    step: int = 0
    down: int = 0  # so many calls more find the line down
    replies: list[tuple[str, bytes]] = field(default_factory=list)
    _seq: int = 0
    _notified: int = 0

    # -- the wire -----------------------------------------------------------------------------------------

    def request(
        self, method: str, url: str, *, headers: Any = None, content: bytes | None = None, timeout_s: float = 10.0
    ) -> WireReply:  # fmt: skip
        """Stands where `foundation.wire.Wire.request` stands, with the same words."""
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        call = Call(parts.netloc, method, path, content or b"")
        self.stepper.boundary("call")
        fault = self._fault(call)
        self.trace.note(
            f"call {call.host} {method} {'bill' if '/bill/' in path else parts.path.split('/')[-1][:40]}"
        )
        if fault in ("call refused", "call lost before it arrived"):
            return WireReply("NOT_SENT" if fault == "call refused" else "UNKNOWN", error=fault)
        if fault == "call arrives late":
            self.late.append(call)
            return WireReply("UNKNOWN", error=fault)
        if fault == "bank is closed":
            return self._closed(call)
        if fault == "answer says unknown":
            self._say_unknown(call)
        status, body = self.arrive(call)
        self.stepper.boundary("call")
        if fault == "answer lost after it was booked":
            return WireReply("UNKNOWN", error=fault)
        if fault == "answer is HTTP 500":
            return WireReply("ANSWERED", 500, {}, b"")
        if fault == "answer is garbage":
            return WireReply("ANSWERED", 200, {}, "<html>网关错误</html>".encode())
        earlier = [one for host, one in self.replies if host == call.host and one != body]
        self.replies.append((call.host, body))
        if fault == "answer of another call" and earlier:
            return WireReply("ANSWERED", 200, {}, earlier[self.dice.randrange(len(earlier))])
        return WireReply("ANSWERED", status, {}, body)

    def close(self) -> None:
        """As the wire's."""

    def _fault(self, call: Call) -> str:
        if not self.storm:
            return ""
        if self.down:
            self.down -= 1
            fault = self.dice.choice(("call lost before it arrived", "answer lost after it was booked"))
            self.trace.fault(fault)
            return fault
        names, weights = zip(*CALLS, strict=True)
        fault = str(self.dice.choices(names, weights)[0])
        order = call.path.endswith("/messages") and call.method == "POST"
        if fault == "bank is closed" and call.host != "bank":
            fault = ""
        if fault == "answer says unknown" and not (order or b"uni.transfer" in call.body):
            fault = ""
        if fault == "call arrives late" and call.method == "GET":
            fault = "call lost before it arrived"
        if fault:
            self.trace.fault(fault)
        return fault

    def _closed(self, call: Call) -> WireReply:
        told = json.loads(call.body) if call.body else {}
        answer = {
            "requestId": told.get("requestId", ""), "code": "E00503", "message": "系统维护", "bankRef": None,
            "serverTime": self.site.clock.beijing().strftime("%Y%m%d%H%M%S000"),
        }  # fmt: skip
        return WireReply("ANSWERED", 200, {}, json.dumps(answer, ensure_ascii=False).encode())

    def _say_unknown(self, call: Call) -> None:
        """The next answer leaves it open; what became of it is in the book."""
        if call.host == "bank":
            policy.order(self.site.books, "unknown", "", "", "", "", 1)
            return
        applied = self.dice.random() < 0.5
        then = self.dice.choice(("SUCCESS", "DEALING"))
        line = {"method": "transfer", "answer": "SYSTEM_ERROR", "apply": applied, "then": then}
        self.site.wallet.script.add(line)

    def arrive(self, call: Call) -> tuple[int, bytes]:
        """The exact bytes at the stand-in's core: what it does and answers."""
        answer, status = b"", 200
        if call.host == "alipay":
            status, answer = self._wallet(call)
        else:
            answer = json.dumps(self._bank(call), ensure_ascii=False).encode()
        self.collect()
        return status, answer

    def _bank(self, call: Call) -> dict[str, Any]:
        path = urlsplit(call.path).path
        bank = self.site.bank
        if path.endswith("/subaccounts"):
            return bank_api.open_subaccount(bank, call.body)
        if "/payments/" in path:
            return bank_api.query(bank, path.rsplit("/", 1)[1])
        if call.method == "GET":
            query = dict(parse_qsl(urlsplit(call.path).query))
            return bank_api.fetch(
                bank, query.get("afterSeq", ""), query.get("msgType", ""), query.get("max", "")
            )
        answer = bank_api.receive(bank, call.body)
        self.note_arrivals()
        return answer

    def _wallet(self, call: Call) -> tuple[int, bytes]:
        wallet = self.site.wallet
        if "/bill/" in call.path:
            found = wallet.bills.fetch(call.path.rsplit("/", 1)[1])
            return (404, b"") if found is None else (200, found)
        with self.site.books.transaction():
            body = wallet.call(call.body, "http://alipay", broken=False).body
        self.note_arrivals()
        return 200, body

    def note_arrivals(self) -> None:
        """Which instructions have reached bank or wallet by now."""
        with self.site.books.transaction() as db:
            found = db.execute(
                "SELECT e2e FROM bank_payment UNION ALL SELECT out_biz_no FROM alipay_order"
            ).fetchall()
        for row in found:
            self.carried.setdefault(str(row[0]), self.step)

    # -- messages to the hub ------------------------------------------------------------------------------

    def collect(self) -> None:
        """Take up what bank and wallet have written since the last look."""
        while batch := self.site.bank.post.after(self._seq, "", 50):
            for told in batch:
                self.letters.append(Letter("bank_direct", _json(told), told["msgType"]))
            self._seq = int(batch[-1]["seq"])
        with self.site.books.transaction() as db:
            rows = db.execute(
                "SELECT id, fields FROM alipay_notify WHERE id>? ORDER BY id", (self._notified,)
            ).fetchall()
        for row in rows:
            self._notified = int(row["id"])
            self.letters.append(Letter("alipay", self.signed_notify(json.loads(row["fields"])), "notify"))

    def signed_notify(self, fields: dict[str, str], *, broken: bool = False) -> bytes:
        """A notify's form, signed by the gateway's key in use."""
        content = signing.canonical(fields, without=("sign", "sign_type")).encode()
        signed = signing.sign(content + (b" " if broken else b""), self.site.wallet.authority.gateway()[1])
        return urlencode({**fields, "sign": signed}).encode()

    def hand_over(self, letter: Letter) -> bool:
        """The hub's callback with these bytes; True when it answered that it has them. Raises Crash."""
        site = self.site
        raw = RawMessage(
            letter.rail, "hook", "", letter.body, site.clock.at + site.clock.hub_skew, {"x-query": ""}
        )
        letter.tries += 1
        taken = rail_inbox.receive(site.hub, raw)
        self.trace.note(f"message {letter.kind} {taken.outcome.result}")
        body = taken.reply.body if taken.reply else b""
        return body == b"success" or b'"A00000"' in body

    def forged(self, letter: Letter) -> Letter:
        """The same message with other content and its old signature, or signed by nobody."""
        if letter.rail == "alipay":
            fields = dict(parse_qsl(letter.body.decode(), keep_blank_values=True))
            fields.pop("sign")
            fields["notify_id"] = f"9{fields['notify_id'][1:]}"
            fields["biz_content"] = (
                fields["biz_content"].replace('"DEALING"', '"SUCCESS"').replace('"FAIL"', '"SUCCESS"')
            )
            return Letter("alipay", self.signed_notify(fields, broken=True), "forged notify")
        told = json.loads(letter.body)
        payload = base64.b64decode(told["payload"])
        for was, said in ((b"RJCT", b"ACSC"), (b"ACSP", b"ACSC"), (b">PDNG<", b">BOOK<")):
            payload = payload.replace(was, said)
        told["requestId"] = f"F{told['requestId'][1:]}"
        if self.dice.random() < 0.5:
            told["poss_dup"] = True
        told["payload"] = base64.b64encode(payload).decode()
        told["sha256"] = hashlib.sha256(payload).hexdigest().upper()
        return Letter("bank_direct", _json(told), f"forged {letter.kind}")


def again(letter: Letter) -> Letter:
    """The same message pushed once more: the bank marks it, its payload and id stay."""
    if letter.rail == "alipay":
        return letter
    told = json.loads(letter.body)
    return Letter(letter.rail, _json({**told, "poss_dup": True}), letter.kind)


def transfers(call: Call) -> bool:
    """Whether a call of the wallet is a transfer."""
    return METHODS["transfer"].encode() in call.body


def _json(told: dict[str, Any]) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode()
