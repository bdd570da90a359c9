"""Whatever comes first, twice or late: the same facts give the same registry."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from case_registry import Source, rebuilt_hash, state_hash
from foundation.actors import SYSTEM
from foundation.clock import clock_now
from foundation.unit_of_work import UnitOfWork
from schemas.claims import Record, Reference
from tests.case_registry.make import (
    ARBITRATION,
    COURT,
    MEDIATION,
    PETITION,
    PROCURATORATE,
    body,
    episode,
    person,
    resident,
    take,
    withdrawal,
)  # fmt: skip

pytestmark = pytest.mark.slow
FIRM = "温州白泉兴建筑劳务有限公司"
CODE = "91330399MAPU8NJ01E"
Told = tuple[Source, Record]


def wage_story() -> list[Told]:
    """One man's wages before four agencies, a namesake, and a second quarrel of the same two."""
    man = {"id_number": resident(3), "phone": "10057705957"}
    both = [person("蔡红", **man), body(FIRM, credit_code=CODE)]
    named = [person("蔡红"), body(FIRM)]
    other = [person("蔡红", id_number=resident(4), phone="10057709999"), body(FIRM, credit_code=CODE)]
    wages = {"cause": "追索劳动报酬纠纷", "claimed_fen": 2063650}
    return [
        (PETITION, episode("XF1", "PETITION", "REFERRED", opened_on="2026-01-26", parties=[person("蔡红", **man), body(FIRM)], **wages)),
        (PETITION, episode("XF1", "PETITION", "OPEN", version=(2,), opened_on="2026-01-26", holder="瓯栖县云渡镇人民调解委员会")),
        (PETITION, episode("XF2", "PETITION", "OPEN", opened_on="2026-02-20", repeat_flag=False, people_count=5,
                           parties=[person("蔡红", **man), body(FIRM)], **wages)),
        (ARBITRATION, episode("ARB-1", "ARBITRATION", "OPEN", opened_on="2026-01-29", sequence=1, parties=both, **wages)),
        (ARBITRATION, Record("award", "ARB-1", (2,), "2026-03-01",
                             data={"award_id": "A1", "total_fen": 1000000, "final": True, "corrects": None, "sequence": 2})),
        (ARBITRATION, Record("award", "ARB-1", (3,), "2026-03-05",
                             data={"award_id": "A2", "total_fen": 900000, "final": True, "corrects": "A1", "sequence": 4})),
        (COURT, episode("3399001", "PRE_LITIGATION_MEDIATION", "OPEN", sub_id="(2026)浙0399民诉前调5号", version=("2026-02-01",),
                        opened_on="2026-02-01", parties=named, **wages)),
        (COURT, withdrawal("3399001", ("2026-02-10",))),
        (COURT, episode("3399001", "TRIAL", "OPEN", sub_id="(2026)浙0399民初9号", version=("2026-02-20",),
                        opened_on="2026-02-20", parties=both, **wages)),
        (MEDIATION, episode("瓯栖调〔2026〕云渡0001号", "MEDIATION", "OPEN", opened_on="2026-01-26", parties=both, **wages)),
        (MEDIATION, episode("瓯栖调〔2026〕云渡0001号", "MEDIATION", "AGREED", version=(2,), opened_on="2026-01-26",
                            parties=both, agreed_fen=1900000, agreed_on="2026-02-12", **wages)),
        (COURT, episode("3399002", "TRIAL", "OPEN", sub_id="(2026)浙0399民初10号", version=("2026-02-21",),
                        opened_on="2026-02-21", parties=other, cause="追索劳动报酬纠纷", claimed_fen=2063650)),
        (MEDIATION, episode("瓯栖调〔2026〕云渡0002号", "MEDIATION", "OPEN", opened_on="2025-06-01", parties=both,
                            occurred_on="2025-05-20", cause="房屋租赁合同纠纷", claimed_fen=2063650)),
    ]  # fmt: skip


def injury_story() -> list[Told]:
    """Two victims of one incident, and links that pull across a cannot-link."""
    incident = [Reference("incident", "瓯公（云）立字〔2026〕108号", "police", "hint")]
    charge = {"cause": "故意伤害（轻伤二级）", "occurred_on": "2026-03-05"}
    one = [
        person("古丽娜尔·买买提", phone="10057702997"),
        person("项鑫", "respondent", id_number=resident(9)),
    ]
    two = [person("周秀军", id_number=resident(10)), person("项鑫", "respondent", id_number=resident(9))]
    both = [*one, person("周秀军", id_number=resident(10))]
    hidden = [person("周某", phone="10057703034"), person("项鑫", "respondent")]
    return [
        (PROCURATORATE, episode("检1", "CRIMINAL_RECONCILIATION", opened_on="2026-03-09", parties=one, refs=incident, **charge)),
        (PROCURATORATE, episode("检2", "CRIMINAL_RECONCILIATION", opened_on="2026-03-10", parties=two, refs=incident, **charge)),
        (MEDIATION, episode("瓯栖调〔2026〕南屏0007号", "MEDIATION", opened_on="2026-03-11", parties=both, **charge)),
        (MEDIATION, episode("瓯栖调〔2026〕南屏0008号", "MEDIATION", opened_on="2026-03-12", parties=two, claimed_fen=5000,
                            refs=[Reference("case_number", "检2")], **charge)),
        (PROCURATORATE, withdrawal("检1", (9,), hide=True)),
        (PETITION, episode("XF9", "PETITION", opened_on="2026-03-20", claimed_fen=5000, parties=hidden,
                           refs=[Reference("mediation_number", "瓯栖调〔2026〕南屏0008号", None, "hint")], **charge)),
        (PETITION, episode("XF9", "PETITION", version=(2,), opened_on="2026-03-20", claimed_fen=None)),
    ]  # fmt: skip


STORIES = (wage_story(), injury_story(), [*wage_story(), *injury_story()])


class _Undone(Exception):
    pass


def _hash_of(engine: Engine, told: list[Told], batch: int) -> str:
    """The state hash after taking these in this order, in messages of up to `batch` records; then undone."""
    found = ""
    try:
        with engine.begin() as conn:
            uow = UnitOfWork(conn, SYSTEM, clock_now(conn))
            for i in range(0, len(told), batch):
                part = told[i : i + batch]
                for source in dict.fromkeys(s for s, _ in part):
                    take(uow, source, *[r for s, r in part if s == source])
            found = state_hash(uow)
            assert rebuilt_hash(uow) == found
            raise _Undone
    except _Undone:
        return found


@given(st.integers(0, 2), st.randoms(use_true_random=False), st.integers(0, 8), st.integers(1, 4))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_and_doubles_give_the_same_hash(
    engine: Engine, which: int, rnd: random.Random, doubles: int, batch: int
) -> None:
    told = list(STORIES[which])
    expected = _hash_of(engine, told, 1)
    mixed = [*told, *(rnd.choice(told) for _ in range(doubles))]
    rnd.shuffle(mixed)
    assert _hash_of(engine, mixed, batch) == expected


def test_other_facts_give_another_hash(engine: Engine) -> None:
    told = wage_story()
    expected = _hash_of(engine, told, 1)
    assert _hash_of(engine, told[:-1], 1) != expected
    source, record = told[0]
    assert _hash_of(engine, [(source, replace(record, event_at="2026-01-01")), *told[1:]], 1) != expected
