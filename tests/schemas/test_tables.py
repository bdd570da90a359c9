"""State machines, findings, code tables, calendar, canonical JSON."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.canonical import canonical_json, digest, sha256_hex
from schemas.claims import Claim
from schemas.code_tables import code_map, code_table, code_table_names
from schemas.findings import FINDING_CODES, PACK_CODES, Finding, Refused
from schemas.money import Fen
from schemas.state_machine import IllegalMove, Move, StateMachine
from schemas.workdays import NotYetPublished, work_calendar

DOOR = StateMachine(
    "door",
    "SHUT",
    (
        Move("SHUT", "open", "OPEN", effect="light"),
        Move("OPEN", "shut", "SHUT"),
        Move("SHUT", "lock", "LOCKED", guard="has_key"),
        Move("SHUT", "lock", "SHUT", guard="no_key"),
        Move("LOCKED", "break", "BROKEN"),
    ),
    frozenset({"BROKEN"}),
)


def test_state_machine_moves():
    assert DOOR.next("SHUT", "open") == "OPEN"
    assert DOOR.move("SHUT", "open").effect == "light"
    assert DOOR.next("SHUT", "lock", {"has_key"}) == "LOCKED"
    assert DOOR.next("SHUT", "lock", {"no_key"}) == "SHUT"
    assert DOOR.states == ("SHUT", "OPEN", "LOCKED", "BROKEN")
    assert DOOR.events == ("open", "shut", "lock", "break")
    assert ("LOCKED", "BROKEN") in DOOR.pairs() and ("OPEN", "LOCKED") not in DOOR.pairs()
    assert "SHUT --> LOCKED: lock [has_key]" in DOOR.mermaid()


def test_every_other_move_is_illegal():
    legal = {(m.state, m.event) for m in DOOR.moves}
    for state in DOOR.states:
        for event in DOOR.events:
            assert DOOR.allows(state, event) == ((state, event) in legal)
            if (state, event) not in legal:
                with pytest.raises(IllegalMove):
                    DOOR.next(state, event)
    with pytest.raises(IllegalMove):
        DOOR.next("SHUT", "lock")
    with pytest.raises(IllegalMove):
        DOOR.next("SHUT", "lock", {"other"})


@pytest.mark.parametrize(
    ("moves", "final"),
    [
        ((Move("A", "x", "B"), Move("A", "x", "C")), ()),
        ((Move("A", "x", "B"), Move("B", "x", "A")), ("B",)),
        ((Move("A", "x", "B"), Move("C", "x", "D")), ()),
    ],
)
def test_a_table_that_contradicts_itself(moves, final):
    with pytest.raises(ValueError):
        StateMachine("m", "A", moves, frozenset(final))


def test_findings_table():
    assert all(t.zh and t.en and t.todo_zh and t.todo_en for t in FINDING_CODES.values())
    assert len(PACK_CODES) == 29 and all(pack == ours for pack, ours in PACK_CODES.items())
    finding = Finding("COUNT_MISMATCH", "/count", "5", "4")
    assert finding.action == "reject whole batch, ask for it again" and finding.scope == "message"
    assert "5" in finding.text_zh() and "4" in finding.text_en()
    assert set(finding.as_dict()) == {"code", "path", "found", "expected", "action", "partner_code"}
    with pytest.raises(ValueError):
        Finding("NO_SUCH_CODE", "/")
    with pytest.raises(ValueError):
        Refused()
    assert Refused.of([finding]).findings == (finding,)


def test_code_tables():
    assert code_table("payment_outcome")["UNKNOWN"].name_zh == "结果未知"
    assert len(code_table_names()) == 28
    for name in code_table_names():
        table = code_table(name)
        assert table and all(code == row.code for code, row in table.items())
    assert [c.code for c in code_table("intake_source").children("A")][:1] == ["A1"]
    assert code_table("gender").by_name("男")[0].code == "1"
    with pytest.raises(KeyError):
        code_table("nothing")


def test_code_maps():
    assert [(m.code, m.relation) for m in code_map("court_partner_cause", "9105", "court_cause")] == [
        ("108.3", "exact")
    ]
    assert len(code_map("court_partner_role", "01", "party_role")) == 2
    assert code_map("court_partner_cause", "0000", "court_cause") == ()


def test_a_code_has_its_days():
    row = code_table("division")["330322"]
    assert row.valid_on(date(2015, 7, 1)) and not row.valid_on(date(2016, 1, 1))


def test_calendar():
    calendar = work_calendar()
    assert not calendar.is_workday(date(2026, 1, 1)) and calendar.name(date(2026, 1, 1)) == "元旦"
    assert calendar.is_workday(date(2024, 2, 4)) and not calendar.is_workday(date(2026, 4, 4))
    assert calendar.is_workday(date(2026, 4, 1)) and calendar.name(date(2026, 4, 1)) == ""
    assert calendar.add_workdays(date(2026, 4, 30), 0) == date(2026, 4, 30)
    assert calendar.roll_forward(date(2026, 5, 1)) > date(2026, 5, 1)


@given(st.dates(date(2024, 1, 10), date(2026, 10, 1)), st.integers(-3, 30))
def test_workdays_count_back(day, count):
    calendar = work_calendar()
    end = calendar.add_workdays(day, count)
    assert calendar.workdays_between(min(day, end), max(day, end)) >= abs(count) - 1
    if count > 0:
        assert calendar.workdays_between(day, end) == count and calendar.is_workday(end)
        assert calendar.provisional(day, count) == (end, False)


def test_beyond_the_last_year():
    calendar = work_calendar()
    with pytest.raises(NotYetPublished) as caught:
        calendar.add_workdays(date(2026, 12, 30), 10)
    assert caught.value.year == 2027
    end, open_year = calendar.provisional(date(2026, 12, 30), 10)
    assert open_year and end.weekday() < 5 and end > date(2027, 1, 1)


def test_canonical_json():
    value = {"b": [1, None, True], "a": "案", "d": Decimal("12.50"), "t": date(2026, 4, 1), "f": Fen(5)}
    assert canonical_json(value) == '{"a":"案","b":[1,null,true],"d":"12.5","f":5,"t":"2026-04-01"}'.encode()
    assert digest(value) == sha256_hex(canonical_json(value))
    assert canonical_json(Claim("cause", None)).startswith(b'{"field":"cause"')
    assert canonical_json([UUID(int=0), datetime(2026, 1, 1, tzinfo=UTC)]).startswith(b'["00000000-')
    for bad in (1.5, {1: 2}, {"a": {1}}, Decimal("NaN"), timedelta(1), Fen):
        with pytest.raises(TypeError):
            canonical_json(bad)
