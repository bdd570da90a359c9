"""The second bank over the wire: its stand-in's own book judges. Accepted, refused and unknown are kept apart; what is unknown is
asked before it is repeated; a 对账文件 that does not add up is refused with line and field; the folder is taken from safely."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from escrow.rail_types import (
    Advice,
    Incoming,
    Instruction,
    KnownOrder,
    OutgoingRequest,
    RailContext,
    SubaccountRequest,
)  # fmt: skip
from escrow.rails import Rail, load_rails
from foundation.keys import KeyStore
from foundation.wire import Wire
from sandbox.city_bank.book import FAILED
from sandbox.city_bank.files import LENGTH
from sandbox.city_bank.service import Bank
from schemas.money import Fen
from tests.rails.city_bank_side import ACCOUNT, DAY, MORE, NOW, RAIL, keys_in, running_bank, some_day


@pytest.fixture(scope="module")
def rail() -> Rail:
    return load_rails([MORE])[RAIL]


@pytest.fixture
def keys(tmp_path: Path) -> KeyStore:
    return keys_in(tmp_path / "keys")


@pytest.fixture
def bank() -> Iterator[Bank]:
    with running_bank() as found:
        yield found


class Desk:
    """Sends what the rail makes and reads what the bank says, as the escrow room does."""

    def __init__(self, rail: Rail, keys: KeyStore, bank: Bank, wire: Wire) -> None:
        self.rail, self.bank, self.wire = rail, bank, wire
        self.ctx = RailContext(rail.manifest, keys, NOW)

    def send(self, request: OutgoingRequest, number: str) -> Advice | str:
        found = self.wire.request(
            request.method,
            self.bank.url + request.path,
            headers=dict(request.headers),
            content=request.body,
            timeout_s=0.4 if self.bank.faults[:1] == ["silent"] else 20.0,
        )
        if found.outcome != "ANSWERED":
            return found.outcome
        return self.rail.verify(
            Incoming(
                found.content,
                "reply",
                request.operation,
                number,
                found.status or 0,
                headers=dict(found.headers),
            ),
            self.ctx,
        )

    def pay(self, one: Instruction) -> str:
        advice = self.send(self.rail.order(one, self.ctx), one.number)
        return advice if isinstance(advice, str) else advice.outcomes[0].outcome

    def ask(self, one: Instruction) -> str:
        advice = self.send(self.rail.ask(one, self.ctx), one.number)
        assert isinstance(advice, Advice)
        return "RETURNED" if advice.returns else advice.outcomes[0].outcome


@pytest.fixture
def desk(rail: Rail, keys: KeyStore, bank: Bank, wire: Wire) -> Desk:
    return Desk(rail, keys, bank, wire)


def payment(number: str = "OQ1", fen: int = 123_456, name: str = "夏晓·𠮷", **more: Any) -> Instruction:
    told: dict[str, Any] = {
        "debit_account": ACCOUNT, "payee_name": name, "payee_account": "9955000000000028", "execute_on": DAY, "created_at": NOW,
        "payee_bank_code": "402339900017", "remark": "瓯栖调〔2026〕石坦0001号", **more,
    }  # fmt: skip
    return Instruction(number, Fen(fen), **told)


def test_a_payment_from_accepted_to_returned(desk: Desk) -> None:
    one = payment()
    assert desk.pay(one) == "ACCEPTED" and desk.ask(one) == "ACCEPTED"
    assert desk.pay(one) == "ACCEPTED", "the same again is the same transaction"
    desk.bank.book.carry_out(DAY)
    assert desk.ask(one) == "DONE" and desk.bank.book.paid() == {"OQ1": 123_456}
    assert desk.pay(payment(fen=999)) == "UNKNOWN", "its serial was used with other content: ask"
    desk.bank.book.come_back("20260402", "OQ1", DAY)
    assert desk.ask(one) == "RETURNED" and desk.bank.book.paid() == {"OQ1": 0}
    opened = desk.send(
        desk.rail.open_subaccount(SubaccountRequest("OQREQ00001", "案1", "", Fen(1)), desk.ctx), "OQREQ00001"
    )  # type: ignore[misc]
    assert isinstance(opened, Advice) and opened.subaccount.startswith(desk.bank.book.parent[:14])


def test_what_is_refused_is_not_what_is_unknown(desk: Desk, keys: KeyStore) -> None:
    assert desk.pay(payment("OQ2", debit_account="9910339900000299999")) == "REFUSED"
    wrong = RailContext(desk.rail.manifest, KeyStore(keys.folder.parent / "other"), NOW)
    wrong.keys.put_secret(f"{RAIL}.shared", "x" * 32)  # type: ignore[attr-defined]
    advice = desk.send(desk.rail.order(payment("OQ3"), wrong), "OQ3")
    assert isinstance(advice, Advice) and advice.outcomes[0].outcome == "UNKNOWN", (
        "a refusal that names no serial is no word on ours"
    )
    assert desk.pay(payment("OQ4", name="不符")) == "ACCEPTED"
    desk.bank.book.carry_out(DAY, fail="不符")
    assert (
        desk.bank.book.taken["20260402", "OQ4"]["state"] == FAILED
        and desk.ask(payment("OQ4", name="不符")) == "REFUSED"
    )
    assert desk.bank.book.paid() == {}


@pytest.mark.parametrize(
    "fault",
    [
        "silent",
        "after_500",
        "before_500",
        "garbage",
        "wrong_seal",
        "other_serial",
        "unheard_word",
        "unheard_code",
    ],
)
def test_unknown_is_asked_and_paid_once(desk: Desk, fault: str) -> None:
    """Whatever became of the call, the outcome is UNKNOWN; the question tells, and the book holds the payment at most once."""
    desk.bank.faults = [fault]
    one = payment("OQ5")
    assert desk.pay(one) == "UNKNOWN"
    taken = ("20260402", "OQ5") in desk.bank.book.taken
    assert taken == (fault != "before_500")
    if taken:
        desk.bank.book.carry_out(DAY)
        assert desk.ask(one) == "DONE"
    else:
        assert desk.ask(one) == "UNKNOWN", "no such transaction proves nothing so soon"
        sent = NOW.replace(hour=0)
        known = KnownOrder("OQ5", one.amount, sent_at=sent, statement_taken=True)
        desk.ctx = dataclasses.replace(desk.ctx, known_order=lambda _: known)
        assert desk.ask(one) == "NOT_SENT", (
            "after the grace, beside the day's statement, the same number may go again"
        )
        desk.ctx = dataclasses.replace(
            desk.ctx, known_order=lambda _: dataclasses.replace(known, statement_taken=False)
        )
        assert desk.ask(one) == "UNKNOWN"
        assert desk.pay(one) == "ACCEPTED"
        desk.bank.book.carry_out(DAY)
    assert desk.bank.book.paid() == {"OQ5": 123_456}


def test_a_day_is_read_as_the_bank_wrote_it(desk: Desk) -> None:
    for number, fen in (("OQ6", 300), ("OQ7", 500)):
        desk.pay(payment(number, fen))
    desk.bank.book.carry_out(DAY)
    content = some_day(desk.bank, Random(7), 40)
    advice = desk.rail.statement(content, desk.ctx)
    rows = [each for each in desk.bank.book.accounts[ACCOUNT] if each.day == DAY]
    assert [(int(line.signed), line.our_number or "") for line in advice.lines] == [
        (row.fen, row.serial) for row in rows
    ]
    (info,) = advice.statements
    assert (info.opening, info.closing, info.lines) == (10_000_000, desk.bank.book.balance(ACCOUNT), 42)
    assert len({line.key for line in advice.lines}) == 42 and advice.lines[0].party_name == "夏晓·𠮷"


def test_what_does_not_add_up_is_refused_with_its_place(desk: Desk) -> None:
    content = some_day(desk.bank, Random(8), 3)
    rows = content.split(b"\r\n")

    def told(change: Callable[[list[bytes]], None]) -> set[tuple[str, str]]:
        made = list(rows)
        change(made)
        advice = desk.rail.statement(b"\r\n".join(made), desk.ctx)
        assert advice.kind == "nothing" and not advice.lines and advice.findings
        return {(each.code, each.path) for each in advice.findings}

    def patch(line: int, at: int, by: bytes) -> Callable[[list[bytes]], None]:
        def change(made: list[bytes]) -> None:
            made[line] = made[line][:at] + by + made[line][at + len(by) :]

        return change

    assert told(patch(1, 25, b"9")) >= {
        ("AMOUNT_MISMATCH", "line[5]/credit_fen"),
        ("BALANCE_MISMATCH", "line[5]/closing"),
    }
    assert told(patch(2, 25, b"x")) == {("AMOUNT_UNREADABLE", "line[3]/fen")}
    assert told(patch(2, 8, b"20260431")) == {("DATE_UNREADABLE", "line[3]/booked")}
    assert told(patch(2, 24, b"X")) == {("CODE_UNKNOWN", "line[3]/side")}
    assert told(patch(2, 1, b"0000009")) == {("SCHEMA_VIOLATION", "line[3]/no")}
    assert told(patch(3, 128, b"\xff\xff")) == {("ENCODING_MISMATCH", "line[4]/other_name")}
    assert told(patch(3, 249, b"!")) == {("SCHEMA_VIOLATION", "line[4]/filler")}
    assert told(patch(4, 1, b"0000009")) == {("COUNT_MISMATCH", "line[5]/count")}
    assert told(patch(0, 0, b"Z")) == {("CODE_UNKNOWN", "line[1]/tag")}
    assert told(lambda made: made.pop(2)) >= {
        ("COUNT_MISMATCH", "line[4]/count"),
        ("SCHEMA_VIOLATION", "line[3]/no"),
    }
    assert told(lambda made: made.pop(4)) == {("SCHEMA_VIOLATION", "/")}
    assert told(lambda made: made.__setitem__(2, made[2][:-1])) == {("SCHEMA_VIOLATION", "line[3]")}
    assert len(rows[0]) == LENGTH


def test_no_byte_of_a_file_can_be_changed_unseen_or_crash(desk: Desk) -> None:
    """Every changed byte is refused, or stands in a field that no total covers (names, texts, references)."""
    random, content = Random(9), some_day(desk.bank, Random(9), 4)
    right = desk.rail.statement(content, desk.ctx)
    for _ in range(400):
        at = random.randrange(len(content))
        made = content[:at] + bytes([random.randrange(256)]) + content[at + 1 :]
        advice = desk.rail.statement(made, desk.ctx)
        if advice.kind == "statement":
            assert [line.amount for line in advice.lines] == [line.amount for line in right.lines]
            read, wrote = advice.statements[0], right.statements[0]
            assert (read.opening, read.closing) == (wrote.opening, wrote.closing)
