"""Archives of many messages: each record its own result, taken on after a crash, over both protocols."""

from __future__ import annotations

import base64
import io
import zipfile
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest

from foundation.receipts import receipt_key
from foundation.unit_of_work import unit_of_work
from hub import batches
from hub.applying import Applier, apply_due
from hub.pipeline import Hub
from tests.exchange.open_side import OpenSide, at_story_start, message, served, told


@pytest.fixture
def side(hub: Hub) -> Iterator[OpenSide]:
    with served(hub) as url:
        yield OpenSide(url, at_story_start(hub.engine))


def zipped(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def lines(first: int, last: int) -> bytes:
    return b"\n".join(orjson.dumps(message(number)) for number in range(first, last + 1))


def put(side: OpenSide, batch_id: str, content: bytes) -> httpx.Response:
    target = f"/open/v1/batches/{batch_id}"
    headers = side.signed("PUT", target, content, **{"content-type": "application/zip"})
    return side.http.put(target, content=content, headers=headers)


def results(side: OpenSide, batch_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = side.get(f"/open/v1/batches/{batch_id}/results{cursor}").json()
        found += page["results"]
        if "next_cursor" not in page:
            return found
        cursor = f"?cursor={page['next_cursor']}"


def work(hub: Hub) -> None:
    applier = Applier(hub)
    while applier.turn():
        pass


def test_each_record_has_its_own_result(hub: Hub, side: OpenSide) -> None:
    side.post(message(2))
    other = message(3, case_key="JD-other")
    side.post(other)
    wrong = message(5)
    wrong["records"][0]["fields"]["state"] = "MAYBE"
    files = {"a.jsonl": lines(1, 3), "b/4.json": orjson.dumps(message(4)), "b/5.json": orjson.dumps(wrong),
             "b/6.json": b"no json"}  # fmt: skip
    archive = zipped(files)
    first = put(side, "B-1", archive)
    assert first.status_code == 202, first.text
    work(hub)
    state = side.get("/open/v1/batches/B-1").json()
    assert (state["state"], state["records"]) == ("DONE", 6)
    assert [state[name] for name in ("accepted", "duplicate", "quarantined", "refused")] == [2, 1, 1, 2]
    found = results(side, "B-1")
    assert [each["result"] for each in found] == [
        "ACCEPTED",
        "DUPLICATE",
        "QUARANTINED",
        "ACCEPTED",
        "REFUSED",
        "REFUSED",
    ]
    assert [each["name"] for each in found][:2] == ["a.jsonl:1", "a.jsonl:2"]
    assert found[4]["findings"][0]["path"] == "/records/0/fields/state"
    assert side.get("/open/v1/messages/M-4").json()["state"] == "APPLIED"
    assert side.get(f"/open/v1/receipts/{found[0]['receipt_no']}").json()["message_id"] == "M-1"
    again = put(side, "B-1", archive)
    assert (again.status_code, again.content) == (200, first.content)
    refused = put(side, "B-1", zipped({"a.jsonl": lines(1, 2)}))
    assert (refused.status_code, refused.json()["code"]) == (409, "SAME_ID_OTHER_BYTES")


def test_after_a_crash_it_goes_on_behind_the_last_record(hub: Hub, side: OpenSide) -> None:
    assert put(side, "B-2", zipped({"a.jsonl": lines(1, 450)})).status_code == 202
    key = receipt_key(hub.settings.key_dir)
    with unit_of_work(hub.engine) as uow:
        batches.work_portion(uow, key)
    with pytest.raises(RuntimeError), unit_of_work(hub.engine) as uow:
        batches.work_portion(uow, key)
        raise RuntimeError("the process dies before its commit")
    assert side.get("/open/v1/batches/B-2").json()["records"] == batches.PORTION
    work(hub)
    while apply_due(hub):
        pass
    found = results(side, "B-2")
    assert [each["message_id"] for each in found] == [f"M-{number}" for number in range(1, 451)]
    assert {each["result"] for each in found} == {"ACCEPTED"}
    with unit_of_work(hub.engine) as uow:
        assert uow.scalar("SELECT count(*) FROM exchange.inbox WHERE state = 'APPLIED'") == 450


def test_the_same_archive_over_soap_has_the_same_receipt(hub: Hub, side: OpenSide) -> None:
    archive = zipped({"a.jsonl": lines(1, 3)})
    by_rest = put(side, "B-3", archive)
    inner = f"<batch_id>B-3</batch_id><content>{base64.b64encode(archive).decode()}</content>"
    by_soap = side.soap("batch", inner)
    assert by_soap.status_code == 200 and told(by_soap) == orjson.loads(by_rest.content)
    work(hub)
    assert told(side.soap("batch_status", "<batch_id>B-3</batch_id>"))["accepted"] == "3"
    assert side.soap("batch_results", "<batch_id>B-3</batch_id>").text.count("<record>") == 3


BAD: list[tuple[str, bytes, str]] = [
    ("no_zip", b"PK no zip", "ARCHIVE_UNSAFE"),
    ("slip", zipped({"../a.json": b"{}"}), "ARCHIVE_UNSAFE"),
    ("bomb", zipped({"a.jsonl": b"0" * 19_000_000}), "ARCHIVE_UNSAFE"),
]


@pytest.mark.parametrize(("content", "code"), [each[1:] for each in BAD], ids=[each[0] for each in BAD])
def test_an_unsafe_archive_is_refused_and_not_kept(
    hub: Hub, side: OpenSide, content: bytes, code: str
) -> None:
    refused = put(side, "B-4", content)
    assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert side.get("/open/v1/batches/B-4").status_code == 404


def test_an_archive_that_breaks_in_the_middle_says_so(hub: Hub, side: OpenSide) -> None:
    archive = bytearray(zipped({"a.jsonl": lines(1, 3), "b.jsonl": lines(4, 40)}))
    at = archive.index(b"b.jsonl") + 60
    archive[at : at + 8] = b"\0" * 8
    assert put(side, "B-5", bytes(archive)).status_code == 202
    work(hub)
    state = side.get("/open/v1/batches/B-5").json()
    assert (state["state"], state["findings"][0]["code"]) == ("BROKEN", "ARCHIVE_UNSAFE")
    assert state["accepted"] == 3 and len(results(side, "B-5")) == 3


def test_an_archive_holds_ten_thousand_records_and_no_more(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, side: OpenSide
) -> None:
    monkeypatch.setattr(batches, "MOST_RECORDS", 250)
    assert put(side, "B-6", zipped({"a.jsonl": lines(1, 260)})).status_code == 202
    work(hub)
    state = side.get("/open/v1/batches/B-6").json()
    assert (state["state"], state["records"], state["findings"][0]["code"]) == (
        "BROKEN",
        250,
        "LIMIT_EXCEEDED",
    )


def test_a_large_archive_over_soap_is_taken(hub: Hub, side: OpenSide) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("a.jsonl", b"\n".join([lines(1, 20), b" " * 1_500_000]))
    inner = f"<batch_id>B-7</batch_id><content>{base64.b64encode(made.getvalue()).decode()}</content>"
    assert side.soap("batch", inner).status_code == 200
    work(hub)
    assert side.get("/open/v1/batches/B-7").json()["accepted"] == 20
