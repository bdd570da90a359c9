"""Many messages in one archive: stored and receipted whole, then taken record by record, each with its own result.

An archive is a zip of files `*.json`, each one message, and `*.jsonl`, one message a line. The worker takes it in
portions; a portion's messages, their results and the place reached are one commit, so that after a crash it goes on
behind the last record and takes none twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import orjson
from sqlalchemy import RowMapping

from connectors.open_contract.checking import checked
from foundation.directory import Partner
from foundation.envelope import content_of, vault_of
from foundation.journal import journal, raise_alarm
from foundation.receipts import ReceiptFacts, ReceiptKey
from foundation.replays import Proof, once
from foundation.unit_of_work import UnitOfWork
from hub.pages import MOST_A_PAGE, moment, read_cursor, write_cursor
from hub.submitting import Given, Taken, take
from schemas.findings import Finding, Refused
from schemas.open_contract import MOST_BODY_BYTES
from schemas.zip_safe import ZipLimits, check_zip, each_in_zip

Plain = dict[str, Any]
MOST_RECORDS = 10_000
MOST_ARCHIVE_BYTES = 32 * 1024 * 1024
LIMITS = ZipLimits(entries=MOST_RECORDS, entry_bytes=20_000_000, total_bytes=200_000_000, ratio=200)
PORTION = 200
# Operation by a record's own kind: an archive may hold all three.
_OPERATIONS = {"record": "submit", "correction": "correction", "withdrawal": "withdrawal"}


def give(
    uow: UnitOfWork, key: ReceiptKey, caller: Partner, batch_id: str, content: bytes, headers: dict[str, str],
    proof: Proof | None,
) -> tuple[bytes, bool]:  # fmt: skip
    """Store an archive; returns its receipt, and whether it was there before.

    Raises Refused: ARCHIVE_UNSAFE, NONCE_REPLAYED, SAME_ID_OTHER_BYTES.
    """
    check_zip(content, LIMITS)
    once(uow, proof)
    digest = hashlib.sha256(content).hexdigest()
    uow.execute("SELECT pg_advisory_xact_lock(hashtextextended(:key, 50))", key=f"{caller.id}\n{batch_id}")
    there = uow.one(
        "SELECT digest, receipt FROM exchange.batch WHERE partner = :p AND batch_id = :b",
        p=caller.id,
        b=batch_id,
    )
    if there is not None:
        if there["digest"] != digest:
            raise Refused(
                Finding("SAME_ID_OTHER_BYTES", "/batch_id", batch_id, "the archive first sent under this id")
            )
        return bytes(there["receipt"]), True
    number = int(uow.scalar("SELECT nextval('exchange.batch_number')"))
    receipt_no = f"B{number:010d}"
    facts = ReceiptFacts(receipt_no, caller.id, batch_id, "batch", uow.now, digest, digest)
    receipt = key.receipt(facts)
    row_id = uow.new_id()
    data_key, locked = vault_of(uow).lock(content, row_id)
    uow.execute(
        "INSERT INTO exchange.batch (id, partner, batch_id, digest, content, data_key, size, headers, receipt_no, receipt,"
        " received_at) VALUES (:id, :partner, :batch_id, :digest, :content, :data_key, :size, CAST(:headers AS jsonb),"
        " :receipt_no, :receipt, :now)",
        id=row_id, partner=caller.id, batch_id=batch_id, digest=digest, content=locked, data_key=data_key,
        size=len(content), headers=orjson.dumps(headers).decode(), receipt_no=receipt_no, receipt=receipt, now=uow.now,
    )  # fmt: skip
    journal(uow, "batch", f"{caller.id}/{batch_id}", bytes.fromhex(digest), receipt=receipt_no)
    uow.execute("SELECT pg_notify('concord_open', '')")
    return receipt, False


def work_portion(uow: UnitOfWork, key: ReceiptKey) -> bool:
    """Take the next portion of the oldest archive that waits; False when none does."""
    row = uow.one(
        "SELECT b.*, p.agency FROM exchange.batch b JOIN exchange.partner p ON p.id = b.partner WHERE b.state = 'RECEIVED'"
        " ORDER BY b.received_at, b.id LIMIT 1 FOR UPDATE OF b SKIP LOCKED"
    )
    if row is None:
        return False
    wrong: tuple[Finding, ...] = ()
    portion: list[tuple[str, bytes]] = []
    try:
        for place, record in enumerate(_records(content_of(uow, row))):
            if place >= MOST_RECORDS:
                found = f"over {MOST_RECORDS} records"
                raise Refused(Finding("LIMIT_EXCEEDED", "zip:", found, f"at most {MOST_RECORDS}"))
            if place >= row["records"]:
                portion.append(record)
            if len(portion) == PORTION:
                break
    except Refused as refused:  # what was read before it is taken all the same
        wrong = refused.findings
    _take(uow, key, row, portion)
    if wrong or len(portion) < PORTION:
        _finish(uow, row, wrong)
    return True


def _records(content: bytes) -> Iterator[tuple[str, bytes]]:
    for name, file in each_in_zip(content, LIMITS):
        if name.endswith(".jsonl"):
            for number, line in enumerate(file.split(b"\n"), start=1):
                if line.strip():
                    yield f"{name}:{number}", line.strip()
        else:
            yield name, file


def _take(uow: UnitOfWork, key: ReceiptKey, row: RowMapping, portion: list[tuple[str, bytes]]) -> None:
    given = [_given(row, content) for _, content in portion]
    taken = take(uow, key, given) if given else []
    uow.execute_many(
        "INSERT INTO exchange.batch_record VALUES (:batch, :place, :name, :message_id, :result, :receipt_no,"
        " CAST(:findings AS jsonb))",
        [
            _result(row, place, name, each, outcome)
            for place, ((name, _), each, outcome) in enumerate(
                zip(portion, given, taken, strict=True), start=row["records"] + 1
            )
        ],
    )
    uow.execute(
        "UPDATE exchange.batch SET records = records + :n WHERE id = :id", n=len(portion), id=row["id"]
    )


def _given(row: RowMapping, content: bytes) -> Given:
    """A record as a message of its own; its proof is the archive's."""
    told = checked(content, row["agency"], MOST_BODY_BYTES)
    message = told.message
    headers = {"batch": row["batch_id"], "batch-receipt": row["receipt_no"], "batch-sha256": row["digest"]}
    operation = _OPERATIONS[message.kind] if message is not None else "submit"
    if message is None or told.findings:
        return Given(row["partner"], operation, content, headers, told.message_id, findings=told.findings)
    return Given(
        row["partner"], operation, content, headers, message.message_id, message.kind, message.case_key,
        message.sequence, told.digest,
    )  # fmt: skip


