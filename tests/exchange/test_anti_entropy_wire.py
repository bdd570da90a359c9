"""The comparison on the wire: asked of a stand-in, answered to a partner, differences stored, repaired, and no more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

import pytest

from foundation import outbox, partners
from foundation.unit_of_work import unit_of_work
from foundation.wire import Wire
from hub import anti_entropy, jobs
from hub.applying import apply_due
from hub.comparing import AnswerBroken
from hub.comparison_client import ask_of
from hub.pipeline import Hub
from sandbox.holdings import HoldingsStandIn
from tests.exchange.holding_side import PARTNER, bytes_of, give, line, standing_in, withdrawal_of
from tests.exchange.open_side import message
from tests.exchange.partner_side import enter_with_keys

Clock = Callable[[datetime | str], None]
DAY, UNTIL = "2026-04-01", date(2026, 4, 2)


@pytest.fixture
def standin(hub: Hub) -> Iterator[HoldingsStandIn]:
    """A partner that offers the comparison at its address."""
    made = HoldingsStandIn()
    made.hold([])
    with standing_in(made) as url:
        with unit_of_work(hub.engine) as uow:
            partners.change(uow, PARTNER, addresses={"compare": f"{url}/compare"})
        yield made


def night(hub: Hub) -> dict[str, Any]:
    wire = Wire()
    try:
        return anti_entropy.compare_with(hub, PARTNER, ask_of(hub, wire, PARTNER), date(2026, 3, 1), UNTIL)
    finally:
        wire.close()
        while apply_due(hub):
            pass


def kinds(hub: Hub) -> dict[str, tuple[str, str]]:
    with unit_of_work(hub.engine) as uow:
        return {
            row["message_id"]: (row["kind"], row["done"]) for row in anti_entropy.differences(uow, gone=True)
        }


def test_equal_sides_cost_one_call_each_way(hub: Hub, standin: HoldingsStandIn, set_clock: Clock) -> None:
    contents = [bytes_of(n) for n in range(40)]
    give(hub, *contents)
    standin.hold(line(each, DAY) for each in contents)
    set_clock("2026-04-03T02:00")
    told = night(hub)
    assert told["found"] == {} and told["compared"] == 40
    assert standin.calls == {"days": 2} and standin.asked == []
    assert kinds(hub) == {}


def test_every_kind_is_found_repaired_and_gone_the_next_night(
    hub: Hub, standin: HoldingsStandIn, set_clock: Clock
) -> None:
    common = [bytes_of(n) for n in range(60)]
    give(hub, *common, bytes_of(101), bytes_of(102), bytes_of(103))
    theirs = [line(each, DAY) for each in common]
    theirs += [line(bytes_of(n), DAY) for n in (201, 202)]  # missing here
    theirs.append(line(bytes_of(102, case_key="JD-2026-9"), DAY))  # different; 101 is missing there
    theirs.append(line(bytes_of(103), DAY, back=withdrawal_of(103)))  # they took it back
    standin.hold(theirs)
    set_clock("2026-04-03T02:00")
    told = night(hub)
    assert told["found"] == {"MISSING_HERE": 2, "MISSING_THERE": 1, "DIFFERENT": 1, "WITHDRAWN": 1}
    # Exactly the missing ones were asked for, each once, and nothing else.
    assert sorted(standin.asked) == ["M-102", "M-103", "M-201", "M-202"]
    assert kinds(hub) == {
        "M-201": ("MISSING_HERE", "ASKED"), "M-202": ("MISSING_HERE", "ASKED"), "M-101": ("MISSING_THERE", "PERSON"),
        "M-102": ("DIFFERENT", "PERSON"), "M-103": ("WITHDRAWN", "ASKED"),
    }  # fmt: skip
    with unit_of_work(hub.engine) as uow:
        states = {
            row["message_id"]: row["state"]
            for row in uow.all("SELECT message_id, state FROM exchange.inbox ORDER BY seq")
        }
        quarantined = uow.scalar("SELECT count(*) FROM exchange.inbox WHERE state = 'QUARANTINED'")
    assert states["M-201"] == states["M-202"] == states["W-103"] == "APPLIED" and quarantined == 1
    # The withdrawal came today: the partner's book has it too, under its own day.
    theirs.append(line(withdrawal_of(103), "2026-04-03"))
    standin.hold(theirs)
    standin.asked.clear()
    set_clock("2026-04-04T02:00")
    told = night(hub)
    assert told["found"] == {"MISSING_THERE": 1, "DIFFERENT": 1} and standin.asked == []
    assert {name for name, (_, done) in kinds(hub).items() if done == "GONE"} == {"M-103", "M-201", "M-202"}


def test_what_they_lack_of_ours_is_owed_again_with_the_same_bytes_and_nothing_else(
    hub: Hub, standin: HoldingsStandIn, set_clock: Clock
) -> None:
    def held(number: int) -> dict[str, Any]:
        row = rows[f"O-{number}"]
        return {
            "way": "from_hub",
            "day": DAY,
            "id": f"O-{number}",
            "digest": bytes(row["content_hash"]).hex(),
        }

    with unit_of_work(hub.engine) as uow:
        for number in range(5):
            made = outbox.enqueue(
                uow, partner=PARTNER, operation="tell", message_id=f"O-{number}", case_key="", body={}
            )
            outbox.keep_bytes(uow, made, f"message {number}".encode())
        uow.execute("UPDATE exchange.outbox SET state = 'DELIVERED', attempts = 1")
        rows = {row["message_id"]: row for row in uow.all("SELECT * FROM exchange.outbox")}
    forged = {"way": "from_hub", "day": DAY, "id": "O-99", "digest": "ab" * 32}
    standin.hold([held(0), held(1), held(2), forged, {**held(3), "digest": "cd" * 32}])
    set_clock("2026-04-03T02:00")
    night(hub)
    with unit_of_work(hub.engine) as uow:
        after = {row["message_id"]: row for row in uow.all("SELECT * FROM exchange.outbox")}
        again = [name for name, row in after.items() if row["state"] == "WAITING"]
        assert again == ["O-4"]
        assert outbox.kept_bytes(uow, after["O-4"]) == b"message 4"
    assert kinds(hub) == {
        "O-4": ("MISSING_THERE", "SENT"),
        "O-99": ("MISSING_HERE", "PERSON"),
        "O-3": ("DIFFERENT", "PERSON"),
    }
    assert standin.asked == []


def test_the_nightly_job_goes_on_past_a_partner_that_is_away_or_talks_nonsense(
    hub: Hub, standin: HoldingsStandIn, set_clock: Clock
) -> None:
    give(hub, bytes_of(1))
    standin.hold([line(bytes_of(1), DAY), line(bytes_of(2), DAY)])
    with unit_of_work(hub.engine) as uow:
        enter_with_keys(uow, "away_street", "rsa2")
        partners.change(uow, "away_street", addresses={"compare": "http://127.0.0.1:9/compare"})
    set_clock("2026-04-03T02:00")
    told = jobs.compare_holdings(hub)
    assert told == {"partners": 2, "away": 1, "found": {"MISSING_HERE": 1}, "repaired": 1}
    with unit_of_work(hub.engine) as uow:
        rows = {row["partner"]: row for row in anti_entropy.comparisons(uow)}
    assert rows["away_street"]["error"].startswith("PartnerAway") and rows[PARTNER]["error"] == ""
    standin.answer = lambda path, body: (200, {"days": [{"day": 7}]})  # type: ignore[method-assign]
    with pytest.raises(AnswerBroken):
        night(hub)
    with unit_of_work(hub.engine) as uow:
        assert uow.scalar("SELECT count(*) FROM exchange.alarm WHERE kind = 'comparison_broken'") == 1


def test_messages_that_were_not_asked_for_are_not_taken(
    hub: Hub, standin: HoldingsStandIn, set_clock: Clock
) -> None:
    standin.hold([line(bytes_of(1), DAY)])
    plain = standin._message
    standin._message = lambda name: {**plain(name), "id": "M-666"}  # type: ignore[method-assign]
    set_clock("2026-04-03T02:00")
    with pytest.raises(AnswerBroken):
        night(hub)
    with unit_of_work(hub.engine) as uow:
        assert uow.scalar("SELECT count(*) FROM exchange.inbox") == 0
    assert json.dumps(message(1))
