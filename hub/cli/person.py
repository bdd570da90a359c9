"""Who looks by the command line: a person of the staff, bound by the same rule as on the screen.

``--as NAME``, else ``CONCORD_PERSON``, else the staff's person with the log-in name of the operating system. Nobody of
these: an operator, who sees where a dispute stands, and no names. Each look is written down with both names.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

import case_registry
from foundation.actors import Actor
from foundation.staff import staff_actor
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub.cli.output import errors
from hub.context import hub_of_process
from schemas.findings import Refused

As = Annotated[str, typer.Option("--as", help="the person of the staff who looks or acts")]
OPERATOR = frozenset({"operator"})


def _login() -> str:
    return f"cli/{getpass.getuser()}"


def _acting(uow: UnitOfWork, name: str) -> Actor:
    asked = name or os.environ.get("CONCORD_PERSON", "")
    found = staff_actor(uow, asked or getpass.getuser())
    if found is None and asked:
        errors.print(f"nobody of the staff has the log-in name {asked}")
        raise typer.Exit(1)
    return found or Actor(_login(), roles=OPERATOR)


@contextmanager
def working_as(name: str) -> Iterator[UnitOfWork]:
    """A unit of work of that person. What is refused ends with exit code 1 and its words."""
    try:
        with unit_of_work(hub_of_process().engine) as uow:
            uow.actor = _acting(uow, name)
            yield uow
    except (case_registry.NotAllowed, case_registry.Unknown) as error:
        errors.print(str(error))
        raise typer.Exit(1) from None
    except Refused as refused:
        for finding in refused.findings:
            errors.print(
                f"{finding.code}: {finding.text_en()} ({finding.path}: {finding.found})\n{finding.text_zh()}"
            )
        raise typer.Exit(1) from None


def recipient(uow: UnitOfWork) -> str:
    """Who is shown it, as the disclosure log names it: the person, and the log-in of the machine."""
    return uow.actor.id if uow.actor.id == _login() else f"{uow.actor.id} ({_login()})"
