"""What the tests of the tree look at: tracked files, rooms, and the ids of adapters, rails and institutions."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ROOMS = (
    "schemas", "foundation", "case_registry", "mediation", "escrow", "connectors",
    "hub", "exchange_api", "console", "dags", "sandbox",
)  # fmt: skip
TEXT_SUFFIXES = {
    ".py", ".sh", ".sql", ".toml", ".md", ".html", ".css", ".js", ".json", ".csv", ".txt", ".in", ".lock", ".yaml",
    ".yml", ".xml", ".xsd", ".wsdl", ".svg", "",
}  # fmt: skip


@lru_cache(maxsize=1)
def tracked() -> tuple[Path, ...]:
    """Files that belong to the project: tracked, or new and not ignored; without git, everything but var and .venv."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0:
        names = [Path(name.decode()) for name in listed.stdout.split(b"\0") if name]
    else:
        names = [path.relative_to(ROOT) for path in ROOT.rglob("*")]
        names = [name for name in names if not {".venv", "var", "__pycache__", ".git"} & set(name.parts)]
    return tuple(sorted(name for name in names if (ROOT / name).is_file()))


def text_of(name: Path) -> str:
    """The text of a tracked file; empty for anything that is not text."""
    if name.suffix not in TEXT_SUFFIXES:
        return ""
    try:
        return (ROOT / name).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


# Keys of a manifest, at any depth, whose values name an institution: its own id, its bank code, our id with it.
INSTITUTION_KEYS = ("institution", "bank_code", "customer", "app_key")


@lru_cache(maxsize=1)
def owned_ids() -> dict[str, frozenset[Path]]:
    """Each id that may leak, with the folders that may say it, read from the manifests."""
    found: dict[str, set[Path]] = {}
    manifests = [*ROOT.glob("connectors/*/partner.toml"), *ROOT.glob("escrow/rails/*/manifest.toml")]
    for path in manifests:
        folder = path.parent.relative_to(ROOT)
        manifest = tomllib.loads(path.read_text(encoding="utf-8"))
        for word in (folder.name, manifest["id"], *_institutions(manifest)):
            found.setdefault(str(word), set()).add(folder)
    return {word: frozenset(folders) for word, folders in found.items()}


def _institutions(table: dict[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _institutions(value)
        # In a table of key-store names the value says where a secret lies, not what it is.
        elif key.endswith(INSTITUTION_KEYS) and isinstance(value, str) and value and "." not in value:
            yield value
