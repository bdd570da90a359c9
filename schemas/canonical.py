"""One byte form for a JSON value, so that equal content has an equal digest on every machine."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID


def canonical_json(value: object) -> bytes:
    """Return the canonical JSON bytes of `value`: sorted keys, UTF-8, no blanks.

    `value`: dict, list, tuple, str, int, bool, None, and inside them date, datetime, UUID, dataclass
    (as text or dict) and Decimal (as its shortest decimal text, so that 12.50 and 12.5 are equal).
    Raises TypeError on a float, a key that is not text, or any other type: their text form is not
    the same everywhere.
    """
    return json.dumps(
        _plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode("utf-8", "strict")


def sha256_hex(content: bytes) -> str:
    """Return the SHA-256 of `content` as 64 lower-case hex digits."""
    return hashlib.sha256(content).hexdigest()


def digest(value: object) -> str:
    """Return the SHA-256 hex of the canonical JSON of `value`."""
    return sha256_hex(canonical_json(value))


def _plain(value: object) -> object:
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise TypeError("canonical JSON takes text keys only")
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise TypeError("canonical JSON takes finite numbers only")
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    raise TypeError(f"canonical JSON does not take {type(value).__name__}")
