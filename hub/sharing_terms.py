"""Sharing agreements as they are written: read, checked against the vocabulary, refused where a rule of law stands against.

The vocabulary (data sets, fields with class and mask, purposes) is ``hub/data/sharing.toml``. The agreements of an adapter
lie in its folder (``connectors/*/sharing.toml``); those of other partners are entered as files of the same form.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any

from schemas.findings import Finding, Refused

HERE = Path(__file__).resolve().parent / "data" / "sharing.toml"
MOST_BYTES = 200_000
MOST_AGREEMENTS = 200
# What an agreement must say (domain rules, section 1): each is a column people read, none may be empty.
TERMS = (
    "legal_basis", "duty", "scenario", "frequency", "means", "retention", "security_class", "onward_use", "contact",
    "assessment", "provider",
)  # fmt: skip
_KNOWN = {*TERMS, "id", "data_set", "fields", "unmasked", "unmasked_because", "direction", "purpose", "from", "until",
          "stop_conditions"}  # fmt: skip


@dataclass(frozen=True)
class Agreement:
    """One agreement: data set × fields × purpose × legal basis × period × partner. ``until`` is its last day."""

    id: str
    partner: str
    agency: str
    data_set: str
    fields: tuple[str, ...]
    unmasked: tuple[str, ...]
    purpose: str
    since: date
    until: date
    terms: dict[str, Any]
    version: str

    @property
    def basis(self) -> str:
        """The article that allows it."""
        return str(self.terms["legal_basis"])


@lru_cache(maxsize=1)
def vocabulary() -> dict[str, Any]:
    """Masks, purposes, data sets and what never leaves, from ``hub/data/sharing.toml``."""
    return tomllib.loads(HERE.read_text(encoding="utf-8"))


def field_of(data_set: str, path: str) -> dict[str, Any] | None:
    """Class, mask and names of a field; None when the data set does not know it."""
    found: dict[str, Any] | None = vocabulary()["data_sets"].get(data_set, {}).get("fields", {}).get(path)
    return found


def read_agreements(content: bytes, partner: str, agency: str) -> list[Agreement]:
    """The agreements of one file. Raises Refused with every fault of it: an agreement counts whole or not at all."""
    told = _parsed(content)
    listed = told.get("agreement", [])
    if not isinstance(listed, list) or not 0 < len(listed) <= MOST_AGREEMENTS:
        raise Refused(Finding("SCHEMA_VIOLATION", "agreement", "none or too many", f"1 to {MOST_AGREEMENTS}"))
    common, version = dict(told.get("terms", {})), str(told.get("version", ""))
    findings: list[Finding] = []
    if not version:
        findings.append(Finding("FIELD_MISSING", "version", "absent", "the file's version"))
    found = []
    for place, row in enumerate(listed):
        faults = list(_faults({**common, **row}, f"agreement[{place}]", agency))
        findings += faults
        if not faults:
            found.append(_agreement({**common, **row}, partner, agency, version))
    findings += _doubles(found)
    if findings:
        raise Refused.of(findings)
    return found


def _parsed(content: bytes) -> dict[str, Any]:
    if len(content) > MOST_BYTES:
        raise Refused(Finding("TOO_LARGE", "file", f"{len(content)} bytes", f"at most {MOST_BYTES} bytes"))
    try:
        return tomllib.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Refused(Finding("SCHEMA_VIOLATION", "file", str(error)[:200], "TOML in UTF-8")) from None


def _agreement(row: dict[str, Any], partner: str, agency: str, version: str) -> Agreement:
    terms = {name: row[name] for name in (*TERMS, "stop_conditions")} | {
        "unmasked_because": row.get("unmasked_because", "")
    }
    return Agreement(
        str(row["id"]), partner, agency, row["data_set"], tuple(row["fields"]), tuple(row.get("unmasked", ())),
        row["purpose"], row["from"], row["until"], terms, version,
    )  # fmt: skip


def _faults(row: dict[str, Any], path: str, agency: str) -> list[Finding]:
    missing = [name for name in (*TERMS, "id") if not str(row.get(name, "")).strip()]
    missing += [
        name for name in ("fields", "stop_conditions") if not isinstance(row.get(name), list) or not row[name]
    ]
    found = [
        Finding("FIELD_MISSING", f"{path}.{name}", "absent", "each term is required") for name in missing
    ]
    found += [
        Finding("UNKNOWN_FIELD", f"{path}.{name}", name, ", ".join(sorted(_KNOWN)))
        for name in set(row) - _KNOWN
    ]
    words = vocabulary()
    for name, known in (
        ("data_set", words["data_sets"]),
        ("purpose", words["purposes"]),
        ("direction", ("out",)),
    ):
        if row.get(name) not in known:
            found.append(
                Finding("CODE_UNKNOWN", f"{path}.{name}", str(row.get(name, "absent")), ", ".join(known))
            )
    since, until = row.get("from"), row.get("until")
    if type(since) is not date or type(until) is not date:
        found.append(
            Finding("DATE_UNREADABLE", f"{path}.from", f"{since} – {until}", "two days without quotes")
        )
    elif until < since:
        found.append(Finding("WRONG_DATE_ORDER", f"{path}.until", str(until), f"not before {since}"))
    return found or _field_faults(row, path, agency)


def _field_faults(row: dict[str, Any], path: str, agency: str) -> list[Finding]:
    """Fields that are not known, or that no agreement may share (concessions; running text towards a court)."""
    words, found = vocabulary(), []
    for name in row["fields"]:
        field = field_of(row["data_set"], str(name))
        if field is None:
            expected = ", ".join(words["data_sets"][row["data_set"]]["fields"])
            found.append(Finding("CODE_UNKNOWN", f"{path}.fields", str(name), expected))
        elif field["class"] in words["never"] or (field.get("text") and agency in words["no_running_text"]):
            found.append(
                Finding("NOT_AUTHORISED", f"{path}.fields", str(name), "no field of mediation's secrets")
            )
    strange = sorted(set(row.get("unmasked", ())) - set(row["fields"]))
    if strange:
        found.append(
            Finding("CODE_UNKNOWN", f"{path}.unmasked", ", ".join(strange), "fields of the agreement")
        )
    if row.get("unmasked") and not str(row.get("unmasked_because", "")).strip():
        found.append(
            Finding("FIELD_MISSING", f"{path}.unmasked_because", "absent", "why it must be shown whole")
        )
    return found


def _doubles(found: list[Agreement]) -> list[Finding]:
    """Two agreements on the same thing at the same time would leave open which one holds."""
    told = []
    for place, one in enumerate(found):
        for other in found[:place]:
            same = (one.data_set, one.purpose) == (other.data_set, other.purpose)
            if one.id == other.id or (same and one.since <= other.until and other.since <= one.until):
                told.append(Finding("BUSINESS_KEY_CONFLICT", one.id, other.id, "one agreement a time"))
    return told
