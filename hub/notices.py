"""What partners are told, by their manifests: which events, by which operation, to which of their cases.

Nothing of what was conceded is ever in a notice: the body holds numbers, dates, sums that were agreed or paid,
and who mediates; the agreement's words and the narrative stay here. What of that a partner gets is cut to its sharing
agreement, and leaves a line in the disclosure log (exchange rule 8); without an agreement it is told nothing.
"""

from __future__ import annotations

from typing import Any

import case_registry
import mediation
from connectors import Connector, all_connectors
from foundation.outbox import enqueue
from foundation.unit_of_work import UnitOfWork
from hub import sharing
from hub.sharing_terms import vocabulary
from schemas.canonical import sha256_hex
from schemas.findings import Refused

# Event → the proceedings whose partner is told of it; empty = every case of the partner. A proceeding that the
# law of those named here does not know (OTHER) is told of whatever its partner's manifest asks for.
ABOUT: dict[str, tuple[str, ...]] = {
    "agreed": ("PRE_LITIGATION_MEDIATION", "CRIMINAL_RECONCILIATION", "CIVIL_SUPERVISION", "OTHER"),
    "failed": (
        "PRE_LITIGATION_MEDIATION",
        "CRIMINAL_RECONCILIATION",
        "CIVIL_SUPERVISION",
        "SUPPORT_PROSECUTION",
        "OTHER",
    ),
    "late_money": ("ENFORCEMENT",),
}
DATA_SET = "mediation_result"


def tell(uow: UnitOfWork, event: str, mediation_number: str, **facts: Any) -> int:
    """Owe every partner that wants to hear of ``event`` a message about its own case; returns how many."""
    matter = mediation.matter_by_number(uow, mediation_number)
    refs = case_registry.disputes_of(uow, mediation_number)
    if matter is None or not refs:
        return 0
    dispute = case_registry.dispute(uow, refs[0].number)
    sent = 0
    for adapter in all_connectors().values():
        operation = adapter.notice(event)
        if not operation:
            continue
        for native_id, case_number in _cases(adapter, event, dispute):
            sent += _owe(uow, adapter, operation, event, native_id, case_number, matter, facts)
    if sent:
        count_owed(uow, mediation_number)
    return sent


def _cases(adapter: Connector, event: str, dispute: dict[str, Any]) -> list[tuple[str, str]]:
    """The partner's own cases that the event concerns, each once: (native id, case number)."""
    wanted = ABOUT.get(event, ())
    found: dict[str, str] = {}
    # Open cases first: an application is filed under one that the partner still works on.
    for episode in sorted(dispute["episodes"], key=lambda each: not each["open"]):
        if episode["partner"] != adapter.id or episode["withdrawn"]:
            continue
        if wanted and episode["proceeding_kind"] not in wanted:
            continue
        found.setdefault(episode["native_id"], str(episode["case_number"] or ""))
    # One application goes out for one agreement, whichever of the partner's cases it is filed under.
    return list(found.items())[:1] if event == "confirmation_application" else list(found.items())


def _owe(
    uow: UnitOfWork,
    adapter: Connector,
    operation: str,
    event: str,
    native_id: str,
    case_number: str,
    matter: dict[str, Any],
    facts: dict[str, Any],
) -> bool:
    """Owe one notice, cut to the agreement; False where none is in force: then people are told, and the partner is not."""
    live = mediation.live_agreement(uow, matter["id"])
    mark = live["number"] if live else f"{matter['mediation_number']}v{matter['version']}"
    message_id = _short(f"{event}/{mark}/{native_id}/{facts.get('mark', '')}")
    record: dict[str, Any] = {
        "native_id": native_id,
        "case_number": case_number,
        "mediation_number": matter["mediation_number"],
        "organisation": matter["committee"],
        "mediator": matter["mediator"],
        "on": uow.now.isoformat(),
        "parties": [party["name"] for party in matter["parties"]],
        **{name: value for name, value in facts.items() if name != "mark"},
    }
    if live:
        record["agreement_number"] = live["number"]
        record["amount_fen"] = live["total_fen"]
        record["agreement_signed_on"] = live["signed_at"].date().isoformat()
    purpose = vocabulary()["notices"].get(event, "")
    try:
        seen = sharing.shared_view(
            uow, adapter.id, DATA_SET, record, purpose, subject=record["mediation_number"]
        )
    except Refused:
        sharing.not_shared(uow, adapter.id, DATA_SET, purpose or event)
        return False
    # By these the hub knows its own row again, and the partner its own case; they are no news to it.
    ours = {name: record[name] for name in ("native_id", "mediation_number")}
    body = {**seen.record, **ours, "event": event, "message_id": message_id}
    enqueue(
        uow, partner=adapter.id, operation=operation, message_id=message_id, case_key=native_id, body=body,
        agreement=seen.agreement.id,
    )  # fmt: skip
    return True


def _short(text: str) -> str:
    """A message id that every partner takes: 30 characters, letters and digits, the same for the same notice."""
    return "C" + sha256_hex(text.encode())[:29].upper()


def count_owed(uow: UnitOfWork, mediation_number: str) -> list[dict[str, Any]]:
    """Tell the registry how many notices of a dispute are not yet acknowledged; returns its events."""
    owed = uow.scalar(
        "SELECT count(*) FROM exchange.outbox WHERE body->>'mediation_number' = :n AND state <> 'DELIVERED'",
        n=mediation_number,
    )
    refs = case_registry.disputes_of(uow, mediation_number)
    return list(case_registry.set_notices_owed(uow, refs[0].id, int(owed))) if refs else []