def _result(row: RowMapping, place: int, name: str, given: Given, taken: Taken) -> Plain:
    receipt_no = orjson.loads(taken.receipt)["receipt_no"] if taken.receipt else None
    findings = [each.as_dict() for each in taken.findings[:20]]
    return {
        "batch": row["id"], "place": place, "name": name[:300], "message_id": given.message_id, "result": taken.result,
        "receipt_no": receipt_no, "findings": orjson.dumps(findings).decode(),
    }  # fmt: skip


def _finish(uow: UnitOfWork, row: RowMapping, wrong: tuple[Finding, ...]) -> None:
    uow.execute(
        "UPDATE exchange.batch SET state = :state, findings = CAST(:findings AS jsonb), finished_at = :now WHERE id = :id",
        state="BROKEN" if wrong else "DONE",
        findings=orjson.dumps([asdict(each) for each in wrong], default=str).decode(),
        now=uow.now,
        id=row["id"],
    )
    if wrong:
        raise_alarm(uow, "batch_broken", f"{row['partner']}/{row['batch_id']}", code=wrong[0].code)
    uow.publish("batch_finished", partner=row["partner"], batch_id=row["batch_id"])


def batch(uow: UnitOfWork, caller: Partner, asked: Plain) -> Plain:
    """How far an archive is, and how its records fared so far. Raises Refused: NOT_FOUND."""
    row = _row(uow, caller, asked)
    counts = uow.all(
        "SELECT result, count(*) AS n FROM exchange.batch_record WHERE batch = :id GROUP BY result",
        id=row["id"],
    )
    by_result = {each["result"]: each["n"] for each in counts}
    told: Plain = {"batch_id": row["batch_id"], "receipt_no": row["receipt_no"], "state": row["state"]}
    told["received_at"] = moment(row["received_at"])
    if row["finished_at"] is not None:
        told["finished_at"] = moment(row["finished_at"])
    told["records"] = row["records"]
    told |= {
        name: by_result.get(name.upper(), 0) for name in ("accepted", "duplicate", "quarantined", "refused")
    }
    told["findings"] = [_shown(each) for each in row["findings"]]
    return told


def batch_results(uow: UnitOfWork, caller: Partner, asked: Plain) -> Plain:
    """Each record's result, in the order of the archive, a page at a time. Raises Refused: NOT_FOUND."""
    row = _row(uow, caller, asked)
    after = read_cursor(str(asked.get("cursor", "")), 1)
    rows = uow.all(
        "SELECT * FROM exchange.batch_record WHERE batch = :id AND place > :after ORDER BY place LIMIT :most",
        id=row["id"],
        after=int(after[0]) if after else 0,
        most=MOST_A_PAGE + 1,
    )
    told: Plain = {"results": [_record(each) for each in rows[:MOST_A_PAGE]]}
    if len(rows) > MOST_A_PAGE:
        told["next_cursor"] = write_cursor(str(rows[MOST_A_PAGE - 1]["place"]))
    return told


def _record(row: RowMapping) -> Plain:
    told: Plain = {
        "place": row["place"],
        "name": row["name"],
        "message_id": row["message_id"],
        "result": row["result"],
    }
    if row["receipt_no"]:
        told["receipt_no"] = row["receipt_no"]
    told["findings"] = [_shown(each) for each in row["findings"]]
    return told


def _shown(finding: Plain) -> Plain:
    return {name: finding[name] for name in ("code", "path", "found", "expected", "action")}


def _row(uow: UnitOfWork, caller: Partner, asked: Plain) -> RowMapping:
    told = str(asked.get("batch_id", ""))
    row = uow.one(
        "SELECT id, batch_id, receipt_no, state, received_at, finished_at, records, findings FROM exchange.batch"
        " WHERE partner = :p AND batch_id = :b", p=caller.id, b=told,
    )  # fmt: skip
    if row is None:
        raise Refused(Finding("NOT_FOUND", "/batch_id", told[:100], "an archive that you sent"))
    return row
