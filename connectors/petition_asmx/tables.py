"""Keys and code tables of the petition office (codes.toml)."""

import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CODES: dict[str, Any] = tomllib.loads((HERE / "codes.toml").read_text(encoding="utf-8"))
NAMESPACE: str = CODES["namespace"]
TABLES: dict[str, dict[str, str]] = CODES["tables"]
WANTED: dict[str, str] = CODES["wanted"]
KEYS: tuple[str, ...] = tuple(CODES["keys"])
REQUIRED: tuple[str, ...] = tuple(CODES["required"])
