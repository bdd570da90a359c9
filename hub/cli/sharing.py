"""``./concord sharing …``: agreements and how they stand, entering and stopping them, who saw a person's data."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

import case_registry
from foundation import partners
from foundation.actors import Actor
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub import seeing, sharing_register
from hub.cli.output import errors, print_json, table
from hub.cli.person import As, working_as
from hub.context import hub_of_process
from hub.sharing_terms import read_agreements
from hub.who_saw import who_saw
from schemas.findings import Refused

app = typer.Typer(
    no_args_is_help=True, help="Sharing agreements, and who saw whose data. 共享约定与披露查询。"
)
Json = Annotated[bool, typer.Option("--json", help="one JSON document")]
File = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="agreements in TOML")]
Agreement = Annotated[str, typer.Argument(help="agreement's id")]
Reason = Annotated[str, typer.Option(help="why, kept in the journal")]


@contextmanager
def _refusing() -> Iterator[None]:
    """What is refused ends with exit code 1 and its words."""
    try:
        yield
    except Refused as refused:
        for finding in refused.findings:
            errors.print(f"{finding.code}: {finding.text_en()}\n{finding.text_zh()}")
        raise typer.Exit(1) from None


@contextmanager
def _work() -> Iterator[UnitOfWork]:
    with _refusing(), unit_of_work(hub_of_process().engine, Actor(f"cli/{getpass.getuser()}")) as uow:
        yield uow


@app.command("list", help="Agreements and how each stands today. 共享约定一览。")
def listed(
    partner: Annotated[str, typer.Option(help="one partner only")] = "", as_json: Json = False
) -> None:
    """Exit 0."""
    with _work() as uow:
        found = [each for each in sharing_register.listed(uow) if partner in ("", each.agreement.partner)]
    columns = ["id", "partner", "data set", "purpose", "until", "state", "written in"]
    rows = [
        [one.agreement.id, one.agreement.partner, one.agreement.data_set, one.agreement.purpose, one.agreement.until,
         one.state, one.source]
        for one in found
    ]  # fmt: skip
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        table("sharing agreements", columns, rows)


@app.command("check", help="Check a file without entering it. 校验约定文件。")
def check(
    file: File, agency: Annotated[str, typer.Option(help="kind of agency of the partner")] = "street"
) -> None:
    """Exit 1 with every fault."""
    with _refusing():
        found = read_agreements(file.read_bytes(), "checked", agency)
    print(f"{len(found)} agreements, no fault")


@app.command("enter", help="Enter a partner's agreements from a file. 登记约定。")
def enter(partner: Annotated[str, typer.Argument(help="partner's id")], file: File) -> None:
    """For partners of the open contract; an adapter's lie in its folder. Exit 1 when refused."""
    with _work() as uow:
        agency = str(partners.partner(uow, partner)["agency"])
        found = sharing_register.enter(uow, partner, agency, file.read_bytes())
    print(f"entered: {', '.join(each.id for each in found)}")


@app.command("stop", help="Stop an agreement at once. 停止共享。")
def stop(agreement: Agreement, reason: Reason) -> None:
    """Exit 1 when there is none of that id."""
    with _work() as uow:
        sharing_register.stop(uow, agreement, reason, stopped=True)
    print(f"{agreement}: stopped")


@app.command("resume", help="Let a stopped agreement go on. 恢复共享。")
def resume(agreement: Agreement, reason: Reason) -> None:
    """Exit 1 when there is none of that id."""
    with _work() as uow:
        sharing_register.stop(uow, agreement, reason, stopped=False)
    print(f"{agreement}: goes on")


@app.command(
    "who-saw",
    help="Who saw this person's data; the number is asked for, not typed behind the command. 谁看过此人的信息。",
)
def saw(
    name: Annotated[str, typer.Option(help="with --phone, instead of a number")] = "",
    phone: Annotated[str, typer.Option(help="with --name")] = "",
    as_json: Json = False,
    who: As = "",
) -> None:
    """For auditors and supervision officers. Exit 1 when too little was said."""
    number = "" if name or phone else typer.prompt("id number", hide_input=False)
    with working_as(who) as uow:
        reader = case_registry.reader_for(uow.actor, "audit")
        if reader.purpose not in ("audit", seeing.WATCH):
            raise case_registry.NotAllowed("for auditors and supervision officers: --as NAME")
        found = who_saw(uow, number=number, name=name, phone=phone, reader=reader)
    if as_json:
        print_json(found)
    else:
        columns = ["at", "recipient", "actor", "purpose", "dispute", "fields", "agreement", "basis"]
        rows = [[", ".join(one[c]) if c == "fields" else one[c] for c in columns] for one in found]
        table("who saw", columns, rows)
