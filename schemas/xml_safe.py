"""Reading XML and JSON from outside: bounded, no entities, no guessing. Each refusal is a finding."""

import codecs
import json
import re
from decimal import Decimal
from functools import cache
from typing import Any, NoReturn

from lxml import etree

from schemas.findings import Finding, Refused

MAX_DEPTH = 100
# Canonical forms sort attributes and namespaces one by one: thousands in one element cost minutes.
MAX_ATTRIBUTES = 200
MAX_PREFIXES = 2000
_DECLARED = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
# A written \\u0000 whose own backslash is not itself escaped.
_NUL = re.compile(r"\x00|(?<!\\)(?:\\\\)*\\u0000")
_ENCODINGS = {"utf-8": "utf-8", "utf8": "utf-8", "gb18030": "gb18030", "gbk": "gbk", "gb2312": "gbk"}


def _refuse(code: str, path: str, found: str, expected: str) -> NoReturn:
    raise Refused(Finding(code, path, found, expected))


def _declared_encoding(raw: bytes, path: str) -> str:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        _refuse("ENCODING_MISMATCH", path, "UTF-16 byte order mark", "UTF-8, or the encoding declared")
    match = _DECLARED.match(raw[:400])
    name = match[1].decode("ascii").lower() if match else "utf-8"
    if name not in _ENCODINGS:
        _refuse("ENCODING_MISMATCH", path, f"declares {name}", "UTF-8, GB18030 or GBK")
    return _ENCODINGS[name]


def _decode(raw: bytes, path: str) -> str:
    encoding = _declared_encoding(raw, path)
    body = raw.removeprefix(codecs.BOM_UTF8)
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        other = "GB18030" if encoding == "utf-8" and _is_gb18030(body) else "another encoding"
        shown = encoding.upper()
        _refuse(
            "ENCODING_MISMATCH", path, f"bytes are not {shown} (they are {other})", f"{shown}, as declared"
        )


def _is_gb18030(raw: bytes) -> bool:
    try:
        raw.decode("gb18030")
    except UnicodeDecodeError:
        return False
    return True


def parse_xml(
    raw: bytes, *, max_bytes: int = 5_000_000, path_root: str = "/", max_depth: int = MAX_DEPTH
) -> "etree._Element":
    """Parse XML from outside and return its root element.

    `max_bytes`: size limit, looked at before anything else. `path_root`: the path put into findings.
    No document type declaration, no entity, no file, no network, no recovery from faults.
    Raises Refused with TOO_LARGE (bytes, attributes, prefixes), ENCODING_MISMATCH, XML_DTD_FORBIDDEN, TOO_DEEP or
    XML_NOT_WELL_FORMED.
    """
    if len(raw) > max_bytes:
        _refuse("TOO_LARGE", path_root, f"{len(raw)} bytes", f"at most {max_bytes} bytes")
    text = _decode(raw, path_root)
    _refuse_doctype(text, path_root)
    if text.count("xmlns:") > MAX_PREFIXES:
        _refuse("TOO_LARGE", path_root, f"over {MAX_PREFIXES} prefixes", f"at most {MAX_PREFIXES} prefixes")
    # The text was decoded by us, so the parser sees UTF-8 and the declaration must not contradict it.
    content = re.sub(r"^\s*<\?xml[^>]*\?>", "", text, count=1).encode("utf-8", "surrogatepass")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, encoding="utf-8"
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        if "depth" in str(error).lower():
            _refuse(
                "TOO_DEEP", path_root, "nested deeper than the parser allows", f"at most {max_depth} levels"
            )
        _refuse("XML_NOT_WELL_FORMED", path_root, str(error)[:120], "well-formed XML")
    crowded = _CROWDED(root)
    if isinstance(crowded, list) and crowded:
        found = f"{len(crowded[0].attrib)} attributes"  # type: ignore[union-attr]
        _refuse("TOO_LARGE", path_root, found, f"at most {MAX_ATTRIBUTES} in one element")
    if _deeper_than(max_depth)(root):
        _refuse("TOO_DEEP", path_root, f"more than {max_depth} levels", f"at most {max_depth} levels")
    return root


