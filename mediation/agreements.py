"""Agreements: draft, sign, void, replace; judicial confirmation beside them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from foundation.unit_of_work import UnitOfWork
from mediation.machines import AGREEMENT, CONFIRMATION
from mediation.matters import matter, move_matter
from schemas.canonical import canonical_json, sha256_hex
from schemas.findings import Finding, Refused

MOST_INSTALMENTS = 120
BEIJING = ZoneInfo("Asia/Shanghai")


@dataclass(frozen=True)
class AgreedInstalment:
    """One instalment: ``fen`` due on a Beijing date from ``payer`` to ``payee`` (party keys)."""

    no: int
    due_on: date
    fen: int
    payer: str
    payee: str


@dataclass(frozen=True)
class NewAgreement:
    """What the parties agreed. ``total_fen`` must equal the instalments' sum."""

    total_fen: int
    terms: str
    instalments: tuple[AgreedInstalment, ...]
    grace_days: int = 5
    acceleration: bool = True
    needs_confirmation: bool = False


@dataclass(frozen=True)
class Signature:
    """Who signed: a party's key, ``mediator`` or ``seal`` (Mediation Law 29: parties, mediator, seal)."""

    signer: str
    name: str
    method: str = "handwritten"


def draft_agreement(
    uow: UnitOfWork, matter_id: UUID, new: NewAgreement, *, replaces: UUID | None = None
) -> UUID:
    """Write a draft. Raises Refused naming what does not fit (sum, parties, dates)."""
    found = matter(uow, matter_id)
    if found is None:
        raise Refused(Finding("UNKNOWN_ORIGINAL", "matter", str(matter_id), "a matter of this office"))
    _check(new, {party["key"] for party in found["parties"]})
    agreement_id = uow.new_id()
    count = uow.scalar("SELECT count(*) FROM mediation.agreement WHERE matter = :id", id=matter_id)
    uow.execute(
        "INSERT INTO mediation.agreement (id, matter, number, total_fen, terms, grace_days, acceleration,"
        " needs_confirmation, replaces, created_at, created_by) VALUES (:id, :matter, :number, :total, :terms, :grace,"
        " :acceleration, :needs, :replaces, :now, :by)",
        id=agreement_id,
        matter=matter_id,
        number=f"{found['mediation_number']}-{count + 1}",
        total=new.total_fen,
        terms=new.terms,
        grace=new.grace_days,
        acceleration=new.acceleration,
        needs=new.needs_confirmation,
        replaces=replaces,
        now=uow.now,
        by=uow.actor.id,
    )
    uow.execute_many(
        "INSERT INTO mediation.agreed_instalment (agreement, no, due_on, fen, payer, payee)"
        " VALUES (:agreement, :no, :due_on, :fen, :payer, :payee)",
        [{**vars(each), "agreement": agreement_id} for each in new.instalments],
    )
    return agreement_id


def _check(new: NewAgreement, keys: set[str]) -> None:
    findings = []
    total = sum(each.fen for each in new.instalments)
    if not 1 <= len(new.instalments) <= MOST_INSTALMENTS:
        findings.append(
            Finding("SCHEMA_VIOLATION", "instalments", str(len(new.instalments)), f"1 to {MOST_INSTALMENTS}")
        )
    if total != new.total_fen or new.total_fen <= 0 or any(each.fen <= 0 for each in new.instalments):
        findings.append(
            Finding("AMOUNT_MISMATCH", "total_fen", str(new.total_fen), f"the instalments' sum {total}")
        )
    if [each.no for each in new.instalments] != list(range(1, len(new.instalments) + 1)):
        findings.append(Finding("SCHEMA_VIOLATION", "instalments/no", "", "1, 2, 3 … in order"))
    for each in new.instalments:
        for side in (each.payer, each.payee):
            if side not in keys:
                findings.append(
                    Finding("SCHEMA_VIOLATION", f"instalments/{each.no}", side, "a party of the matter")
                )
    if findings:
        raise Refused(*findings)


def signed_text(uow: UnitOfWork, agreement_id: UUID) -> dict[str, Any]:
    """What a signature covers: the agreement's content as plain data, the same at every call."""
    row = uow.one("SELECT * FROM mediation.agreement WHERE id = :id", id=agreement_id)
    if row is None:
        raise Refused(
            Finding("UNKNOWN_ORIGINAL", "agreement", str(agreement_id), "an agreement of this office")
        )
    instalments = uow.all(
        "SELECT no, due_on::text AS due_on, fen, payer, payee FROM mediation.agreed_instalment"
        " WHERE agreement = :id ORDER BY no",
        id=agreement_id,
    )
    parties = uow.all(
        "SELECT key, role, kind, name, id_number, account FROM mediation.matter_party WHERE matter = :id ORDER BY key",
        id=row["matter"],
    )
    return {
        "number": row["number"],
        "total_fen": row["total_fen"],
        "terms": row["terms"],
        "grace_days": row["grace_days"],
        "acceleration": row["acceleration"],
        "instalments": [dict(each) for each in instalments],
        "parties": [dict(each) for each in parties],
    }


