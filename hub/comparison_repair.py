"""Repairs what a comparison found: asks for the messages missing here, owes those missing there again, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import RowMapping

from connectors import all_connectors
from connectors.open_contract.checking import checked
from foundation import inbox, outbox, partners
from foundation.journal import raise_alarm
from foundation.receipts import receipt_key
from foundation.unit_of_work import UnitOfWork, unit_of_work
from hub.comparison_client import Ask, Fetched, fetch
from hub.pipeline import Hub, process
from hub.submitting import MOST_TOGETHER, Given, take
from schemas.exchange import RawMessage
from schemas.holdings import MOST_IDS
from schemas.open_contract import MOST_BODY_BYTES

MOST = 20_000
_OPERATIONS = {"record": "submit", "correction": "correction", "withdrawal": "withdrawal"}
# What is done with each kind, by way. ASK: for the message; ASK_BACK: for the message that took it back; SEND: again;
# else a word of console/data/words.csv (difference_note): it waits for a person.
ASK, ASK_BACK, SEND = "ASK", "ASK_BACK", "SEND"
DONE: dict[tuple[str, str], str] = {
    ("to_hub", "MISSING_HERE"): ASK,
    ("to_hub", "DIFFERENT"): ASK,
    ("to_hub", "WITHDRAWN"): ASK_BACK,
    ("to_hub", "MISSING_THERE"): "NOT_LISTED_BY_SENDER",
    ("from_hub", "MISSING_THERE"): SEND,
    ("from_hub", "MISSING_HERE"): "NOT_SENT_BY_US",
    ("from_hub", "DIFFERENT"): "OTHER_CONTENT_THERE",
    ("from_hub", "WITHDRAWN"): "OURS_WITHDRAWN_THERE",
}


def repair(hub: Hub, partner: str, ask: Ask) -> dict[str, Any]:
    """Do what can be done about a partner's open differences; counts. Raises PartnerAway, AnswerBroken.

    Safe to run again: a message that came before is known by its id, one that is owed already is not owed twice.
    """
    with unit_of_work(hub.engine) as uow:
        rows = uow.all(
            "SELECT * FROM exchange.difference WHERE partner = :p AND done = 'OPEN' ORDER BY day, message_id LIMIT :n",
            p=partner, n=MOST,
        )  # fmt: skip
    told = {"repaired": 0, "person": 0, "asked_for": 0, "calls": 0}
    by_what: dict[str, list[RowMapping]] = {}
    for row in rows:
        what = DONE[row["way"], row["kind"]]
        if what == ASK_BACK and not row["theirs"].endswith(" withdrawn"):
            what = "WITHDRAWN_HERE_ONLY"
        by_what.setdefault(what, []).append(row)
    for what, several in by_what.items():
        if what in (ASK, ASK_BACK):
            told["asked_for"] += len(several)
            told["calls"] += -(-len(several) // MOST_IDS)
            told["repaired"] += _ask(hub, partner, ask, several, back=what == ASK_BACK)
        elif what == SEND:
            told["repaired"] += _send(hub, partner, several)
        else:
            told["person"] += _leave(hub, several, what)
    return told


def _ask(hub: Hub, partner: str, ask: Ask, rows: list[RowMapping], *, back: bool) -> int:
    """Ask for these messages and take them in by the way of every other message; how many came and were taken."""
    by_id = {row["message_id"]: row for row in rows}
    taken = 0
    portion: list[Fetched] = []
    for each in fetch(ask, sorted(by_id)):
        portion.append(each)
        if len(portion) == MOST_IDS:
            taken += _take(hub, partner, by_id, portion, back=back)
            portion = []
    return taken + _take(hub, partner, by_id, portion, back=back)


def _take(hub: Hub, partner: str, by_id: dict[str, RowMapping], fetched: list[Fetched], *, back: bool) -> int:
    contents = [(each.id, each.withdrawn_by if back else each.content) for each in fetched]
    contents = [(name, content) for name, content in contents if content]
    results = (
        _by_adapter(hub, partner, contents) if partner in all_connectors() else _by_contract(hub, partner, contents)
    )  # fmt: skip
    with unit_of_work(hub.engine) as uow:
        for name, result in results.items():
            # The same id with other content is in quarantine now, with its alarm: which one holds, a person decides.
            done = "ASKED" if result in ("ACCEPTED", "DUPLICATE", "PARKED") else "PERSON"
            _mark(uow, [by_id[name]], done, result)
    return sum(result in ("ACCEPTED", "PARKED") for result in results.values())


def _by_contract(hub: Hub, partner: str, contents: list[tuple[str, bytes]]) -> dict[str, str]:
    key = receipt_key(hub.settings.key_dir)
    results: dict[str, str] = {}
    for start in range(0, len(contents), MOST_TOGETHER):
        portion = contents[start : start + MOST_TOGETHER]
        with unit_of_work(hub.engine) as uow:
            agency = str(partners.partner(uow, partner)["agency"])
            given = [_given(partner, agency, content) for _, content in portion]
            results |= {
                name: told.result for (name, _), told in zip(portion, take(uow, key, given), strict=True)
            }
    return results


def _given(partner: str, agency: str, content: bytes) -> Given:
    """A message that was asked for; it proves itself by the partner's answer to our signed call, kept as its headers say."""
    told = checked(content, agency, MOST_BODY_BYTES)
    headers = {"x-asked-for": "comparison"}
    if told.message is None or told.findings:
        return Given(partner, "submit", content, headers, told.message_id, findings=told.findings)
    message = told.message
    return Given(
        partner, _OPERATIONS[message.kind], content, headers, message.message_id, message.kind, message.case_key,
        message.sequence, told.digest,
    )  # fmt: skip


def _by_adapter(hub: Hub, partner: str, contents: list[tuple[str, bytes]]) -> dict[str, str]:
    results = {}
    for name, content in contents:
        with unit_of_work(hub.engine) as uow:
            raw = RawMessage(partner, "pull", "", content, uow.now, {"x-asked-for": "comparison"})
            stored = inbox.store_in(uow, raw)
        results[name] = process(hub, stored.id).outcome.result
    return results


def _send(hub: Hub, partner: str, rows: list[RowMapping]) -> int:
    """Owe these messages again, the same bytes; those that are still on their way are left there."""
    with unit_of_work(hub.engine) as uow:
        again = set(outbox.send_again(uow, partner, [row["message_id"] for row in rows], "missing there"))
        _mark(uow, [row for row in rows if row["message_id"] in again], "SENT", "SENT_AGAIN")
        _mark(uow, [row for row in rows if row["message_id"] not in again], "SENT", "ON_ITS_WAY")
    return len(again)


def _leave(hub: Hub, rows: list[RowMapping], words: str) -> int:
    with unit_of_work(hub.engine) as uow:
        _mark(uow, rows, "PERSON", words)
        raise_alarm(uow, "difference_for_person", f"{rows[0]['partner']}/{rows[0]['kind']}", count=len(rows))
    return len(rows)


def _mark(uow: UnitOfWork, rows: Iterable[RowMapping], done: str, note: str) -> None:
    uow.execute(
        "UPDATE exchange.difference SET done = :done, done_at = :now, note = :note WHERE id = ANY(:ids)",
        done=done, now=uow.now, note=note[:500], ids=[row["id"] for row in rows],
    )  # fmt: skip
