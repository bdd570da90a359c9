"""The REST door: routes to operations, answers with ETag, Location, RateLimit; refusals as problem+json."""

from __future__ import annotations

import hashlib
import re
from typing import Any
from urllib.parse import parse_qsl

import orjson
from anyio import to_thread

from connectors.open_contract import shape
from exchange_api.open_contract import comparing, openapi, subscribing
from exchange_api.open_contract.problems import problem
from exchange_api.open_contract.taking import Desk, Plain
from exchange_api.open_contract.wire import Answer, Request
from foundation.directory import Partner
from foundation.unit_of_work import unit_of_work
from hub.evidence import CONTAINER
from hub.operations import OPERATIONS
from hub.pipeline import Hub
from schemas.findings import Finding, Refused
from schemas.open_contract import MOST_BODY_BYTES

PREFIX = "/open/v1"
BATCHES = f"{PREFIX}/batches"
JSON = b"application/json"
# Where a message is given, and the operation that it is.
GIVEN = {
    f"{PREFIX}/messages": "submit",
    f"{PREFIX}/corrections": "correction",
    f"{PREFIX}/withdrawals": "withdrawal",
}
# What is asked: pattern of the path → operation; a named group is what is asked by.
ASKED: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(rf"{PREFIX}/messages/(?P<message_id>[^/]+)"), "status"),
    (re.compile(rf"{PREFIX}/messages/(?P<message_id>[^/]+)/receipt"), "receipt"),
    (re.compile(rf"{PREFIX}/messages/(?P<message_id>[^/]+)/evidence"), "evidence"),
    (re.compile(rf"{PREFIX}/receipts/(?P<receipt_no>[^/]+)"), "receipt"),
    (re.compile(rf"{PREFIX}/receipts/(?P<receipt_no>[^/]+)/message"), "status"),
    (re.compile(rf"{PREFIX}/messages"), "messages"),
    (re.compile(rf"{PREFIX}/missing"), "missing"),
    (re.compile(rf"{PREFIX}/disputes/(?P<number>[^/]+)"), "query"),
    (re.compile(rf"{BATCHES}/(?P<batch_id>[^/]+)"), "batch_status"),
    (re.compile(rf"{BATCHES}/(?P<batch_id>[^/]+)/results"), "batch_results"),
)
_PARAMETERS = {
    "messages": ("cursor", "limit"),
    "missing": ("cursor",),
    "evidence": ("way",),
    "batch_results": ("cursor",),
}
_BATCH = re.compile(rf"{BATCHES}/([A-Za-z0-9._:-]{{1,100}})")
_STATUS = {"ACCEPTED": 202, "DUPLICATE": 200}


async def answer(desk: Desk, request: Request) -> Answer:
    """Answer one call."""
    try:
        return await _answer(desk, request)
    except Refused as refused:
        return problem(refused.findings)


async def _answer(desk: Desk, request: Request) -> Answer:
    if request.method == "POST" and request.path in GIVEN:
        return await _take(desk, request, GIVEN[request.path])
    if request.method == "PUT" and (batch := _BATCH.fullmatch(request.path)):
        return await _take_batch(desk, request, batch[1])
    if request.method == "POST" and request.path in comparing.CALLED:
        return await comparing.answer(desk, request)
    if request.method in subscribing.methods(request.path):
        return await subscribing.answer(desk, request)
    if request.method == "GET":
        if request.path == f"{PREFIX}/openapi.json":
            return tagged(request, openapi.document(), JSON)
        if request.path == f"{PREFIX}/receipt-key":
            return tagged(request, desk.key.public_pem(), b"application/x-pem-file")
        for pattern, operation in ASKED:
            found = pattern.fullmatch(request.path)
            if found is not None:
                return await _ask(desk, request, operation, found.groupdict())
    return _no_such(request)


def _no_such(request: Request) -> Answer:
    allowed = {"POST"} if request.path in GIVEN or request.path in comparing.CALLED else set()
    if any(pattern.fullmatch(request.path) for pattern, _ in ASKED):
        allowed.add("GET")
    allowed |= subscribing.methods(request.path)
    if _BATCH.fullmatch(request.path):
        allowed.add("PUT")
    if allowed:
        told = ", ".join(sorted(allowed))
        finding = Finding("SCHEMA_VIOLATION", "method", request.method[:20], told)
        return problem([finding], [(b"allow", told.encode())], 405)
    return problem([Finding("NOT_FOUND", "url", request.path[:100], f"a path of {PREFIX}/openapi.json")])