def sign_agreement(
    uow: UnitOfWork,
    agreement_id: UUID,
    signatures: tuple[Signature, ...],
    *,
    signed_at: datetime | None = None,
    signed_on: date | None = None,
) -> list[dict[str, Any]]:
    """Sign: every applicant and respondent, the mediator, the committee's seal. Raises Refused, IllegalMove.

    A draft that replaces a signed agreement ends that one in the same step. ``signed_at`` only for old files
    that are entered later; ``signed_on``: the day on a paper that is entered later; else it is signed now.
    """
    row = uow.one("SELECT * FROM mediation.agreement WHERE id = :id FOR UPDATE", id=agreement_id)
    if row is None:
        raise Refused(
            Finding("UNKNOWN_ORIGINAL", "agreement", str(agreement_id), "an agreement of this office")
        )
    AGREEMENT.next(row["state"], "sign")
    at = signed_at or (_on_paper(uow, row["matter"], signed_on) if signed_on else uow.now)
    parties = uow.all(
        "SELECT key FROM mediation.matter_party WHERE matter = :id AND role IN ('applicant', 'respondent')",
        id=row["matter"],
    )
    needed = {party["key"] for party in parties} | {"mediator", "seal"}
    missing = sorted(needed - {each.signer for each in signatures})
    if missing:
        raise Refused(Finding("SIGNATURE_MISSING", "signatures", "absent", ", ".join(missing)))
    if row["replaces"]:
        _end(uow, row["replaces"], "replace", f"replaced by {row['number']}")
    digest = bytes.fromhex(sha256_hex(canonical_json(signed_text(uow, agreement_id))))
    uow.execute_many(
        "INSERT INTO mediation.signature VALUES (:agreement, :signer, :name, :method, :digest, :at)",
        [{**vars(each), "agreement": agreement_id, "digest": digest, "at": at} for each in signatures],
    )
    uow.execute(
        "UPDATE mediation.agreement SET state = 'SIGNED', digest = :digest, signed_at = :now WHERE id = :id",
        digest=digest,
        now=at,
        id=agreement_id,
    )
    events = _replaced(uow, row["matter"]) if row["replaces"] else move_matter(uow, row["matter"], "agree")
    signed = {"event": "agreement_signed", "matter": row["matter"], "agreement": agreement_id}
    return [*events, {**signed, "replaces": bool(row["replaces"])}]


def _on_paper(uow: UnitOfWork, matter_id: UUID, day: date) -> datetime:
    """Noon of the day on the paper: not before the matter was accepted, not in the future."""
    accepted = uow.scalar("SELECT accepted_on FROM mediation.matter WHERE id = :id", id=matter_id)
    today = uow.now.astimezone(BEIJING).date()
    if not accepted <= day <= today:
        raise Refused(
            Finding("WRONG_DATE_ORDER", "signed_on", day.isoformat(), f"from {accepted} to {today}")
        )
    return min(uow.now, datetime.combine(day, time(12), BEIJING))


def _replaced(uow: UnitOfWork, matter_id: UUID) -> list[dict[str, Any]]:
    """The matter stays agreed; its version moves on, so that what is told of it later counts as later."""
    uow.execute(
        "UPDATE mediation.matter SET version = version + 1, changed_at = :now WHERE id = :id",
        now=uow.now,
        id=matter_id,
    )
    return []


def void_agreement(uow: UnitOfWork, agreement_id: UUID, reason: str) -> list[dict[str, Any]]:
    """Set an agreement aside; the matter goes back to mediation. Raises IllegalMove, Refused without a reason."""
    if not reason.strip():
        raise Refused(Finding("SCHEMA_VIOLATION", "reason", "absent", "why the agreement is set aside"))
    row = _end(uow, agreement_id, "void", reason)
    events = move_matter(uow, row["matter"], "void", reason=reason) if row["signed_at"] else []
    return [
        *events,
        {"event": "agreement_void", "matter": row["matter"], "agreement": agreement_id, "reason": reason},
    ]


def _end(uow: UnitOfWork, agreement_id: UUID, event: str, reason: str) -> Any:
    row = uow.one("SELECT * FROM mediation.agreement WHERE id = :id FOR UPDATE", id=agreement_id)
    if row is None:
        raise Refused(
            Finding("UNKNOWN_ORIGINAL", "agreement", str(agreement_id), "an agreement of this office")
        )
    uow.execute(
        "UPDATE mediation.agreement SET state = :state, ended_at = :now, end_reason = :reason WHERE id = :id",
        state=AGREEMENT.next(row["state"], event),
        now=uow.now,
        reason=reason,
        id=agreement_id,
    )
    return row


def move_confirmation(uow: UnitOfWork, agreement_id: UUID, event: str) -> list[dict[str, Any]]:
    """Move the judicial confirmation (apply, confirm, refuse, revoke, limit_over). Raises IllegalMove."""
    row = uow.one("SELECT * FROM mediation.agreement WHERE id = :id FOR UPDATE", id=agreement_id)
    if row is None:
        raise Refused(
            Finding("UNKNOWN_ORIGINAL", "agreement", str(agreement_id), "an agreement of this office")
        )
    state = CONFIRMATION.next(row["confirmation"], event)
    uow.execute("UPDATE mediation.agreement SET confirmation = :s WHERE id = :id", s=state, id=agreement_id)
    return [
        {
            "event": "confirmation_moved",
            "matter": row["matter"],
            "agreement": agreement_id,
            "state": state,
            "move": event,
        }
    ]


def live_agreement(uow: UnitOfWork, matter_id: UUID) -> dict[str, Any] | None:
    """The signed agreement in force of a matter, with its instalments, or None."""
    row = uow.one("SELECT * FROM mediation.agreement WHERE matter = :id AND state = 'SIGNED'", id=matter_id)
    if row is None:
        return None
    rows = uow.all(
        "SELECT * FROM mediation.agreed_instalment WHERE agreement = :id ORDER BY no", id=row["id"]
    )
    return {**row, "instalments": [dict(each) for each in rows]}
