"""``./concord supervision …``: cases, acts with their proof, gaps between agencies, partners' lists, times per agency."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

import case_registry
from foundation.journal import disclose
from hub import seeing, supervising
from hub.cli.output import errors, print_json, table
from hub.cli.person import As, recipient, working_as

app = typer.Typer(no_args_is_help=True, help="Supervision cases and gaps between agencies. 督办与移送脱管。")
Json = Annotated[bool, typer.Option("--json", help="one JSON document")]
MOST_LINES = 50_000


@app.command("list", help="Cases, red and high ones first. 督办件一览。")
def listed(
    state: str = "open", level: str = "", agency: str = "", as_json: Json = False, who: As = ""
) -> None:
    """``state``: open, a state, or "" for all."""
    with working_as(who) as uow:
        reader = seeing.reader(uow, seeing.WATCH)
        found = case_registry.supervision_cases(uow, state=state, level=level, agency=agency, reader=reader)
    columns = ["id", "number", "level", "state", "dispute", "agency", "reason", "lamp", "due_on"]
    print_json(found) if as_json else table(
        "supervision", columns, [[row[name] for name in columns] for row in found]
    )


@app.command("show", help="One case with its file. 一件督办及其卷。")
def show(
    case: Annotated[str, typer.Argument(help="id or number")], as_json: Json = False, who: As = ""
) -> None:
    """Exit 1 when there is none that you may see. Each look leaves a line."""
    with working_as(who) as uow:
        reader = seeing.reader(uow, seeing.WATCH)
        found = case_registry.supervision_case(uow, _key(case), reader)
        disclose(uow, recipient=recipient(uow), purpose=reader.purpose, subject=found["dispute"], fields=["supervision"],
                 basis=seeing.BASIS)  # fmt: skip
    if as_json:
        print_json(found)
        return
    names = (
        "number",
        "level",
        "state",
        "dispute",
        "agency",
        "reason",
        "why",
        "handler",
        "send_backs",
        "acts",
    )
    table(str(found["number"] or found["id"]), ["what", "value"], [[name, found[name]] for name in names])
    table("file", ["at", "act", "state", "by", "proof"],
          [[line["at"], line["event"], line["to_state"], line["by"], line["proof"]] for line in found["file"]])  # fmt: skip


def _key(case: str) -> UUID | str:
    try:
        return UUID(case)
    except ValueError:
        return case


@app.command("draft", help="Draft a case on a dispute. 拟一件督办。")
def draft(
    dispute: str,
    level: str,
    agency: str,
    reason: str,
    why: Annotated[str, typer.Option(help="what happened")],
    who: As = "",
) -> None:
    """``reason``: a code of the table; at L1 and L2 another person issues it."""
    with working_as(who) as uow:
        print(supervising.open_case(uow, dispute, level, agency, reason, why))


@app.command("act", help="One act with its proof. 办理一步，附证明。")
def act(
    case: Annotated[str, typer.Argument(help="id or number")],
    event: str,
    proof: Annotated[
        list[str] | None, typer.Argument(help="name=value; a name may come several times")
    ] = None,
    who: As = "",
) -> None:
    """Exit 1 with what is missing."""
    told: dict[str, Any] = {}
    for each in proof or []:
        name, _, value = each.partition("=")
        told[name] = f"{told[name]}\n{value}" if name in told else value
    with working_as(who) as uow:
        reader = seeing.reader(uow, seeing.WATCH)
        found = case_registry.supervision_case(uow, _key(case), reader)
        supervising.act(uow, found["id"], event, told)
        print(case_registry.supervision_case(uow, found["id"])["state"])


@app.command("gaps", help="Open gaps between agencies. 移送脱管。")
def gaps(as_json: Json = False, who: As = "") -> None:
    """Oldest first."""
    with working_as(who) as uow:
        found = case_registry.open_gaps(uow, reader=seeing.reader(uow, seeing.WATCH))
    columns = ["kind", "from_agency", "to_agency", "dispute", "native_id", "due_at", "list"]
    print_json(found) if as_json else table(
        "gaps", columns, [[row[name] for name in columns] for row in found]
    )


@app.command("check-list", help="Take a partner's list of what it handed over. 核对对方移送清单。")
def check_list(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="csv: native_id,to_agency,said_on")
    ],
    partner: Annotated[str, typer.Option(help="partner's id")],
    agency: Annotated[str, typer.Option(help="its kind of agency")],
    who: As = "",
) -> None:
    """What did not arrive within a workday becomes a gap at the next watch. Exit 1 for a list that cannot be read."""
    rows: list[dict[str, Any]] = []
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            for line in csv.DictReader(opened):
                key, to = line["native_id"].strip(), line["to_agency"].strip()
                rows.append(
                    {
                        "native_id": key,
                        "to_agency": to,
                        "said_on": date.fromisoformat(line["said_on"].strip()),
                    }
                )
                if len(rows) > MOST_LINES or not key or not to:
                    raise ValueError(f"at most {MOST_LINES} lines, each with native_id and to_agency")
    except (KeyError, ValueError) as error:
        errors.print(f"{file.name}: line {len(rows) + 2}: {error}")
        raise typer.Exit(1) from None
    with working_as(who) as uow:
        print(case_registry.list_hand_overs(uow, partner, agency, file.name, rows))


@app.command("times", help="What supervision took, by agency. 各单位督办用时。")
def times(
    days: Annotated[int, typer.Option(min=1, max=3660)] = 365, as_json: Json = False, who: As = ""
) -> None:
    """Workdays, without suspensions and objections."""
    with working_as(who) as uow:
        reader = seeing.reader(uow, seeing.WATCH)
        found = case_registry.supervision_times(
            uow, uow.now - timedelta(days=days), uow.now + timedelta(seconds=1), reader
        )
    columns = [
        "agency",
        "step",
        "n",
        "running",
        "late_now",
        "in_time",
        "ended",
        "median",
        "p90",
        "most",
        "send_backs",
    ]
    print_json(found) if as_json else table(
        "times in workdays", columns, [[row[name] for name in columns] for row in found]
    )
