"""Words on the screen: every Chinese sentence has its English, no translation is stale, every code has a word."""

from __future__ import annotations

import ast
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

import case_registry
import escrow
import mediation
from console.texts import known_texts
from console.words import flag_text, word, words
from foundation.staff import ROLES

ROOT = Path(case_registry.__file__).parents[1]
CONSOLE = ROOT / "console"
TEMPLATES = sorted((CONSOLE / "templates").glob("*.html"))
CHINESE = re.compile(r"[\u4e00-\u9fff]")
JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.S)
LITERAL = re.compile(r'"([^"]*[\u4e00-\u9fff][^"]*)"|\'([^\']*[\u4e00-\u9fff][^\']*)\'')
# The language's own name, in that language on purpose; an example of a number.
AS_IT_IS = {"中文", "瓯栖调〔2026〕云渡0001号", "、"}


def in_templates() -> set[str]:
    found = set()
    for path in TEMPLATES:
        for part in JINJA.findall(path.read_text(encoding="utf-8")):
            if not part.startswith("{#"):
                found |= {one or other for one, other in LITERAL.findall(part)}
    return found - AS_IT_IS


def in_code() -> set[str]:
    """Texts that code marks by ``say`` or hands to ``in_language``."""
    found = set()
    for path in CONSOLE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and getattr(node.func, "id", "") in ("say", "in_language")
                and node.args
            ):
                texts = [each.value for each in ast.walk(node.args[0]) if isinstance(each, ast.Constant)]
                found |= {text for text in texts if isinstance(text, str)}
    return found


def test_every_text_has_its_english() -> None:
    missing = sorted((in_templates() | in_code()) - set(known_texts()))
    assert not missing, "\n".join(missing)


def test_no_translation_is_stale() -> None:
    assert not sorted(set(known_texts()) - in_templates() - in_code())


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_no_chinese_stands_outside_the_translations(path: Path) -> None:
    bare = JINJA.sub("", path.read_text(encoding="utf-8"))
    assert not [line for line in bare.splitlines() if re.search(r"[\u4e00-\u9fff]", line)]


def test_notices_are_marked() -> None:
    """What a form ends with is a marked text, so that the reader of English gets English."""
    for path in CONSOLE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "done":
                assert not isinstance(node.args[1], ast.Constant), f"{path.name}:{node.lineno}"


MACHINES = {
    "escrow": "escrow", "payment_order": "order", "payment_outcome": "outcome", "instalment": "instalment",
    "judicial_confirmation": "confirmation", "freeze": "freeze", "decision": "decision_state", "recon_break": "break",
    "matter": "matter", "agreement": "agreement", "confirmation": "confirmation", "referral": "hand_over", "clock": "clock",
    "supervision_case": "supervision", "deposit": "deposit", "recovery": "recovery",
}  # fmt: skip


@pytest.mark.parametrize(
    "machine", [*escrow.MACHINES, *mediation.MACHINES, *case_registry.MACHINES], ids=lambda m: m.name
)
def test_every_state_has_a_word(machine) -> None:  # type: ignore[no-untyped-def]
    if machine.name in ("proposal", "conflict"):  # only open ones are shown
        return
    assert not set(machine.states) - set(words()[MACHINES[machine.name]])


def data(name: str) -> dict:  # type: ignore[type-arg]
    return tomllib.loads((ROOT / "case_registry" / "data" / name).read_text(encoding="utf-8"))


def test_every_reason_of_the_registry_has_chinese() -> None:
    said = {rule["why"] for rule in data("whereabouts.toml")["rule"]}
    said |= {row["reason"] for row in data("authority.toml")["field"]}
    assert not said - set(words()["reason"])


def test_every_rule_that_opens_a_clock_has_a_word() -> None:
    opened = {row["id"] for row in data("deadline_rules.toml")["open"]}
    table = case_registry.deadline_rules()
    grounds = {ground for rule in opened for ground in table[rule][-1].suspends_on}
    assert not opened - set(words()["rule"])
    assert not grounds - set(words()["ground"])


def test_every_step_of_an_indicator_has_a_word() -> None:
    steps = {step for each in case_registry.noted_indicators() for step in each["words"]}
    assert not steps - set(words()["step"])


def test_every_kind_that_the_database_lists_has_a_word(uow) -> None:  # type: ignore[no-untyped-def]
    for sql, group in (
        ("SELECT kind FROM escrow.account_kind", "account"),
        ("SELECT kind FROM escrow.entry_kind", "entry"),
        ("SELECT kind FROM escrow.break_limit", "break_kind"),
    ):
        codes = {row["kind"] for row in uow.all(sql)}
        assert not codes - set(words()[group]), group
    assert set(words()["break_kind"]) == set(words()["break_means"])


@cache
def product_calls() -> tuple[ast.Call, ...]:
    rooms = ("hub", "foundation", "exchange_api", "escrow", "case_registry", "mediation")
    trees = (
        ast.parse(path.read_text(encoding="utf-8")) for room in rooms for path in (ROOT / room).rglob("*.py")
    )
    return tuple(node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))


def calls(name: str, argument: int) -> set[str]:
    """Constants that are handed to a function of that name anywhere in the product."""
    return {
        str(value.value)
        for node in product_calls()
        if name in (getattr(node.func, "id", ""), getattr(node.func, "attr", ""))
        for value in node.args[argument : argument + 1]
        if isinstance(value, ast.Constant)
    }


def test_every_alarm_and_every_stop_has_a_word() -> None:
    assert len(calls("raise_alarm", 1)) > 5
    assert not calls("raise_alarm", 1) - set(words()["alarm"])
    stops = calls("place_stop_by_rule", 2) | {kind for kind in calls("place", 2) if kind.isupper()}
    assert not stops - set(words()["stop"])


def test_flags() -> None:
    assert flag_text("HOLD:250000", "zh") == "司法冻结 2,500.00 元"
    assert flag_text("REPEAT:2", "en") == "Repeat petition ×2"
    assert flag_text("RELEASES_HELD", "zh") == "暂停付款"
    assert flag_text("NEW_FLAG:3", "zh") == "NEW_FLAG 3"
    flags = set(words()["flag"]) - {"PAYEE_DEAD"}
    assert flags <= set(words()["flag_why"])


def test_unknown_code_is_shown_as_it_is() -> None:
    assert word("SOMETHING", "stage", "zh") == "SOMETHING"
    assert word(None, "stage", "zh") == ""
    assert {pair[0] for pair in ROLES.values()} >= {"经办", "复核"}
