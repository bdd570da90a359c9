"""The message's shape as both protocols carry it: plain values to and from JSON and XML, by the one model. Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn, get_args, get_origin
from xml.sax.saxutils import escape

import orjson
from lxml import etree
from pydantic import BaseModel, ValidationError

from schemas.findings import Finding, Refused
from schemas.open_contract import MOST_BODY_BYTES, NAMESPACE, Message

Plain = dict[str, Any]
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_PREFIX = f"{{{NAMESPACE}}}"
# A list is one element after another in XML, each by the name of one.
ONE_OF = {"records": "record", "parties": "party", "references": "reference", "items": "item"}
_MANY_OF = {one: many for many, one in ONE_OF.items()}
# As orjson writes what XML 1.0 cannot carry; an escaped backslash before it is not an escape.
_UNFIT = re.compile(rb"(?<!\\)(?:\\\\)*\\(?:u00|[bf])|\xef\xbf[\xbe\xbf]")
_SUSPECT = (b"\\u00", b"\\b", b"\\f", b"\xef\xbf")
_MOST_FINDINGS = 50


@dataclass(frozen=True)
class Slot:
    """What stands in one field: text, int, bool, a part or a list of parts."""

    kind: str
    part: type[BaseModel] | None = None


@cache
def slots(model: type[BaseModel]) -> dict[str, Slot]:
    """The model's fields by name, in their order in XML."""
    return {name: _slot(field.annotation) for name, field in model.model_fields.items()}


def _slot(annotation: Any) -> Slot:
    options = [each for each in get_args(annotation) if each not in (type(None), ...)] or [annotation]
    if get_origin(annotation) is tuple:
        return Slot("parts", get_args(annotation)[0])
    first = options[0]
    if hasattr(first, "__metadata__"):
        first = get_args(first)[0]
    if isinstance(first, type) and issubclass(first, BaseModel):
        return Slot("part", first)
    return Slot({int: "int", bool: "bool"}.get(first, "text"))


def read_json(raw: bytes, most: int = MOST_BODY_BYTES) -> Plain:
    """The message's plain values from JSON. Raises Refused: too large, not UTF-8, not JSON, a key twice, a fraction."""
    if len(raw) > most:
        _refuse("TOO_LARGE", "/", f"{len(raw)} bytes", f"at most {most} bytes")
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        _refuse("ENCODING_MISMATCH", "/", "bytes are not UTF-8", "UTF-8")
    try:
        value = json.loads(
            text, object_pairs_hook=_pairs, parse_float=_no_fraction, parse_constant=_no_fraction
        )
    except (ValueError, RecursionError) as error:
        _refuse("JSON_NOT_WELL_FORMED", "/", f"not JSON: {str(error)[:80]}", "well-formed JSON")
    if not isinstance(value, dict):
        _refuse("SCHEMA_VIOLATION", "/", type(value).__name__, "an object")
    return value


def _pairs(items: list[tuple[str, Any]]) -> Plain:
    made = dict(items)
    if len(made) != len(items):
        names = [name for name, _ in items]
        twice = next(name for name in names if names.count(name) > 1)
        _refuse("JSON_DUPLICATE_KEY", f"/{twice[:100]}", "key twice", "each key once")
    return made


def _no_fraction(text: str) -> NoReturn:
    _refuse("AMOUNT_UNREADABLE", "/", text[:40], "whole numbers only: money is in fen")


def read_xml(element: etree._Element) -> Plain:
    """The message's plain values from an element that the XSD has passed."""
    return _plain_part(element, Message)


def _plain_part(element: etree._Element, model: type[BaseModel]) -> Plain:
    found: Plain = {}
    known = slots(model)
    for child in element:
        if not isinstance(child.tag, str):
            continue
        one = child.tag[len(_PREFIX) :]
        name = _MANY_OF.get(one, one)
        slot = known[name]
        if child.get(_NIL, "").strip() in ("true", "1"):
            found[name] = None
        elif slot.kind == "parts":
            assert slot.part is not None
            found.setdefault(name, []).append(_plain_part(child, slot.part))
        elif slot.part is not None:
            found[name] = _plain_part(child, slot.part)
        else:
            text = "".join(str(piece) for piece in child.itertext()) if len(child) else child.text or ""
            found[name] = _value(text, slot.kind)
    return found


