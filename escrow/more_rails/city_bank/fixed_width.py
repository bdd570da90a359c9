"""Reads records of fixed width by a layout that is data. Knows no bank: what a field means is the reader's."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from schemas.findings import Finding, Refused
from schemas.money import Fen

MOST_FINDINGS = 50


class Record(NamedTuple):
    """One line of the file: its number from 1, its tag and its fields."""

    line: int
    tag: str
    fields: Mapping[str, Any]

    def path(self, name: str) -> str:
        """Where a field stands, for a finding."""
        return f"line[{self.line}]/{name}"


@cache
def layout(path: Path) -> dict[str, Any]:
    """A layout. Raises ValueError where its records do not fit its length."""
    told = tomllib.loads(path.read_text("utf-8"))
    for tag, fields in told["record"].items():
        if told["tag"] + sum(each["width"] for each in fields) > told["length"]:
            raise ValueError(f"record {tag} is longer than {told['length']} bytes")
    return told


def read(content: bytes, plan: Mapping[str, Any]) -> list[Record]:
    """Every record of a file. Raises Refused with line number and field of everything that is wrong, at most
    MOST_FINDINGS."""
    found: list[Finding] = []
    records: list[Record] = []
    for number, raw in enumerate(_lines(content), start=1):
        if len(found) >= MOST_FINDINGS:
            break
        if len(raw) != plan["length"]:
            found.append(
                Finding("SCHEMA_VIOLATION", f"line[{number}]", f"{len(raw)} bytes", f"{plan['length']} bytes")
            )
            continue
        tag = raw[: plan["tag"]].decode("ascii", "replace")
        if tag not in plan["record"]:
            found.append(Finding("CODE_UNKNOWN", f"line[{number}]/tag", tag, ", ".join(plan["record"])))
            continue
        records.append(Record(number, tag, _fields(raw, number, plan["record"][tag], plan, found)))
    if found:
        raise Refused(*found)
    return records


def _lines(content: bytes) -> list[bytes]:
    lines = content.split(b"\n")
    if lines and lines[-1] in (b"", b"\x1a"):  # a mark for the end of the file, of old hosts
        lines.pop()
    return [line.removesuffix(b"\r") for line in lines]


def _fields(
    raw: bytes, number: int, fields: list[dict[str, Any]], plan: Mapping[str, Any], found: list[Finding]
) -> dict[str, Any]:
    values: dict[str, Any] = {}
    at = int(plan["tag"])
    for each in fields:
        part = raw[at : at + each["width"]]
        at += each["width"]
        try:
            text = part.decode(plan["encoding"])
            values[each["name"]] = _VALUE[each["kind"]](text, each)
        except UnicodeDecodeError:
            path = f"line[{number}]/{each['name']}"
            found.append(Finding("ENCODING_MISMATCH", path, part[:12].hex(), str(plan["encoding"])))
        except ValueError:
            code = _CODE.get(each["kind"], "SCHEMA_VIOLATION")
            expected = ", ".join(each.get("values", ())) or f"{each['kind']} of {each['width']} bytes"
            found.append(Finding(code, f"line[{number}]/{each['name']}", text.strip()[:40], expected))
    if raw[at:].strip(b" "):
        found.append(Finding("SCHEMA_VIOLATION", f"line[{number}]/filler", raw[at:][:20].hex(), "blanks"))
    return values


def _digits(text: str, each: Mapping[str, Any]) -> int:
    if not re.fullmatch(rf"[0-9]{{{each['width']}}}", text):
        raise ValueError(text)
    return int(text)


def _signed(text: str, each: Mapping[str, Any]) -> Fen:
    if not re.fullmatch(rf"[+-][0-9]{{{each['width'] - 1}}}", text):
        raise ValueError(text)
    return Fen(int(text))


def _day(text: str, each: Mapping[str, Any]) -> date:
    return date(*(int(part) for part in (str(_digits(text, each))[:4], text[4:6], text[6:])))


def _one_of(text: str, each: Mapping[str, Any]) -> str:
    if text.strip() not in each["values"]:
        raise ValueError(text)
    return text.strip()


_VALUE = {
    "text": lambda text, each: text.rstrip(" "), "code": _one_of, "number": _digits, "date": _day,
    "fen": lambda text, each: Fen(_digits(text, each)), "signed_fen": _signed,
}  # fmt: skip
_CODE = {
    "fen": "AMOUNT_UNREADABLE",
    "signed_fen": "AMOUNT_UNREADABLE",
    "date": "DATE_UNREADABLE",
    "code": "CODE_UNKNOWN",
}
