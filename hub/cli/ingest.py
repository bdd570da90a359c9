"""``./concord ingest PARTNER FILE… [--at TIME]``: each file's result as one JSON line."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from foundation.unit_of_work import unit_of_work
from hub.cli.output import errors, print_line
from hub.context import hub_of_process
from hub.filing import UnknownPartner, ingest_path

BEIJING = ZoneInfo("Asia/Shanghai")


def ingest(
    partner: Annotated[
        str, typer.Argument(help="partner: court, petition, procuratorate, arbitration, gateway, bank …")
    ],
    files: Annotated[
        list[Path], typer.Argument(help="files as the partner sends them", exists=True, dir_okay=False)
    ],
    at: Annotated[
        str, typer.Option(help="received at: ISO time, Beijing when no zone; default: the message's own")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines (always)")] = True,
) -> None:
    """Exit 0 when every file was taken or was a duplicate, 1 when any was refused or quarantined."""
    received = _moment(at) if at else None
    hub = hub_of_process()
    bad = 0
    for path in files:
        with unit_of_work(hub.engine) as uow:
            now = uow.now
        try:
            result = ingest_path(hub, partner, path, received, now)
        except UnknownPartner as unknown:
            errors.print(str(unknown))
            raise typer.Exit(2) from None
        print_line({"file": str(path), **result})
        bad += result["result"] in ("refused", "quarantined")
    raise typer.Exit(1 if bad else 0)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no ISO time, such as 2026-04-01T09:00:00+08:00", param_hint="--at"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=BEIJING)
