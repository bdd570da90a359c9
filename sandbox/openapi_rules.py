"""Checks JSON against the schemas of a partner's OpenAPI file or a JSON Schema file."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from jsonschema import Draft202012Validator, FormatChecker

from sandbox.desk import Finding, finding

FORMATS = FormatChecker(formats=())


def _format(name: str, read: Any) -> None:
    def check(value: object) -> bool:
        if isinstance(value, str):
            read(value)
        return True

    FORMATS.checks(name, raises=(ValueError, TypeError))(check)


def _zoned(text: str) -> None:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("no zone")


_format("uuid", UUID)
_format("date", date.fromisoformat)
_format("date-time", _zoned)


class Rules:
    """The schemas of one contract file."""

    def __init__(self, path: Path) -> None:
        text = path.read_text("utf-8")
        self._document = yaml.safe_load(text) if path.suffix == ".yaml" else json.loads(text)

    def violations(self, instance: Any, name: str = "") -> list[Finding]:
        """What is wrong with `instance` by `#/components/schemas/<name>` (the whole file when name is "")."""
        schema = self._document
        if name:
            schema = {"$ref": f"#/components/schemas/{name}", "components": self._document["components"]}
        return self._check(schema, instance)

    def form_violations(self, path: str, instance: Any) -> list[Finding]:
        """What is wrong with a form body of POST `path` (values as text, integers read)."""
        content = self._document["paths"][path]["post"]["requestBody"]["content"]
        return self._check(content["application/x-www-form-urlencoded"]["schema"], instance)

    def _check(self, schema: Any, instance: Any) -> list[Finding]:
        errors = sorted(Draft202012Validator(schema, format_checker=FORMATS).iter_errors(instance), key=str)
        return [
            finding("SCHEMA_VIOLATION", "/" + "/".join(map(str, each.absolute_path)), str(each.instance)[:80], each.message)
            for each in errors[:10]
        ]  # fmt: skip


def read_json(raw: bytes | str) -> Any:
    """Strict JSON: no double keys, no NaN. Raises ValueError."""

    def no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise ValueError("a key stands twice")
        return dict(pairs)

    def no_constant(word: str) -> Any:
        raise ValueError(f"{word} is not JSON")

    return json.loads(raw, object_pairs_hook=no_twins, parse_constant=no_constant)
