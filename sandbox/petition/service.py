"""The office's service that the hub calls: GetXfjList, GetXfj, GetFj, FeedbackXfj; HTTP 200 even for errors."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from lxml import etree

from sandbox.clock import BEIJING
from sandbox.desk import Answer, Desk, Finding, Inbound, finding
from sandbox.faults import Fault
from sandbox.openapi_rules import read_json
from sandbox.petition.letters import PARTNER, Letters
from sandbox.soap import CONTENT_TYPE, SOAP11, Service, SoapTrouble, element, envelope, fault11, read_envelope

SERVICE = Service(Path(__file__).parent / "contract" / "XfService.asmx.wsdl")
NS = SERVICE.namespace
OURS = ("GetXfjList", "GetXfj", "GetFj", "FeedbackXfj")
REQUIRED = {
    "GetXfjList": ("KSSJ", "JSSJ", "PageIndex", "PageSize"),
    "GetXfj": ("XFJBH",),
    "GetFj": ("XFJBH", "WJM"),
    "FeedbackXfj": ("XFJBH", "FKNR", "FKSJ", "FKDW"),
}
MAX_PAGE = 50
TEXT_LIMIT = 20_000_000
_TIME = re.compile(r"\d{4}-\d{1,2}-\d{1,2} \d{1,2}:\d{2}(:\d{2})?")


class Refusal(Exception):
    """A business refusal, told as `{"Result":"0","Message":"Enn:…"}`."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}:{text}")
        self.code = code


