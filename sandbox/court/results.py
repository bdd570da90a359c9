"""SubmitMediationResult: checked, kept once under its requestId, judged."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime

from sandbox.court.files import PARTNER
from sandbox.desk import Desk, Finding, finding

Fields = list[tuple[str, str | None]]
DOCUMENT_BYTES = 8 * 1024 * 1024


def content_digest(told: dict[str, str]) -> str:
    """Over everything but the ticket, which changes from call to call."""
    said = {key: value for key, value in told.items() if key != "ticket"}
    return hashlib.sha256(repr(sorted(said.items())).encode()).hexdigest()


def take_result(desk: Desk, told: dict[str, str], digest: str) -> tuple[Fields, list[Finding]]:
    """Fields of the answer, and what is noted about a result that is taken. The same requestId gets its receipt again."""
    request = told["requestId"]
    kept = desk.books.get(PARTNER, "result", request)
    if kept and kept["digest"] != digest:
        return [("code", "C0208"), ("message", "同号不同内容")], []
    code, text = _trouble(told)
    if code:
        return [("code", code), ("message", text)], []
    if not kept:
        number = desk.books.next_number(PARTNER, "result")
        kept = {**told, "digest": digest, "receipt": f"CR{desk.clock.beijing():%Y%m%d}{number:06d}"}
        desk.books.put(PARTNER, "result", request, kept)
    return [("code", "C0000"), ("message", ""), ("receiptNo", kept["receipt"])], _notes(desk, told)


def _notes(desk: Desk, told: dict[str, str]) -> list[Finding]:
    found = []
    if told["resultCode"] == "02" and any(told.get(key) for key in ("amount", "agreementNo", "document")):
        found.append(
            finding(
                "CONCESSION_DISCLOSED", "/SubmitMediationResult", "amount or agreement", "the result only"
            )
        )
    if desk.books.get(PARTNER, "case", told["caseMark"]) is None:
        path = "/SubmitMediationResult/caseMark"
        found.append(finding("UNKNOWN_CASE", path, told["caseMark"], "a case we sent"))
    return found


def _trouble(told: dict[str, str]) -> tuple[str, str]:
    if not told["requestId"]:
        return "C0201", "requestId 为空"
    if told["resultCode"] not in ("01", "02"):
        return "C0201", "resultCode 只能是 01（成功）、02（不成）"
    try:
        datetime.strptime(told["resultDate"].replace("-", ""), "%Y%m%d")  # noqa: DTZ007 (a date)
    except ValueError:
        return "C0201", "resultDate 不是日期"
    if told.get("amount") and not re.fullmatch(r"\d{1,13}(\.\d{1,2})?", told["amount"]):
        return "C0306", "amount 不可读"
    if bool(told.get("document")) != bool(told.get("documentName")):
        return "C0201", "document 与 documentName 要同时有"
    if len(told.get("document", "")) > DOCUMENT_BYTES:
        return "C0201", "document 超过 8 MB"
    return "", ""
