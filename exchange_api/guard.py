"""The outermost layer: limits of head and body, strict JSON for the REST part, and an answer for faults of ours.

Partners' and rails' doors have their own limits and answers (``partners``, ``rails``); for them only the head is
looked at here.
"""

from __future__ import annotations

import logging
import secrets
from urllib.parse import unquote_to_bytes

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exchange_api.bodies import TooLarge, read_body
from exchange_api.problem import problem, refused_problem
from exchange_api.quiet_log import shown
from schemas.findings import Finding, Refused
from schemas.xml_safe import parse_json_strict

log = logging.getLogger("concord.api")

HEAD_BYTES = 32 * 1024
TARGET_BYTES = 8 * 1024
REST_BODY_BYTES = 1024 * 1024
REST = "/v1/"


class Guard:
    """ASGI middleware round the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer what is refused at the door; hand everything else on, and answer if that fails."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            refusal = _head(scope)
            if refusal is None and scope["path"].startswith(REST):
                refusal, receive = await _rest_body(scope, receive)
            await (refusal or self.app)(scope, receive, noting)
        except Exception as error:
            number = secrets.token_hex(6)
            log.error("fault %s at %s %s: %s", number, scope["method"], _route(scope), shown(error))
            if begun:
                raise
            detail = f"系统出错，已记录，编号 {number}"
            await problem(500, "INTERNAL", detail, [_place("/", number)])(scope, receive, send)


def _head(scope: Scope) -> JSONResponse | None:
    if sum(len(name) + len(value) for name, value in scope["headers"]) > HEAD_BYTES:
        return problem(
            431, "TOO_LARGE", f"请求头超过 {HEAD_BYTES} 字节", [_place("header", f"over {HEAD_BYTES} bytes")]
        )
    target = scope["raw_path"] + b"?" + scope["query_string"]
    if len(target) > TARGET_BYTES:
        return problem(
            414, "TOO_LARGE", f"地址超过 {TARGET_BYTES} 字节", [_place("url", f"over {TARGET_BYTES} bytes")]
        )
    plain = unquote_to_bytes(target.replace(b"+", b" "))
    try:
        plain.decode("utf-8")
    except UnicodeDecodeError:
        return refused_problem([Finding("ENCODING_MISMATCH", "url", "not UTF-8", "UTF-8")])
    if b"\x00" in plain:
        return refused_problem([Finding("SCHEMA_VIOLATION", "url", "a NUL character", "text")])
    return None


async def _rest_body(scope: Scope, receive: Receive) -> tuple[JSONResponse | None, Receive]:
    """The body once read and once checked: the application gets the very bytes that were looked at."""
    try:
        body = await read_body(Request(scope, receive), REST_BODY_BYTES)
    except TooLarge:
        finding = Finding(
            "TOO_LARGE", "/body", f"over {REST_BODY_BYTES} bytes", f"at most {REST_BODY_BYTES} bytes"
        )
        return refused_problem([finding]), receive
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return _wrong(scope, body), again


def _wrong(scope: Scope, body: bytes) -> JSONResponse | None:
    if not body:
        return None
    told = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    media = told.split(b";")[0].strip().lower().decode("latin-1")
    if media != "application/json":
        place = {**_place("header Content-Type", media or "absent"), "expected": "application/json"}
        return problem(415, "SCHEMA_VIOLATION", "请求体应为 application/json", [place])
    try:
        parse_json_strict(body, max_bytes=REST_BODY_BYTES, path_root="/body")
    except Refused as refused:
        return refused_problem(refused.findings)
    return None


def _place(path: str, found: str) -> dict[str, str]:
    return {"code": "", "path": path, "found": found, "expected": "", "action": "", "partner_code": ""}


def _route(scope: Scope) -> str:
    """The route's pattern where one was found: a path may hold a number of a case."""
    return str(getattr(scope.get("route"), "path", "an unknown path"))
