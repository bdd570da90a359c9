"""The REST contract as OpenAPI 3.1, made from the model: what partners are given at /open/v1/openapi.json."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson

from exchange_api.open_contract import described_message
from exchange_api.open_contract.described_message import DAY
from hub.evidence import CONTAINER
from hub.subscribing import topics
from schemas.holdings import MOST_DEPTH, MOST_IDS, MOST_RANGES, WAYS

_ID = {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,100}$"}
_NO = {"type": "string", "pattern": "^R[0-9]{10,18}$"}
_MOMENT = {"type": "string", "format": "date-time"}
_TEXT = {"type": "string"}
_ASKED_ID = {"type": "string", "pattern": r"^[^\u0000]*$"}
_COUNT = {"type": "integer", "minimum": 0}


def _object(required: str, optional: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required.split(), "properties": {**properties, **(optional or {})}}


def _wanted(required: str, optional: dict[str, Any] | None = None, **properties: Any) -> dict[str, Any]:
    """An object that callers send: a name that is not known is refused."""
    return {**_object(required, optional, **properties), "additionalProperties": False}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of, "maxItems": 1000}


_SHA = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_DAY = {"type": "string", "format": "date"}
_PREFIX = {"type": "string", "pattern": f"^[0-9a-f]{{0,{MOST_DEPTH}}}$"}
_PARTS: dict[str, Any] = {
    "Receipt": _object(
        "receipt_no partner message_id kind state received_at content_sha256 message_sha256 signed",
        receipt_no={"type": "string", "pattern": "^[RB][0-9]{10,18}$"},
        partner=_TEXT, message_id=_ID, kind=_TEXT, state={"const": "RECEIVED"}, received_at=_MOMENT,
        content_sha256=_SHA, message_sha256=_SHA,
        signed={"type": "string", "description": "the same facts as a JWS (RFC 7515, compact), key at /open/v1/receipt-key"},
    ),
    "Finding": _object("code path found expected action", code=_TEXT, path=_TEXT, found=_TEXT, expected=_TEXT, action=_TEXT),
    "Status": _object(
        "receipt_no message_id case_key state received_at disputes findings",
        {"sequence": {"type": "integer"}, "decided_at": _MOMENT},
        receipt_no=_NO, message_id=_ID, case_key=_TEXT, received_at=_MOMENT, disputes=_list(_TEXT), findings=_list(_ref("Finding")),
        state={"enum": ["RECEIVED", "WAITING", "APPLIED", "PARKED", "REFUSED", "QUARANTINED"]},
    ),
    "Messages": _object("messages", {"next_cursor": _TEXT}, messages=_list(_ref("Status"))),
    "Gap": _object("case_key sequence since", case_key=_TEXT, sequence={"type": "integer"}, since=_MOMENT),
    "Missing": _object("gaps", {"next_cursor": _TEXT}, gaps=_list(_ref("Gap"))),
    "Episode": _object(
        "case_key proceeding proceeding_kind state", case_key=_TEXT, proceeding=_TEXT, proceeding_kind=_TEXT, state=_TEXT
    ),
    "Dispute": _object(
        "dispute stage holder own", {"stage_since": _MOMENT}, dispute=_TEXT, stage=_TEXT, holder=_TEXT, own=_list(_ref("Episode"))
    ),
    "Batch": _object(
        "batch_id receipt_no state received_at records accepted duplicate quarantined refused findings",
        {"finished_at": _MOMENT}, batch_id=_ID, receipt_no=_TEXT, state={"enum": ["RECEIVED", "DONE", "BROKEN"]},
        received_at=_MOMENT, records=_COUNT, accepted=_COUNT, duplicate=_COUNT, quarantined=_COUNT, refused=_COUNT,
        findings=_list(_ref("Finding")),
    ),
    "BatchRecord": _object(
        "place name message_id result findings", {"receipt_no": _NO}, place=_COUNT, name=_TEXT, message_id=_TEXT,
        result={"enum": ["ACCEPTED", "DUPLICATE", "QUARANTINED", "REFUSED"]}, findings=_list(_ref("Finding")),
    ),
    "BatchResults": _object("results", {"next_cursor": _TEXT}, results=_list(_ref("BatchRecord"))),
    "Subscription": _object(
        "subscription_id kind state address topics created_at waiting given_up", {"secret": _TEXT},
        subscription_id={"type": "string", "format": "uuid"}, kind={"enum": ["webhook", "amqp"]}, address=_TEXT,
        state={"enum": ["ASKED", "ACTIVE", "PAUSED", "ENDED"]}, topics=_list(_TEXT), created_at=_MOMENT, waiting=_COUNT,
        given_up=_COUNT,
    ),
    "Subscriptions": _object("subscriptions", subscriptions=_list(_ref("Subscription"))),
    "ComparedDays": _object("days", days={"type": "array", "items": _object("day count hash", day=_DAY, count=_COUNT, hash=_SHA)}),
    "ComparedRanges": _object(
        "ranges",
        ranges=_list(_object(
            "day prefix", {"parts": _list(_object("prefix count hash", prefix=_PREFIX, count=_COUNT, hash=_SHA)),
                           "entries": _list(_object("id digest withdrawn", id=_TEXT, digest=_TEXT, withdrawn={"type": "boolean"}))},
            day=_DAY, prefix=_PREFIX,
        )),
    ),
    "ComparedMessages": _object(
        "messages", messages=_list(_object("id content_base64", id=_TEXT, content_base64={"type": "string", "format": "byte"}))
    ),
    "Problem": _object(
        "type title status code detail errors", type=_TEXT, title=_TEXT, status={"type": "integer"}, code=_TEXT, detail=_TEXT,
        errors=_list(_ref("Finding")),
    ),
}  # fmt: skip
_RATE = {
    name: {"schema": _TEXT, "description": "draft-ietf-httpapi-ratelimit-headers"}
    for name in ("RateLimit", "RateLimit-Policy")
}


def _answers(**told: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        code[1:]: {
            "description": part,
            "content": {"application/json": {"schema": _ref(part)}},
            "headers": _RATE,
        }
        for code, part in told.items()
    }
    made["default"] = {
        "description": "refused: code, path, what was found, what is expected",
        "content": {"application/problem+json": {"schema": _ref("Problem")}},
        "headers": {
            "Retry-After": {"schema": {"type": "integer"}, "description": "with 429 and 503: seconds"}
        },
    }
    return made


def _given(summary: str, kind: str) -> dict[str, Any]:
    key = {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": {"type": "string", "pattern": '^"?[A-Za-z0-9._:-]{1,100}"?$'},
        "description": "if given, the message_id",
    }
    return {
        "post": {
            "summary": summary,
            "parameters": [key],
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _ref(described_message.KINDS[kind])}},
            },
            "responses": _answers(_202="Receipt", _200="Receipt"),
        }
    }


def _asked(summary: str, part: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    tag = {"name": "If-None-Match", "in": "header", "schema": _TEXT}
    answers = _answers(_200=part)
    answers["304"] = {"description": "as the caller has it already"}
    return {"get": {"summary": summary, "parameters": [*parameters, tag], "responses": answers}}


def _in_path(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema}


def _paths() -> dict[str, Any]:
    message, receipt = _in_path("message_id", _ID), _in_path("receipt_no", _NO)
    cursor = _in_query("cursor", {"type": "string", "maxLength": 400, "pattern": "^[A-Za-z0-9_-]*$"})
    listed = _asked(
        "Your messages, in the order in which they came", "Messages", cursor,
        _in_query("limit", {"type": "integer", "minimum": 1, "maximum": 100}),
    )  # fmt: skip
    return {
        "/open/v1/messages": {**_given("Submit a message (kind record)", "record"), **listed},
        "/open/v1/corrections": _given(
            "Replace what an earlier message said (kind correction)", "correction"
        ),
        "/open/v1/withdrawals": _given(
            "Take back what an earlier message said (kind withdrawal)", "withdrawal"
        ),
        "/open/v1/messages/{message_id}": _asked("Status, by your id", "Status", message),
        "/open/v1/messages/{message_id}/receipt": _asked("Receipt, by your id", "Receipt", message),
        "/open/v1/messages/{message_id}/evidence": _evidence(message),
        "/open/v1/receipts/{receipt_no}": _asked("Receipt, by its number", "Receipt", receipt),
        "/open/v1/receipts/{receipt_no}/message": _asked(
            "Status, by the receipt's number", "Status", receipt
        ),
        "/open/v1/batches/{batch_id}": _batch(_in_path("batch_id", _ID)),
        "/open/v1/batches/{batch_id}/results": _asked(
            "Each record's result", "BatchResults", _in_path("batch_id", _ID), cursor
        ),
        "/open/v1/subscriptions": _subscriptions(),
        "/open/v1/subscriptions/{subscription_id}": {
            "delete": {
                "summary": "End a subscription",
                "parameters": [_in_path("subscription_id", {"type": "string", "format": "uuid"})],
                "responses": _answers(_200="Subscription"),
            }
        },
        **_compared(),
        "/open/v1/missing": _asked("Numbers of your cases that did not come", "Missing", cursor),
        "/open/v1/disputes/{number}": _asked(
            "A dispute in which you have a case",
            "Dispute",
            _in_path("number", {"type": "string", "maxLength": 100}),
        ),
    }


def _subscriptions() -> dict[str, Any]:
    wanted_topics = {"type": "array", "minItems": 1, "maxItems": 50, "items": {"enum": list(topics())}}
    address = {
        "type": "string",
        "maxLength": 500,
        "pattern": "^https://[^/?#@]+[^#@]*$",
        "description": "https outside a sandbox",
    }
    wanted = {
        "oneOf": [
            _wanted("kind topics address", kind={"const": "webhook"}, topics=wanted_topics, address=address),
            _wanted("kind topics", {"address": {"const": ""}}, kind={"const": "amqp"}, topics=wanted_topics),
        ]
    }
    post = {
        "summary": "Ask to be told of events; an operator approves the address",
        "requestBody": {"required": True, "content": {"application/json": {"schema": wanted}}},
        "responses": _answers(_201="Subscription"),
    }
    get = {"summary": "Your subscriptions", "responses": _answers(_200="Subscriptions")}
    return {"post": post, "get": get}


def _compared() -> dict[str, Any]:
    """The comparison of holdings: how each side finds what the other lacks without sending all."""
    way = {"enum": list(WAYS)}
    day = {"type": "string", "format": "date", "pattern": DAY}
    one = _wanted("day", {"prefix": _PREFIX}, day=day)
    bodies = {
        "days": ("Count and hash of each day", "ComparedDays", _wanted("way since until", way=way, since=day, until=day)),
        "ranges": (
            "What is in ranges of a day: parts with hashes, or few messages", "ComparedRanges",
            _wanted("way ranges", way=way, ranges={"type": "array", "minItems": 1, "maxItems": MOST_RANGES, "items": one}),
        ),
        "messages": (
            "Messages of ours that you lack, as they were first made", "ComparedMessages",
            _wanted("ids", ids={"type": "array", "minItems": 1, "maxItems": MOST_IDS, "items": _ASKED_ID}),
        ),
    }  # fmt: skip
    return {
        f"/open/v1/compare/{name}": {
            "post": {
                "summary": summary,
                "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
                "responses": _answers(_200=part),
            }
        }
        for name, (summary, part, body) in bodies.items()
    }


def _batch(batch_id: dict[str, Any]) -> dict[str, Any]:
    """The archive itself, and how far it is."""
    body = {"application/zip": {"schema": {"type": "string", "format": "binary"}}}
    put = {
        "summary": "Up to 10,000 messages as a zip of *.json (one message each) and *.jsonl (one a line)",
        "parameters": [batch_id],
        "requestBody": {"required": True, "content": body},
        "responses": _answers(_202="Receipt", _200="Receipt"),
    }
    return {"put": put, **_asked("How far an archive is", "Batch", batch_id)}


def _evidence(message: dict[str, Any]) -> dict[str, Any]:
    way = _in_query(
        "way", {"enum": ["in", "out"], "default": "in", "description": "sent by you, or sent to you"}
    )
    told = _asked("What became of a message, to be checked offline (ASiC-E)", "Status", message, way)
    told["get"]["responses"]["200"] = {
        "description": "the container; 409 EVIDENCE_NOT_READY until it is sealed and stamped, about a second",
        "content": {CONTAINER: {"schema": {"type": "string", "format": "binary"}}},
        "headers": _RATE,
    }
    return told


@cache
def document() -> bytes:
    """The document's bytes."""
    made = {
        "openapi": "3.1.0",
        "info": {
            "title": "Concord open contract 开放接口约定",
            "version": "1",
            "description": "Every call is signed (RFC 9421) or comes over mutual TLS. See docs/partner.",
        },
        "paths": _paths(),
        "components": {"schemas": {**described_message.schemas(), **_PARTS}},
    }
    return orjson.dumps(made)
