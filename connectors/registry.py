"""Finds the adapters: every folder below ``connectors/`` with a ``partner.toml``, and those of extra folders.

Rooms above ask the manifest for properties and never name an adapter.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).resolve().parent
# Folders with further adapters, separated like PATH; a new agency needs nothing else.
EXTRA = "CONCORD_CONNECTOR_PATH"


@dataclass(frozen=True)
class Connector:
    """An adapter: its manifest and its parts. ``service`` and ``client`` are None where it has none."""

    id: str
    manifest: dict[str, Any]
    folder: Path
    mapping: ModuleType
    service: ModuleType | None
    client: ModuleType | None

    @property
    def agency(self) -> str:
        """Kind of agency: court, procuratorate, petition, arbitration, registry_check …"""
        return str(self.manifest["agency"])

    @property
    def institution(self) -> str:
        return str(self.manifest.get("institution", ""))

    @property
    def name_zh(self) -> str:
        return str(self.manifest.get("name_zh", self.id))

    def has(self, name: str) -> bool:
        """True when the manifest's property ``name`` is set."""
        return bool(self.manifest.get("properties", {}).get(name, False))

    def notice(self, event: str) -> str:
        """Operation by which this partner is told of ``event``; empty when it is not told."""
        return str(self.manifest.get("notices", {}).get(event, ""))

    @property
    def aliases(self) -> tuple[str, ...]:
        """Plain words by which people name this partner at the command line."""
        return tuple(self.manifest.get("aliases", ()))


@lru_cache(maxsize=1)
def all_connectors() -> dict[str, Connector]:
    """Every adapter by id, in the order of ids."""
    folders = [HERE, *(Path(part) for part in os.environ.get(EXTRA, "").split(os.pathsep) if part)]
    found: dict[str, Connector] = {}
    for base in folders:
        for manifest in sorted(base.glob("*/partner.toml")):
            made = _load(manifest)
            found[made.id] = made
    return found


def connector(partner_id: str) -> Connector:
    """The adapter of that id. Raises KeyError."""
    return all_connectors()[partner_id]


def connectors_named(name: str) -> list[Connector]:
    """Adapters whose id, institution or alias is ``name``; several where one agency has several ways in."""
    return [
        each
        for each in all_connectors().values()
        if name in (each.id, each.institution, *each.aliases) or name == each.agency
    ]


def _load(manifest_path: Path) -> Connector:
    folder = manifest_path.parent
    manifest = tomllib.loads(manifest_path.read_text(encoding="utf-8"))
    package = f"connectors.{folder.name}"
    if folder.parent != HERE and package not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            package, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[package] = module
        spec.loader.exec_module(module)

    def part(name: str) -> ModuleType | None:
        return importlib.import_module(f"{package}.{name}") if (folder / f"{name}.py").exists() else None

    mapping = part("mapping")
    assert mapping is not None, f"{folder} has no mapping.py"
    return Connector(manifest["id"], manifest, folder, mapping, part("service"), part("client"))
