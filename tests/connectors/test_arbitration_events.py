"""Events of the commission: what each means, and what is refused with its place."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from tests.connectors.arbitration_side import codes, event_of, fields, hook, tell


def test_suspended_for_mediation_stops_the_limit_and_moves_no_date() -> None:
    reading = tell(event_of("a04_hook_suspended.json"))
    assert fields(reading)["state"] == "SUSPENDED"
    assert fields(reading)["limit_date"] == "2026-03-02"
    assert reading.records[0].data["to_mediation"] is True


def test_events_without_their_case_say_what_their_name_says() -> None:
    event = event_of("a04_hook_suspended.json")
    del event["case"]
    assert fields(tell(event))["state"] == "SUSPENDED"
    event["type"] = "case.updated"
    reading = tell(event)
    assert reading.meta["ask"] == {"kind": "case", "cursor": "ARB-2026-004649"}
    event["type"] = "document.ready"
    # Its number still counts, or it would look lost.
    assert fields(tell(event)) == {"proceeding_kind": "ARBITRATION", "sequence": 2}


def test_former_name_masked_id_and_missing_flag() -> None:
    event = event_of("a03_hook_accepted.json")
    party = event["case"]["parties"][0]
    party.update(name="项军琳（曾用名：项小琳）", idNo="330399********590X")
    reading = tell(event)
    made = (reading.records[0].parties or ())[0]
    assert (made.name, made.extra["former_names"]) == ("项军琳", ["项小琳"])
    assert (made.id_number, made.masked_id) == (None, "330399********590X")
    assert [note.path for note in reading.notes] == ["/case/parties/0/idNo"]
    respondent = (reading.records[0].parties or ())[1]
    assert respondent.name == "温州鹿栖兴医院（有限合伙）"


def test_related_mediation_is_a_hint() -> None:
    event = event_of("a03_hook_accepted.json")
    event["case"]["relatedMediation"] = "双方在瓯栖调[2026]南屏0630号调过"
    (reference,) = tell(event).records[0].references
    assert (reference.value, reference.strength) == ("瓯栖调〔2026〕南屏0630号", "hint")
    event["case"]["relatedMediation"] = "街道调过"
    assert not tell(event).records[0].references


def test_deleted_is_sealed_and_null_numbers_are_not_told() -> None:
    event = event_of("a03_hook_accepted.json")
    event["case"].update(deleted=True, caseNo=None, acceptedAt=None, status="RECEIVED")
    told = fields(tell(event))
    assert told["sealed"] is True and told["state"] == "REGISTERED"
    assert "case_number" not in told and "opened_on" not in told


def test_a_later_version_wins_whatever_arrives_first() -> None:
    first, second = tell(event_of("a03_hook_accepted.json")), tell(event_of("a04_hook_suspended.json"))
    assert second.records[0].version > first.records[0].version


# -- what is refused ------------------------------------------------------------------------------------

CASE, AWARD = "a03_hook_accepted.json", "a08_hook_award_corrected.json"
WRONG: list[tuple[str, str, Any, str, str]] = [
    (CASE, "case/claimAmount", "0", "SCHEMA_VIOLATION", "/case/claimAmount"),
    (CASE, "case/claimAmount", "-1", "SCHEMA_VIOLATION", "/case/claimAmount"),
    (CASE, "case/claimAmount", "1.001", "SCHEMA_VIOLATION", "/case/claimAmount"),
    (CASE, "case/claimAmount", 12.5, "SCHEMA_VIOLATION", "/case/claimAmount"),
    (CASE, "case/status", "DONE", "CODE_UNKNOWN", "/case/status"),
    (CASE, "case/parties/0/role", "VICTIM", "CODE_UNKNOWN", "/case/parties/0/role"),
    (CASE, "case/parties/0/idNo", "330399195502300014", "ID_BIRTH_DATE", "/case/parties/0/idNo"),
    (CASE, "case/parties/0/idNo", "ABC", "ID_FORMAT", "/case/parties/0/idNo"),
    (CASE, "case/parties/1/idNo", "91330399MA4BKFH30D", "ID_CHECK_DIGIT", "/case/parties/1/idNo"),
    (CASE, "case/parties/0/name", " ", "SCHEMA_VIOLATION", "/case/parties/0/name"),
    (CASE, "case/parties/0/name", "a\x00b", "SCHEMA_VIOLATION", "/case/parties/0/name"),
    (CASE, "case/limitDate", "2026-02-30", "DATE_UNREADABLE", "/case/limitDate"),
    (CASE, "case/updatedAt", "2026-01-17 17:02", "DATE_UNREADABLE", "/case/updatedAt"),
    (CASE, "case/version", 2**60, "SCHEMA_VIOLATION", "/case/version"),
    (CASE, "case/caseId", "ARB-2026-000001", "REPLY_MISMATCH", "/case/caseId"),
    (CASE, "case/extra", 1, "SCHEMA_VIOLATION", "/case/extra"),
    (CASE, "case/parties", [], "SCHEMA_VIOLATION", "/case/parties"),
    (CASE, "sequence", 0, "SCHEMA_VIOLATION", "/sequence"),
    (CASE, "occurredAt", 1, "DATE_UNREADABLE", "/occurredAt"),
    (CASE, "occurredAt", "2026-04-01", "SCHEMA_VIOLATION", "/occurredAt"),
    (CASE, "eventId", "not-a-uuid", "SCHEMA_VIOLATION", "/eventId"),
    (CASE, "type", "case.lost", "CODE_UNKNOWN", "/type"),
    (AWARD, "award/totalFen", 682979.0, "SCHEMA_VIOLATION", "/award/totalFen"),
    (AWARD, "award/totalFen", 682978, "AMOUNT_MISMATCH", "/award/totalFen"),
    (AWARD, "award/items/0/amountFen", -1, "SCHEMA_VIOLATION", "/award/items/0/amountFen"),
    (AWARD, "award/items/0/amountFen", True, "SCHEMA_VIOLATION", "/award/items/0/amountFen"),
    (AWARD, "award/items/0/dueDate", "soon", "DATE_UNREADABLE", "/award/items/0/dueDate"),
    (AWARD, "award/corrects", None, "SCHEMA_VIOLATION", "/award/corrects"),
]


def put(value: Any, path: str, new: Any) -> None:
    *steps, last = path.split("/")
    for step in steps:
        value = value[int(step)] if isinstance(value, list) else value[step]
    if isinstance(value, list):
        value[int(last)] = new
    else:
        value[last] = new


@pytest.mark.parametrize(("name", "path", "new", "code", "where"), WRONG)
def test_wrong_events(name: str, path: str, new: Any, code: str, where: str) -> None:
    event = event_of(name)
    put(event, path, new)
    reading = tell(event)
    assert (code, where) in codes(reading)
    assert reading.refused and not reading.records


def test_an_award_event_needs_its_award() -> None:
    event = event_of(AWARD)
    del event["award"]
    assert codes(tell(event)) == [("SCHEMA_VIOLATION", "/award")]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "JSON_NOT_WELL_FORMED"),
        (b"{", "JSON_NOT_WELL_FORMED"),
        (b'{"sequence": NaN}', "JSON_NOT_WELL_FORMED"),
        (b'{"type": "a", "type": "b"}', "JSON_DUPLICATE_KEY"),
        (b"[1]", "SCHEMA_VIOLATION"),
        (b"null", "SCHEMA_VIOLATION"),
        ('{"a": "中"}'.encode("gb18030"), "ENCODING_MISMATCH"),
        (b"[" * 200 + b"]" * 200, "TOO_DEEP"),
        (b" " * (1024 * 1024 + 1), "TOO_LARGE"),
    ],
)
def test_bad_bodies(body: bytes, code: str) -> None:
    assert codes(hook(body))[0][0] == code


def test_mutations_never_raise() -> None:
    chance = random.Random(11)
    values = [
        None,
        True,
        0,
        -1,
        1.5,
        10**30,
        "",
        "x" * 200,
        "\x00",
        "\ud800",
        [],
        {},
        [[1]],
        {"a": 1},
        "2026-02-30",
    ]
    for _ in range(600):
        event: Any = copy.deepcopy(event_of(chance.choice([CASE, AWARD, "a09_hook_withdrawn.json"])))
        for _ in range(chance.randint(1, 3)):
            place = event
            while isinstance(place, dict | list) and place and chance.random() < 0.75:
                key = chance.choice(list(place) if isinstance(place, dict) else range(len(place)))
                if not isinstance(place[key], dict | list) or chance.random() < 0.2:
                    place[key] = chance.choice(values)
                    break
                place = place[key]
        body = json.dumps(event).encode()
        reading = hook(body)
        assert not (reading.refused and reading.records)
