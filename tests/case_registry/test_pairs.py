"""Pairs of cases: what links by itself, what a person must see, what stays apart. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from case_registry.features import Features, from_json, to_json
from case_registry.keys import link_keys
from case_registry.pair_score import BY_NUMBER, cannot_be_one, judge
from case_registry.parties import Party
from tests.case_registry.make import resident

ID, OTHER_ID, THIRD_ID = resident(1), resident(2), resident(3)
MAN = Party("A", False, ("周忠",), id=ID, phones=("10057700037",))
FOE = Party("R", False, ("欧阳敏海",), id=OTHER_ID)
MAN_BY_NAME = Party("A", False, ("周忠",))
FOE_BY_NAME = Party("R", False, ("欧阳敏海",))
FIRM = Party("R", True, ("温州白泉盛鞋业",), credit="91330399MADB3BAUK7")
FIRM_BY_NAME = Party("R", True, ("温州白泉盛鞋业",))


def case(partner: str, *parties: Party, **more: object) -> Features:
    base = Features(partner, partner, "N-" + partner, ("OTHER",), (), ("N-" + partner,), parties=parties,
                    sums=(24_894_050,), begun=(date(2026, 1, 9),), families=("NEIGHBOUR",))  # fmt: skip
    return replace(base, **more)  # type: ignore[arg-type]


COURT = case("court", MAN, FOE, kinds=("TRIAL",))


@pytest.mark.parametrize(("other", "verdict"), [
    (case("pet", MAN, FOE_BY_NAME), "LINK"),
    (case("pet", FOE_BY_NAME, replace(MAN, side="R")), "LINK"),
    (case("pet", replace(MAN_BY_NAME, phones=MAN.phones), FOE_BY_NAME), "LINK"),
    (case("pet", replace(MAN_BY_NAME, masked=(ID[:6] + "*" * 8 + ID[-4:],)), FOE_BY_NAME), "LINK"),
    (case("pet", MAN_BY_NAME, FOE_BY_NAME), "PROPOSE"),
    (case("pet", MAN_BY_NAME, FOE_BY_NAME, sums=(24_287_200,)), "NONE"),
    (case("pet", MAN_BY_NAME, FOE_BY_NAME, begun=(date(2027, 1, 9),)), "NONE"),
    (case("pet", replace(MAN_BY_NAME, names=("周某",), hidden=True), FOE_BY_NAME), "NONE"),
    (case("pet", replace(MAN_BY_NAME, names=("周某",), hidden=True, phones=MAN.phones), FOE_BY_NAME), "PROPOSE"),
    (case("pet", replace(MAN, id=THIRD_ID, phones=()), FOE_BY_NAME), "CANNOT"),
    (case("pet", replace(MAN, id=THIRD_ID), FOE_BY_NAME), "PROPOSE"),
    (case("pet", Party("A", False, ("陈霞秀",)), FOE), "NONE"),
    (case("pet", MAN), "PROPOSE"),
    (case("pet", MAN, FOE, families=("LOAN",)), "NONE"),
    (case("pet", MAN, FOE, sums=(100,)), "PROPOSE"),
    (case("pet", MAN, FOE, sums=(100,), begun=(date(2026, 12, 9),)), "NONE"),
    (case("pet", MAN, FOE, sums=()), "PROPOSE"),
], ids=str)  # fmt: skip
def test_verdicts(other: Features, verdict: str) -> None:
    assert judge(COURT, other).verdict == verdict == judge(other, COURT).verdict
    if verdict in ("LINK", "PROPOSE"):
        assert link_keys(COURT) & link_keys(other), "a pair worth judging must be found by a key"


def test_events_far_apart_are_two_quarrels_of_the_same_people() -> None:
    one = replace(COURT, event_days=(date(2026, 1, 5),))
    assert judge(one, case("pet", MAN, FOE, event_days=(date(2026, 1, 5),))).verdict == "LINK"
    assert judge(one, case("pet", MAN, FOE, event_days=(date(2025, 5, 5),))).verdict == "NONE"


def test_numbers_go_before_everything_but_people() -> None:
    told = case("office", refs=(("N-court", "court", "explicit"),))
    found = judge(COURT, told)
    assert (found.verdict, found.strength) == ("LINK", BY_NUMBER)
    assert judge(COURT, case("office", refs=(("N-court", "petition", "explicit"),))).verdict == "NONE"
    stranger = case("office", Party("A", False, ("陈霞秀",)), refs=(("N-court", "", "explicit"),))
    assert judge(COURT, stranger).verdict == "PROPOSE"
    hint = case("office", MAN_BY_NAME, FOE_BY_NAME, refs=(("N-court", "", "hint"),))
    assert judge(COURT, hint).verdict == "LINK"
    assert judge(COURT, case("office", refs=(("N-court", "", "hint"),))).verdict == "PROPOSE"
    same_number = replace(case("sheet", FIRM), numbers=("N-sheet", "N-court"))
    assert judge(replace(COURT, parties=(FIRM,)), same_number).verdict == "LINK"


def test_a_company_alone_links_nothing() -> None:
    one = case("court", Party("A", False, ("戴伟波",), id=ID), FIRM)
    assert judge(one, case("pet", Party("A", False, ("朱福",), id=OTHER_ID), FIRM)).verdict == "NONE"
    assert judge(one, case("pet", Party("A", False, ("戴伟波",), id=OTHER_ID), FIRM)).verdict == "CANNOT"
    assert judge(one, case("pet", Party("A", False, ("戴伟波",)), FIRM_BY_NAME)).verdict == "PROPOSE"
    assert judge(one, case("pet", Party("A", False, ("戴伟波",)), FIRM)).verdict == "LINK"


def numbered(partner: str, number: str, *parties: Party, **more: object) -> Features:
    return case(partner, *parties, native_id=number, numbers=(number,), **more)


def test_cannot_links() -> None:
    one = numbered("court", "1", MAN, FOE, kinds=("TRIAL",), live=("TRIAL",))
    two = numbered("court", "2", MAN, FOE, kinds=("TRIAL",), live=("TRIAL",))
    assert cannot_be_one(one, two) and judge(one, two).verdict == "CANNOT"
    assert not cannot_be_one(one, replace(two, live=())), "a closed case may be filed again"
    assert judge(one, replace(two, live=())).verdict == "LINK"
    office = [numbered("office", n, MAN, FOE, kinds=("MEDIATION",)) for n in ("1", "2")]
    assert cannot_be_one(*office)
    victims = [numbered("jcy", n, kinds=("SUPPORT_PROSECUTION",), incidents=("108",)) for n in ("1", "2")]
    assert cannot_be_one(*victims)
    petitions = [numbered("pet", n, MAN, FOE, kinds=("PETITION",), live=("PETITION",)) for n in ("1", "2")]
    assert not cannot_be_one(*petitions) and judge(*petitions).verdict == "LINK"
    unmarked = replace(petitions[1], sums=(), event_days=(date(2026, 1, 5),))
    assert judge(replace(petitions[0], event_days=(date(2026, 1, 5),)), unmarked).verdict == "PROPOSE"


def test_features_survive_storage_and_reasons_show_no_whole_id() -> None:
    assert from_json(to_json(COURT)) == COURT
    reasons = judge(COURT, case("pet", MAN, FOE)).reasons
    assert {"party", "sum", "cause"} <= {r["field"] for r in reasons}
    assert not any(ID in str(r) for r in reasons)
