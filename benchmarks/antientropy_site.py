"""What ``bench antientropy`` works on: a year of messages in the hub, the partner's own book on the wire, planted differences."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine

from connectors.open_contract.checking import checked
from foundation import clock, partners
from foundation.database import make_engine
from foundation.keys import KeyStore
from foundation.partners import NewPartner
from foundation.receipts import receipt_key
from foundation.settings import ROOT, Settings
from foundation.unit_of_work import unit_of_work
from hub.applying import apply_due
from hub.pipeline import Hub
from hub.submitting import Given, take

PARTNER, AGENCY = "bench_agency", "street"
FIRST, DAYS = date(2025, 4, 1), 365
LAST = FIRST + timedelta(days=DAYS - 1)
# Messages that are really taken and applied; the rest of the year are rows of the inbox as they lie after that.
_ROWS = """
INSERT INTO exchange.inbox (id, partner, channel, operation, content, data_key, size, content_hash, received_at, message_id,
    compare_digest, case_key, state, receipt_no, receipt, decided_at, next_try)
SELECT gen_random_uuid(), :p, 'push', 'submit', '\\x00', '\\x00', 1, sha256(convert_to('M-' || n, 'UTF8')), at, 'M-' || n,
    encode(sha256(convert_to('said ' || n, 'UTF8')), 'hex'), 'C-' || n, 'APPLIED', 'B' || n, '\\x00', at, at
FROM (SELECT n, CAST(:first AS timestamptz) + make_interval(secs => (n + 0.5) * CAST(:step AS double precision)) AS at
    FROM generate_series(0, CAST(:last AS int)) n) g"""


@dataclass
class Site:
    """The hub, the partner's address, and what was planted: id → kind."""

    hub: Hub
    address: str = ""
    planted: dict[str, str] = field(default_factory=dict)
    askable: set[str] = field(default_factory=set)


@contextmanager
def site(url: str, folder: Path, records: int, planted: int, seed: int) -> Iterator[Site]:
    """Build it; the partner answers as a process of its own until the end."""
    engine = make_engine(url, timeout_ms=600_000)
    made = Site(Hub(engine, KeyStore(folder / "keys"), Settings(url, "", folder, 8600, "sandbox")))
    try:
        _move(engine, FIRST)
        with unit_of_work(engine) as uow:
            partners.add(uow, NewPartner(PARTNER, "瓯栖街道", "330399T", AGENCY))
        book = _build(made, records, planted, random.Random(seed))
        path = folder / "book.jsonl"
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in book)
        _move(engine, LAST + timedelta(days=1))
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
            conn.exec_driver_sql("VACUUM ANALYZE exchange.inbox")
        with _partner(path) as address:
            made.address = address
            with unit_of_work(engine) as uow:
                partners.change(uow, PARTNER, addresses={"compare": address})
            yield made
    finally:
        engine.dispose()


def _move(engine: Engine, day: date) -> None:
    with engine.begin() as conn:
        clock.move_clock(conn, datetime(day.year, day.month, day.day, 1, tzinfo=UTC))


