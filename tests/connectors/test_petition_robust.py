"""Mutated petitions: whatever comes, a reading comes out, never an exception."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.petition_asmx.tables import KEYS
from schemas.canonical import canonical_json
from schemas.exchange import Reading
from tests.connectors.petition_side import EXAMPLES, FILES, content, envelope, read, told

pytestmark = pytest.mark.slow
SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def sound(reading: Reading) -> None:
    """A reading can be stored, compared and answered, whatever it is of."""
    assert reading.message_id and re.fullmatch("[0-9a-f]{64}", reading.compare_digest)
    for finding in (*reading.findings, *reading.notes):
        assert finding.path and finding.as_dict()["code"] and len(finding.found) <= 200
    for record in reading.records:
        assert record.native_id and record.event_at
        canonical_json([record.claims, record.parties, record.references, record.data, list(record.version)])
    assert not (reading.refused and reading.records)


@SETTINGS
@given(name=st.sampled_from(FILES), seed=st.integers(0, 2**32))
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
@given(
    operation=st.sampled_from(["AddXfj", "UpdateXfj", "RevokeXfj"]),
    changed=st.dictionaries(st.sampled_from([*KEYS, "CHSJ", "CHYY"]), ANYTHING, min_size=1, max_size=4),
    whole=st.booleans(),
)
def test_any_value_under_any_key(operation: str, changed: dict[str, Any], whole: bool) -> None:
    base = told("x01") if whole else {"XFJBH": told("x01")["XFJBH"]}
    text = json.dumps({**base, **changed}, ensure_ascii=True)
    sound(read(envelope(operation, text)))


@SETTINGS
@given(rows=st.lists(ANYTHING, max_size=3), key=st.sampled_from(["Rows", "Result", "Total", "XFJBH"]))
def test_any_reply(rows: list[Any], key: str) -> None:
    text = json.dumps({"Result": "1", "Rows": [told("x01")], key: rows})
    sound(read(envelope("GetXfjListResponse", text, "GetXfjListResult")))
    sound(read(envelope("GetXfjListResponse", str(rows), "GetXfjListResult")))


@SETTINGS
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=60))
def test_any_text(text: str) -> None:
    sound(read(envelope("AddXfj", text)))
    sound(read(text))
    for key in ("XFRXM", "BXFR", "NR", "SFZH", "LXDH", "XFRQ", "SJJE"):
        sound(read(envelope("AddXfj", json.dumps({**told("x01"), key: text}))))


def test_huge_and_deep_texts_end_soon() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    sound(read(envelope("AddXfj", deep)))
    sound(read(envelope("AddXfj", json.dumps({**told("x01"), "SJJE": "x"}).replace('"x"', "1e99999999"))))
    sound(read(envelope("AddXfj", json.dumps({**told("x01"), "NR": "长" * 3_000_000}))))
    assert [f.code for f in read(envelope("AddXfj", " " * 30_000_000)).findings] == ["TOO_LARGE"]


def test_the_sheet_cut_and_turned() -> None:
    raw, chance = content("x22"), random.Random(5)
    for _ in range(25):
        changed = bytearray(raw)
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        sound(read(bytes(changed), "x22.xlsx"))
    sound(read(raw[:3000], "x22.xlsx"))
