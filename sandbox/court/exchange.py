"""The court's SOAP 1.1 service that the hub calls: Login, PullBatch, AckBatch, QueryCase, SubmitMediationResult."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime, timedelta
from pathlib import Path

from lxml import etree

from sandbox.clock import BEIJING
from sandbox.court.batch import KINDS
from sandbox.court.files import MAX_FILES, PARTNER, CourtFiles
from sandbox.court.results import Fields, content_digest, take_result
from sandbox.desk import Answer, Desk, Finding, Inbound, finding
from sandbox.faults import Fault
from sandbox.soap import CONTENT_TYPE, SOAP11, Service, SoapTrouble, element, envelope, fault11, read_envelope

SERVICE = Service(Path(__file__).parent / "contract" / "court-exchange.wsdl")
NS = SERVICE.namespace
TICKET_LIFE = timedelta(minutes=30)
RATE_PER_MINUTE, SILENCE = 10, timedelta(minutes=5)


class CourtExchange:
    """Answers the hub's calls by the contract's rules; rate and maintenance only when switched on (rules)."""

    def __init__(self, desk: Desk, files: CourtFiles) -> None:
        self._desk, self._files = desk, files

    def operation(self, call: Inbound) -> str:
        try:
            return read_envelope(call.body, SOAP11).operation
        except SoapTrouble:
            return "unreadable"

    def handle(self, call: Inbound, fault: Fault | None) -> Answer:
        """Check the envelope against the contract and carry the operation out."""
        try:
            read = read_envelope(call.body, SOAP11)
        except SoapTrouble as trouble:
            return self._client_fault("C0101", f"{trouble.code} {trouble}", trouble.path)
        if not call.headers.get("content-type", "").startswith("text/xml"):
            return self._client_fault("C0201", "Content-Type is not text/xml", "/")
        action = call.headers.get("soapaction", "").strip('"')
        if action != SERVICE.actions.get(read.operation):
            return self._client_fault("C0201", f"SOAPAction {action!r} is not that of {read.operation}", "/")
        wrong = SERVICE.violations(read.payload)
        if wrong:
            return self._client_fault("C0201", wrong[0], f"/{read.operation}")
        told = {etree.QName(child).localname: child.text or "" for child in read.payload}
        stop = self._closed() or self._too_often(told) or self._dead_ticket(read.operation, told)
        if stop:
            return self.fault(*stop)
        handlers = {
            "Login": self._login,
            "AckBatch": self._acknowledge,
            "QueryCase": self._query,
            "SubmitMediationResult": self._result,
        }
        if read.operation == "PullBatch":
            return self._pull(told, fault)
        return handlers[read.operation](told)

    def fault(self, code: str = "C9007", text: str = "系统维护中") -> Answer:
        """A SOAP fault of the court's own making."""
        trace = f"T{self._desk.clock.beijing():%Y%m%d}{self._desk.books.next_number(PARTNER, 'trace'):03d}"
        detail = element(NS, "ServiceFault", [("code", code), ("text", text), ("traceNo", trace)])
        body = fault11("Server", f"CTX-{int(code[1:]) % 9000 + 1000}", detail)
        return Answer(500, body, CONTENT_TYPE[SOAP11], verdict=f"FAULT {code}")

    def _client_fault(self, code: str, text: str, path: str) -> Answer:
        detail = element(NS, "ServiceFault", [("code", code), ("text", text[:200])])
        note = finding(
            "SCHEMA_VIOLATION" if code == "C0201" else "XML_UNSAFE", path, text[:200], "the contract's WSDL"
        )
        body = fault11("Client", "CTX-0201", detail)
        return Answer(500, body, CONTENT_TYPE[SOAP11], verdict=f"REFUSED {code}", findings=[note])

    def _reply(
        self,
        operation: str,
        fields: Fields,
        more: list[etree._Element] | None = None,
        *,
        request_id: str | None = None,
        digest: str = "",
        notes: list[Finding] | None = None,
    ) -> Answer:
        payload = element(NS, f"{operation}Response", fields)
        payload.extend(more or [])
        code = fields[0][1] or ""
        answer = Answer(200, envelope(SOAP11, payload), CONTENT_TYPE[SOAP11])
        answer.verdict = "ACCEPTED" if code == "C0000" else f"REFUSED {code}"
        answer.request_id, answer.digest, answer.findings = request_id, digest, notes or []
        return answer

    # Rules that hold for every call

    def _closed(self) -> tuple[str, str] | None:
        if not self._desk.rules(PARTNER).get("maintenance"):
            return None
        now = self._desk.clock.beijing()
        third_sunday = now.weekday() == 6 and 15 <= now.day <= 21
        nightly = (1, 30) <= (now.hour, now.minute) < (3, 0)
        return ("C9007", "系统维护中") if third_sunday or nightly else None

    def _too_often(self, told: dict[str, str]) -> tuple[str, str] | None:
        if not self._desk.rules(PARTNER).get("rate"):
            return None
        now = self._desk.clock.now().timestamp()
        kept = self._desk.books.get(PARTNER, "rate", "calls") or {"calls": [], "silent_until": 0}
        calls = [at for at in kept["calls"] if at > now - 60] + [now]
        silent = now < kept["silent_until"]
        if len(calls) > RATE_PER_MINUTE and not silent:
            kept["silent_until"], silent = now + SILENCE.total_seconds(), True
        self._desk.books.put(PARTNER, "rate", "calls", {**kept, "calls": calls})
        return ("C9029", "调用过于频繁") if silent else None

    def _dead_ticket(self, operation: str, told: dict[str, str]) -> tuple[str, str] | None:
        if operation == "Login":
            return None
        live = self._desk.books.get(PARTNER, "ticket", self._desk.credentials[PARTNER]["user"])
        now = self._desk.clock.now()
        if live and live["ticket"] == told["ticket"] and now < datetime.fromisoformat(live["until"]):
            return None
        return ("C9003", "票据已过期")

    # Operations

    def _login(self, told: dict[str, str]) -> Answer:
        mine = self._desk.credentials[PARTNER]
        right = hashlib.md5(mine["password"].encode()).hexdigest()
        if told["user"] != mine["user"] or told["passwordMd5"] != right:
            return self._reply("Login", [("code", "C9001"), ("message", "用户名或密码错误")])
        until = self._desk.clock.now() + TICKET_LIFE
        ticket = self._desk.token(PARTNER, "ticket")
        # one live ticket a user: writing the new one kills the old
        self._desk.books.put(PARTNER, "ticket", mine["user"], {"ticket": ticket, "until": until.isoformat()})
        shown = until.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")
        return self._reply(
            "Login", [("code", "C0000"), ("message", ""), ("ticket", ticket), ("expiresAt", shown)]
        )

    def _pull(self, told: dict[str, str], fault: Fault | None) -> Answer:
        kind, cursor = told["kind"], told.get("cursor", "")
        limit = int(told.get("maxFiles") or MAX_FILES)
        if kind not in KINDS or not 1 <= limit <= MAX_FILES:
            return self._reply("PullBatch", [("code", "C0201"), ("message", "kind 或 maxFiles 不合规")])
        idle = int(self._desk.rules(PARTNER).get("empty_more") or 0)
        if idle:  # more=true with no file is legal
            self._desk.set_rules(PARTNER, {"empty_more": idle - 1})
            return self._reply("PullBatch", [("code", "C0000"), ("nextCursor", cursor), ("more", "true")])
        rows, reached, more = self._files.pull(kind, cursor, limit)
        if fault and fault.kind == "duplicate":
            rows = rows[:1] + rows
        if fault and fault.kind == "wrong_order":
            rows = rows[::-1]
        shown = []
        for row in rows:
            digest = "0" * 32 if fault and fault.kind == "wrong_signature" else row["md5"]
            content = base64.b64encode(row["content"]).decode()
            shown.append(
                element(
                    NS, "file",
                    [("fileName", row["file_name"]), ("md5", digest), ("size", str(len(row["content"]))), ("content", content)],
                )
            )  # fmt: skip
        fields: Fields = [("code", "C0000"), ("nextCursor", reached), ("more", str(more).lower())]
        return self._reply("PullBatch", fields, shown)

    def _acknowledge(self, told: dict[str, str]) -> Answer:
        result, detail = told["result"], told.get("detail", "")
        digest = hashlib.sha256(f"{result}|{detail}".encode()).hexdigest()
        fields: Fields = [("code", "C0000"), ("message", "")]
        if result not in ("0", "1", "2"):
            fields = [("code", "C0201"), ("message", "result 只能是 0、1、2")]
        elif not self._files.acknowledge(told["fileName"], result, detail):
            fields = [("code", "C0404"), ("message", "没有这个文件")]
        return self._reply("AckBatch", fields, request_id=told["fileName"], digest=digest)

    def _query(self, told: dict[str, str]) -> Answer:
        mark, number = told.get("caseMark", ""), told.get("caseNo", "")
        for _, known, xml in self._desk.books.items(PARTNER, "case")[::-1]:
            if (mark and known == mark) or (number and not mark and number in xml):
                return self._reply("QueryCase", [("code", "C0000"), ("message", ""), ("xml", xml)])
        return self._reply("QueryCase", [("code", "C0404"), ("message", "查无此案")])

    def _result(self, told: dict[str, str]) -> Answer:
        digest = content_digest(told)
        fields, notes = take_result(self._desk, told, digest)
        return self._reply(
            "SubmitMediationResult", fields, request_id=told["requestId"], digest=digest, notes=notes
        )
