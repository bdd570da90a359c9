"""Holds JSON against the commission's openapi.yaml and says what is wrong in words with a path."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from schemas.findings import Finding, Scope

CONTRACT = Path(__file__).resolve().parent / "contract"
# Whole numbers beyond this are not kept exactly by every JSON reader on the way (RFC 8259, 6).
LARGEST_INTEGER = 2**53 - 1

# In words, where the contract's own words would say little.
_WORDS = {
    "claimAmount": "yuan text with two decimals",
    "amountFen": "integer fen",
    "totalFen": "integer fen",
    "caseId": "ARB-yyyy-nnnnnn",
    "documentSha256": "64 lower-case hex digits",
    "sha256": "64 lower-case hex digits",
    "occurredAt": "Unix milliseconds",
}


@cache
def _components() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((CONTRACT / "openapi.yaml").read_text("utf-8"))
    components: dict[str, Any] = document["components"]
    return components


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": _components()})


def shape_findings(value: Any, name: str, base: str = "", scope: Scope = "message") -> list[Finding]:
    """What the machine contract refuses in `value` as schema `name`, one finding a path; `base` goes before it."""
    found: dict[str, Finding] = {}
    for error in sorted(_validator(name).iter_errors(value), key=lambda each: list(map(str, each.path))):
        for finding in _findings(error, base, scope):
            found.setdefault(finding.path, finding)
    for path, text, wanted in _unstorable(value, base):
        found.setdefault(path, Finding("SCHEMA_VIOLATION", path, text, wanted, scope=scope))
    return list(found.values())


def _findings(error: ValidationError, base: str, scope: Scope) -> Iterator[Finding]:
    path = base + "".join(f"/{step}" for step in error.absolute_path)
    last = next((str(step) for step in reversed(error.absolute_path) if isinstance(step, str)), "")
    if error.validator == "required":
        for key in error.validator_value:
            if key not in error.instance:
                yield Finding("SCHEMA_VIOLATION", f"{path}/{key}", "absent", "required", scope=scope)
    elif error.validator == "additionalProperties":
        for key in error.instance:
            if key not in error.schema.get("properties", {}):
                key_path = f"{path}/{str(key)[:60]}"
                yield Finding("SCHEMA_VIOLATION", key_path, "not in the contract", "no such key", scope=scope)
    elif error.validator in ("enum", "const"):
        values = error.validator_value if error.validator == "enum" else [error.validator_value]
        wanted = ", ".join(map(str, values))
        yield Finding("CODE_UNKNOWN", path or "/", shown(error.instance), wanted, scope=scope)
    elif error.validator == "minItems":
        found = f"{len(error.instance)} items"
        wanted = f"at least {error.validator_value}"
        yield Finding("SCHEMA_VIOLATION", path, found, wanted, scope=scope)
    elif last == "idNo":
        yield Finding("ID_FORMAT", path, shown(error.instance), "18 characters", scope=scope)
    else:
        wanted = _WORDS.get(last) or f"{error.validator} {shown(error.validator_value)}"
        yield Finding("SCHEMA_VIOLATION", path or "/", shown(error.instance), wanted, scope=scope)


def shown(value: Any) -> str:
    """A value as text for a finding, cut to a readable length."""
    if isinstance(value, Decimal):
        return format(value, "f")[:80]
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list) and any(isinstance(each, dict | list) for each in value):
        return "an array"
    return "null" if value is None else str(value)[:80]


def _unstorable(value: Any, path: str) -> Iterator[tuple[str, str, str]]:
    """Numbers too large to be kept exactly, and texts with a NUL, which no database takes."""
    if isinstance(value, bool):
        return
    if isinstance(value, int) and abs(value) > LARGEST_INTEGER:
        yield path or "/", f"{str(value)[:20]}…", "a whole number below 2^53"
    elif isinstance(value, str) and "\x00" in value:
        yield path or "/", "a NUL character", "text"
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _unstorable(each, f"{path}/{index}")
    elif isinstance(value, dict):
        for key, each in value.items():
            if "\x00" in key:
                yield f"{path}/?", "a NUL character in a key", "text"
            else:
                yield from _unstorable(each, f"{path}/{key}")
