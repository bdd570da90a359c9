"""Who may see which field of which dispute, for which purpose: one rule as data, and what is made from it.

From ``data/access.toml`` come the check (`may`), the filter of lists (`row_filter`) and the rows of
``registry.access_grant``, by which PostgreSQL's own policies decide. All three mean the same (tested by cases).
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID

from case_registry.source import NotAllowed
from foundation.actors import Actor
from foundation.unit_of_work import UnitOfWork

ROW = "way"
"""The class that every look at a dispute needs: who may not see where it stands does not see that it is there."""
DEFAULT_CLASS = "case"
PERSON = "person"
"""The class of what names or describes people; a dispute's title and search text are of it."""
CITY = ""


@dataclass(frozen=True)
class Reader:
    """Who looks, and what for. `region`: division code of the person's county, "" = the whole city; `agency`: the
    agency the person acts for, "" = the hub."""

    id: str
    roles: frozenset[str]
    purpose: str
    agency: str = ""
    region: str = CITY


@dataclass(frozen=True)
class Grant:
    """One line of the rule, for one role."""

    role: str
    purpose: str
    own_region: bool
    own_agency: bool
    sealed: bool
    classes: frozenset[str]


@dataclass(frozen=True)
class Rule:
    """The whole rule. `classes`: field → class; `purposes`: purpose → the roles that may look for it."""

    version: str
    grants: tuple[Grant, ...]
    classes: Mapping[str, str]
    purposes: Mapping[str, tuple[str, ...]]


@cache
def rule() -> Rule:
    """The rule in force."""
    told = tomllib.loads(files("case_registry").joinpath("data/access.toml").read_text("utf-8"))
    grants = [
        Grant(role, each["purpose"], each["region"] == "own", each["agency"] == "own", each["sealed"],
              frozenset(each["classes"]))
        for each in told["grant"]
        for role in each["roles"]
    ]  # fmt: skip
    assert all(ROW in grant.classes for grant in grants), (
        "a grant without the class by which a row is seen at all"
    )
    classes = {name: kind for kind, names in told["classes"].items() for name in names}
    return Rule(told["version"], tuple(grants), classes, {p: tuple(r) for p, r in told["purposes"].items()})


def purposes_of(roles: Collection[str]) -> list[str]:
    """What someone with these roles may look for, in the rule's order."""
    return [purpose for purpose, needed in rule().purposes.items() if set(needed) & set(roles)]


def reader_of(actor: Actor, purpose: str = "") -> Reader:
    """The acting person as a reader; without a purpose, the first that the roles have. Raises NotAllowed."""
    possible = purposes_of(actor.roles)
    if not possible or (purpose and purpose not in possible):
        raise NotAllowed(f"purpose {purpose or '-'}: expected one of {', '.join(possible) or 'none'}")
    return Reader(actor.id, actor.roles, purpose or possible[0], actor.agency, actor.region)


def reader_for(actor: Actor, wish: str) -> Reader:
    """The acting person looking for `wish` where the roles have that purpose, else for their first. Raises NotAllowed."""
    return reader_of(actor, wish if wish in purposes_of(actor.roles) else "")


def class_of(field: str) -> str:
    """The class of a field."""
    return rule().classes.get(field, DEFAULT_CLASS)


def may(reader: Reader, dispute: Mapping[str, Any], field: str) -> bool:
    """Whether the reader may see this field of this dispute (`county`, `agencies`, `sealed`)."""
    return class_of(field) in classes_seen(reader, dispute)


def classes_seen(reader: Reader, dispute: Mapping[str, Any]) -> frozenset[str]:
    """The classes of fields that the reader may see of this dispute; empty where not even that it is there."""
    seen: frozenset[str] = frozenset()
    for grant in _grants(reader):
        region = not grant.own_region or reader.region in (CITY, dispute["county"])
        agency = not grant.own_agency or not reader.agency or reader.agency in dispute["agencies"]
        if region and agency and (grant.sealed or not dispute["sealed"]):
            seen |= grant.classes
    return seen


