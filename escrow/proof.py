"""Proof of the books: the invariants I1–I12 of escrow.md over everything that is stored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from escrow import ledger, numbers
from escrow.machines import MACHINES
from foundation.unit_of_work import UnitOfWork

FEW = 20  # of each kind: one is enough to stop, some more help to see the pattern
_TABLES = {
    "escrow": ("escrow_case", "state"),
    "payment_order": ("payment_order", "state"),
    "payment_outcome": ("rail_attempt", "outcome"),
    "instalment": ("instalment", "state"),
    "judicial_confirmation": ("escrow_case", "confirmation"),
    "freeze": ("freeze", "state"),
    "decision": ("decision", "state"),
    "recon_break": ("recon_break", "state"),
    "deposit": ("deposit", "state"),
    "recovery": ("recovery", "state"),
}


@dataclass(frozen=True)
class Violation:
    """One broken invariant: which, where, and what was found."""

    invariant: str
    subject: str
    found: str


@dataclass(frozen=True)
class Check:
    """One query of data/invariants.sql; `says` is its heading."""

    invariant: str
    says: str
    sql: str


@cache
def checks() -> tuple[Check, ...]:
    """The queries, in the order of the file."""
    text = files("escrow").joinpath("data", "invariants.sql").read_text("utf-8")
    blocks = re.findall(r"^-- (I\d+) ([^\n]+)\n(.*?);\n", text, re.DOTALL | re.MULTILINE)
    return tuple(Check(name, says, sql) for name, says, sql in blocks)


def prove(uow: UnitOfWork) -> list[Violation]:
    """Check all invariants over all books; an empty list means that they hold. Reads everything: hourly, and in tests
    after each step."""
    found = [
        Violation(check.invariant, str(row["subject"]), f"{check.says}: {row['found']}")
        for check in checks()
        for row in uow.all(f"SELECT * FROM ({check.sql}) AS broken(subject, found) LIMIT {FEW}")
    ]
    return [*found, *_general(uow), *_numbers(uow), *_states(uow), *_owners(uow)]


def _general(uow: UnitOfWork) -> list[Violation]:
    """I1, I8, I9 in the general ledger; its chains from the last proof on."""
    kinds = {"sum": "I1", "chain": "I8", "balance": "I8", "hold": "I9"}
    return [Violation(kinds[fault.check], fault.subject, fault.found) for fault in ledger.prove_ledger(uow)]


def _numbers(uow: UnitOfWork) -> list[Violation]:
    """I5: each number is the function of its order, recomputed."""
    rows = uow.all(
        "SELECT o.number, o.purpose, o.ordinal, c.prefixes ->> o.rail AS prefix FROM escrow.payment_order o"
        " JOIN escrow.escrow_case c ON c.id = o.case_id ORDER BY o.id LIMIT 200000"
    )
    wrong = [
        r for r in rows if r["number"] != numbers.instruction_number(r["prefix"], r["purpose"], r["ordinal"])
    ]
    return [Violation("I5", row["number"], "is not the number of its order") for row in wrong[:FEW]]


def _states(uow: UnitOfWork) -> list[Violation]:
    """I9: every state is one of its machine's."""
    found: list[Violation] = []
    for machine in MACHINES:
        table, column = _TABLES[machine.name]
        rows = uow.all(
            f"SELECT id, {column} AS state FROM escrow.{table} WHERE {column} IS NOT NULL"
            f" AND NOT {column} = ANY(:states) LIMIT {FEW}",
            states=list(machine.states),
        )
        found += [Violation("I9", str(row["id"]), f"{machine.name} is {row['state']}") for row in rows]
    return found


def _owners(uow: UnitOfWork) -> list[Violation]:
    """I12: no break older than its limit without an owner."""
    rows = uow.all(
        "SELECT kind, subject, own_by FROM escrow.recon_break WHERE state <> 'CLOSED' AND owner IS NULL"
        f" AND own_by < :now LIMIT {FEW}",
        now=uow.now,
    )
    return [
        Violation("I12", row["subject"], f"{row['kind']} has no owner since {row['own_by']}") for row in rows
    ]
