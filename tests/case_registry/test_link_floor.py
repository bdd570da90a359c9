"""What answers teach: the floor of proposals, adopted and taken back; shares with their intervals, and cuts."""

from __future__ import annotations

import pytest

from case_registry import (
    NotAllowed,
    adopt_link_floor,
    draw_link_audit,
    link_estimates,
    link_floors,
    proposals,
    rebuilt_hash,
    reviews,
    state_hash,
    take_back_link_floor,
    take_back_review,
)
from case_registry.link_learning import Part, floor_for, share_of, threshold_for, true_pairs, wilson
from foundation.unit_of_work import UnitOfWork
from tests.case_registry.make import COURT, PETITION, episode, person, take
from tests.case_registry.review_desk import ANNA, pair, reader, say, scores, snapshot


@pytest.fixture
def desk(uow: UnitOfWork) -> UnitOfWork:
    uow.actor = ANNA
    return uow


def test_a_learnt_floor_holds_from_its_adoption_on(desk: UnitOfWork) -> None:
    """Low pairs were all different, high ones all the same; what was asked before stays asked, what comes later is not."""
    for n in range(22):
        pair(desk, n, **({"occurred_on": "2026-02-01"} if n % 2 else {}))
    for row in reviews(desk, reader=reader(desk), limit=200):
        if row["one"]["native_id"] not in ("X0", "X1"):
            say(desk, row["id"], "SAME" if row["score"] > scores(desk)[1] - 1 else "DIFFERENT")
    learnt = link_estimates(desk, 0.7)["learnt"]
    assert learnt["answers"] == 20 and learnt["needed"] == 9
    assert learnt["floor"]["same"] == 0 and learnt["sure_from"]["different"] == 0
    with pytest.raises(NotAllowed, match="too few answers"):
        adopt_link_floor(desk, 0.995, "太早")
    with pytest.raises(NotAllowed, match="look again"):
        adopt_link_floor(desk, 0.7, "看到的是别的", score=learnt["floor"]["score"] - 1)
    open_before = {(r["one"]["native_id"]) for r in reviews(desk, reader=reader(desk))}
    version = adopt_link_floor(desk, 0.7, "20 个决定一致", learnt["floor"]["score"])
    assert (
        {(r["one"]["native_id"]) for r in reviews(desk, reader=reader(desk))} == open_before == {"X0", "X1"}
    )
    pair(desk, 42)
    pair(desk, 43, occurred_on="2026-02-01")
    assert {r["one"]["native_id"] for r in reviews(desk, reader=reader(desk))} == {"X0", "X1", "X43"}
    assert draw_link_audit(desk, 5, seed=1)["population"]["BELOW"] == 1, (
        "what is held back can still be drawn"
    )
    assert state_hash(desk) == rebuilt_hash(desk)
    x0 = next(r["id"] for r in reviews(desk, reader=reader(desk)) if r["one"]["native_id"] == "X0")
    before = snapshot(desk)
    say(desk, x0, "SAME")
    take_back_review(desk, "核实有误")
    assert snapshot(desk) == before, "a question from before the floor comes back"
    desk.execute("DELETE FROM registry.link_audit")
    made, events = take_back_link_floor(desk, version, "收回")
    assert "proposal_made" in [e["event"] for e in events]
    assert {r["one"]["native_id"] for r in reviews(desk, reader=reader(desk))} == {"X0", "X1", "X42", "X43"}
    assert next((f["version"], f["floor"], f["takes_back"]) for f in link_floors(desk)) == (
        made,
        None,
        version,
    )
    with pytest.raises(NotAllowed, match="in force"):
        take_back_link_floor(desk, version, "再收回")


def test_what_is_open_under_one_floor_does_not_hang_on_the_order(desk: UnitOfWork) -> None:
    desk.execute(
        "INSERT INTO registry.link_floor VALUES (1, 40, 0.9, '{}', '测试', :now, 'anna', NULL)", now=desk.now
    )
    told = {
        "cause": "民间借贷纠纷",
        "parties": [person("王鑫淼"), person("李焱垚", "respondent")],
        "opened_on": "2026-03-01",
    }
    rich, poor = {"claimed_fen": 900, "occurred_on": "2026-02-01"}, {"claimed_fen": 900}
    found = []
    for versions in (((1,), (2,)), ((2,), (1,))):
        savepoint = desk.conn.begin_nested()
        take(desk, COURT, episode("C", "PRE_LITIGATION_MEDIATION", **told, **rich))
        for version in versions:
            take(
                desk,
                PETITION,
                episode(
                    "X",
                    "PETITION",
                    "REGISTERED",
                    version=version,
                    **told,
                    **(rich if version == (1,) else poor),
                ),
            )
        found.append((state_hash(desk), len(proposals(desk))))
        savepoint.rollback()
    assert found[0] == found[1]


def test_shares_and_cuts() -> None:
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-3)
    assert wilson(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-3)
    assert wilson(50, 100) == pytest.approx((0.4038, 0.5962), abs=1e-3)
    assert wilson(0, 0) == (0.0, 1.0)
    easy = [(float(n % 10), False) for n in range(1000)]
    assert floor_for(easy, 0.995) is not None and floor_for(easy[:700], 0.995) is None, (
        "765 answers are needed"
    )
    doubtful = [(20.0, n % 4 == 0) for n in range(40)]
    cut = floor_for([*easy, *doubtful, (30.0, True)], 0.98)
    assert cut is not None and cut.score == 20.0, (
        "many easy ones far away do not outvote the doubtful ones at the cut"
    )
    sure = threshold_for([*doubtful, *[(25.0 + n % 3, True) for n in range(100)]], 0.95)
    assert sure is not None and (sure.score, sure.right, sure.other) == (25.0, 100, 0)
    found = share_of(true_pairs([Part(100, 50, 50)]), true_pairs([Part(1000, 0, 100)]))
    assert found.value == 1.0 and 0.6 < found.low < 0.8 and found.high == 1.0
    assert true_pairs([Part(100, 0, 0)]).value is None
