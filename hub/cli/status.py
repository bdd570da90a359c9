"""``./concord status`` and ``./concord version``."""

from __future__ import annotations

from importlib.metadata import version as installed_version
from typing import Annotated

import typer

from hub import migrate
from hub.cli.output import print_json, table
from hub.context import hub_of_process
from hub.health import health


def status(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Exit 1 when something waits for a person or a partner is away."""
    found = health(hub_of_process())
    if as_json:
        print_json(found)
    else:
        table(
            "concord",
            ["what", "value"],
            [[name, value] for name, value in found.items() if name != "partners"],
        )
        columns = ["partner", "ok", "failures", "last_ok", "last_error"]
        table("partners", columns, [[each[column] for column in columns] for each in found["partners"]])
    raise typer.Exit(0 if found["ok"] else 1)


def version(as_json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """The installed version, and the database's release where there is a database."""
    from foundation.settings import settings

    found = {"version": installed_version("concord")}
    if settings().database_url:
        found["database_release"] = migrate.current(hub_of_process().engine) or "none"
    print_json(found) if as_json else print(" ".join(f"{name} {value}" for name, value in found.items()))
