"""Conditions on persons, days and counts of the acts on a supervision case (supervision.md 2)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import RowMapping

from case_registry.deadlines import over_after
from case_registry.source import NotAllowed
from case_registry.supervision_machine import TWICE
from case_registry.supervision_rules import levels, office_level, table
from foundation.unit_of_work import UnitOfWork


def guard(uow: UnitOfWork, row: RowMapping, event: str, told: dict[str, Any]) -> set[str]:
    """Check what an act needs beside its proof; returns the guards of the state table that hold. Raises NotAllowed."""
    check = _CHECKS.get(event)
    return (check(uow, row, told) if check else None) or set()


def _refuse(when: object, why: str) -> None:
    if when:
        raise NotAllowed(why)


def _discard(uow: UnitOfWork, row: RowMapping, told: dict[str, Any]) -> None:
    # A draft of the clock has no author among people: any supervisor may set it aside.
    _refuse(row["drafted_by"] not in (uow.actor.id, "system"), "its author alone discards a draft")


def _issue(uow: UnitOfWork, row: RowMapping, told: dict[str, Any]) -> None:
    level = levels()[row["level"]]
    _refuse(
        row["level"] != "L3" and row["drafted_by"] == uow.actor.id,
        f"at {row['level']} another person than the author issues",
    )
    _refuse(
        office_level(uow.actor.org) not in level.offices,
        f"{row['level']} is issued by: {', '.join(level.offices)}",
    )


def _sign_for(uow: UnitOfWork, row: RowMapping, told: dict[str, Any]) -> None:
    _refuse(told["agency"] != row["agency"], f"the notice is addressed to {row['agency']}")


def _object(uow: UnitOfWork, row: RowMapping, told: dict[str, Any]) -> None:
    _refuse(told["other_agency"] == row["agency"], "an objection names another agency")
    days = table()["limits"]["object_workdays"]
    late = row["signed_at"] is not None and uow.now >= over_after(row["signed_at"], days)
    _refuse(late, f"an objection comes within {days} workdays after signing")


def _reassign(uow: UnitOfWork, row: RowMapping, told: dict[str, Any]) -> None:
    _refuse(told["to_agency"] == row["agency"], "it is this agency's already")


def _urge(uow: UnitOfWork, row: RowMapping, told: dict[str, Any]) -> None:
    last, days = row["last_urged_at"], table()["limits"]["urge_workdays"]
    # "At least one workday since": counted days, so that a Friday's urge is not repeated on Saturday.
    early = last is not None and uow.now < over_after(last, days) - timedelta(days=1)
    _refuse(early, f"it was urged less than {days} workday ago")


def _ask_extension(uow: UnitOfWork, row: RowMapping, told: dict[str, Any]) -> None:
    _refuse(row["extended_days"], "an extension is granted once")
    most = table()["limits"]["most_extension"]
    _refuse(not 1 <= told["days"] <= most, f"an extension is 1 to {most} workdays")
    _refuse(_over(uow, row), "the limit has run out: it stays red")


def _grant(uow: UnitOfWork, row: RowMapping, told: dict[str, Any]) -> None:
    _refuse(_over(uow, row), "the limit has run out: it stays red; refuse the extension")


def _over(uow: UnitOfWork, row: RowMapping) -> bool:
    return bool(
        uow.scalar(
            "SELECT EXISTS (SELECT 1 FROM registry.clock WHERE supervision = :s AND state = 'RUNNING' AND red_at <= :now)",
            s=row["id"],
            now=uow.now,
        )
    )


def _start_verify(uow: UnitOfWork, row: RowMapping, told: dict[str, Any]) -> None:
    _refuse(told["verifier_agency"] == row["agency"], "the verifier is not of the assigned agency")
    _refuse(told["verifier"] == row["handler"], "who handled it does not verify it")


def _by_verifier(uow: UnitOfWork, row: RowMapping) -> None:
    _refuse(uow.actor.id not in (row["verifier"], "system"), f"{row['verifier']} verifies this case")


def _pass(uow: UnitOfWork, row: RowMapping, told: dict[str, Any]) -> None:
    _by_verifier(uow, row)
    tries = table()["limits"]["tries"]
    _refuse(
        not told["reached"] and len(told["tries"]) < tries,
        f"the party was reached, or {tries} tries are documented",
    )
    _refuse(row["level"] == "L1" and not told["on_the_spot"], "at L1 the result is verified on the spot")


def _send_back(uow: UnitOfWork, row: RowMapping, told: dict[str, Any]) -> set[str]:
    _by_verifier(uow, row)
    return {TWICE} if row["send_backs"] >= table()["limits"]["most_send_backs"] else set()


def _close(uow: UnitOfWork, row: RowMapping, told: dict[str, Any]) -> None:
    _refuse(
        row["level"] != "L3" and uow.actor.id == row["issued_by"],
        f"at {row['level']} a second person of the issuing office closes",
    )
    _refuse(uow.actor.org != row["issuer"], f"the issuing office closes: {row['issuer']}")


def _reopen(uow: UnitOfWork, row: RowMapping, told: dict[str, Any]) -> None:
    days = table()["limits"]["reopen_days"]
    _refuse(
        uow.now > row["closed_at"] + timedelta(days=days),
        f"it was closed more than {days} days ago: draft a new case",
    )


_CHECKS: dict[str, Any] = {
    "discard": _discard, "issue": _issue, "sign_for": _sign_for, "object": _object, "reassign": _reassign, "urge": _urge,
    "ask_extension": _ask_extension, "grant": _grant, "start_verify": _start_verify, "pass": _pass, "send_back": _send_back,
    "close": _close, "reopen": _reopen,
}  # fmt: skip
