"""From statements to episodes: withdrawal, re-filing, versions, blank and not told, holes, corrections. Pure."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import permutations
from uuid import UUID

import orjson

from case_registry.episodes import CaseReading, Episode, read_case
from case_registry.statements import row_of
from case_registry.told import Told, ToldClaim
from schemas.claims import Claim, Record
from tests.case_registry.make import episode, withdrawal

NOW = datetime(2026, 4, 1, tzinfo=UTC)


def told(record: Record) -> Told:
    row = row_of(record)
    claims = tuple(
        ToldClaim(0, name, orjson.loads(value), raw, a, b) for name, value, raw, a, b in row.claims
    )
    return Told(0, row.sub_id, row.kind, row.version, row.digest, row.event_at, NOW, UUID(int=0), claims,
                tuple(orjson.loads(row.refs)), orjson.loads(row.data))  # fmt: skip


def read(*records: Record, on: date | None = None) -> CaseReading:
    """Read in every order; all must agree."""
    statements = [told(r) for r in records]
    found = [read_case(order, on) for order in list(permutations(statements))[:120]]
    assert all(one == found[0] for one in found)
    assert read_case([*statements, *statements], on) == found[0]
    return found[0]


def by_sub(reading: CaseReading) -> dict[str, Episode]:
    return {e.sub_id: e for e in reading.episodes}


def test_born_withdrawn_and_parked() -> None:
    away = withdrawal("C1", ("2026-04-02",))
    assert [t.kind for t in read(away).parked] == ["withdrawal"]
    reading = read(away, episode("C1", "TRIAL", sub_id="民初1号", version=("2026-03-30",)))
    assert reading.parked == ()
    assert by_sub(reading)["民初1号"].state == "WITHDRAWN"


def test_refiled_under_a_new_number_is_live_again() -> None:
    reading = read(
        episode("C1", "TRIAL", sub_id="民初1号", version=("2026-03-30",)),
        withdrawal("C1", ("2026-04-02",)),
        episode("C1", "TRIAL", sub_id="民初2号", version=("2026-04-10",)),
        episode("C1", "TRIAL", sub_id="民初1号", version=("2026-04-11",)),
    )
    states = {sub: e.state for sub, e in by_sub(reading).items()}
    assert states == {"民初1号": "WITHDRAWN", "民初2号": "OPEN"}


def test_a_second_withdrawal_ends_the_refiled_one_too() -> None:
    reading = read(
        withdrawal("C1", ("2026-04-02",)),
        episode("C1", "TRIAL", sub_id="民初2号", version=("2026-04-10",)),
        withdrawal("C1", ("2026-04-20",)),
    )
    assert by_sub(reading)["民初2号"].state == "WITHDRAWN"


def test_withdrawal_of_one_proceeding_leaves_the_others() -> None:
    reading = read(
        episode("C1", "TRIAL", sub_id="a", version=(1,)),
        episode("C1", "PRESERVATION", sub_id="b", version=(1,)),
        withdrawal("C1", (2,), sub_id="b"),
        withdrawal("C1", (2,), sub_id="nobody"),
    )
    assert {s: e.state for s, e in by_sub(reading).items()} == {"a": "OPEN", "b": "WITHDRAWN"}
    assert len(reading.parked) == 1


def test_hide_hides_only_what_was_withdrawn() -> None:
    reading = read(
        episode("C1", "TRIAL", sub_id="a", version=("2026-01",)),
        withdrawal("C1", ("2026-02",), hide=True),
        episode("C1", "TRIAL", sub_id="b", version=("2026-03",)),
    )
    assert {s: e.hidden for s, e in by_sub(reading).items()} == {"a": True, "b": False}
    assert read(episode("C2", "TRIAL", sealed=True)).episodes[0].hidden


def test_older_versions_are_kept_and_change_nothing() -> None:
    new = episode("P1", "PETITION", "OPEN", version=(2,), claimed_fen=200, cause="b")
    old = episode(
        "P1", "PETITION", "REFERRED", version=(1,), claimed_fen=100, cause="a", place_code="330399001"
    )
    only = read(old, new).episodes[0]
    assert (only.state, only.value("claimed_fen"), only.value("cause")) == ("OPEN", 200, "b")
    assert only.value("place_code") == "330399001", "not told later: the older word stands"


def test_told_blank_erases_and_not_told_does_not() -> None:
    first = episode("P1", "PETITION", version=(1,), claimed_fen=100, cause="a")
    second = episode("P1", "PETITION", version=(2,), claimed_fen=None)
    only = read(first, second).episodes[0]
    assert only.value("claimed_fen") is None and "claimed_fen" in only.fields
    assert only.value("cause") == "a"


def test_equal_versions_are_decided_by_content_never_by_arrival() -> None:
    values = {read(episode("P1", "PETITION", cause=a), episode("P1", "PETITION", cause=b)).episodes[0].value("cause")
              for a, b in (("x", "y"), ("y", "x"))}  # fmt: skip
    assert len(values) == 1


def test_true_on_a_day() -> None:
    before = episode("P1", "PETITION", "REFERRED", version=(1,), at="2026-03-01")
    after = episode("P1", "PETITION", "CLOSED", version=(2,), at="2026-03-20")
    assert read(before, after, on=date(2026, 3, 10)).episodes[0].state == "REFERRED"
    assert read(before, after, on=date(2026, 3, 20)).episodes[0].state == "CLOSED"
    spell = Record("episode", "P2", (1,), "2026-01-01",
                   claims=(Claim("holder", "甲", "2026-01-01", "2026-02-01"), Claim("proceeding_kind", "PETITION")))  # fmt: skip
    assert read(spell, on=date(2026, 1, 31)).episodes[0].value("holder") == "甲"
    assert read(spell, on=date(2026, 2, 1)).episodes[0].value("holder") is None


def award(number: str, total: int, seq: int, corrects: str | None = None, *, final: bool = True) -> Record:
    data = {"award_id": number, "total_fen": total, "final": final, "corrects": corrects, "sequence": seq}
    return Record("award", "A1", (seq,), f"2026-03-{seq:02d}", data=data)


def test_awards_corrections_and_holes() -> None:
    case = episode("A1", "ARBITRATION", "OPEN", sequence=1, at="2026-03-01")
    assert read(case, award("W1", 100, 2)).episodes[0].state == "AWARDED"
    corrected = read(case, award("W1", 100, 2), award("W2", 90, 3, "W1")).episodes[0]
    assert [a["total_fen"] for a in corrected.awards] == [90]
    partial = read(case, award("W1", 100, 2, final=False)).episodes[0]
    assert partial.state == "OPEN" and len(partial.awards) == 1
    behind = read(case, award("W1", 100, 5)).episodes[0]
    assert behind.holes == (2, 3, 4) and behind.state == "OPEN", "no end is shown behind a lost message"
    snapshot = episode("A1", "ARBITRATION", "OPEN", version=(9,), at="2026-03-06")
    filled = read(case, award("W1", 100, 5), snapshot).episodes[0]
    assert filled.holes == (2, 3, 4) and filled.state == "AWARDED", (
        "the case was fetched; what was lost stays lost"
    )
    assert [t.kind for t in read(award("W1", 100, 2)).parked] == ["award"]


def test_confirmation_and_enforcement_make_episodes_of_their_own() -> None:
    data = {"result": "CONFIRMED", "amount_fen": 5, "agreement_signed_on": "2026-04-02"}
    reading = read(
        Record("confirmation", "C1", ("2026-04-12",), "2026-04-12", sub_id="民特1号", data=data),
        Record("enforcement", "C1", ("2026-05-20",), "2026-05-20", sub_id="执1号", data={"amount_fen": 3}),
        Record("hold", "C1", ("2026-05-21",), "2026-05-21", sub_id="执1号", data={"measure": "FREEZE"}),
    )
    kinds = {s: (e.kind, e.state) for s, e in by_sub(reading).items()}
    assert kinds == {"民特1号": ("CONFIRMATION", "CLOSED"), "执1号": ("ENFORCEMENT", "OPEN")}
    later = read(Record("confirmation", "C1", ("1",), "2026-04-12", sub_id="s", data=data),
                 Record("confirmation", "C1", ("2",), "2026-04-20", sub_id="s", data={"result": "REVOKED"}))  # fmt: skip
    assert (later.episodes[0].confirmation or {})["result"] == "REVOKED"