def sees_unplaced(reader: Reader, kind: str = PERSON) -> bool:
    """Whether the reader sees fields of class `kind` of what belongs to no dispute (a credit nobody could match, a line of a
    list that names nothing we know): it is as a dispute of no county and no agency, not sealed."""
    return kind in classes_seen(reader, {"county": CITY, "agencies": (), "sealed": False})


def row_filter(reader: Reader, kind: str = ROW, alias: str = "") -> tuple[str, dict[str, Any]]:
    """The rule as a condition on rows of ``registry.dispute``, with its parameters: those of which the reader may see
    fields of class `kind`. `alias`: the table's name in the statement, with its dot."""
    ways = {
        (grant.own_region and reader.region != CITY, grant.own_agency and reader.agency != "", grant.sealed)
        for grant in _grants(reader)
        if kind in grant.classes
    }
    wide = {way for way in ways if not any(other != way and _wider(other, way) for other in ways)}
    clauses = sorted(_clause(way, alias) for way in wide)
    if not clauses:
        return "false", {}
    params: dict[str, Any] = {}
    if any(region for region, _, _ in wide):
        params["own_region"] = reader.region
    if any(agency for _, agency, _ in wide):
        params["own_agency"] = reader.agency
    return (clauses[0] if len(clauses) == 1 else f"({' OR '.join(clauses)})"), params


def county_filter(county: str, alias: str = "") -> tuple[str, dict[str, Any]]:
    """The rule's condition for figures of a county (or the city) that many people see at once: nothing sealed."""
    return _clause((county != CITY, False, False), alias), {"own_region": county} if county else {}


def check_seen(uow: UnitOfWork, reader: Reader, ids: Sequence[UUID]) -> set[UUID]:
    """The second line behind a list: those of its disputes that the database itself lets this reader see."""
    with reading_as(uow, reader):
        return {
            row["id"]
            for row in uow.all("SELECT id FROM registry.dispute WHERE id = ANY(:ids)", ids=list(ids))
        }


def _grants(reader: Reader) -> list[Grant]:
    return [g for g in rule().grants if g.role in reader.roles and g.purpose == reader.purpose]


def _wider(one: tuple[bool, bool, bool], other: tuple[bool, bool, bool]) -> bool:
    return one[0] <= other[0] and one[1] <= other[1] and one[2] >= other[2]


def _clause(way: tuple[bool, bool, bool], alias: str) -> str:
    region, agency, sealed = way
    parts = [
        f"{alias}county = :own_region" if region else "",
        f":own_agency = ANY({alias}agencies)" if agency else "",
        "" if sealed else f"NOT {alias}sealed",
    ]
    return " AND ".join(part for part in parts if part) or "true"


@contextmanager
def reading_as(uow: UnitOfWork, reader: Reader) -> Iterator[None]:
    """Inside, the database itself shows only what this reader may see: the second line behind the filters.

    The transaction works as ``concord_reader``, which the policies of the registry's tables bind; it may only read.
    """
    uow.execute(
        "SELECT set_config('concord.roles', :roles, true), set_config('concord.purpose', :purpose, true),"
        " set_config('concord.agency', :agency, true), set_config('concord.region', :region, true),"
        " set_config('role', 'concord_reader', true)",
        roles=",".join(sorted(reader.roles)),
        purpose=reader.purpose,
        agency=reader.agency,
        region=reader.region,
    )
    yield
    uow.execute("RESET ROLE")


def access_rows() -> dict[str, list[dict[str, Any]]]:
    """The rule as rows of the tables by which PostgreSQL decides, by table."""
    grants = [
        {"role": g.role, "purpose": g.purpose, "own_region": g.own_region, "own_agency": g.own_agency,
         "sealed": g.sealed, "class": kind}
        for g in rule().grants
        for kind in sorted(g.classes)
    ]  # fmt: skip
    classes = [{"field": name, "class": kind} for name, kind in sorted(rule().classes.items())]
    return {"registry.access_grant": grants, "registry.field_class": classes}
