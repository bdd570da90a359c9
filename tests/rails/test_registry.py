"""Rails are found by their folders; a made-up third one works with nothing else changed; limits are data."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from escrow import rail_limits
from escrow.rails import Incoming, load_rails
from schemas.money import Fen
from schemas.workdays import work_calendar
from tests.rails.alipay_side import ONE as WALLET_ONE
from tests.rails.bench import ALIPAY, BANK, RAILS, beijing, context

MANIFEST = """
id = "{id}"
name_zh = "邮政汇款"
name_en = "Postal order"
[properties]
holds_case_money = false
[account]
office = "330399"
[limits]
payment_min_fen = 100
payment_max_fen = 1000000
day_max_fen = 1500000
number_max = 20
remark_max = 10
[hours]
cut_off = ""
interbank_closed = []
large_fen = 0
large_hours = []
[payee]
kinds = ["post"]
id_kinds = ["person"]
required = ["number", "payee_name"]
[statement]
kind = "list"
[unknown]
grace_s = 60
needs_statement = false
[status]
PAID = "DONE"
"""
CODE = '''
"""A way to pay that exists in this test only."""
from datetime import date
from escrow.rails import Advice, OrderOutcome, OutgoingRequest, Reply, StatementLine
from schemas.money import Fen


def wrap(document, ctx):
    return OutgoingRequest("POST", "/pay", "order", body=document, document=document)


def order(instruction, ctx):
    return wrap(f"{instruction.number}|{instruction.amount.yuan_text()}".encode(), ctx)


def ask(instruction, ctx):
    return OutgoingRequest("GET", f"/paid/{instruction.number}", "ask", instruction.number)


def verify(incoming, ctx):
    number, word = incoming.content.decode().split("|")
    return Advice("outcome", outcomes=(OrderOutcome(number, ctx.manifest["status"].get(word, "UNKNOWN"), word),))


def statement(content, ctx):
    number, yuan = content.decode().split("|")
    amount, day = Fen.from_yuan_text(yuan), date(2026, 4, 1)
    line = StatementLine(ctx.account("office"), True, "DBIT", amount, number, day, day, our_number=number)
    return Advice("statement", lines=(line,))


def answer(advice, result, ctx):
    return Reply(b"ok")
'''


def made_up(folder: Path, name: str = "postal_order", code: str = CODE, manifest: str = MANIFEST) -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text(code, "utf-8")
    (folder / name / "manifest.toml").write_text(manifest.format(id=name), "utf-8")
    return folder


def test_two_rails_are_ours():
    assert sorted(RAILS) == ["alipay", "bank_direct"]
    assert [rail.has("holds_case_money") for rail in (ALIPAY, BANK)] == [False, True]
    assert BANK.unknown_grace_s == 1800 and ALIPAY.unknown_grace_s == 600
    assert ALIPAY.open_subaccount is None and BANK.bill_link is None


def test_a_third_rail_is_a_folder_and_nothing_else(tmp_path):
    rails = load_rails([made_up(tmp_path)])
    assert sorted(rails) == ["alipay", "bank_direct", "postal_order"]
    third = rails["postal_order"]
    ctx = context(third)
    request = third.order(WALLET_ONE, ctx)
    assert request.document == b"OQAL202700000009|55927.01"
    (one,) = third.verify(Incoming(b"OQAL202700000009|PAID"), ctx).outcomes
    assert one.outcome == "DONE"
    (line,) = third.statement(b"OQAL202700000009|55927.01", ctx).lines
    assert line.our_number == WALLET_ONE.number and line.account == "330399"
    assert third.batch is None and third.name_zh == "邮政汇款"


def test_found_by_the_environment_too(tmp_path, monkeypatch):
    monkeypatch.setenv("CONCORD_RAIL_PATH", str(made_up(tmp_path, "from_environment")))
    assert "from_environment" in load_rails()


def test_rails_that_are_not_whole(tmp_path):
    with pytest.raises(ValueError, match="has no ask"):
        load_rails([made_up(tmp_path / "a", "half", CODE.split("def ask")[0])])
    with pytest.raises(ValueError, match="two rails"):
        load_rails([made_up(tmp_path / "b", "alipay")])
    with pytest.raises(ValueError, match="folder's name"):
        load_rails([made_up(tmp_path / "c", "renamed", manifest=MANIFEST.replace("{id}", "other"))])


def test_no_room_names_a_rail():
    """Ids of rails stand in their own folders only (and in stand-ins, tests, docs, data)."""
    root = BANK.folder.parents[2]
    leaks = []
    for room in (
        "schemas",
        "foundation",
        "case_registry",
        "mediation",
        "escrow",
        "hub",
        "exchange_api",
        "console",
        "dags",
        "connectors",
    ):
        for path in (root / room).rglob("*.py"):
            if any(BANK.folder.parent / rail_id in path.parents for rail_id in RAILS):
                continue
            text = path.read_text("utf-8")
            leaks += [
                f"{path.relative_to(root)}: {rail_id}"
                for rail_id in RAILS
                if re.search(rf"\b{rail_id}\b", text)
            ]
    assert leaks == []


BANK_ONE = replace(WALLET_ONE, payee_bank_code="402339900013", payee_id="330399199001010012", number="OQ1")


@pytest.mark.parametrize(
    ("rail", "changes", "paths"),
    [
        (BANK, {}, []),
        (BANK, {"payee_bank_code": "", "payee_id": ""}, ["payee_bank_code", "payee_id"]),
        (BANK, {"amount": Fen(10**11)}, ["amount"]),
        (BANK, {"number": "O" * 33}, ["number"]),
        (BANK, {"payee_account_kind": "ALIPAY_LOGON_ID"}, ["payee_account_kind"]),
        (ALIPAY, {"amount": Fen(9)}, ["amount"]),
        (ALIPAY, {"payee_account": ""}, ["payee_account"]),
    ],
)
def test_limits_are_data(rail, changes, paths):
    found = rail_limits.check_instruction(rail.manifest, replace(BANK_ONE, **changes))
    assert [finding.path for finding in found] == paths


def test_a_days_limit(tmp_path):
    third = load_rails([made_up(tmp_path, "day_limit")])["day_limit"]
    one = replace(WALLET_ONE, amount=Fen(900000), number="N1", remark="")
    assert rail_limits.check_instruction(third.manifest, one, 600000) == []
    assert [f.path for f in rail_limits.check_instruction(third.manifest, one, 600001)] == ["amount"]
    other = replace(one, payee_id_kind="organisation", remark="款" * 11)
    assert [f.path for f in rail_limits.check_instruction(third.manifest, other)] == [
        "payee_id_kind",
        "remark",
    ]


@pytest.mark.parametrize(
    ("fen", "now", "then"),
    [
        (100, "2026-04-07T09:00:00", "2026-04-07T09:00:00"),
        (100, "2026-04-07T23:40:00", "2026-04-08T00:30:00"),
        (100, "2026-04-07T00:10:00", "2026-04-07T00:30:00"),
        (500000000, "2026-04-07T07:00:00", "2026-04-07T08:30:00"),
        (500000000, "2026-04-07T12:00:00", "2026-04-07T12:00:00"),
        (500000000, "2026-04-03T18:00:00", "2026-04-07T08:30:00"),  # 4 to 6 April is a holiday
        (499999999, "2026-04-04T18:00:00", "2026-04-04T18:00:00"),
    ],
)
def test_hours_of_the_bank(fen, now, then):
    found = rail_limits.earliest_sending(BANK.manifest, Fen(fen), beijing(now), work_calendar().is_workday)
    assert found == beijing(then)


def test_cut_off():
    assert rail_limits.execution_day(BANK.manifest, beijing("2026-04-07T22:30:00")) == date(2026, 4, 7)
    assert rail_limits.execution_day(BANK.manifest, beijing("2026-04-07T22:31:00")) == date(2026, 4, 8)
    assert rail_limits.execution_day(ALIPAY.manifest, beijing("2026-04-07T23:59:00")) == date(2026, 4, 7)
    assert rail_limits.earliest_sending(
        ALIPAY.manifest, Fen(1), beijing("2026-04-07T23:59:00"), lambda d: False
    )
