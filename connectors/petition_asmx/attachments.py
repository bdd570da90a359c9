"""Attachments FJ[]: base64 with an MD5 beside it; text files are GB18030."""

import base64
import binascii
import hashlib
from typing import Any

from connectors.petition_asmx.fields import Fields

MOST = 5
BYTES = 3 * 1024 * 1024
_KEYS = ("WJM", "WJNR", "WJDX", "MD5")
_TEXT_SHOWN = 500


def read_attachments(fields: Fields) -> list[dict[str, Any]]:
    """Name, size, digest and, of text files, the first words; the bytes themselves stay in the raw message."""
    told = fields.values.get("FJ")
    if told is None or told == "":
        return []
    if not isinstance(told, list):
        fields.refuse("SCHEMA_VIOLATION", "FJ", type(told).__name__, "a list")
        return []
    if len(told) > MOST:
        fields.refuse("SCHEMA_VIOLATION", "FJ", f"{len(told)} attachments", f"at most {MOST}")
        return []
    return [one for place, each in enumerate(told) if (one := _attachment(fields, each, f"FJ/{place}"))]


def _attachment(fields: Fields, told: Any, path: str) -> dict[str, Any] | None:
    if not isinstance(told, dict):
        fields.refuse("SCHEMA_VIOLATION", path, type(told).__name__, "an object")
        return None
    for key in told:
        if key not in _KEYS:
            fields.refuse("SCHEMA_VIOLATION", f"{path}/{key[:60]}", "unknown key", "no such key")
    name, text = told.get("WJM"), told.get("WJNR")
    for key, value in (("WJM", name), ("WJNR", text)):
        if not isinstance(value, str) or not value:
            what = "absent" if value is None else "blank" if value == "" else type(value).__name__
            fields.refuse("SCHEMA_VIOLATION", f"{path}/{key}", what, "required")
    if not isinstance(name, str) or not isinstance(text, str) or not text:
        return None
    try:
        content = base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        fields.refuse("BASE64_INVALID", f"{path}/WJNR", text[:60], "base64")
        return None
    return _checked(fields, told, path, name, content)


def _checked(fields: Fields, told: dict[str, Any], path: str, name: str, content: bytes) -> dict[str, Any]:
    if len(content) > BYTES:
        fields.refuse("TOO_LARGE", f"{path}/WJNR", f"{len(content)} bytes", f"at most {BYTES} bytes")
    counted = hashlib.md5(content, usedforsecurity=False).hexdigest()
    stated = str(told.get("MD5") or "").strip()
    if stated and stated.lower() != counted:
        fields.refuse("DIGEST_MISMATCH", f"{path}/MD5", stated[:64], counted)
    size = str(told.get("WJDX") if told.get("WJDX") is not None else "").strip()
    if size and size != str(len(content)):
        fields.note("COUNT_MISMATCH", f"{path}/WJDX", size, str(len(content)))
    made: dict[str, Any] = {"name": name[:200], "bytes": len(content), "md5": counted}
    if name.lower().endswith((".txt", ".csv")):
        try:
            made["text"] = content.decode("gb18030")[:_TEXT_SHOWN]
        except UnicodeDecodeError:
            fields.note("ENCODING_MISMATCH", f"{path}/WJNR", "bytes are not GB18030", "GB18030")
    return made
