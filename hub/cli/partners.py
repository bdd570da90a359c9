"""``./concord pull PARTNER`` and ``./concord import-office FILE``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from connectors import connectors_named
from hub.cli.output import errors, print_json, table
from hub.context import hub_of_process
from hub.office_import import import_records
from hub.pulling import PartnerAway
from hub.pulling import pull as pull_now


def pull(
    partner: Annotated[str, typer.Argument(help="partner's id or kind of agency")],
    kind: Annotated[str, typer.Option(help="one kind only; default: all of the manifest")] = "",
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Exit 1 when the partner could not be reached."""
    hub = hub_of_process()
    results = []
    away = 0
    adapters = [each for each in connectors_named(partner) if each.has("pulls")]
    if not adapters:
        errors.print(f"no partner named {partner!r} is pulled from")
        raise typer.Exit(2)
    for adapter in adapters:
        for each in [kind] if kind else adapter.manifest.get("pull", {}).get("kinds", [""]):
            try:
                results.append(pull_now(hub, adapter.id, each))
            except PartnerAway as error:
                away += 1
                results.append({"partner": adapter.id, "kind": each, "error": str(error)})
    if as_json:
        print_json(results)
    else:
        columns = ["partner", "kind", "pages", "messages", "accepted", "duplicate", "refused", "error"]
        table("pull", columns, [[each.get(column) for column in columns] for each in results])
    raise typer.Exit(1 if away else 0)


def import_office(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="csv of mediation records")],
    as_json: Annotated[bool, typer.Option("--json")] = False,
) -> None:
    """Exit 1 when a row was refused; the others are loaded. The same file again changes nothing."""
    result = import_records(hub_of_process(), file.read_text(encoding="utf-8-sig"))
    if as_json:
        print_json(result)
    else:
        table(
            "office records",
            ["what", "count"],
            [[name, value] for name, value in result.items() if name != "refused"],
        )
        for refused in result["refused"]:
            errors.print(f"row {refused['row']}: {refused['text']}")
    raise typer.Exit(1 if result["refused"] else 0)