# Found by libxml2 itself: a walk over every element costs more than all the rest of the reading.
_CROWDED = etree.XPath(f"//*[count(@*) > {MAX_ATTRIBUTES}]")


@cache
def _deeper_than(levels: int) -> "etree.XPath":
    return etree.XPath(f"boolean({'/*' * (levels + 1)})")


def _refuse_doctype(text: str, path: str) -> None:
    # Only comments and processing instructions may stand before the root; a declaration after it is no XML.
    position = 0
    skip = re.compile(r"\s*(?:<\?.*?\?>|<!--.*?-->)", re.DOTALL)
    while match := skip.match(text, position):
        position = match.end()
    if re.compile(r"\s*<!", re.IGNORECASE).match(text, position):
        _refuse("XML_DTD_FORBIDDEN", path, "DOCTYPE", "no document type declaration")


def parse_json_strict(
    raw: bytes | str, *, max_bytes: int = 5_000_000, path_root: str = "/", max_depth: int = MAX_DEPTH,
    refuse_nul: bool = True,
) -> Any:  # fmt: skip
    """Parse JSON from outside. Numbers with a fraction become Decimal, never float.

    `raw`: UTF-8 bytes (a byte order mark is taken) or text. Raises Refused with TOO_LARGE,
    ENCODING_MISMATCH, JSON_DUPLICATE_KEY (path names the key), TOO_DEEP or JSON_NOT_WELL_FORMED
    (NaN, Infinity, lone surrogates and NUL characters too; `refuse_nul` False leaves NUL to a caller that
    names its place).
    """
    if len(raw) > max_bytes:
        _refuse("TOO_LARGE", path_root, f"{len(raw)} bytes", f"at most {max_bytes} bytes")
    if isinstance(raw, bytes):
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            _refuse("ENCODING_MISMATCH", path_root, "bytes are not UTF-8", "UTF-8")
    else:
        text = raw
    _refuse_deep_json(text, path_root, max_depth)
    if refuse_nul and _NUL.search(text):
        _refuse("JSON_NOT_WELL_FORMED", path_root, "a NUL character", "text that a database can hold")
    base = path_root if path_root.endswith("/") else path_root + "/"

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(items)
        if len(result) != len(items):
            seen: set[str] = set()
            twice = next(key for key, _ in items if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            same = len({repr(value) for key, value in items if key == twice}) == 1
            found = "key twice" if same else "key twice with different values"
            _refuse("JSON_DUPLICATE_KEY", base + twice, found, "one value")
        return result

    def constant(name: str) -> NoReturn:
        _refuse("JSON_NOT_WELL_FORMED", path_root, name, "JSON has no such number")

    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_float=_decimal, parse_constant=constant)
        json.dumps(value, default=str, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError) as error:
        _refuse("JSON_NOT_WELL_FORMED", path_root, f"not JSON: {str(error)[:80]}", "well-formed JSON")
    return value


def _decimal(text: str) -> Decimal:
    if len(text) > 100:
        raise ValueError("number with more than 100 characters")
    number = Decimal(text)
    # 1e999999999 is ten characters on the wire and a billion when written out.
    if not -100 <= number.adjusted() <= 100:
        raise ValueError("number too large or too small")
    return number


def _refuse_deep_json(text: str, path: str, max_depth: int) -> None:
    depth = 0
    in_string = False
    for token in re.finditer(r'\\.|["{}\[\]]', text, re.DOTALL):
        mark = token[0]
        if mark == '"':
            in_string = not in_string
        elif not in_string and mark in "{[":
            depth += 1
            if depth > max_depth:
                _refuse("TOO_DEEP", path, f"more than {max_depth} levels", f"at most {max_depth} levels")
        elif not in_string and mark in "}]":
            depth -= 1
