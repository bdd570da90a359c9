"""The history as a stream: nothing is kept but counters, so any number of disputes takes the same memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sandbox.history.agencies import Teller
from sandbox.history.plan import Dispute, Plan
from schemas.claims import Claim, PartyClaim, Record, Reference

TRUTH_COLUMNS = (
    "dispute", "agency", "native_id", "sub_id", "applicants", "respondents", "repeats", "errors",
)  # fmt: skip


@dataclass(frozen=True)
class Told:
    """One record of one agency, with the truth about it. `agency`: mediation, court, petition, arbitration or
    procuratorate."""

    agency: str
    record: Record
    dispute: Dispute
    errors: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The record in the field names of `schemas.claims.Record`; what is not told is left out."""
        return record_dict(self.record)

    def truth(self) -> tuple[str, ...]:
        """A row of the truth file (TRUTH_COLUMNS). Parties by keys that are on no wire, in the dispute's own sides."""
        dispute = self.dispute
        return (
            dispute.key, self.agency, self.record.native_id, self.record.sub_id,
            "|".join(party.key for party in dispute.applicants), "|".join(party.key for party in dispute.respondents),
            "" if dispute.repeats is None else f"T{dispute.repeats:06d}", "|".join(self.errors),
        )  # fmt: skip


def generate(disputes: int, seed: int = 1) -> Iterator[Told]:
    """Records of `disputes` disputes in order of the disputes' numbers. Raises ValueError above 400,000."""
    plan = Plan(disputes, seed)
    teller = Teller(plan)
    for number in range(disputes):
        dispute = plan.dispute(number)
        for agency, record, errors in teller.tell(dispute):
            yield Told(agency, record, dispute, tuple(errors))


def record_dict(record: Record) -> dict[str, Any]:
    """A record as JSON-able data; `read_record` is the way back."""
    told: dict[str, Any] = {
        "kind": record.kind, "native_id": record.native_id, "version": list(record.version),
        "event_at": record.event_at, "claims": [_bare(vars(claim)) for claim in record.claims],
    }  # fmt: skip
    if record.sub_id:
        told["sub_id"] = record.sub_id
    if record.parties is not None:
        told["parties"] = [_bare(vars(party)) for party in record.parties]
    if record.references:
        told["references"] = [_bare(vars(reference)) for reference in record.references]
    if record.data:
        told["data"] = record.data
    return told


def _bare(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None and value != {}}


def read_record(told: dict[str, Any]) -> Record:
    """The record that `record_dict` made this of."""
    parties = told.get("parties")
    return Record(
        told["kind"], told["native_id"], tuple(told["version"]), told["event_at"], told.get("sub_id", ""),
        tuple(Claim(**one) for one in told["claims"]),
        None if parties is None else tuple(PartyClaim(**one) for one in parties),
        tuple(Reference(**one) for one in told.get("references", ())), data=told.get("data", {}),
    )  # fmt: skip
