"""The registry's side of the stories: stage, holder and flags step by step."""

from __future__ import annotations

from case_registry import dispute, escrow_summary, set_notices_owed, whereabouts_of
from foundation.unit_of_work import UnitOfWork
from tests.case_registry.make import (
    COURT,
    MEDIATION,
    PETITION,
    body,
    episode,
    person,
    resident,
    take,
    withdrawal,
)  # fmt: skip


def spot(uow: UnitOfWork, *refs: tuple[str, str]) -> tuple[str, str, list[str]]:
    found = whereabouts_of(uow, refs)
    return found.stage, found.holder, found.flags


ZHU = {"id_number": resident(1), "phone": "10057701517"}
HOSPITAL = {"credit_code": "91330399MA7Q3HMNBF"}


def test_s01(uow: UnitOfWork) -> None:
    pet = {
        "kind": "PETITION",
        "opened_on": "2026-03-14",
        "limit_date": "2026-05-13",
        "claimed_fen": 9201800,
        "place_code": "330399102",
        "narrative": "信访人反映：2026年3月6日在江蓠镇与温州南屏恒医院（有限合伙）发生医疗损害责任纠纷",
        "people_count": 1,
    }
    parties = [person("朱福", **ZHU), body("温州南屏恒医院（有限合伙）")]
    ref = ("petition", "XF1")
    first = take(
        uow, PETITION, episode("XF1", state="REFERRED", holder="瓯栖县司法局", parties=parties, **pet)
    )
    number = first.disputes[0].number
    assert spot(uow, ref) == ("IN_PETITION", "petition", [])
    assert {c["rule"] for c in dispute(uow, number)["clocks"]} == {"PT04", "PT02"}
    take(
        uow,
        PETITION,
        episode(
            "XF1", state="REFERRED", version=(2,), holder="瓯栖县江蓠镇人民调解委员会", parties=parties, **pet
        ),
    )
    assert spot(uow, ref) == ("MEDIATING", "mediation", [])
    from schemas.claims import Reference

    med = {
        "kind": "MEDIATION",
        "opened_on": "2026-03-21",
        "cause": "医疗损害责任纠纷",
        "claimed_fen": 9201800,
        "refs": [Reference("episode", "XF1", "petition")],
        "parties": [person("朱福", **ZHU), body("温州南屏恒医院（有限合伙）", **HOSPITAL)],
    }
    take(uow, MEDIATION, episode("瓯栖调〔2026〕江蓠9004号", state="OPEN", **med))
    assert spot(uow, ref) == ("MEDIATING", "mediation", [])
    take(
        uow,
        MEDIATION,
        episode(
            "瓯栖调〔2026〕江蓠9004号",
            state="AGREED",
            version=(2,),
            agreed_fen=9201800,
            agreed_on="2026-04-02",
            **med,
        ),
    )
    assert spot(uow, ref) == ("AGREED", "mediation", [])
    d = dispute(uow, number)
    assert "PM01" in {c["rule"] for c in d["clocks"] if c["state"] == "RUNNING"}
    escrow_summary(uow, d["id"], {"state": "PART_FUNDED", "in_transit_fen": 0, "flags": []})
    confirmed = episode(
        "3399202698",
        "CONFIRMATION",
        "CLOSED",
        record_kind="confirmation",
        sub_id="(2026)浙0399民特7404号",
        version=("2026-04-12T16:20:00",),
        at="2026-04-12",
        parties=[person("朱福", **ZHU), body("温州南屏恒医院（有限合伙）", **HOSPITAL)],
        data={
            "result": "CONFIRMED",
            "amount_fen": 9201800,
            "agreement_signed_on": "2026-04-02",
            "document_no": "x",
        },
    )
    result = take(uow, COURT, confirmed)
    assert [r.number for r in result.disputes] == [number]
    assert "confirmation_result" in [e["event"] for e in result.events]
    assert spot(uow, ref) == ("CONFIRMED", "mediation", [])
    escrow_summary(uow, d["id"], {"state": "DEFAULTED", "in_transit_fen": 0, "flags": ["DEFAULT:2"]})
    assert spot(uow, ref) == ("CONFIRMED", "mediation", ["DEFAULT:2"])
    take(
        uow,
        COURT,
        episode(
            "3399202698",
            "ENFORCEMENT",
            "OPEN",
            record_kind="enforcement",
            sub_id="(2026)浙0399执13004号",
            version=("2026-05-20T10:00:00",),
            at="2026-05-20",
            data={"basis_no": "(2026)浙0399民特7404号裁定", "amount_fen": 6134534},
        ),
    )
    assert spot(uow, ref) == ("ENFORCEMENT", "court", ["DEFAULT:2"])
    assert {"kind": "enforced_by"}.items() <= next(
        e for e in dispute(uow, number)["edges"] if e["kind"] == "enforced_by"
    ).items()


def test_s11(uow: UnitOfWork) -> None:
    refs = (("court", "339920269801007901"), ("petition", "XF0"))
    w = take(uow, COURT, withdrawal("339920269801007901", ("2026-04-02T10:01:00",)))
    assert (w.parked, w.disputes) == (1, [])
    assert spot(uow, *refs) == ("NONE", "-", ["PARKED:1"])
    pet = {
        "kind": "PETITION",
        "opened_on": "2026-03-06",
        "claimed_fen": 4812800,
        "holder": "瓯栖县司法局",
        "parties": [
            person("夏晓", id_number=resident(5), phone="10057700037"),
            person("戴超忠", "respondent"),
        ],
        "narrative": "信访人反映：2026年3月2日在石坦乡与戴超忠发生相邻关系纠纷",
    }
    take(uow, PETITION, episode("XF0", state="OPEN", version=(2,), **pet))
    assert spot(uow, *refs) == ("IN_PETITION", "petition", ["PARKED:1"])
    take(uow, PETITION, episode("XF0", state="REFERRED", version=(1,), **pet))
    assert spot(uow, *refs) == ("IN_PETITION", "petition", ["PARKED:1"])
    late = take(
        uow,
        COURT,
        episode(
            "339920269801007901",
            "TRIAL",
            "OPEN",
            sub_id="(2026)浙0399民初2900号",
            version=("2026-03-30T09:00:00",),
            opened_on="2026-03-24",
            cause="相邻关系纠纷",
            claimed_fen=4812800,
            parties=[
                person("夏晓", id_number=resident(5), phone="10057700037"),
                person("戴超忠", "respondent", id_number=resident(6)),
            ],
        ),
    )
    assert spot(uow, *refs) == ("IN_PETITION", "petition", [])
    assert "withdrawal" in [e["event"] for e in late.events]
    assert len(dispute(uow, late.disputes[0].number)["episodes"]) == 2


def test_s08_closes_only_when_notices_are_told(uow: UnitOfWork) -> None:
    made = take(
        uow,
        MEDIATION,
        episode(
            "M1",
            "MEDIATION",
            "AGREED",
            agreed_fen=100,
            agreed_on="2026-03-19",
            parties=[person("甲某某", id_number=resident(7)), person("乙", "respondent")],
        ),
    )
    ident = made.disputes[0].id
    set_notices_owed(uow, ident, 1)
    escrow_summary(uow, ident, {"state": "COMPLETED", "flags": []})
    assert spot(uow, ("mediation", "M1"))[0] == "AGREED"
    set_notices_owed(uow, ident, 0)
    assert spot(uow, ("mediation", "M1"))[:2] == ("CLOSED", "mediation")
