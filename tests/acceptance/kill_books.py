"""What the books of the bank, the wallet and the partners say after the story: nothing twice, nothing lost."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import httpx

from sandbox.stories import messages
from sandbox.stories.hub_api import HubApi
from sandbox.stories.pack import Story

SETTLED_WITHIN_S = 90.0
AUDITOR, OPERATOR = "auditor1", "operator1"


def differences(urls: dict[str, str], logins: dict[str, str], story: Story) -> list[str]:
    """Every point in which the books differ from what the story must come to; empty when there is none."""
    hub = HubApi(urls["api"], logins)
    wrong = _hub_is_done(hub)
    told = [messages.read(step.content) for step in story.steps if step.sender == "hub" and step.content]
    paid = [each.fen for each in told if each.kind == "credit_transfer"]
    transferred = [each.fen for each in told if each.kind.startswith("transfer")]
    (number,) = [row.mediation_number for row in story.disputes.values()]
    escrow = hub.get(AUDITOR, "/v1/escrow", mediation_number=number)
    wrong += _bank(_get(urls["sandbox_bank"], "/control/bank/book"), paid, escrow)
    wrong += _wallet(_get(urls["sandbox_bank"], "/control/alipay/book"), transferred)
    wrong += _orders(escrow, [*paid, *transferred])
    for home in ("sandbox_partners", "sandbox_bank"):
        for partner in _get(urls[home], "/control/health")["partners"]:
            wrong += _partner(hub, urls[home], partner)
    return wrong


def _get(url: str, path: str, **params: Any) -> Any:
    answer = httpx.get(f"{url}{path}", params=params, timeout=30, trust_env=False)
    answer.raise_for_status()
    return answer.json()


def _hub_is_done(hub: HubApi) -> list[str]:
    """Nothing waits, nothing is dead, and the ledger proves itself."""
    limit = time.monotonic() + SETTLED_WITHIN_S
    names = ("inbox_waiting", "outbox_waiting", "outbox_dead", "quarantined")
    while True:
        health = hub.get(AUDITOR, "/v1/health")
        left = {name: health[name] for name in names if health[name]}
        if not left or time.monotonic() > limit:
            break
        time.sleep(0.5)
    wrong = [f"hub: {name} {number}" for name, number in left.items()]
    wrong += [f"ledger: {each}" for each in hub.get(AUDITOR, "/v1/reconciliation")["violations"]]
    return wrong


def _bank(book: dict[str, Any], paid: list[int], escrow: dict[str, Any]) -> list[str]:
    """Each payment once, each sum right, each account of the case as the hub has it."""
    wrong = [f"bank paid {each} more than once" for each in book["executed"]["more_than_once"]]
    wrong += [
        f"bank paid the same sum to the same payee: {each}" for each in book["executed"]["same_payee_and_sum"]
    ]
    executed = sorted(each["executed_fen"] for each in book["payments"] if each["executions"])
    if executed != sorted(paid):
        wrong.append(f"bank paid {executed}, the story {sorted(paid)}")
    if not book["balanced"]:
        wrong.append("the bank's own book does not add up")
    credits = [each for each in book["entries"] if each["kind"] == "deposit"]
    if len(credits) != len({(each["account"], each["ref"]) for each in credits}):
        wrong.append(f"a deposit stands twice in the bank's book: {credits}")
    held = {each["account"]: each["ledger_fen"] for each in book["accounts"]}
    came = sum(each["fen"] for each in credits if each["account"] in _accounts(escrow))
    if came != escrow["funded_fen"]:
        wrong.append(f"the bank took {came} for the case, the hub has {escrow['funded_fen']}")
    for account in _accounts(escrow):
        if account not in held:
            wrong.append(f"the bank has no account {account}")
    return wrong


def _accounts(escrow: dict[str, Any]) -> list[str]:
    return [str(each["number"]) for each in escrow["accounts"] if each["kind"] == "SUB"]


def _wallet(book: dict[str, Any], transferred: list[int]) -> list[str]:
    wrong = [f"wallet paid the same twice: {each}" for each in book["same_payee_and_sum"]]
    wrong += [
        f"wallet carried {each['out_biz_no']} out {each['executions']} times"
        for each in book["orders"]
        if each["executions"] != 1
    ]
    sums = sorted(each["fen"] for each in book["orders"])
    if sums != sorted(transferred):
        wrong.append(f"wallet paid {sums}, the story {sorted(transferred)}")
    return wrong if book["balanced"] else [*wrong, "the wallet's own book does not add up"]


def _orders(escrow: dict[str, Any], sums: list[int]) -> list[str]:
    """In the hub: one order for each payment, all of them paid."""
    found = Counter((each["state"], int(each["amount_fen"])) for each in escrow["orders"])
    wanted = Counter(("PAID", fen) for fen in sums)
    wrong = [] if found == wanted else [f"hub's orders {dict(found)}, wanted {dict(wanted)}"]
    if escrow["released_fen"] != sum(sums):
        wrong.append(f"hub released {escrow['released_fen']}, the story {sum(sums)}")
    return wrong


def _partner(hub: HubApi, url: str, partner: str) -> list[str]:
    """A repetition is the same message again; what the partner sent was taken, what the hub owed arrived."""
    wrong = []
    book = _get(url, f"/control/books/{partner}", limit=1000, bodies="false")
    for each in book["duplicates"]:
        if each["differs"]:
            wrong.append(
                f"{partner}: {each['operation']} {each['request_id']} came again with another content"
            )
    sent: dict[tuple[str, str], set[str]] = {}
    for entry in book["entries"]:
        if entry["direction"] == "out" and entry["request_id"]:
            sent.setdefault((entry["operation"], entry["request_id"]), set()).add(entry["verdict"])
    for (operation, request_id), verdicts in sent.items():
        if not any(verdict.startswith(("ACCEPTED", "A00000", "success")) for verdict in verdicts):
            wrong.append(f"{partner}: the hub never took {operation} {request_id}: {sorted(verdicts)}")
    return wrong