class PetitionService:
    def __init__(self, desk: Desk, letters: Letters) -> None:
        self._desk, self._letters = desk, letters

    def operation(self, call: Inbound) -> str:
        try:
            return read_envelope(call.body, SOAP11).operation
        except SoapTrouble:
            return "unreadable"

    def handle(self, call: Inbound, fault: Fault | None) -> Answer:
        if call.headers.get("x-xf-token", "") not in self._live_tokens():
            note = finding("TOKEN", "X-XF-Token", call.headers.get("x-xf-token", ""), "the key of this month")
            return Answer(401, b"401 - Unauthorized", "text/html", verdict="REFUSED token", findings=[note])
        try:
            read = read_envelope(call.body, SOAP11, TEXT_LIMIT + 10_000)
        except SoapTrouble as trouble:
            return self._iis(f"{trouble.code} {trouble}")
        action = call.headers.get("soapaction", "").strip('"')
        if read.operation not in OURS or action != SERVICE.actions[read.operation]:
            return self._iis(f"Server did not recognize the value of HTTP Header SOAPAction: {action}.")
        wrong = SERVICE.violations(read.payload)
        if wrong:  # the parameter's name: jsonString for GetXfj, Jsonstring elsewhere (habit 2)
            return self._iis(wrong[0])
        return self._business(read.operation, _parameter(read.payload), fault)

    def fault(self) -> Answer:
        """What IIS itself says when something breaks: the outcome is unknown to the caller."""
        text = "Server was unable to process request. ---> 超时时间已到。"
        return Answer(500, fault11("Server", text), CONTENT_TYPE[SOAP11], verdict="FAULT")

    def _iis(self, text: str) -> Answer:
        note = finding("SCHEMA_VIOLATION", "/", text[:200], "XfService.asmx.wsdl")
        body = fault11("Client", text[:200])
        return Answer(500, body, CONTENT_TYPE[SOAP11], verdict="REFUSED", findings=[note])

    def _live_tokens(self) -> set[str]:
        """This month's key, and the last month's for 24 hours after the change on the first at 00:00."""
        told: dict[str, str] = self._desk.books.get(PARTNER, "token", "months") or {}
        first = self._desk.credentials[PARTNER]["token"]
        now = self._desk.clock.beijing()

        def at(moment: datetime) -> str:
            past = [month for month in sorted(told) if month <= moment.strftime("%Y-%m")]
            return told[past[-1]] if past else first

        return {at(now), at(now - timedelta(hours=24))}

    def _business(self, operation: str, text: str, fault: Fault | None) -> Answer:
        notes: list[Finding] = []
        books: dict[str, Any] = {}
        try:
            if fault and fault.kind == "wrong_signature":
                raise Refusal("E99", "系统繁忙")
            told = _read(operation, text)
            canonical = json.dumps(told, sort_keys=True, ensure_ascii=False)
            digest = hashlib.sha256(canonical.encode()).hexdigest()
            if operation == "FeedbackXfj":
                books = {"request_id": f"{told['XFJBH']}|{digest[:16]}", "digest": digest}
            result = {
                "GetXfjList": self._list,
                "GetXfj": self._one,
                "GetFj": self._file,
                "FeedbackXfj": self._feedback,
            }[operation](told, fault)
            verdict = "ACCEPTED"
        except Refusal as refusal:
            result, verdict = {"Result": "0", "Message": str(refusal)}, f"REFUSED {refusal.code}"
            notes.append(finding(refusal.code, f"/{operation}", text[:200], str(refusal)))
        shown = json.dumps(result, ensure_ascii=False)
        if result["Result"] == "0" and self._desk.rules(PARTNER).get("odd_errors"):
            shown = f"Result=0;Message={result['Message']}"  # habit 10: sometimes the result is not JSON
        payload = element(NS, f"{operation}Response", [(f"{operation}Result", shown)])
        answer = Answer(200, envelope(SOAP11, payload), CONTENT_TYPE[SOAP11], verdict=verdict, findings=notes)
        answer.request_id, answer.digest = books.get("request_id"), books.get("digest", "")
        return answer

    def _list(self, told: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        begin, end = _time(told["KSSJ"], seconds=True), _time(told["JSSJ"], seconds=True)
        page, size = _number(told["PageIndex"]), _number(told["PageSize"])
        if not 1 <= size <= MAX_PAGE or page < 0:
            raise Refusal("E03", "PageSize 为 1 至 50，PageIndex 从 0 起")
        rows = self._letters.changed_between(begin, end)
        shown = rows[page * size : (page + 1) * size]
        if fault and fault.kind == "duplicate":
            shown = shown[:1] + shown
        if fault and fault.kind == "wrong_order":
            shown = shown[::-1]
        return {"Result": "1", "Message": "", "Total": str(len(rows)), "PageIndex": page, "Rows": shown}

    def _known(self, number: Any) -> dict[str, Any]:
        row = self._letters.newest(str(number))
        if row is None:
            raise Refusal("E03", "信访件编号不存在")
        return row

    def _one(self, told: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        return {"Result": "1", "Message": "", "Rows": [self._known(told["XFJBH"])]}

    def _file(self, told: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        for each in self._known(told["XFJBH"]).get("FJ") or []:
            if each.get("WJM") == told["WJM"]:
                return {"Result": "1", "Message": "", **each}
        raise Refusal("E03", "附件不存在")

    def _feedback(self, told: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        row = self._known(told["XFJBH"])
        _time(told["FKSJ"])
        if row.get("BLZT") == "05":
            raise Refusal("E06", "信访件已办结，不允许反馈")
        return {"Result": "1", "Message": ""}


def _parameter(payload: etree._Element) -> str:
    return (payload[0].text or "") if len(payload) else ""


def _read(operation: str, text: str) -> dict[str, Any]:
    try:
        told = read_json(text)
    except ValueError as trouble:
        raise Refusal("E01", "不是JSON") from trouble
    if not isinstance(told, dict):
        raise Refusal("E01", "不是JSON对象")
    gone = [key for key in REQUIRED[operation] if told.get(key) in (None, "")]
    if gone:
        raise Refusal("E02", f"缺少{gone[0]}")
    return told


def _time(text: Any, *, seconds: bool = False) -> str:
    """`yyyy-MM-dd HH:mm[:ss]` padded out; the list wants whole seconds."""
    if not isinstance(text, str) or not _TIME.fullmatch(text) or (seconds and text.count(":") != 2):
        raise Refusal("E04", f"时间不可读：{text}")
    try:
        read = datetime.strptime(text if text.count(":") == 2 else f"{text}:00", "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
    except ValueError as trouble:
        raise Refusal("E04", f"时间不可读：{text}") from trouble
    return read.replace(tzinfo=BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def _number(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as trouble:
        raise Refusal("E03", f"不是数字：{value}") from trouble
