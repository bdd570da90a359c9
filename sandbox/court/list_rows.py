"""The court's 民诉前调 list: GET /cdfb, paged by offset over a live table, with its habits 6 and 8."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sandbox.court.files import PARTNER
from sandbox.desk import Answer, Desk, Finding, Inbound, finding
from sandbox.openapi_rules import Rules

RULES = Rules(Path(__file__).parent / "contract" / "list-openapi.yaml")
PAGE = 20
MAX_PAGE = 200
JSON_TYPE = "application/json; charset=utf-8"


class CourtList:
    """The rows, newest first; adding a row shifts the pages, as a live table does."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def offer(self, rows: list[dict[str, Any]], *, check: bool = True) -> list[Finding]:
        """Put rows on the list (a known (ajbs, ah) is changed in place); wrong rows come back as findings."""
        findings = [each for row in rows for each in RULES.violations(row, "Row")] if check else []
        if not findings:
            changed = self._desk.clock.beijing().strftime("%Y%m%d%H%M%S")
            for row in rows:
                key = f"{row.get('ajbs')}|{row.get('ah')}"
                self._desk.books.put(PARTNER, "list", key, {"row": row, "changed": changed})
        return findings

    def handle(self, call: Inbound) -> Answer:
        token = call.query.get("token", "")
        if token != self._desk.credentials[PARTNER]["list_token"]:
            return _reply(401, "token 无效", None, [finding("TOKEN", "/token", token, "the list's token")])
        size, page = call.query.get("pageSize", str(PAGE)), call.query.get("pageNum", "1")
        since = call.query.get("gxsj", "")
        if not (size.isdigit() and page.isdigit() and 1 <= int(size) <= MAX_PAGE and int(page) >= 1):
            return _reply(
                400, "分页参数不合规", None, [finding("SCHEMA_VIOLATION", "/pageSize", size, "1..200")]
            )
        if since and not (since.isdigit() and len(since) == 14):
            return _reply(
                400, "gxsj 不合规", None, [finding("SCHEMA_VIOLATION", "/gxsj", since, "yyyyMMddHHmmss")]
            )
        kept = [value for _, _, value in self._desk.books.items(PARTNER, "list")][::-1]
        rows = [each["row"] for each in kept if each["changed"] >= since]
        start = (int(page) - 1) * int(size)
        shown = [
            {**row, "rnum": start + place} for place, row in enumerate(rows[start : start + int(size)], 1)
        ]
        # habit 8: the total is an estimate; habit 6: the colon is part of the key on some replies
        content = {
            "total": len(rows) + int(page) % 2,
            "totalPages": -(-len(rows) // int(size)),
            "pageSize": int(size),
            "pageNum:" if int(page) % 2 else "pageNum": int(page),
            "list": shown,
        }
        return _reply(200, "success", content, [])


def _reply(code: int, text: str, content: Any, findings: list[Finding]) -> Answer:
    body = json.dumps({"code": code, "msg": text, "content": content}, ensure_ascii=False).encode()
    verdict = "ACCEPTED" if code == 200 else f"REFUSED {code}"
    return Answer(200, body, JSON_TYPE, verdict=verdict, findings=findings)