def _build(made: Site, records: int, planted: int, chance: random.Random) -> list[dict[str, Any]]:
    """Fill the hub, and write the partner's book beside it with the differences planted, as many of each kind."""
    step = DAYS * 86_400 / records
    with unit_of_work(made.hub.engine) as uow:
        at = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC) - timedelta(hours=8)
        uow.execute(_ROWS, p=PARTNER, first=at, step=step, last=records - 1)
    book = [
        {"way": "to_hub", "day": str(FIRST + timedelta(days=int((n + 0.5) * step // 86_400))), "id": f"M-{n}",
         "digest": hashlib.sha256(f"said {n}".encode()).hexdigest()}
        for n in range(records)
    ]  # fmt: skip
    each = planted // 4
    numbers = chance.sample(range(records), 2 * each)
    for n in numbers[:each]:  # missing there: their book has lost it
        book[n] = {}
        _plant(made, f"M-{n}", "MISSING_THERE")
    for n in numbers[each:]:  # different: under the same id their book says something else
        book[n] |= _line(_message(f"M-{n}", f"C-{n}"), book[n]["day"])
        _plant(made, f"M-{n}", "DIFFERENT", ask=True)
    days = [str(FIRST + timedelta(days=chance.randrange(DAYS))) for _ in range(each)]
    for n, day in enumerate(days):  # missing here: never came
        book.append(_line(_message(f"N-{n}", f"D-{n}"), day))
        _plant(made, f"N-{n}", "MISSING_HERE", ask=True)
    return [line for line in book if line] + _withdrawn(made, planted - 3 * each)


def _withdrawn(made: Site, count: int) -> list[dict[str, Any]]:
    """Messages taken back by one side's word only: half of them their withdrawal never came, half they have lost it."""
    contents = [_message(f"X-{n}", f"E-{n}") for n in range(count)]
    backs = [_withdrawal(f"X-{n}", f"E-{n}") for n in range(count)]
    lost = count // 2
    _give(made.hub, [*contents, *backs[:lost]])
    book = []
    for n, (content, back) in enumerate(zip(contents, backs, strict=True)):
        line = _line(content, str(FIRST))
        if n >= lost:
            line |= {"withdrawn": True, "withdrawn_by_base64": base64.b64encode(back).decode()}
        book.append(line)
        _plant(made, f"X-{n}", "WITHDRAWN", ask=n >= lost)
        if n < lost:
            # The withdrawal itself is in their book, as a message; that it took the other back is not.
            book.append(_line(back, str(FIRST)))
    return book


def _plant(made: Site, name: str, kind: str, *, ask: bool = False) -> None:
    made.planted[name] = kind
    if ask:
        made.askable.add(name)


def _give(hub: Hub, contents: list[bytes]) -> None:
    for start in range(0, len(contents), 200):
        given = []
        for content in contents[start : start + 200]:
            told = checked(content, AGENCY, 10**6)
            assert told.message is not None and not told.findings, told.findings
            kind = told.message.kind
            operation = "withdrawal" if kind == "withdrawal" else "submit"
            given.append(
                Given(
                    PARTNER,
                    operation,
                    content,
                    {},
                    told.message_id,
                    kind,
                    told.message.case_key,
                    None,
                    told.digest,
                )
            )
        with unit_of_work(hub.engine) as uow:
            take(uow, receipt_key(hub.settings.key_dir), given)
    while apply_due(hub):
        pass


def _line(content: bytes, day: str) -> dict[str, Any]:
    told = checked(content, AGENCY, 10**6)
    return {
        "way": "to_hub", "day": day, "id": told.message_id, "digest": told.digest,
        "content_base64": base64.b64encode(content).decode(),
    }  # fmt: skip


def _message(message_id: str, case: str) -> bytes:
    parties = [
        {"key": "A", "role": "applicant", "kind": "person", "name": f"甲{case}"},
        {"key": "R", "role": "respondent", "kind": "person", "name": f"乙{case}"},
    ]
    fields = {"proceeding_kind": "OTHER", "state": "OPEN", "cause": "相邻关系纠纷", "opened_on": "2025-03-30"}
    return orjson.dumps(
        {"message_id": message_id, "case_key": case, "event_time": "2025-03-30T09:00:00+08:00", "kind": "record",
         "records": [{"kind": "episode", "fields": fields, "parties": parties}]}
    )  # fmt: skip


def _withdrawal(message_id: str, case: str) -> bytes:
    return orjson.dumps(
        {"message_id": f"W-{message_id}", "case_key": case, "event_time": "2025-03-31T09:00:00+08:00",
         "kind": "withdrawal", "corrects": message_id, "reason": "误报"}
    )  # fmt: skip


@contextmanager
def _partner(book: Path) -> Iterator[str]:
    """The partner as a process; gives its address once it has read its book."""
    words = [sys.executable, "-m", "sandbox.holdings", "--file", str(book)]
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError("the partner's process did not start")
        yield f"{address}/compare"
    finally:
        process.terminate()
        process.wait(20)
