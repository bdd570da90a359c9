"""One dispute that every agency has a case in, its secrets marked, for the tests of what leaves and what does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any
from uuid import UUID

import mediation
from case_registry import Source
from connectors import all_connectors
from foundation.unit_of_work import unit_of_work
from hub import choreography, notices
from hub.pipeline import Hub
from hub.sending import connector_context
from tests.case_registry.make import episode, person
from tests.console.world import COMMITTEE, PAYEE, PAYEE_ID, PAYER, PAYER_ID, County, _account

# What nobody outside may ever read.
SECRET = "甲方私下表示最低可让步到四万元"
EVENTS = {
    "agreed": {"outcome": "AGREED"},
    "failed": {"outcome": "FAILED"},
    "refused": {"outcome": "REFUSED"},
    "confirmation_application": {"outcome": "CONFIRMATION_APPLICATION"},
    "performed": {"outcome": "PERFORMED", "paid_fen": 5_000_000},
    "defaulted": {"outcome": "DEFAULTED", "paid_fen": 0},
    "late_money": {"received_fen": 100, "received_on": "2026-04-01T09:00:00+08:00"},
    "taken_up": {},
}
# The kinds of proceeding that each agency's partner has in the dispute.
PROCEEDINGS = {
    "court": ("PRE_LITIGATION_MEDIATION", "ENFORCEMENT"),
    "petition": ("PETITION",),
    "procuratorate": ("CIVIL_SUPERVISION",),
    "arbitration": ("ARBITRATION",),
}


@dataclass
class SharedCase:
    """The dispute's numbers by who uses them."""

    hub: Hub
    mediation_number: str = ""
    dispute: str = ""
    native: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, hub: Hub, *more: Source) -> SharedCase:
        """A mediation with an agreement, and one case of every adapter and of the sources in ``more``."""
        county, case = County(hub), cls(hub)
        sides = [
            person(PAYEE, id_number=PAYEE_ID, phone="10012340001"),
            person(PAYER, "respondent", id_number=PAYER_ID),
        ]
        told = {
            "cause": "机动车交通事故责任纠纷",
            "occurred_on": "2026-03-01",
            "narrative": SECRET,
            "opened_on": "2026-03-05",
        }
        adapters = [Source(each.id, each.institution, each.agency) for each in all_connectors().values()]
        for source in (*adapters, *more):
            native = f"N-{source.partner}"
            for kind in PROCEEDINGS.get(source.agency, ("OTHER",)):
                case.dispute = county.record(
                    source, episode(native, kind, sub_id=kind, parties=sides, claimed_fen=13_000_000, **told)
                )
            case.native[source.partner] = native
        matter = county.act(lambda uow: _accepted(uow))
        county.agree(matter, 5_000_000)
        case.mediation_number = county.number_of(matter)
        with unit_of_work(hub.engine) as uow:
            found = uow.one(
                "SELECT number, numbers FROM registry.dispute WHERE numbers @> ARRAY[:n]",
                n=case.mediation_number,
            )
            assert found is not None and set(case.native.values()) <= set(found["numbers"]), (
                "all cases are one dispute"
            )
            case.dispute = found["number"]
            uow.execute("DELETE FROM exchange.outbox")
        return case

    def tell_everything(self) -> int:
        """Every event that partners are told of, with a secret in every place that a caller could put one."""
        sent = 0
        for event, facts in EVENTS.items():
            with unit_of_work(self.hub.engine) as uow:
                loose = {"narrative": SECRET, "offers": SECRET, "session_record": SECRET, "agreement_text": SECRET,
                         "remark": SECRET, "text": SECRET, "document": {"text": SECRET}, "proof": [{"text": SECRET}]}  # fmt: skip
                sent += notices.tell(uow, event, self.mediation_number, **facts, **loose, mark=event)
        return sent

    def outbox(self, partner: str = "") -> list[Any]:
        with unit_of_work(self.hub.engine) as uow:
            return list(
                uow.all("SELECT * FROM exchange.outbox WHERE :p = '' OR partner = :p ORDER BY seq", p=partner)
            )

    def wire_bytes(self) -> list[tuple[str, bytes]]:
        """What the adapters' clients make of all that is owed."""
        made = []
        for row in self.outbox():
            adapter = all_connectors()[row["partner"]]
            assert adapter.client is not None
            with unit_of_work(self.hub.engine) as uow:
                context = connector_context(self.hub, uow, adapter)
            made.append((row["partner"], adapter.client.build(row["operation"], dict(row["body"]), context)))
        return made


def _accepted(uow: Any) -> UUID:
    parties = (
        mediation.MatterParty(
            "A1", "applicant", "person", PAYEE, PAYEE_ID, "10012340001", "瓯栖县石坦乡", _account(PAYEE, "9955000000000000017")
        ),
        mediation.MatterParty(
            "R1", "respondent", "person", PAYER, PAYER_ID, "10012340002", None, _account(PAYER, "9955000000000000025")
        ),
    )  # fmt: skip
    new = mediation.NewMatter(
        COMMITTEE, "金杰", "机动车交通事故责任纠纷", date(2026, 3, 6), parties, claimed_fen=13_000_000, narrative=SECRET
    )  # fmt: skip
    matter, events = mediation.accept_matter(uow, new)
    choreography.follow(uow, events)
    return matter
