"""``./concord dispute NUMBER`` and ``./concord state-hash``."""

from __future__ import annotations

from typing import Annotated

import typer

import case_registry
from foundation.journal import disclose
from foundation.unit_of_work import unit_of_work
from hub import seeing
from hub.cli.output import errors, print_json, table
from hub.cli.person import As, recipient, working_as
from hub.context import hub_of_process


def dispute(
    number: Annotated[str, typer.Argument(help="dispute number, or any agency's own number")],
    as_true_on: Annotated[str, typer.Option(help="ISO day: what was true then")] = "",
    as_known_on: Annotated[str, typer.Option(help="ISO day: what we knew then")] = "",
    as_json: Annotated[bool, typer.Option("--json")] = False,
    who: As = "",
) -> None:
    """Exit 1 when no dispute that you may see has that number. Each look leaves a line."""
    with working_as(who) as uow:
        reader = seeing.reader(uow)
        found = case_registry.dispute(
            uow, number, as_true_on=as_true_on or None, as_known_on=as_known_on or None, reader=reader
        )
        lines = case_registry.timeline(uow, found["number"], reader=reader) if found else []
        if found:
            disclose(uow, recipient=recipient(uow), purpose=reader.purpose, subject=found["number"], fields=["record"],
                     basis=seeing.BASIS)  # fmt: skip
    if found is None:
        errors.print(f"no dispute has the number {number}")
        raise typer.Exit(1)
    if as_json:
        print_json({**found, "timeline": lines})
        return
    table(
        f"{found['number']} {found.get('cause') or ''}",
        ["what", "value"],
        [[name, found.get(name)] for name in ("stage", "holder", "flags", "claimed_fen")],
    )
    columns = ["agency", "native_id", "sub_id", "proceeding_kind", "state", "opened_on", "closed_on"]
    table("episodes", columns, [[each.get(column) for column in columns] for each in found["episodes"]])
    table(
        "timeline", ["at", "what", "who"], [[each["at"], each["text"], each.get("source")] for each in lines]
    )


def state_hash(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """SHA-256 over all valid-time facts (docs/state-hash.md)."""
    with unit_of_work(hub_of_process().engine) as uow:
        digest = case_registry.state_hash(uow)
    print_json({"state_hash": digest}) if as_json else print(digest)
