"""The API's description says how errors look: every operation may answer with a problem document (RFC 9457).

FastAPI describes a validation error of its own that we never send; here it is replaced, and what every text may hold
is said too.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

MEDIA = "application/problem+json"
_TEXT = {"type": "string"}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "required": ["type", "title", "status", "code", "detail", "errors"],
    "properties": {
        "type": _TEXT,
        "title": _TEXT,
        "status": {"type": "integer"},
        "code": {**_TEXT, "description": "stable; see docs/partner/codes.md"},
        "detail": _TEXT,
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["code", "path", "found", "expected", "action"],
                "properties": dict.fromkeys(
                    ("code", "path", "found", "expected", "action", "partner_code"), _TEXT
                ),
            },
        },
    },
}
STATUSES = {
    "400": "Not a request of HTTP or JSON 请求无法读取",
    "401": "Log in first 请先登录",
    "403": "Your roles do not allow it, or it takes another person 无权限或须他人办理",
    "404": "There is no such thing 不存在",
    "405": "Not this method 方法不适用",
    "409": "It stands against what is there 与现状冲突",
    "413": "Over the stated limit 超过上限",
    "414": "The address is too long 地址过长",
    "415": "Another content type is wanted 内容类型不符",
    "422": "Something in it is wrong; errors name each place 内容有误",
    "429": "Too many calls; Retry-After says when 请求过多",
    "503": "Come back later; Retry-After says when 暂时不可用",
}
# PostgreSQL keeps every character but this one.
NO_NUL = "^[^\\u0000]*$"


def document(app: FastAPI) -> None:
    """Have ``app`` describe itself with the problems it answers."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(
                title=app.title, version=app.version, description=app.description, routes=app.routes
            )
            app.openapi_schema = with_problems(made)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def with_problems(described: dict[str, Any]) -> dict[str, Any]:
    """The description with problems in place of FastAPI's own errors, and texts without NUL."""
    parts = described.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for own in ("HTTPValidationError", "ValidationError"):
        schemas.pop(own, None)
    schemas["Problem"] = PROBLEM
    parts["responses"] = {
        f"Problem{status}": {
            "description": text,
            "content": {MEDIA: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, text in STATUSES.items()
    }
    for path in described["paths"].values():
        for operation in path.values():
            for status in STATUSES:
                operation["responses"][status] = {"$ref": f"#/components/responses/Problem{status}"}
            for parameter in operation.get("parameters", ()):
                _no_nul(parameter["schema"])
    for name, schema in schemas.items():
        if name != "Problem":
            _no_nul(schema)
    return described


def _no_nul(schema: Any) -> None:
    """Every text in a schema that has no form of its own holds no NUL."""
    if isinstance(schema, list):
        for each in schema:
            _no_nul(each)
    elif isinstance(schema, dict):
        if schema.get("type") == "string" and not {"pattern", "format", "enum", "const"} & schema.keys():
            schema["pattern"] = NO_NUL
        for name, each in schema.items():
            if name not in ("pattern", "enum", "const", "default", "examples"):
                _no_nul(each)
