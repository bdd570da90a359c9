"""The desk's JSON → Reading. Pure."""

from __future__ import annotations

import hashlib
import hmac
import tomllib
from pathlib import Path
from typing import Any

from schemas.canonical import digest
from schemas.claims import Claim, PartyClaim, Record
from schemas.exchange import Known, RawMessage, Reading
from schemas.findings import Finding, Refused
from schemas.xml_safe import parse_json_strict

MANIFEST: dict[str, Any] = tomllib.loads(
    (Path(__file__).resolve().parent / "partner.toml").read_text("utf-8")
)
STATES = {"HANDED_OVER": "REFERRED", "MEDIATED": "CLOSED"}
FIELDS = {"cause": "cause", "occurredOn": "occurred_on", "claimedFen": "claimed_fen", "place": "place_text"}


def read(message: RawMessage, known: Known) -> Reading:
    """A pushed case, or a page of cases that was pulled."""
    try:
        if message.channel == "push" and known.check_authenticity:
            _check_seal(message, known)
        told = parse_json_strict(message.content, max_bytes=MANIFEST["limits"]["body_bytes"])
        cases = told["cases"] if "cases" in told else [told["case"]]
        records = tuple(_record(case, f"/cases/{place}") for place, case in enumerate(cases))
    except Refused as refused:
        return Reading("", "", findings=refused.findings)
    except (KeyError, TypeError) as error:
        return Reading("", "", findings=(Finding("SCHEMA_VIOLATION", "/", str(error), "messageId and case"),))
    return Reading(
        told["messageId"], digest(told), records, case_key=records[0].native_id, parts=len(records)
    )


def _check_seal(message: RawMessage, known: Known) -> None:
    told = message.headers.get("x-desk-seal", "")
    wanted = hmac.new(known.secrets["seal"].encode(), message.content, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(told.encode(), wanted.encode()):
        raise Refused(Finding("SIGNATURE_INVALID", "X-Desk-Seal", told[:8], "the seal of this body"))


def _record(case: dict[str, Any], path: str) -> Record:
    if case["state"] not in STATES:
        raise Refused(Finding("CODE_UNKNOWN", f"{path}/state", str(case["state"]), ", ".join(STATES)))
    claims = [Claim("proceeding_kind", "OTHER"), Claim("state", STATES[case["state"]])]
    claims += [Claim("case_number", case["number"])]
    claims += [Claim(ours, case[theirs]) for theirs, ours in FIELDS.items() if theirs in case]
    parties = tuple(
        PartyClaim(
            each["role"], each["kind"], each["name"], f"P{place}", each.get("idNo"), None, each["phone"]
        )
        for place, each in enumerate(case["people"])
    )
    return Record(
        "episode",
        case["number"],
        (case["version"],),
        case["updatedAt"],
        claims=tuple(claims),
        parties=parties,
        path=path,
    )
