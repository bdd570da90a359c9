"""Mutated court messages: whatever comes, a reading comes out, never an exception."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schemas.canonical import canonical_json
from schemas.exchange import Reading
from tests.connectors.court_side import EXAMPLES, FILES, content, push, read

pytestmark = pytest.mark.slow
SMALL = [name for name in FILES if (EXAMPLES / name).stat().st_size < 20_000]
NASTY = [
    "",
    " ",
    "0",
    "-1",
    "NaN",
    "1e9999",
    "\u0661",
    "9" * 400,
    "２０２６",
    "\U00020bb7",
    "&#0;",
    "]]>",
    "=1+1",
    "20JAN21",
]
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


def sound(reading: Reading) -> None:
    """A reading can be stored, compared and answered, whatever it is of."""
    assert reading.message_id and re.fullmatch("[0-9a-f]{64}", reading.compare_digest)
    for finding in reading.findings:
        assert finding.path and finding.as_dict()["code"] and len(finding.found) <= 200
    for record in reading.records:
        assert record.native_id and all(record.version) and record.event_at
        canonical_json([record.claims, record.parties, record.references, record.data, list(record.version)])
    assert not (reading.refused and reading.records)


@SETTINGS
@given(name=st.sampled_from(SMALL), seed=st.integers(0, 2**32))
def test_bytes_changed_at_random(name: str, seed: int) -> None:
    chance, raw = random.Random(seed), bytearray((EXAMPLES / name).read_bytes())
    for _ in range(chance.randint(1, 8)):
        place = chance.randrange(len(raw))
        what = chance.random()
        if what < 0.4:
            raw[place] = chance.randrange(256)
        elif what < 0.7:
            del raw[place : place + chance.randint(1, 40)]
        else:
            raw[place:place] = bytes(chance.randrange(256) for _ in range(chance.randint(1, 10)))
    sound(read(bytes(raw), name))


@SETTINGS
@given(name=st.sampled_from([n for n in SMALL if n.endswith(".xml")]), seed=st.integers(0, 2**32))
def test_values_and_elements_changed(name: str, seed: int) -> None:
    chance = random.Random(seed)
    told = (EXAMPLES / name).read_bytes().decode("gb18030" if name.startswith(("c13", "c14")) else "utf-8")
    for _ in range(chance.randint(1, 4)):
        values = list(re.finditer(r"<([^<>/!?]+)>([^<>]*)</", told))
        if not values:
            break
        match = chance.choice(values)
        new = chance.choice(
            [
                f"<{match[1]}>{chance.choice(NASTY)}</",
                f"<{match[1]}>{match[2]}</{match[1].split()[0]}><{match[1]}>{match[2]}</",
                f"<x{match[1]}>{match[2]}</x",
                f"<{match[1]} xmlns:q='urn:q' q:a='1'>{match[2]}</",
            ]
        )
        told = told[: match.start()] + new + told[match.end() :]
    sound(read(told.replace('encoding="GB18030"', 'encoding="UTF-8"'), name))


@SETTINGS
@given(body=st.binary(max_size=400))
def test_anything_in_a_pushed_archive(body: bytes) -> None:
    sound(read(push("B", body)))
    sound(read(body))


@SETTINGS
@given(
    rows=st.lists(
        st.recursive(st.none() | st.booleans() | st.text(max_size=8) | st.integers(), st.lists), max_size=4
    )
)
def test_anything_in_a_list(rows: list[object]) -> None:
    import json

    page = {"code": 200, "msg": "", "content": {"total": 1, "totalPages": 1, "pageSize": 1, "list": rows}}
    sound(read(json.dumps(page)))


def test_the_sheet_cut_and_turned() -> None:
    raw = content("c28")
    chance = random.Random(3)
    for _ in range(25):
        changed = bytearray(raw)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        sound(read(bytes(changed), "c28.xlsx"))
    sound(read(raw[:4000], "c28.xlsx"))