async def _take(desk: Desk, request: Request, operation: str) -> Answer:
    identity = desk.identify(request, "rest")
    partner = identity.partner
    if request.media != "application/json":
        finding = Finding(
            "SCHEMA_VIOLATION", "header Content-Type", request.media[:60] or "absent", "application/json"
        )
        return problem([finding], status=415)
    try:
        plain = shape.read_json(request.body, MOST_BODY_BYTES)
        given = desk.checked(operation, partner, plain, request, identity.proof)
        _check_idempotency(request, given.message_id)
    except Refused as refused:
        given = desk.refused(operation, partner, request, identity.proof, refused)
    taken = await desk.store(given)
    if taken.findings:
        return problem(taken.findings)
    told = {"ACCEPTED": "taken", "DUPLICATE": "seen before"}
    location = f"{PREFIX}/messages/{given.message_id}".encode()
    return Answer(
        _STATUS[taken.result],
        taken.receipt,
        JSON,
        [(b"location", location), (b"concord-result", told[taken.result].encode())],
    )


async def _take_batch(desk: Desk, request: Request, batch_id: str) -> Answer:
    identity = desk.identify(request, "rest")
    if request.media != "application/zip":
        finding = Finding(
            "SCHEMA_VIOLATION", "header Content-Type", request.media[:60] or "absent", "application/zip"
        )
        return problem([finding], status=415)
    _check_idempotency(request, batch_id)
    receipt, before = await to_thread.run_sync(desk.give_batch, identity, batch_id, request.body, request)
    return Answer(200 if before else 202, receipt, JSON, [(b"location", f"{BATCHES}/{batch_id}".encode())])


def _check_idempotency(request: Request, message_id: str) -> None:
    """The message's id is the key by which a repeat is known; the header may say the same, and nothing else."""
    if not any(name == "idempotency-key" for name, _ in request.parts.headers):
        return
    told = request.header("idempotency-key").strip().strip('"')
    if told != message_id:
        raise Refused(
            Finding("SCHEMA_VIOLATION", "header Idempotency-Key", told[:100], f"the message_id {message_id}")
        )


async def _ask(desk: Desk, request: Request, operation: str, named: dict[str, str]) -> Answer:
    identity = desk.identify(request, "rest")
    partner = identity.partner
    desk.once(identity.proof)
    asked: Plain = dict(named)
    asked.update(_query(request, operation))
    if operation == "status":
        return tagged(request, orjson.dumps(await desk.status(partner, asked)), JSON)
    told = await to_thread.run_sync(perform, desk.hub, operation, partner, asked)
    media = CONTAINER.encode() if operation == "evidence" else JSON
    return tagged(request, told if isinstance(told, bytes) else orjson.dumps(told), media)


def perform(hub: Hub, operation: str, partner: Partner, asked: Plain) -> Any:
    """One operation in a unit of work of its own. Raises Refused."""
    with unit_of_work(hub.engine) as uow:
        return OPERATIONS[operation](uow, partner, asked)


def _query(request: Request, operation: str) -> Plain:
    allowed = _PARAMETERS.get(operation, ())
    found: Plain = {}
    for name, value in parse_qsl(request.parts.query, keep_blank_values=True):
        if name not in allowed or name in found:
            raise Refused(
                Finding("UNKNOWN_FIELD", f"query {name[:40]}", "not known here", ", ".join(allowed) or "none")
            )
        found[name] = value
    if found.get("way", "in") not in ("in", "out"):
        raise Refused(Finding("SCHEMA_VIOLATION", "query way", found["way"][:20], "in or out"))
    limit = found.get("limit", "1")
    if not re.fullmatch(r"[0-9]{1,4}", limit) or not 1 <= int(limit) <= 100:
        raise Refused(Finding("SCHEMA_VIOLATION", "query limit", limit[:20], "1 to 100"))
    return found


def tagged(request: Request, body: bytes, media: bytes) -> Answer:
    """An answer with its ETag; 304 without a body where the caller has it already."""
    tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    if tag in [each.strip() for each in request.header("if-none-match").split(",")]:
        return Answer(304, b"", media, [(b"etag", tag.encode())])
    return Answer(200, body, media, [(b"etag", tag.encode())])
