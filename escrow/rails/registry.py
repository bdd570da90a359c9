"""Finds the ways to pay: every folder below escrow/rails/ with a manifest.toml, and those of extra folders.

A rail's package names its functions in its `__init__.py`; one that a rail has not (no sub-accounts, no recall) is
simply absent, and the manifest's `properties` say so. Rooms ask the manifest and never name a rail.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import threading
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from escrow.rail_types import (
    Advice,
    CancelRequest,
    Incoming,
    Instruction,
    OutgoingRequest,
    RailContext,
    Reply,
    StatementInfo,
    StatementLine,
    SubaccountRequest,
)
from schemas.exchange import Keys
from schemas.findings import Finding

HERE = Path(__file__).resolve().parent
EXTRA = "CONCORD_RAIL_PATH"
"""Environment variable with further folders of rails, separated like PATH; a new way to pay needs nothing else."""


@dataclass(frozen=True)
class Rail:
    """A way to pay: its manifest and its pure functions.

    Required: `order(instruction, ctx)`, `wrap(document, ctx)` (the approved document → wire bytes, for sending it
    later; `order` = build, then wrap), `ask(instruction, ctx)`, `verify(incoming, ctx)`, `statement(content, ctx)`,
    `answer(advice, result, ctx)` (result: ACCEPTED, DUPLICATE, QUARANTINED, REFUSED, PARKED, or UNAVAILABLE for our
    own trouble). None where the manifest says that the rail has none: `batch`, `open_subaccount`, `balance`,
    `missed`, `cancel`, `bill_link`, `stream` (a statement file of any size, read as it comes: each statement, then its
    lines; at last an Advice with the findings).
    """

    id: str
    manifest: Mapping[str, Any]
    folder: Path
    order: Callable[[Instruction, RailContext], OutgoingRequest]
    wrap: Callable[[bytes, RailContext], OutgoingRequest]
    ask: Callable[[Instruction, RailContext], OutgoingRequest]
    verify: Callable[[Incoming, RailContext], Advice]
    statement: Callable[[bytes, RailContext], Advice]
    answer: Callable[[Advice, str, RailContext], Reply]
    batch: Callable[[Sequence[Instruction], RailContext], OutgoingRequest] | None = None
    open_subaccount: Callable[[SubaccountRequest, RailContext], OutgoingRequest] | None = None
    balance: Callable[[str, RailContext], OutgoingRequest] | None = None
    missed: Callable[[int, RailContext], OutgoingRequest] | None = None
    cancel: Callable[[CancelRequest, RailContext], OutgoingRequest] | None = None
    bill_link: Callable[[Any, RailContext], OutgoingRequest] | None = None
    stream: Callable[[IO[bytes], RailContext], Iterator[StatementInfo | StatementLine | Advice]] | None = None

    def has(self, name: str) -> bool:
        """Whether the manifest's property `name` is set."""
        return bool(self.manifest.get("properties", {}).get(name, False))

    def answer_unread(self, keys: Keys, now: datetime, *findings: Finding) -> Reply:
        """The answer to a callback that nobody looked into: what is wrong with it from outside, or, without
        findings, our own trouble ("come back later"). Needs no database."""
        codes = self.manifest.get("partner_code", {})
        told = tuple(replace(one, partner_code=str(codes.get(one.code, ""))) for one in findings)
        context = RailContext(self.manifest, keys, now)
        return self.answer(Advice("nothing", findings=told), "REFUSED" if told else "UNAVAILABLE", context)

    @property
    def name_zh(self) -> str:
        """The rail's name on the screen."""
        return str(self.manifest.get("name_zh", self.id))

    @property
    def unknown_grace_s(self) -> int:
        """For how many seconds after sending "not found" proves nothing."""
        return int(self.manifest["unknown"]["grace_s"])


_REQUIRED = ("order", "wrap", "ask", "verify", "statement", "answer")
_OPTIONAL = ("batch", "open_subaccount", "balance", "missed", "cancel", "bill_link", "stream")


def load_rails(extra: Sequence[Path] = ()) -> dict[str, Rail]:
    """Every rail by id: those of this folder, of CONCORD_RAIL_PATH and of `extra`, in that order.

    Raises ValueError when a manifest names another id than its folder, an id occurs twice, or a function is missing.
    """
    named = [Path(part) for part in os.environ.get(EXTRA, "").split(os.pathsep) if part]
    found: dict[str, Rail] = {}
    for base in (HERE, *named, *extra):
        for path in sorted(base.glob("*/manifest.toml")):
            rail = _load(path, own=base == HERE)
            if rail.id in found:
                raise ValueError(f"two rails with the id {rail.id}")
            found[rail.id] = rail
    return found


def _load(path: Path, own: bool) -> Rail:
    manifest = tomllib.loads(path.read_text("utf-8"))
    folder = path.parent
    if manifest.get("id") != folder.name:
        raise ValueError(f"{path}: the id must be the folder's name")
    module = importlib.import_module(f"escrow.rails.{folder.name}") if own else _load_outside(folder)
    missing = [name for name in _REQUIRED if not callable(getattr(module, name, None))]
    if missing:
        raise ValueError(f"rail {folder.name} has no {', '.join(missing)}")
    functions: dict[str, Any] = {name: getattr(module, name, None) for name in (*_REQUIRED, *_OPTIONAL)}
    return Rail(id=folder.name, manifest=manifest, folder=folder, **functions)


# A module stands among the loaded ones before it has run: another thread would take it half made.
_LOADING = threading.RLock()


def _load_outside(folder: Path) -> ModuleType:
    with _LOADING:
        return _loaded(folder, f"concord_rail_{folder.name}")


def _loaded(folder: Path, name: str) -> ModuleType:
    known = sys.modules.get(name)
    if known is not None and known.__file__ == str(folder / "__init__.py"):
        return known
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ValueError(f"{folder} holds no package")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@lru_cache(maxsize=1)
def all_rails() -> dict[str, Rail]:
    """Every rail of this process by id."""
    return load_rails()


def rail(rail_id: str) -> Rail:
    """The rail of that id. Raises KeyError."""
    return all_rails()[rail_id]
