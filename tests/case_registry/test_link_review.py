"""The review of links: order, answers and their taking back, two officers at once, stale pages, audits, the floor."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from case_registry import (
    AskedReviews,
    NotAllowed,
    Reader,
    Unknown,
    adopt_link_floor,
    answer_review,
    dispute,
    draw_link_audit,
    link_estimates,
    link_floors,
    proposals,
    reader_for,
    rebuilt_hash,
    review_counts,
    review_pair,
    reviews,
    state_hash,
    take_back_link_floor,
    take_back_review,
)
from case_registry.link_floor import rules
from case_registry.link_learning import Part, floor_for, share_of, threshold_for, true_pairs, wilson
from foundation.actors import Actor
from foundation.unit_of_work import UnitOfWork
from tests.case_registry.make import COURT, MEDIATION, PETITION, episode, person, resident, take

ANNA = Actor("anna", "安娜", frozenset({"reviewer"}), "瓯栖县")
BERT = Actor("bert", "伯特", frozenset({"reviewer"}), "瓯栖县")
SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗"
# Two letters that no surname has: each pair's people are others.
GIVEN = "鑫淼焱垚"


@pytest.fixture
def desk(uow: UnitOfWork) -> UnitOfWork:
    uow.actor = ANNA
    return uow


def reader(uow: UnitOfWork) -> Reader:
    return reader_for(uow.actor, "link")


def pair(uow: UnitOfWork, n: int, fen: int | None = None, **more: Any) -> None:
    """A petition and a court's row that share names, cause, sum and day only."""
    name = SURNAMES[n % 20] + GIVEN[n % 4] + GIVEN[n // 20 % 4]
    parties = [person(name), person(name[::-1] + "民", "respondent")]
    told = {"cause": "民间借贷纠纷", "claimed_fen": fen or 1_000_000 + n, "parties": parties, **more}
    take(uow, PETITION, episode(f"X{n}", "PETITION", "REGISTERED", opened_on="2026-03-01", **told))
    take(uow, COURT, episode(f"C{n}", "PRE_LITIGATION_MEDIATION", opened_on="2026-03-04", **told))


def say(uow: UnitOfWork, item: UUID, said: str, reason: str = "逐项核对") -> list[dict[str, Any]]:
    shown = review_pair(uow, item, reader=reader(uow))
    return answer_review(uow, item, said, reason, shown["version"], reader=reader(uow))


def snapshot(uow: UnitOfWork) -> list[Any]:
    rows = uow.all(
        "SELECT number, merged_into, stage, holder, flags, title, search FROM registry.dispute"
        " WHERE merged_into IS NULL ORDER BY number"
    )
    open_ = uow.all("SELECT a, b, score, opened_at FROM registry.proposal WHERE state = 'OPEN' ORDER BY a, b")
    return [state_hash(uow), [tuple(r.values()) for r in rows], [tuple(r.values()) for r in open_]]


def test_answers_are_kept_and_taken_back_exactly(desk: UnitOfWork) -> None:
    for n in range(3):
        pair(desk, n)
    first, second, third = (row["id"] for row in reviews(desk, reader=reader(desk)))
    shown = review_pair(desk, first, reader=reader(desk), hold=True)
    assert shown["one"]["values"]["claimed_fen"] == shown["other"]["values"]["claimed_fen"]
    assert {r["field"] for r in shown["reasons"]} >= {"party", "sum", "cause"} and len(
        shown["looked_at"]
    ) == 2
    assert "dispute" not in shown["one"], "nothing tells whether the two are one dispute already"
    before = snapshot(desk)
    assert "disputes_merged" in [e["event"] for e in say(desk, first, "SAME")]
    row = desk.one("SELECT * FROM registry.link_decision")
    assert row is not None
    assert (row["by"], row["reason"], row["asked"], row["held"], row["floor_version"]) == (
        "anna", "逐项核对", "PROPOSAL", "PROPOSE", 0
    )  # fmt: skip
    assert row["score"] == shown["score"]
    say(desk, second, "DIFFERENT")
    say(desk, third, "LATER", "等对方回话")
    assert [(r["id"], bool(r["put_off_at"])) for r in reviews(desk, reader=reader(desk))] == [(third, True)]
    assert take_back_review(desk, "再看")[0] == third
    assert not reviews(desk, reader=reader(desk))[0]["put_off_at"]
    take_back_review(desk, "再看")
    again, _ = take_back_review(desk, "再看")
    assert snapshot(desk) == before and again == reviews(desk, reader=reader(desk))[0]["id"] != first
    with pytest.raises(NotAllowed, match="no answer of yours"):
        take_back_review(desk, "再看")
    assert state_hash(desk) == rebuilt_hash(desk)


def test_two_officers_and_a_stale_page(desk: UnitOfWork) -> None:
    pair(desk, 1)
    pair(desk, 2)
    first, second = (row["id"] for row in reviews(desk, reader=reader(desk)))
    seen = review_pair(desk, first, reader=reader(desk), hold=True)["version"]
    desk.actor = BERT
    assert [(r["id"], r["taken"]) for r in reviews(desk, reader=reader(desk))] == [
        (second, False),
        (first, True),
    ]
    say(desk, first, "DIFFERENT")
    desk.actor = ANNA
    with pytest.raises(NotAllowed, match=r"bert.*不同纠纷"):
        answer_review(desk, first, "SAME", "核实", seen, reader=reader(desk))
    seen = review_pair(desk, second, reader=reader(desk))["version"]
    take(desk, PETITION, episode("X2", "PETITION", "REGISTERED", version=(2,), opened_on="2026-03-02", cause="民间借贷纠纷",
                                 claimed_fen=1_000_002, parties=[person("张焱鑫"), person("鑫焱张民", "respondent")]))  # fmt: skip
    with pytest.raises(NotAllowed, match="changed since it was shown"):
        answer_review(desk, second, "SAME", "核实", seen, reader=reader(desk))
    with pytest.raises(NotAllowed, match="reason"):
        answer_review(desk, second, "SAME", " ", seen, reader=reader(desk))
    with pytest.raises(Unknown):
        answer_review(desk, UUID(int=5), "SAME", "核实", seen, reader=reader(desk))
    assert desk.scalar("SELECT count(*) FROM registry.link_decision") == 1


def test_filters_order_and_who_may_see(desk: UnitOfWork) -> None:
    pair(desk, 1, place_code="330399101")
    pair(desk, 2, place_code="330398101")
    red = dispute(desk, "C2")
    assert red is not None
    desk.execute(
        "UPDATE registry.dispute SET lamp = CASE WHEN id = :id THEN 'RED' ELSE 'GREEN' END", id=red["id"]
    )
    mine = reader(desk)
    listed = reviews(desk, reader=mine)
    assert [row["one"]["native_id"] for row in listed] == ["X2", "X1"] and listed[0]["stake"] == 3
    assert [r["one"]["native_id"] for r in reviews(desk, AskedReviews(county="330399"), reader=mine)] == [
        "X1"
    ]
    assert len(reviews(desk, AskedReviews(kind="PETITION"), reader=mine)) == 2
    assert reviews(desk, AskedReviews(kind="TRIAL"), reader=mine) == []
    counts = review_counts(desk, AskedReviews(county="330399"), reader=mine)
    band = counts["by_band"].index(1)
    assert counts["all"] == 1 and counts["by_county"] == {"330398": 1, "330399": 1}
    assert len(reviews(desk, AskedReviews(band=band), reader=mine)) == 2
    assert reviews(desk, AskedReviews(band=0 if band else 1), reader=mine) == []
    desk.execute("UPDATE registry.dispute SET sealed = true WHERE id = :id", id=red["id"])
    sealed = listed[0]["id"]
    assert [row["id"] for row in reviews(desk, reader=mine)] == [listed[1]["id"]]
    with pytest.raises(Unknown):
        answer_review(desk, sealed, "SAME", "核实", "", reader=mine)
    with pytest.raises(Unknown):
        review_pair(desk, sealed, reader=mine)
    other_county = replace(mine, purpose="handle", region="330301")
    assert reviews(desk, reader=other_county) == []


def linked(uow: UnitOfWork, n: int) -> None:
    """The same person by id at two agencies: links by itself."""
    parties = [
        person("欧阳" + SURNAMES[n], id_number=resident(n + 1)),
        person("司徒" + SURNAMES[n], "respondent"),
    ]
    told = {"cause": "劳动争议", "claimed_fen": 5_000_000 + n, "parties": parties}
    take(uow, COURT, episode(f"L{n}", "TRIAL", opened_on="2026-02-01", **told))
    take(uow, MEDIATION, episode(f"M{n}", "MEDIATION", opened_on="2026-02-03", **told))


def apart(uow: UnitOfWork, n: int) -> None:
    """The same two people with another matter years later: nothing is held of it."""
    parties = [
        person("诸葛" + SURNAMES[n], phone=f"1005770{n:04d}"),
        person("慕容" + SURNAMES[n], "respondent"),
    ]
    take(
        uow,
        COURT,
        episode(f"A{n}", "TRIAL", opened_on="2021-02-01", cause="劳动争议", claimed_fen=77, parties=parties),
    )
    take(uow, PETITION, episode(f"B{n}", "PETITION", "REGISTERED", opened_on="2026-02-03", cause="相邻关系纠纷",
                                claimed_fen=9_999, parties=parties))  # fmt: skip


def test_an_audit_is_blind_and_its_estimate_counts_what_was_drawn(
    desk: UnitOfWork, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(rules(), "least_answers", 3)
    for n in range(4):
        linked(desk, n)
        apart(desk, n)
    before = link_estimates(desk)
    assert before["links"]["value"] is None and before["recall"] is None, "nothing was drawn, nothing is said"
    drawn = draw_link_audit(desk, 20, seed=7)
    assert drawn["population"]["LINK"] == 4 and drawn["population"]["NONE"] == 4 and drawn["drawn"] == 8
    assert proposals(desk) == [], "what was drawn is no proposal"
    waiting = reviews(desk, reader=reader(desk))
    assert len(waiting) == 8 and not {"asked", "stratum", "one_dispute"} & set(waiting[0])
    held = {r["id"]: r["stratum"] for r in desk.all("SELECT id, stratum FROM registry.link_audit")}
    assert (
        len({held[row["id"]] for row in waiting[:4]}) > 1
        or waiting[0]["opened_at"] == waiting[-1]["opened_at"]
    )
    links = [row["id"] for row in waiting if held[row["id"]] == "LINK"]
    before_split = snapshot(desk)
    assert "dispute_opened" in [e["event"] for e in say(desk, links[0], "DIFFERENT")], (
        "a wrong link is mended at once"
    )
    for item in links[1:]:
        say(desk, item, "SAME")
    for row in waiting:
        if held[row["id"]] == "NONE":
            say(desk, row["id"], "DIFFERENT")
    found = link_estimates(desk)
    assert found["links"]["enough"] and found["links"]["value"] == 0.75
    assert (found["links"]["low"], found["links"]["high"]) == pytest.approx(wilson(3, 4))
    assert found["kinds"]["NONE"] | {"low": 0, "high": 0} == {
        "population": 4, "audited": 4, "same": 0, "open": 0, "unclear": 0, "share": 0.0, "low": 0, "high": 0
    }  # fmt: skip
    assert found["recall"]["by_itself"]["value"] == 1.0 and 0 < found["recall"]["by_itself"]["low"] < 0.7
    assert state_hash(desk) == rebuilt_hash(desk)
    for _ in range(8):
        take_back_review(desk, "演示")
    assert snapshot(desk) == before_split and link_estimates(desk)["kinds"]["LINK"]["open"] == 4
    say(desk, links[0], "LATER")
    assert link_estimates(desk)["kinds"]["LINK"]["unclear"] == 1
    with pytest.raises(NotAllowed, match="pairs of a draw"):
        draw_link_audit(desk, 0, seed=7)
    again = draw_link_audit(desk, 20, seed=7)
    rows = desk.all("SELECT draw, a, b FROM registry.link_audit ORDER BY draw, a, b")
    assert again["drawn"] == 8 and len({(r["a"], r["b"]) for r in rows}) == 8, "one seed draws one sample"


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


def scores(uow: UnitOfWork) -> tuple[float, float]:
    row = uow.one("SELECT min(score) AS low, max(score) AS high FROM registry.link_edge")
    assert row is not None
    return row["low"], row["high"]


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
