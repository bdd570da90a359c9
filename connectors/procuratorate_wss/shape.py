"""Holds a payload against collab-types.xsd and says what is wrong in words with a path."""

from __future__ import annotations

import re
import threading
from functools import cache

from lxml import etree

from connectors.procuratorate_wss import names
from foundation.wss_envelope import Element
from schemas.findings import Finding

# Children that may occur more than once, so their place is said: Person[2].
_REPEATED = {"Person", "Attachment", "PaymentProof", "Item", "Gap"}
_ENUMERATION = etree.ErrorTypes.SCHEMAV_CVC_ENUMERATION_VALID
_PATTERN = etree.ErrorTypes.SCHEMAV_CVC_PATTERN_VALID
_CONTENT = etree.ErrorTypes.SCHEMAV_ELEMENT_CONTENT
_EXPECTED = re.compile(r"Expected is (?:one of )?\( (.*?) \)")
_ENUM_SET = re.compile(r"element of the set \{(.*?)\}")
_local = threading.local()

# In words, where the XSD's own words would say little.
_WORDS = {
    "BizType": "XSHJ, ZCQS, MSJD, SFJZ or GYSS",
    "Role": "BHR, FZXYR, SQR, BSQR or DLR",
    "Outcome": "AGREED, FAILED, REFUSED, PERFORMED or DEFAULTED",
    "IdNo": "18 characters",
    "ClaimAmount": "yuan, not negative, at most 2 decimals",
    "Amount": "yuan, not negative, at most 2 decimals",
    "PaidAmount": "yuan, not negative, at most 2 decimals",
    "Sha256": "64 hex digits",
    "Content": "base64",
}


@cache
def _schema_bytes() -> bytes:
    return (names.CONTRACT / "collab-types.xsd").read_bytes()


def _schema() -> etree.XMLSchema:
    # An XMLSchema keeps its error log in itself: one for each thread.
    if not hasattr(_local, "schema"):
        _local.schema = etree.XMLSchema(etree.fromstring(_schema_bytes()))
    schema: etree.XMLSchema = _local.schema
    return schema


def path_of(element: Element) -> str:
    """Path of an element from the payload down, such as /SubmitCase/Case/Person[2]/IdNo."""
    steps: list[str] = []
    here: Element | None = element
    while here is not None and here.tag != names.soap("Body"):
        name = etree.QName(here).localname
        if name in _REPEATED:
            name += f"[{1 + sum(1 for _ in here.itersiblings(here.tag, preceding=True))}]"
        steps.append(name)
        here = here.getparent()
    return "/" + "/".join(reversed(steps))


def shape_findings(payload: Element) -> list[Finding]:
    """What the machine contract refuses, one finding a place. Empty = valid."""
    # Own document, so that the validator's paths begin at the payload.
    alone = etree.fromstring(etree.tostring(payload, with_tail=False))
    schema = _schema()
    if schema.validate(alone):
        return []
    found: dict[str, Finding] = {}
    for error in schema.error_log:
        element = _element_at(alone, error.path)
        finding = _finding(element, error.type, error.message)
        found.setdefault(finding.path, finding)
    return list(found.values())


def _element_at(root: Element, path: str | None) -> Element:
    try:
        result = root.getroottree().xpath(path or "/*", namespaces={"ns": names.COLLAB})
    except etree.XPathError:
        return root
    return (
        result[0] if isinstance(result, list) and result and isinstance(result[0], etree._Element) else root
    )


def _finding(element: Element, kind: int, message: str) -> Finding:
    name = etree.QName(element).localname
    path = path_of(element)
    text = (element.text or "").strip()
    if kind == _CONTENT:
        return _content_finding(element, message)
    if name in ("BizType", "Role", "Outcome") and not len(element):
        return Finding("CODE_UNKNOWN", path, text, _WORDS[name])
    if kind == _ENUMERATION:
        allowed = _ENUM_SET.search(message)
        return Finding("CODE_UNKNOWN", path, text, allowed[1].replace("'", "") if allowed else "a known code")
    if name == "IdNo":
        return Finding("ID_FORMAT", path, text, _WORDS["IdNo"])
    if name == "Content" and text:
        return Finding("BASE64_INVALID", path, text[:40], "base64")
    wanted = _WORDS.get(name) or (_type_named(message) or "as in collab-types.xsd")
    return Finding("SCHEMA_VIOLATION", path, text[:80] or "empty", wanted)


def _content_finding(element: Element, message: str) -> Finding:
    """A child that is missing, doubled or out of place."""
    expected = [
        part.strip() for part in (_EXPECTED.search(message) or ["", ""])[1].split(",") if part.strip()
    ]
    wanted = [etree.QName(part).localname for part in expected if part.startswith("{")]
    parent = element if "Missing child" in message else element.getparent()
    if parent is not None and wanted:
        name = wanted[-1]
        if name == "Person":
            count = len(parent.findall(names.collab("Person")))
            if count < 2:
                return _too_few_persons(parent, count)
        if parent.find(names.collab(name)) is None:
            return Finding("SCHEMA_VIOLATION", f"{path_of(parent)}/{name}", "absent", "required element")
    name = etree.QName(element).localname
    if name in ("Person", "Attachment") and parent is not None:
        count = len(parent.findall(element.tag))
        most = 20 if name == "Person" else names.MAX_ATTACHMENTS
        if count > most:
            word = "persons" if name == "Person" else "attachments"
            wanted_count = "2 to 20" if name == "Person" else f"at most {most}"
            return Finding("SCHEMA_VIOLATION", f"{path_of(parent)}/{name}", f"{count} {word}", wanted_count)
    return Finding("SCHEMA_VIOLATION", path_of(element), "not expected here", ", ".join(wanted) or "nothing")


def _too_few_persons(parent: Element, count: int) -> Finding:
    found = "1 person" if count == 1 else f"{count} persons"
    return Finding("SCHEMA_VIOLATION", f"{path_of(parent)}/Person", found, "2 to 20")


def _type_named(message: str) -> str:
    found = re.search(r"atomic type '(?:\{[^}]*\})?(?:xs:)?(\w+)'", message)
    return f"a value of type {found[1]}" if found else ""
