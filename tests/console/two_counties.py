"""Two counties with the same things in both: a matter, an escrow with an order, a supervision case, a gap, a conflict, a
proposal; and people of each county at every desk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import case_registry
import escrow
import mediation
from foundation.actors import Actor
from foundation.staff import add_staff
from foundation.unit_of_work import UnitOfWork
from hub import choreography, supervising
from schemas.claims import Reference
from tests.case_registry.make import ARBITRATION, COURT, PETITION, episode, person
from tests.console.world import PASSWORD, County, card, resident

HERE, THERE = "330399", "330302"
COMMITTEES = {HERE: "瓯栖县石坦乡人民调解委员会", THERE: "鹿城区五马街道人民调解委员会"}
NAMES = {HERE: ("欧阳近", "司徒近"), THERE: ("欧阳远", "司徒远")}
DESKS = {
    "mediator": "mediator", "reviewer": "reviewer", "cashier": "cashier", "checker": "checker", "releaser": "releaser",
    "watch": "supervision_officer", "score": "assessor",
}  # fmt: skip


@dataclass(frozen=True)
class Side:
    """What one county has."""

    county: str
    matter: UUID
    number: str
    dispute: str
    agreement: UUID
    case: UUID
    order: UUID
    decision: UUID
    supervision: UUID

    @property
    def telling(self) -> tuple[str, ...]:
        """Texts that tell of this county's people and cases."""
        return (
            *NAMES[self.county],
            self.number,
            self.dispute,
            f"KEY-{self.county}",
            str(self.order),
            str(self.case),
        )


def people(county: County) -> None:
    """A person of each county and of the whole city at every desk: ``cashier-330399``, ``cashier-city``."""

    def enter(uow: UnitOfWork) -> None:
        for desk, role in DESKS.items():
            for region in (HERE, THERE, ""):
                name = f"{desk}-{region or 'city'}"
                add_staff(uow, name, name, "瓯栖县联合督查办", [role], PASSWORD, region=region)

    county.act(enter)


def side(county: County, code: str, serial: int) -> Side:
    one, other = NAMES[code]
    ids = resident("19800623", 100 + serial), resident("19810724", 200 + serial)
    accounts = [{"name": n, "account": card(40 + 2 * serial + k), "bank_code": "402339900017", "bank_name": "农商银行"}
                for k, n in enumerate((one, other))]  # fmt: skip
    parties = (
        mediation.MatterParty("A1", "applicant", "person", one, ids[0], "1001234000" + str(serial), None, accounts[0]),
        mediation.MatterParty("R1", "respondent", "person", other, ids[1], None, None, accounts[1]),
    )  # fmt: skip
    new = mediation.NewMatter(
        COMMITTEES[code], "金杰", f"相邻关系纠纷{serial}", date(2026, 3, 6), parties, claimed_fen=900_000
    )

    def accept(uow: UnitOfWork) -> UUID:
        made, events = mediation.accept_matter(uow, new)
        choreography.follow(uow, events)
        return made

    matter = county.act(accept)
    number = county.number_of(matter)
    agreement = _agree(county, matter, code)
    rail = county.desk.money_rail().id
    account = f"9903399000009{serial:05d}"
    case = county.act(lambda uow: escrow.record_subaccount(uow, county.desk, number, rail, account)).id
    county.credit(account, 800_000, f"{number} 调解款", (other, str(accounts[1]["account"])))
    # Somebody of the county sent money to the parent account without a word whose it is.
    county.credit(
        "99033990000010001", 100_000 + serial, "赔偿款", (other, str(accounts[1]["account"])), own=False
    )
    cashier = Actor(f"cashier-{code}", "", frozenset({"cashier"}), region=code)
    terms = escrow.PartyTerms(
        "A1", "PAYEE", one, "person", ids[0], (escrow.PayAccount(rail, card(60 + serial), one),)
    )
    decision = county.act(
        lambda uow: escrow.propose_payee(uow, case, "A1", terms, "换卡", "申请书"), cashier
    ).id
    order = county.order(case, 300_000)
    dispute = county.act(lambda uow: case_registry.disputes_of(uow, number)[0].number)
    return Side(
        code,
        matter,
        number,
        dispute,
        agreement,
        case,
        order,
        decision,
        _watched(county, code, number, dispute),
    )


def _agree(county: County, matter: UUID, code: str) -> UUID:
    parts = (mediation.AgreedInstalment(1, date(2026, 5, 10), 900_000, "R1", "A1"),)
    agreement: UUID = county.act(
        lambda uow: mediation.draft_agreement(
            uow, matter, mediation.NewAgreement(900_000, "一次付清。", parts)
        )
    )
    signers = {"A1": NAMES[code][0], "R1": NAMES[code][1], "mediator": "金杰", "seal": COMMITTEES[code]}
    signed = tuple(
        mediation.Signature(key, name, "seal" if key == "seal" else "handwritten")
        for key, name in signers.items()
    )
    county.act(lambda uow: mediation.sign_agreement(uow, agreement, signed))
    return agreement


def _watched(county: County, code: str, number: str, dispute: str) -> UUID:
    """A conflict, a proposal, a gap and a supervision case on the dispute."""
    key = f"KEY-{code}"
    sides = [person(NAMES[code][0]), person(NAMES[code][1], "respondent")]
    told: dict[str, Any] = {
        "cause": "民间借贷纠纷",
        "place_code": code,
        "occurred_on": "2026-02-11",
        "opened_on": "2026-03-01",
    }
    refs = [Reference("case_number", number)]
    same = [
        person(NAMES[code][0], id_number=resident("19800623", int(code[-2:]))),
        person(NAMES[code][1], "respondent", id_number=resident("19810724", int(code[-2:]))),
    ]
    trial = {"sub_id": f"{key}-C1", "case_number": f"{key}-C1", "parties": same}
    county.record(COURT, episode(f"{key}-C", "TRIAL", refs=refs, claimed_fen=700_000, **trial, **told))
    county.record(
        ARBITRATION, episode(f"{key}-A", "ARBITRATION", refs=refs, claimed_fen=710_000, parties=same, **told)
    )
    for native in (f"{key}-P", f"{key}-Q"):
        source = PETITION if native.endswith("P") else COURT
        kind = "PETITION" if native.endswith("P") else "PRE_LITIGATION_MEDIATION"
        county.record(source, episode(native, kind, parties=sides, claimed_fen=4_600_000, **told))
    row = {"native_id": f"{key}-P", "to_agency": "mediation", "said_on": date(2026, 3, 20)}
    county.act(
        lambda uow: case_registry.list_hand_overs(uow, "petition_x", "petition", f"{key} list", [row]) and []
    )
    officer = Actor(f"watch-{code}", "", frozenset({"supervision_officer"}), "瓯栖县联合督查办", region=code)
    made: UUID = county.act(
        lambda uow: supervising.open_case(uow, dispute, "L3", "court", "RED_LAMP", "超期"), officer
    )
    return made


def both(county: County) -> tuple[Side, Side]:
    """The two counties, watched once."""
    people(county)
    found = side(county, HERE, 1), side(county, THERE, 2)
    county.act(case_registry.watch_deadlines)
    county.act(lambda uow: escrow.reconcile_day(uow, date(2026, 4, 1)))
    return found