def _value(text: str, kind: str) -> Any:
    if kind == "int":
        return int(text.strip())
    return text.strip() in ("true", "1") if kind == "bool" else text


def message_of(plain: Plain) -> Message:
    """The checked message. Raises Refused with a finding for each fault, at its JSON pointer."""
    try:
        return Message.model_validate(plain)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)[:_MOST_FINDINGS]
        raise Refused.of([_fault(each) for each in faults]) from None


def _fault(fault: Any) -> Finding:
    path = "/" + "/".join(str(part) for part in fault["loc"])
    code = {"extra_forbidden": "UNKNOWN_FIELD", "missing": "FIELD_MISSING"}.get(
        fault["type"], "SCHEMA_VIOLATION"
    )
    value = fault["input"]
    found = "absent" if code == "FIELD_MISSING" else type(value).__name__
    if isinstance(value, str | int) and not path.endswith(("id_number", "phone", "name", "address")):
        found = str(value)[:60]
    return Finding(code, path, found, fault["msg"][:200])


def settled(plain: Plain) -> Plain:
    """The plain values without nulls outside `fields`, where null is the same as absent."""
    return {
        key: value if key == "fields" else _settled_value(value)
        for key, value in plain.items()
        if value is not None
    }


def _settled_value(value: Any) -> Any:
    if isinstance(value, dict):
        return settled(value)
    return [_settled_value(each) for each in value] if isinstance(value, list) else value


def canonical(plain: Plain) -> bytes:
    """The one byte form of a message, the same over both protocols: JSON, keys sorted, no blanks, UTF-8.

    Raises Refused for a text that XML could not carry (control characters, lone surrogates).
    """
    try:
        made = orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)
    except (TypeError, ValueError) as error:
        _refuse("JSON_NOT_WELL_FORMED", "/", str(error)[:80], "text in Unicode, numbers up to 64 bits")
    # Most messages hold nothing that could be unfit: the cheap look first.
    if any(mark in made for mark in _SUSPECT) and _UNFIT.search(made):
        _refuse("JSON_NOT_WELL_FORMED", "/", "a control character", "text that XML 1.0 can carry")
    return made


def write_xml(plain: Plain, name: str = "message") -> str:
    """The message as XML text, elements in the order of the model."""
    return f'<{name} xmlns="{NAMESPACE}">{_xml_part(plain, Message)}</{name}>'


def _xml_part(plain: Plain, model: type[BaseModel]) -> str:
    pieces: list[str] = []
    for name, slot in slots(model).items():
        if name not in plain:
            continue
        value = plain[name]
        if value is None:
            pieces.append(f'<{name} xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:nil="true"/>')
        elif slot.kind == "parts":
            assert slot.part is not None
            one = ONE_OF[name]
            pieces += [f"<{one}>{_xml_part(each, slot.part)}</{one}>" for each in value]
        elif slot.part is not None:
            pieces.append(f"<{name}>{_xml_part(value, slot.part)}</{name}>")
        else:
            text = str(value).lower() if slot.kind == "bool" else escape(str(value), {"\r": "&#13;"})
            pieces.append(f"<{name}>{text}</{name}>")
    return "".join(pieces)


def xml_path(pointer: str, root: str = "") -> str:
    """A JSON pointer of the message as the path of the same place in XML: /records/0/kind → /record[1]/kind."""
    steps: list[str] = []
    for step in pointer.strip("/").split("/"):
        if step.isdigit() and steps:
            steps[-1] += f"[{int(step) + 1}]"
        elif step:
            steps.append(ONE_OF.get(step, step))
    return "/".join([root, *steps]) if root else "/" + "/".join(steps)


def _refuse(code: str, path: str, found: str, expected: str) -> NoReturn:
    raise Refused(Finding(code, path, found, expected))
