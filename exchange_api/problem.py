"""Errors over REST: problem+json (RFC 9457) with a stable code, the path, what was found and what to do."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DataError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.routing import Match

import case_registry
from exchange_api.quiet_log import shown
from schemas.findings import FINDING_CODES, Finding, Refused
from schemas.state_machine import IllegalMove

log = logging.getLogger("concord.api")

STATUS_OF = {
    "UNKNOWN_ORIGINAL": 404,
    "SAME_ID_OTHER_BYTES": 409,
    "NOT_FOUND": 404,
    "NOT_AUTHORISED": 403,
    "NOT_SHARED": 403,
    "SAME_PERSON": 403,
    "ILLEGAL_STATE": 409,
    "UNKNOWN_STAYS": 409,
    "BUSINESS_KEY_CONFLICT": 409,
    "TOO_LARGE": 413,
    "SIGNATURE_INVALID": 401,
    "SIGNATURE_MISSING": 401,
    "CERT_UNKNOWN": 401,
    "TIMESTAMP_EXPIRED": 401,
    "NONCE_REPLAYED": 401,
    "KEY_EXPIRED": 401,
    "KEY_REVOKED": 401,
    "ALGORITHM_UNSUPPORTED": 401,
    "PARTNER_SUSPENDED": 403,
    "RATE_LIMITED": 429,
    "UNAVAILABLE": 503,
    "EVIDENCE_NOT_READY": 409,
    "EVIDENCE_BROKEN": 409,
}
# PostgreSQL's classes: a constraint or one of our triggers said no; trouble that goes away by itself (no
# connection, no room, shut down, locks and deadlocks, too slow).
INVARIANT = ("23", "P0001")
PASSING = ("08", "40", "53", "55", "57", "58")
BUSY_S = 2


class Forbidden(Exception):
    """The person who is logged in may not do this; ``needed`` names the roles that may."""

    def __init__(self, *needed: str) -> None:
        super().__init__(", ".join(needed))
        self.needed = needed


class NotLoggedIn(Exception):
    """No valid session came with the request."""


def problem(status: int, code: str, detail: str, errors: Iterable[dict[str, str]] = ()) -> JSONResponse:
    """One problem document."""
    text = FINDING_CODES.get(code)
    body = {
        "type": f"urn:concord:error:{code}",
        "title": text.zh if text else detail,
        "status": status,
        "code": code,
        "detail": detail,
        "errors": list(errors),
    }
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def refused_problem(findings: Iterable[Finding]) -> JSONResponse:
    """Findings as one problem; the first decides the status."""
    listed = list(findings)
    first = listed[0]
    return problem(
        STATUS_OF.get(first.code, 422), first.code, first.text_zh(), [finding.as_dict() for finding in listed]
    )


def install(app: FastAPI) -> None:
    """Turn the errors of our rooms, of validation and of routing into problem documents."""

    @app.exception_handler(Refused)
    def _refused(_request: Request, error: Refused) -> JSONResponse:
        return refused_problem(error.findings)

    @app.exception_handler(IllegalMove)
    def _illegal(_request: Request, error: IllegalMove) -> JSONResponse:
        return problem(409, "ILLEGAL_MOVE", f"{error.machine}: {error.state} 不能 {error.event}")

    @app.exception_handler(case_registry.Unknown)
    def _unknown(_request: Request, error: case_registry.Unknown) -> JSONResponse:
        return problem(404, "NOT_FOUND", str(error))

    @app.exception_handler(case_registry.NotAllowed)
    def _not_allowed(_request: Request, error: case_registry.NotAllowed) -> JSONResponse:
        return problem(409, "NOT_ALLOWED", str(error))

    @app.exception_handler(Forbidden)
    def _forbidden(_request: Request, error: Forbidden) -> JSONResponse:
        return problem(403, "FORBIDDEN", f"需要角色：{'、'.join(error.needed)}")

    @app.exception_handler(NotLoggedIn)
    def _not_logged_in(_request: Request, _error: NotLoggedIn) -> JSONResponse:
        return problem(401, "NOT_LOGGED_IN", "请先登录：POST /v1/session")

    @app.exception_handler(RequestValidationError)
    def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        errors = [
            {
                "code": "SCHEMA_VIOLATION",
                "path": "/" + "/".join(str(part) for part in each["loc"]),
                "found": str(each.get("input"))[:200],
                "expected": each["msg"],
                "action": "repair and send again",
                "partner_code": "",
            }
            for each in error.errors()[:50]
        ]
        return problem(422, "SCHEMA_VIOLATION", errors[0]["expected"] if errors else "", errors)

    @app.exception_handler(HTTPException)
    def _http(request: Request, error: HTTPException) -> JSONResponse:
        answer = problem(error.status_code, f"HTTP_{error.status_code}", str(error.detail))
        answer.headers.update(error.headers or {})
        if error.status_code == 405:
            answer.headers["Allow"] = ", ".join(_methods(request))
        return answer

    @app.exception_handler(SQLAlchemyError)
    def _database(_request: Request, error: SQLAlchemyError) -> JSONResponse:
        return database_problem(error)


def _methods(request: Request) -> list[str]:
    """Every method that this address knows; each route by itself knows its own only."""
    fitting = (route for route in request.app.routes if route.matches(request.scope)[0] != Match.NONE)
    return sorted({method for route in fitting for method in getattr(route, "methods", None) or ()})


def database_problem(error: SQLAlchemyError) -> JSONResponse:
    """What the database said, as a problem: bad value, broken invariant, or trouble that passes.

    Raises the error itself where it is a fault of ours.
    """
    original = getattr(error, "orig", None)
    state = str(getattr(original, "sqlstate", "") or "")
    if state.startswith(INVARIANT):
        return problem(409, "INVARIANT", str(original).splitlines()[0][:300])
    if state.startswith("22") or isinstance(error, DataError):
        return refused_problem(
            [Finding("SCHEMA_VIOLATION", "/", "a value no field can hold", "text, numbers, dates")]
        )
    if state and not state.startswith(PASSING):
        raise error
    log.error("database trouble: %s", shown(error))
    answer = problem(503, "BUSY", "数据库暂时不可用，请稍后重试")
    answer.headers["Retry-After"] = str(BUSY_S)
    return answer
