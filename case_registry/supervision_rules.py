"""What supervision goes by: levels, offices, limits, codes, and what each act must prove. Pure; the numbers are data."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from case_registry.source import NotAllowed

LEVELS = ("L3", "L2", "L1")
"""From the lowest up."""


@dataclass(frozen=True)
class Level:
    """A level of supervision. `offices`: which may issue; `answer`, `again`: rules of the clock to answer."""

    name: str
    zh: str
    en: str
    offices: tuple[str, ...]
    answer: str
    again: str
    up: str


@cache
def table() -> dict[str, Any]:
    """The whole table."""
    return tomllib.loads(files("case_registry").joinpath("data/supervision.toml").read_text("utf-8"))


@cache
def levels() -> dict[str, Level]:
    """Levels by name."""
    return {row["name"]: Level(**{**row, "offices": tuple(row["offices"])}) for row in table()["level"]}


def codes(kind: str) -> tuple[str, ...]:
    """The codes of one kind: reason, suspend, send_back, withdraw, result."""
    return tuple(table()["codes"][kind])


def office_level(org: str) -> str:
    """city, county or town: the level of an office by its name."""
    for row in table()["office"]:
        if re.search(row["pattern"], org):
            return str(row["level"])
    return "county"


def level_for_red(workdays: int, *, skip: bool = False) -> str:
    """The level that a lamp red for so many workdays calls for, "" for none. `skip`: RED factors skip one column of the
    table, so that what else comes after some days comes at once."""
    rows = table()["red"]
    after = [0, *(row["workdays"] for row in rows)] if skip else [row["workdays"] for row in rows]
    called = [row["level"] for row, days in zip(rows, after, strict=False) if workdays >= days]
    return str(called[-1]) if called else ""


# Event → what must be told with it. "codes:KIND" = one of the codes; "list" = at least one line; "?" = may be left out.
PROOF: dict[str, dict[str, str]] = {
    "discard": {"reason": "text"},
    "issue": {"seal": "text"},
    "sign_for": {"agency": "text", "receipt": "text"},
    "not_signed": {"rule": "text"},
    "object": {"reason": "text", "law": "text", "other_agency": "text"},
    "uphold": {"decision": "text"},
    "reassign": {"decision": "text", "to_agency": "text", "organisation": "text?"},
    "assign_handler": {"handler": "text", "phone": "text"},
    "urge": {"text": "text"},
    "report_progress": {"note": "text"},
    "ask_extension": {"reason": "text", "days": "whole"},
    "grant": {"decision": "text"},
    "refuse": {"decision": "text"},
    "suspend": {"ground": "codes:suspend", "document": "text", "until": "day?"},
    "resume": {"reason": "text"},
    "report_result": {"result": "codes:result", "papers": "list", "head": "text"},
    "start_verify": {"verifier": "text", "verifier_agency": "text"},
    "pass": {"record": "text", "reached": "flag?", "tries": "list?", "on_the_spot": "flag?"},
    "send_back": {"reason": "codes:send_back", "text": "text"},
    "close": {"note": "text"},
    "escalate": {"rule": "text"},
    "withdraw": {"reason": "codes:withdraw", "text": "text"},
    "reopen": {"fact": "text"},
    "copy_to": {"to": "text", "basis": "text"},
    "read": {"by": "text"},
}
# Line of the file → code of the table of supervision actions; acts without one have no code there yet.
ACTION = {
    "issue": "ASSIGN", "reassign": "REASSIGN", "urge": "URGE", "not_signed": "RED", "grant": "EXTEND", "suspend": "SUSPEND",
    "resume": "RESUME", "start_verify": "VERIFY", "send_back": "SEND_BACK", "copy_to": "COPY_TO", "escalate": "REPORT_UP",
    "close": "CLOSE",
}  # fmt: skip
# Who does it: the issuing office, the assigned agency (recorded with its paper), the verifier, or the clock.
SIDE = {
    "sign_for": "agency", "object": "agency", "assign_handler": "agency", "report_progress": "agency",
    "ask_extension": "agency", "report_result": "agency", "pass": "verifier", "send_back": "verifier",
    "not_signed": "clock", "read": "agency",
}  # fmt: skip


def checked(event: str, proof: Mapping[str, Any]) -> dict[str, Any]:
    """What was told with an act, complete and of the right kind. Raises NotAllowed naming what is missing."""
    if event not in PROOF:
        raise NotAllowed(f"{event} is no act of supervision")
    told: dict[str, Any] = {}
    for name, kind in PROOF[event].items():
        value = _value(name, kind.rstrip("?"), proof.get(name))
        if value in (None, "", [], False) and not kind.endswith("?"):
            raise NotAllowed(f"{event} needs its proof: {name}")
        told[name] = value
    return told


def _value(name: str, kind: str, value: Any) -> Any:
    if kind == "list":
        lines = value.splitlines() if isinstance(value, str) else value or []
        return [str(line).strip() for line in lines if str(line).strip()]
    if kind == "flag":
        return bool(value)
    if kind == "whole":
        if not str(value or "").isdecimal():
            raise NotAllowed(f"{name} is a whole number")
        return int(str(value))
    text = str(value or "").strip()
    if kind.startswith("codes:") and text and text not in codes(kind[6:]):
        raise NotAllowed(f"{name} is one of: {', '.join(codes(kind[6:]))}")
    return text
