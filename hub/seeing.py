"""Whose matters, escrows and orders a person may look at: the registry's one rule (access.toml) on the other rooms' rows.

Matters and escrows carry the number of the office's case; the registry says whether this person may see the dispute in
which it stands. What may not be seen is answered as if it were not there, before anything is done, and every look at
one of them leaves its line (PIPL 54).
"""

from __future__ import annotations

from uuid import UUID

import case_registry
import escrow
import mediation
from foundation.conditions import Condition
from foundation.journal import disclose
from foundation.unit_of_work import UnitOfWork
from schemas.findings import Finding, Refused

BASIS = "个人信息保护法 第13条第3项"
PERSON = "person"
MONEY, WATCH = "pay", "supervise"
"""What people look for at the money desks and at the supervision desk, where their roles have it."""


def reader(uow: UnitOfWork, wish: str = "") -> case_registry.Reader:
    """Who looks, and what for: `wish` where the roles have it. Raises Refused NOT_AUTHORISED."""
    try:
        return case_registry.reader_for(uow.actor, wish)
    except case_registry.NotAllowed as error:
        raise Refused(Finding("NOT_AUTHORISED", "purpose", wish or "-", str(error))) from error


def rows(uow: UnitOfWork, wish: str = "", kind: str = PERSON) -> Condition:
    """Which rows of a list this person may see; `kind`: the class of fields that the list shows (access.toml)."""
    return case_registry.numbers_seen(reader(uow, wish), kind)


def unplaced(uow: UnitOfWork, wish: str = "") -> bool:
    """Whether this person sees what belongs to no case: figures of the whole city, credits nobody could match."""
    return case_registry.sees_unplaced(reader(uow, wish))


def _check(uow: UnitOfWork, numbers: list[str | None], wish: str, kind: str, path: str, told: object) -> None:
    who = reader(uow, wish)
    allowed = [
        case_registry.sees_unplaced(who, kind)
        if each is None
        else case_registry.sees_number(uow, who, each, kind)
        for each in numbers
    ]
    if not allowed or not all(allowed):
        raise Refused(Finding("NOT_FOUND", path, str(told)))


def check_matter(uow: UnitOfWork, matter: UUID, kind: str = PERSON) -> None:
    """Go on only where this person may see the matter. Raises Refused NOT_FOUND, also where there is none."""
    number = mediation.number_of(uow, matter=matter)
    _check(uow, [number] if number else [], "", kind, "matter", matter)


def check_agreement(uow: UnitOfWork, agreement: UUID) -> None:
    """Go on only where this person may see the agreement's matter. Raises Refused NOT_FOUND."""
    number = mediation.number_of(uow, agreement=agreement)
    _check(uow, [number] if number else [], "", PERSON, "agreement", agreement)


def check_money(uow: UnitOfWork, what: str, ref: UUID | str) -> None:
    """Go on only where this person may see the escrow case behind a `what` (`escrow.numbers_behind`). Raises Refused
    NOT_FOUND."""
    _check(uow, escrow.numbers_behind(uow, what, ref), MONEY, PERSON, what, ref)


def check_registry(uow: UnitOfWork, what: str, ref: UUID | int, wish: str = "", kind: str = PERSON) -> None:
    """Go on only where this person may see every dispute behind a `what` (`case_registry.sees_behind`). Raises Refused
    NOT_FOUND."""
    if not case_registry.sees_behind(uow, reader(uow, wish), what, ref, kind):
        raise Refused(Finding("NOT_FOUND", what, str(ref)))


def check_dispute(uow: UnitOfWork, number: str, wish: str = "", kind: str = PERSON) -> None:
    """Go on only where this person may see the dispute that anybody calls by that number. Raises Refused NOT_FOUND."""
    try:
        ref = case_registry.dispute_ref(uow, number)
    except case_registry.Unknown:
        raise Refused(Finding("NOT_FOUND", "number", number)) from None
    if not case_registry.sees_behind(uow, reader(uow, wish), "dispute", ref.id, kind):
        raise Refused(Finding("NOT_FOUND", "number", number))


def check_number(uow: UnitOfWork, number: str, wish: str = "", kind: str = PERSON) -> bool:
    """Whether this person may see the office's case of that number."""
    return case_registry.sees_number(uow, reader(uow, wish), number, kind)


def note_look(uow: UnitOfWork, number: str, what: str, wish: str = "") -> None:
    """Write down that this person saw the `what` (matter, escrow, order) of the office's case of that number."""
    of = case_registry.dispute_of_number(uow, number)
    disclose(
        uow, recipient=uow.actor.id, purpose=reader(uow, wish).purpose, subject=str(of["number"]) if of else number,
        fields=[what], basis=BASIS,
    )  # fmt: skip
