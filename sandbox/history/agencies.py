"""How each agency tells of a dispute: one record an episode, in the words of `schemas.claims`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from sandbox.history.errors import Clerk, clerk_rates
from sandbox.history.numbers import Numbers
from sandbox.history.people import Party
from sandbox.history.plan import LAST_DAY, Dispute, Plan
from schemas.claims import Claim, PartyClaim, Record, Reference
from schemas.money import Fen

COURT = "瓯栖县人民法院"
COMMISSION = "温州仲裁委员会瓯栖分会"
Facts = dict[str, Any]


class Teller:
    """Tells disputes one after the other; numbers are given in that order."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._numbers = plan, Numbers()

    def tell(self, dispute: Dispute) -> Iterator[tuple[str, Record, list[str]]]:
        """(agency, record, errors made) of each episode, in the order in which they happened."""
        day, earlier = dispute.opened_on, {}
        for place, agency in enumerate(dispute.way):
            if place and day > LAST_DAY:
                return  # the rest has not happened yet
            clerk = Clerk(
                agency, clerk_rates(self._plan.rates, agency),
                self._plan.chance("clerk", dispute.number, place), self._plan.people,
            )  # fmt: skip
            last = place == len(dispute.way) - 1
            telling = getattr(self, f"_{agency}")
            for record in telling(dispute, clerk, day, last, earlier):
                errors = list(clerk.made)
                clerk.made.clear()  # the next record of this agency has its own
                yield agency, record, errors
            day += timedelta(days=clerk.chance.randint(10, 75))

    # --- the office's own matters -----------------------------------------------------------------------------

    def _mediation(
        self, dispute: Dispute, clerk: Clerk, day: date, last: bool, earlier: Facts
    ) -> Iterator[Record]:
        town = dispute.town[1]
        committee = town[:2]
        number = self._numbers.mediation(committee, day)
        earlier["mediation"] = number
        agreed = dispute.agreed_fen if last else 0
        closed = day + timedelta(days=clerk.chance.randint(3, 40))
        state = "OPEN" if closed > LAST_DAY else "AGREED" if agreed else "FAILED"
        facts = self._facts(dispute, clerk, day, closed, state, "MEDIATION") | {
            "outcome": {"AGREED": "AGREED", "FAILED": "FAILED"}.get(state, ""),
            "cause_code": {"system": "dispute_type", "code": dispute.kind},
            "organisation": f"瓯栖县{town}人民调解委员会",
            "mediator": dispute.mediator,
        }
        yield Record(
            "episode", number, (_stamp(min(closed, LAST_DAY)),), _stamp(day), claims=_claims(facts),
            parties=self._parties(dispute, clerk, "both"),
            data={"agreed_fen": agreed, "agreed_on": closed.isoformat()} if state == "AGREED" else {},
        )  # fmt: skip

    # --- the court --------------------------------------------------------------------------------------------

    def _court(
        self, dispute: Dispute, clerk: Clerk, day: date, last: bool, earlier: Facts
    ) -> Iterator[Record]:
        mark = self._numbers.court(day)
        listed = clerk.slips("list_share")
        if "mediation" not in earlier or clerk.chance.random() < 0.5:
            number = self._numbers.case(day, "民诉前调")
            closed = day + timedelta(days=clerk.chance.randint(10, 40))
            state = "OPEN" if closed > LAST_DAY else "FAILED"
            facts = self._facts(dispute, clerk, day, closed, state, "PRE_LITIGATION_MEDIATION")
            facts |= {
                "case_number": number, "court": COURT,
                "organisation": f"瓯栖县{dispute.town[1]}人民调解委员会", "occurred_on": None,
            }  # fmt: skip
            if listed:
                facts.pop("claimed_fen", None)
            yield Record(
                "episode", mark, (_stamp(min(closed, LAST_DAY)),), _stamp(day), sub_id=number, claims=_claims(facts),
                parties=self._parties(dispute, clerk, "names" if listed else "both"),
            )  # fmt: skip
            day = closed + timedelta(days=clerk.chance.randint(3, 20))
        if day > LAST_DAY:
            return
        number = self._numbers.case(day, "民初")
        closed = day + timedelta(days=clerk.chance.randint(40, 170))
        state = "OPEN" if closed > LAST_DAY else "CLOSED"
        facts = self._facts(dispute, clerk, day, closed, state, "TRIAL")
        facts |= {"case_number": number, "court": COURT, "occurred_on": None}
        if state == "CLOSED":
            facts["outcome"] = clerk.chance.choice(("01", "01", "05", "07"))
        yield Record(
            "episode", mark, (_stamp(min(closed, LAST_DAY)),), _stamp(day), sub_id=number, claims=_claims(facts),
            parties=self._parties(dispute, clerk, "both", phones=False),
        )  # fmt: skip

    # --- the petition office ----------------------------------------------------------------------------------

    def _petition(
        self, dispute: Dispute, clerk: Clerk, day: date, last: bool, earlier: Facts
    ) -> Iterator[Record]:
        number, first = self._numbers.petition(day), earlier.get("petition")
        earlier.setdefault("petition", number)
        closed = day + timedelta(days=clerk.chance.randint(15, 60))
        state = "CLOSED" if closed <= LAST_DAY else clerk.chance.choice(("REGISTERED", "REFERRED"))
        facts = self._facts(dispute, clerk, day, closed, state, "PETITION")
        wrong = clerk.slips("wrong_repeat_flag")
        crowd = clerk.chance.choices((1, 2, 5, 12), weights=(88, 7, 4, 1))[0]
        facts |= {
            "repeat_flag": (first is not None) != wrong, "people_count": crowd, "group_flag": crowd >= 5,
            "holder": "瓯栖县司法局", "occurred_on": None, "place_code": dispute.town[0],
            "limit_date": (day + timedelta(days=60)).isoformat(),
        }  # fmt: skip
        if first is not None and not wrong:
            facts["repeats"] = first
        if "claimed_fen" in facts and clerk.slips("amount_vague"):
            facts["claimed_text"] = f"{max(1, facts.pop('claimed_fen') // 1_000_000)}万余元"
        yield Record(
            "episode", number, (1,), _stamp(day), claims=_claims(facts), parties=self._parties(dispute, clerk, "one"),
            references=(Reference("episode", first, "petition"),) if facts.get("repeats") else (),
        )  # fmt: skip

    # --- arbitration ------------------------------------------------------------------------------------------

    def _arbitration(
        self, dispute: Dispute, clerk: Clerk, day: date, last: bool, earlier: Facts
    ) -> Iterator[Record]:
        case_id, case_number = self._numbers.arbitration(day)
        closed = day + timedelta(days=clerk.chance.randint(20, 60))
        state = "OPEN" if closed > LAST_DAY else clerk.chance.choice(("AWARDED", "CLOSED", "WITHDRAWN"))
        facts = self._facts(dispute, clerk, day, closed, state, "ARBITRATION") | {
            "case_number": case_number, "commission": COMMISSION, "occurred_on": None,
            "cause_code": {"system": "arbitration_partner_causeCode", "code": dispute.arbitration_cause},
        }  # fmt: skip
        references: tuple[Reference, ...] = ()
        if "mediation" in earlier and clerk.chance.random() < 0.4:
            told = Reference("mediation_number", earlier["mediation"], "mediation")
            if clerk.slips("broken_reference"):
                told = Reference("mediation_number", "街道调过", "mediation", "hint")
            references = (told,)
        yield Record(
            "episode", case_id, (1,), _stamp(day), sub_id=case_number, claims=_claims(facts), references=references,
            parties=self._parties(dispute, clerk, "both"),
        )  # fmt: skip

    # --- the procuratorate ------------------------------------------------------------------------------------

    def _procuratorate(
        self, dispute: Dispute, clerk: Clerk, day: date, last: bool, earlier: Facts
    ) -> Iterator[Record]:
        criminal = dispute.kind == "MINOR_INJURY"
        number = self._numbers.procuratorate(day, "刑和" if criminal else "民支")
        kind = "CRIMINAL_RECONCILIATION" if criminal else "SUPPORT_PROSECUTION"
        facts = self._facts(dispute, clerk, day, LAST_DAY + timedelta(days=1), "OPEN", kind)
        facts |= {"limit_date": (day + timedelta(days=30)).isoformat(), "sealed": False}
        yield Record(
            "episode", number, (1,), _stamp(day), claims=_claims(facts), parties=self._parties(dispute, clerk, "both")
        )  # fmt: skip

    # --- common to all ----------------------------------------------------------------------------------------

    def _facts(
        self, dispute: Dispute, clerk: Clerk, day: date, closed: date, state: str, proceeding: str
    ) -> Facts:
        facts: Facts = {
            "proceeding_kind": proceeding,
            "state": state,
            "cause": "合同纠纷" if clerk.slips("cause_differs") else dispute.cause,
            "opened_on": clerk.day(day).isoformat(),
            "occurred_on": dispute.occurred_on.isoformat(),
            "place_text": dispute.town[1],
            "narrative": dispute.narrative,
        }
        if closed <= LAST_DAY and state not in ("OPEN", "REGISTERED", "REFERRED"):
            facts["closed_on"] = closed.isoformat()
        if not clerk.slips("amount_missing"):
            facts["claimed_fen"] = dispute.claimed_fen
            facts["claimed_text"] = Fen(dispute.claimed_fen).yuan_text()
        return facts

    def _parties(
        self, dispute: Dispute, clerk: Clerk, known: str, *, phones: bool = True
    ) -> tuple[PartyClaim, ...]:
        """`known`: both = numbers of both sides, one = of the applicants only, names = nothing but names."""
        sides = [("applicant", dispute.applicants), ("respondent", dispute.respondents)]
        if clerk.slips("swapped_roles"):
            sides = [("applicant", dispute.respondents), ("respondent", dispute.applicants)]
        told = []
        for role, parties in sides:
            bare = known == "names" or (known == "one" and role == "respondent")
            for place, party in enumerate(parties):
                told.append(self._party(clerk, party, role, f"{role}{place + 1}", bare=bare, phones=phones))
        return tuple(told)

    def _party(
        self, clerk: Clerk, party: Party, role: Any, where: str, *, bare: bool, phones: bool
    ) -> PartyClaim:
        name = clerk.name(party, where)
        kind: Any = "organisation" if party.is_organisation else "person"
        if bare:
            return PartyClaim(role, kind, name, where)
        number, masked = clerk.number(party, where)
        person = None if party.is_organisation else number
        code = number if party.is_organisation else None
        phone = clerk.phone(party, where) if phones else None
        address = party.address if phones else None
        return PartyClaim(
            role, kind, name, where, person, masked, phone, address, party.gender or None if person else None, code
        )  # fmt: skip


def _stamp(day: date) -> str:
    return datetime.combine(day, time(10)).isoformat() + "+08:00"


def _claims(facts: Facts) -> tuple[Claim, ...]:
    """None and "" in `facts` are not told."""
    return tuple(Claim(name, value) for name, value in facts.items() if value is not None and value != "")
