"""The review of links: order, answers and their taking back, two officers at once, stale pages, audits, the floor."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from case_registry import (
    AskedReviews,
    NotAllowed,
    Unknown,
    answer_review,
    dispute,
    draw_link_audit,
    link_estimates,
    proposals,
    rebuilt_hash,
    review_counts,
    review_pair,
    reviews,
    state_hash,
    take_back_review,
)
from case_registry.link_floor import rules
from case_registry.link_learning import wilson
from foundation.unit_of_work import UnitOfWork
from tests.case_registry.make import PETITION, episode, person, take
from tests.case_registry.review_desk import ANNA, BERT, apart, linked, pair, reader, say, snapshot


@pytest.fixture
def desk(uow: UnitOfWork) -> UnitOfWork:
    uow.actor = ANNA
    return uow


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
    now, desk.now = desk.now, desk.now + timedelta(days=2)
    with pytest.raises(NotAllowed, match="no answer of yours"):
        take_back_review(desk, "隔日一键不撤")
    desk.now = now
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
