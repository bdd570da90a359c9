"""The commission's REST service that the hub calls: token, cases, awards, consent-award requests."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from sandbox.arbitration.cases import PARTNER, Cases
from sandbox.clock import BEIJING
from sandbox.desk import Answer, Desk, Finding, Inbound, finding
from sandbox.faults import Fault
from sandbox.openapi_rules import Rules, read_json

RULES = Rules(Path(__file__).parent / "contract" / "openapi.yaml")
JSON_TYPE, PROBLEM_TYPE = "application/json; charset=utf-8", "application/problem+json"
TOKEN_S = 3600
CURSOR_LIFE, KEY_LIFE = timedelta(hours=24), timedelta(days=30)
RATE_PER_MINUTE = 60
PDF_BYTES = 10 * 1024 * 1024
CASE = re.compile(r"^v1/cases/([^/]+)$")
AWARDS = re.compile(r"^v1/cases/([^/]+)/awards$")


class Problem(Exception):
    """Answered as problem+json."""

    def __init__(self, status: int, code: str, title: str, findings: list[Finding] | None = None) -> None:
        super().__init__(title)
        self.status, self.code, self.findings = status, code, findings or []
        self.headers: dict[str, str] = {}


class ArbitrationService:
    def __init__(self, desk: Desk, cases: Cases) -> None:
        self._desk, self._cases = desk, cases

    def operation(self, call: Inbound) -> str:
        names = {("POST", "v1/token"): "token", ("GET", "v1/cases"): "listCases"}
        names[("POST", "v1/consent-award-requests")] = "requestConsentAward"
        if (call.method, call.path) in names:
            return names[(call.method, call.path)]
        if call.method == "GET" and CASE.match(call.path):
            return "getCase"
        return "listAwards" if call.method == "GET" and AWARDS.match(call.path) else "unknown"

    def handle(self, operation: str, call: Inbound, fault: Fault | None) -> Answer:
        try:
            if operation == "token":
                return self._token(call)
            self._open_and_known(call)
            if operation == "listCases":
                return self._list(call, fault)
            if operation == "getCase":
                return self._one(CASE.match(call.path).group(1))  # type: ignore[union-attr]
            if operation == "listAwards":
                return self._awards(AWARDS.match(call.path).group(1))  # type: ignore[union-attr]
            if operation == "requestConsentAward":
                return self._consent(call)
            raise Problem(404, "ARB-0404", "No such resource")
        except Problem as problem:
            return self._problem(problem, call)

    def closed(self) -> Answer:
        """Its own trouble: closed for maintenance."""
        problem = Problem(503, "ARB-0503", "Closed for maintenance")
        problem.headers = {"Retry-After": "60"}
        return self._problem(problem, None)

    def _problem(self, problem: Problem, call: Inbound | None) -> Answer:
        told: dict[str, Any] = {
            "type": "about:blank", "title": str(problem), "status": problem.status, "code": problem.code,
        }  # fmt: skip
        if problem.findings:
            told["errors"] = [
                {"path": each["path"], "message": each["expected"]} for each in problem.findings
            ]
        key = call.headers.get("idempotency-key") if call else None
        return Answer(
            problem.status, json.dumps(told, ensure_ascii=False).encode(), PROBLEM_TYPE,
            verdict=f"REFUSED {problem.code}", findings=problem.findings, headers=problem.headers,
            request_id=key, digest=_content_digest(call.body) if key and call else "",
        )  # fmt: skip

    def _token(self, call: Inbound) -> Answer:
        if not call.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            raise Problem(400, "ARB-0400", "The token request is a form")
        form = {key: values[0] for key, values in parse_qs(call.body.decode("utf-8", "replace")).items()}
        mine = self._desk.credentials[PARTNER]
        wanted = {
            "grant_type": "client_credentials",
            **{key: mine[key] for key in ("client_id", "client_secret")},
        }
        if form != wanted:
            raise Problem(401, "ARB-0401", "Unknown client")
        token, until = self._desk.token(PARTNER, "token"), self._desk.clock.now() + timedelta(seconds=TOKEN_S)
        self._desk.books.put(PARTNER, "bearer", token, until.isoformat())
        return _json({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_S})

    def _open_and_known(self, call: Inbound) -> None:
        rules, now = self._desk.rules(PARTNER), self._desk.clock.now()
        local = now.astimezone(BEIJING)
        if rules.get("maintenance") and local.weekday() == 5 and local.hour >= 22:
            raise Problem(503, "ARB-0503", "Closed for maintenance")
        scheme, _, token = call.headers.get("authorization", "").partition(" ")
        until = self._desk.books.get(PARTNER, "bearer", token) if scheme == "Bearer" else None
        if not until or now >= datetime.fromisoformat(until):
            raise Problem(401, "ARB-0401", "Token missing, unknown or expired")
        if rules.get("rate"):
            calls = [
                at for at in self._desk.books.get(PARTNER, "rate", "calls") or [] if at > now.timestamp() - 60
            ]
            self._desk.books.put(PARTNER, "rate", "calls", [*calls, now.timestamp()])
            if len(calls) >= RATE_PER_MINUTE:
                problem = Problem(429, "ARB-0429", "Slow down")
                problem.headers = {"Retry-After": "30"}
                raise problem

    def _list(self, call: Inbound, fault: Fault | None) -> Answer:
        limit, since = call.query.get("limit", "50"), call.query.get("updatedSince", "")
        if not limit.isdigit() or not 1 <= int(limit) <= 100:
            raise Problem(400, "ARB-0400", "Bad query", [finding("QUERY", "/limit", limit, "1 to 100")])
        if since and RULES.violations({**_ANY_PAGE, "snapshotAt": since}, "CasePage"):
            raise Problem(
                400, "ARB-0400", "Bad query", [finding("QUERY", "/updatedSince", since, "RFC 3339 with zone")]
            )
        cursor = call.query.get("cursor", "")
        ids, start, at = self._snapshot(cursor) if cursor else ([], 0, self._desk.clock.now())
        if not cursor:
            ids = [str(case["caseId"]) for case in self._cases.changed_since(since)]
        found = [self._cases.one(each) for each in ids[start : start + int(limit)]]
        items = [case for case in found if case is not None]
        if fault and fault.kind == "duplicate":
            items = items[:1] + items
        if fault and fault.kind == "wrong_order":
            items = items[::-1]
        after = start + int(limit)
        page = {
            "items": items,
            "nextCursor": self._cursor(ids, after, at) if after < len(ids) else None,
            "snapshotAt": at.astimezone(BEIJING).isoformat(timespec="seconds"),
            "approximateTotal": len(ids) + len(ids) % 3,  # habit 5: what it says
        }
        return _json(page)

    def _cursor(self, ids: list[str], start: int, at: datetime) -> str:
        name = hashlib.sha256("|".join([*ids, at.isoformat()]).encode()).hexdigest()[:16]
        self._desk.books.put(PARTNER, "snapshot", name, {"ids": ids, "at": at.isoformat()})
        return base64.urlsafe_b64encode(f"{name}:{start}".encode()).decode().rstrip("=")

    def _snapshot(self, cursor: str) -> tuple[list[str], int, datetime]:
        try:
            name, start = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().split(":")
            kept = self._desk.books.get(PARTNER, "snapshot", name)
            at = datetime.fromisoformat(kept["at"])
        except (ValueError, TypeError, UnicodeDecodeError) as trouble:
            raise Problem(
                400, "ARB-0400", "Unknown cursor", [finding("QUERY", "/cursor", cursor, "a cursor of ours")]
            ) from trouble
        if self._desk.clock.now() - at > CURSOR_LIFE:
            raise Problem(410, "ARB-0410", "Cursor expired")
        return kept["ids"], int(start), at

    def _one(self, case_id: str) -> Answer:
        case = self._cases.one(case_id)
        if case is None or case.get("deleted"):
            raise Problem(404, "ARB-0404", "Unknown or sealed")
        return _json(case)

    def _awards(self, case_id: str) -> Answer:
        self._one(case_id)
        return _json(self._cases.awards(case_id))

    def _consent(self, call: Inbound) -> Answer:
        key = call.headers.get("idempotency-key", "")
        try:
            UUID(key)
        except ValueError as trouble:
            raise Problem(
                400,
                "ARB-0400",
                "Idempotency-Key is a UUID",
                [finding("HEADER", "/Idempotency-Key", key, "a UUID")],
            ) from trouble
        digest, now = _content_digest(call.body), self._desk.clock.now()
        kept = self._desk.books.get(PARTNER, "consent", key)
        if kept and now - datetime.fromisoformat(kept["at"]) < KEY_LIFE:
            if kept["digest"] != digest:
                raise Problem(409, "ARB-0409", "Same key, other body")
            return self._taken(kept, key, digest)
        findings = consent_findings(call.body)
        if findings:
            raise Problem(422, "ARB-0422", "The request is not valid", findings)
        told = read_json(call.body)
        received = now.astimezone(BEIJING).isoformat(timespec="seconds")
        reply = {"requestId": told["requestId"], "receivedAt": received, "caseId": None}
        kept = {"digest": digest, "at": now.isoformat(), "reply": reply}
        self._desk.books.put(PARTNER, "consent", key, kept)
        return self._taken(kept, key, digest)

    def _taken(self, kept: dict[str, Any], key: str, digest: str) -> Answer:
        answer = _json(kept["reply"], 202)
        answer.request_id, answer.digest = key, digest
        return answer


_ANY_PAGE: dict[str, Any] = {"items": [], "nextCursor": None}


def consent_findings(raw: bytes) -> list[Finding]:
    """What is wrong with a consent-award request: schema, sums, the agreement's digest and size."""
    try:
        told = read_json(raw)
    except ValueError as trouble:
        return [finding("JSON_NOT_WELL_FORMED", "/", str(trouble)[:80], "JSON")]
    found = RULES.violations(told, "ConsentAwardRequest")
    if found:
        return found
    total = sum(item["amountFen"] for item in told["items"])
    if total != told["totalFen"]:
        found.append(
            finding("AMOUNT_MISMATCH", "/totalFen", str(told["totalFen"]), f"the items' sum {total}")
        )
    try:
        content = base64.b64decode(told["agreement"]["content"], validate=True)
    except ValueError:
        return [*found, finding("BASE64_INVALID", "/agreement/content", "not base64", "base64")]
    if hashlib.sha256(content).hexdigest() != told["agreement"]["sha256"]:
        found.append(
            finding(
                "DIGEST_MISMATCH", "/agreement/sha256", told["agreement"]["sha256"], "the content's SHA-256"
            )
        )
    if len(content) > PDF_BYTES:
        found.append(finding("TOO_LARGE", "/agreement/content", str(len(content)), "at most 10 MB"))
    return found


def _json(told: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(told, ensure_ascii=False).encode(), JSON_TYPE)


def _content_digest(raw: bytes) -> str:
    """Digest of the JSON's content, so that blanks and key order do not matter; of the bytes when it is no JSON."""
    try:
        raw = json.dumps(read_json(raw), sort_keys=True, ensure_ascii=False).encode()
    except ValueError:
        pass
    return hashlib.sha256(raw).hexdigest()
