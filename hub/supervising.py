"""Acts on supervision cases as people and partners do them: one function for console, command line and REST.

A copy to a partner is a disclosure: without a sharing agreement in force it does not go, and each leaves its line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import case_registry
from foundation.unit_of_work import UnitOfWork
from hub import choreography, seeing
from hub.sharing import shared_view

COPY = ("whereabouts", "PROGRESS")
"""Data set and purpose under which a case is copied to a partner."""
BY_CLOCK = ("not_signed",)


def open_case(
    uow: UnitOfWork, dispute: str, level: str, agency: str, reason: str, why: str, organisation: str = ""
) -> UUID:
    """Draft a case on a dispute. Raises case_registry.NotAllowed, Refused NOT_FOUND (none that this person may see)."""
    seeing.check_dispute(uow, dispute, seeing.WATCH)
    made = case_registry.draft_supervision(
        uow, dispute, level, agency, reason, why, organisation=organisation
    )
    choreography.follow(uow, case_registry.refresh_disputes(uow, [dispute]))
    return made


class MovedOn(Exception):
    """The case no longer stands as it was read."""


def standing(found: Mapping[str, Any]) -> str:
    """How a case stands, in one word: every act adds a line to its file."""
    return f"{found['state']}-{len(found['file'])}"


def act(uow: UnitOfWork, case: UUID, event: str, proof: Mapping[str, Any], as_read: str = "") -> None:
    """Do one act with its proof, and what follows; `as_read`: only while the case stands so (`standing`).

    Raises MovedOn, case_registry.Unknown, case_registry.NotAllowed, Refused
    (NOT_SHARED: a copy to a partner without an agreement; NOT_FOUND: a case that this person may not see)."""
    seeing.check_registry(uow, "supervision", case, seeing.WATCH)
    if as_read:
        uow.execute("SELECT 1 FROM registry.supervision_case WHERE id = :id FOR UPDATE", id=case)
        if standing(case_registry.supervision_case(uow, case)) != as_read:
            raise MovedOn
    if event in BY_CLOCK:
        raise case_registry.NotAllowed(f"{event} comes from the clock alone")
    told = dict(proof)
    if event == "copy_to":
        told["basis"] = _disclosed(uow, case, str(told.get("to", "")))
    choreography.follow(uow, case_registry.supervise(uow, case, event, told))


def _disclosed(uow: UnitOfWork, case: UUID, partner: str) -> str:
    found = case_registry.supervision_case(uow, case)
    stands = uow.one("SELECT stage, holder FROM registry.dispute WHERE number = :n", n=found["dispute"])
    record = {"dispute": found["dispute"], **dict(stands or {})}
    return shared_view(uow, partner, COPY[0], record, COPY[1], subject=str(found["dispute"])).agreement.id
