"""What a partner may see: default deny, by sharing agreement, masked, each disclosure written down (exchange rule 8).

``shared_view`` is the one function through which data of disputes and people goes to a partner. Concessions have no
purpose for which they leave; an agreement ends with its last day (Beijing) or with a stop, on the very next record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from foundation.journal import Line, journal_many, raise_alarm
from foundation.unit_of_work import UnitOfWork
from hub.masking import masked
from hub.sharing_register import agreements, stops
from hub.sharing_terms import Agreement, field_of, vocabulary
from schemas.findings import Finding, Refused
from schemas.wide import BEIJING

# A code or a name is never that long: in such a value someone wrote running text.
MOST_TEXT = 500


@dataclass(frozen=True)
class Shared:
    """What may leave. ``withheld``: fields of the record that the agreement does not cover."""

    record: dict[str, Any]
    agreement: Agreement
    withheld: tuple[str, ...]
    subject: str = ""


def shared_view(
    uow: UnitOfWork, partner: str, data_set: str, record: dict[str, Any], purpose: str, *, subject: str
) -> Shared:
    """What ``partner`` may see of ``record`` for ``purpose``; writes the line of the disclosure log.

    ``partner``: id of an adapter or a row. ``data_set``, ``purpose``: codes of hub/data/sharing.toml. ``subject``: the
    dispute or mediation number that the record is about, never a person's number. Raises Refused (NOT_SHARED) where
    no agreement is in force: then nothing leaves.
    """
    seen = view_of(in_force(uow, partner, data_set, purpose), record, subject)
    write_down(uow, [seen])
    return seen


def may_share(uow: UnitOfWork, partner: str, data_set: str, purpose: str) -> Agreement | None:
    """The agreement in force, or None."""
    today = uow.now.astimezone(BEIJING).date()
    fitting = [
        each
        for each, _ in agreements(uow, partner)
        if (each.data_set, each.purpose) == (data_set, purpose) and each.since <= today <= each.until
    ]
    stopped = stops(uow, [each.id for each in fitting])
    return next((each for each in fitting if each.id not in stopped), None)


def still_shared(uow: UnitOfWork, partner: str, agreement: str) -> bool:
    """Whether what was made under ``agreement`` may still leave; "" = it was made under none, and needs none."""
    if not agreement:
        return True
    today = uow.now.astimezone(BEIJING).date()
    found = [
        each
        for each, _ in agreements(uow, partner)
        if each.id == agreement and each.since <= today <= each.until
    ]
    return bool(found) and not stops(uow, [agreement])


def in_force(uow: UnitOfWork, partner: str, data_set: str, purpose: str) -> Agreement:
    """The agreement in force. Raises Refused: NOT_SHARED."""
    found = may_share(uow, partner, data_set, purpose)
    if found is None:
        raise Refused(
            Finding(
                "NOT_SHARED", "sharing", f"{data_set} for {purpose}", f"an agreement in force with {partner}"
            )
        )
    return found


def view_of(agreement: Agreement, record: dict[str, Any], subject: str = "") -> Shared:
    """The record cut to the agreement and masked; pure."""
    withheld: list[str] = []
    seen = _cut(agreement, record, "", withheld)
    return Shared(seen, agreement, tuple(sorted(withheld)), subject)


def _cut(agreement: Agreement, record: dict[str, Any], above: str, withheld: list[str]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for name, value in record.items():
        path = f"{above}{name}"
        field = field_of(agreement.data_set, path)
        if field is None or path not in agreement.fields or field["class"] in vocabulary()["never"]:
            withheld.append(path)
        elif isinstance(value, dict):
            seen[name] = _cut(agreement, value, f"{path}.", withheld)
        elif isinstance(value, list) and any(isinstance(each, dict) for each in value):
            seen[name] = [
                _cut(agreement, each, f"{path}.", withheld) for each in value if isinstance(each, dict)
            ]
        elif isinstance(value, str) and len(value) > MOST_TEXT and not field.get("text"):
            withheld.append(path)
        else:
            seen[name] = _shown(agreement, path, field, record, value)
    return seen


def _shown(agreement: Agreement, path: str, field: dict[str, Any], record: dict[str, Any], value: Any) -> Any:
    mask = str(field.get("mask", ""))
    if not mask or path in agreement.unmasked:
        return value
    if mask == "name" and record.get("minor"):
        mask = "minor_name"
    return masked(value, vocabulary()["masks"][mask])


def write_down(uow: UnitOfWork, seen: Sequence[Shared]) -> None:
    """One line of the disclosure log for each view that leaves, and one of the journal, so that it is chained."""
    lines = []
    for each in seen:
        told = {
            "agreement": each.agreement.id, "partner": each.agreement.partner, "data_set": each.agreement.data_set,
            "purpose": each.agreement.purpose, "subject": each.subject, "fields": sorted(each.record),
        }  # fmt: skip
        digest = sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).digest()
        lines.append((uow.new_id(), told, digest, each))
    uow.execute_many(
        "INSERT INTO exchange.disclosure (id, at, actor, recipient, purpose, subject, fields, basis, agreement, data_set)"
        " VALUES (:id, :at, :actor, :partner, :purpose, :subject, CAST(:fields AS jsonb), :basis, :agreement, :data_set)",
        [
            {**told, "id": line, "at": uow.now, "actor": uow.actor.id, "basis": each.agreement.basis,
             "fields": orjson.dumps(told["fields"]).decode()}
            for line, told, _, each in lines
        ],
    )  # fmt: skip
    journal_many(uow, [Line("disclosed", str(line), digest, told) for line, told, digest, _ in lines])


def not_shared(uow: UnitOfWork, partner: str, data_set: str, purpose: str) -> None:
    """Tell people once that something would have gone to a partner and no agreement allows it."""
    raise_alarm(uow, "not_shared", f"{partner}/{data_set}/{purpose}", role="supervision_officer")
