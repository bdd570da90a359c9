"""What banks, gateways and payers do in a story, through their own stand-ins; and what those have in their books."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from sandbox.stories.hub_api import wait_for
from sandbox.stories.learning import learn_subaccount, row_of
from sandbox.stories.money_desk import OPERATOR, detail, fen_of, newest_order, rail_of
from sandbox.stories.pack import Step

if TYPE_CHECKING:
    from sandbox.stories.play import Stage

BANK = "bank"
WITHIN_S = 20.0
PAYER_ACCOUNT = "9955000000000000018"


def pays(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    """Money comes to the case's sub-account, or to the escrow account itself, from a party, a stranger or nobody named."""
    row = row_of(stage, step)
    who = {"a third person": "T1", "nobody named": ""}.get(match["who"], match["who"])
    payer = stage.story.accounts.get(row.id, {}).get(who, {}) if who else {}
    name = payer.get("name", "")
    if who and not name:
        people = row.respondents if who[0] == "R" else row.applicants
        name = people[int(who[1:]) - 1][0]
    account = {"parent": True} if match["parent"] else {"account": learn_subaccount(stage, row)}
    stage.stand_ins.order(
        rail_of(step),
        deposit={
            **account, "fen": fen_of(match["sum"]), "payer_name": name, "text": match["text"] or "调解款",
            "payer_account": (payer.get("account") or PAYER_ACCOUNT) if who else "", "masked": bool(match["masked"]),
            "tell": not match["silent"],
        },
    )  # fmt: skip
    return []


def manner(mode: str) -> Callable[[Stage, Step, re.Match[str]], list[str]]:
    def order(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
        stage.stand_ins.order(rail_of(step), policy={"mode": mode, "times": 1})
        return []

    return order


def _number(stage: Stage, step: Step) -> str:
    return str(newest_order(stage, row_of(stage, step))["number"])


def carry_out(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    stage.stand_ins.order(rail_of(step), release={"e2e": _number(stage, step)})
    return []


def moves(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    """What came on the escrow account for a case goes to the case's own."""
    told = {"to": learn_subaccount(stage, row_of(stage, step)), "fen": fen_of(match["sum"]), "text": "调账"}
    stage.stand_ins.order(rail_of(step), move=told)
    return []


def give_back(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    stage.stand_ins.order(rail_of(step), **{"return": {"e2e": _number(stage, step)}})
    return []


def _book(stage: Stage, partner: str) -> dict[str, Any]:
    found: dict[str, Any] = stage.stand_ins.books(partner, since=0, limit=1, bodies=False)["book"]
    return found


def day_ends(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    """The night's statements, with a slip in this case's one where the story says so; then the hub reconciles the day."""
    day = step.at.date().isoformat()
    slip: dict[str, Any] = {}
    if match["slip"]:
        account = learn_subaccount(stage, row_of(stage, step))
        entries = [
            e for e in _book(stage, BANK)["entries"] if e["account"] == account and e["kind"] == match["what"]
        ]
        slip = {
            {"lacks": "omit", "doubles": "double", "cuts off": "cut"}[match["slip"]]: [entries[-1]["ref"]],
            "account": account,
        }
    stage.stand_ins.order(BANK, close_day={"day": day, **slip})
    if not wait_for(lambda: all(each["state"] != "DUE" for each in _book(stage, BANK)["outbound"]), WITHIN_S):
        stage.notes.append("not every statement was taken")
    stage.hub.post(OPERATOR, "/v1/jobs/reconcile", {"day": day})
    return []


def restate(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    stage.stand_ins.order(BANK, restate={"account": learn_subaccount(stage, row_of(stage, step))})
    return []


def change_key(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    stage.learnt["certificate"] = stage.stand_ins.order(BANK, rotate_key={})["certificate"]
    return []


def enter_certificate(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    pem = stage.learnt["certificate"]
    fingerprint = x509.load_pem_x509_certificate(pem.encode()).fingerprint(hashes.SHA256()).hex()
    body = {"certificate": pem, "fingerprint": fingerprint, "reason": "银行换发签名证书"}
    stage.hub.post(OPERATOR, f"/v1/partners/{BANK}/certificate", body)
    return []


def send_again(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    stage.stand_ins.order(rail_of(step), resend={})
    return []


# -- the gateway -----------------------------------------------------------------------------------------------


def answer_lost(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    stage.stand_ins.fault(rail_of(step), kind="reset", operation="transfer", point="after")
    return []


def answer_late(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    """It pays at once and tells of it at once; its answer to the call itself is held back."""
    stage.stand_ins.fault(rail_of(step), kind="delay", operation="transfer", point="late", seconds=6.0)
    return []


def late_answer(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    """The hub has both by now, the notice first: so the story was played as it is told."""
    order = newest_order(stage, row_of(stage, step))["id"]
    said: list[str] = []

    def both() -> bool:
        words = stage.hub.get(OPERATOR, f"/v1/orders/{order}")["words"]
        said[:] = [each["source"] for each in words if each["source"] in ("NOTICE", "REPLY")]
        return "REPLY" in said

    if not wait_for(both, WITHIN_S):
        return ["the gateway's answer has not arrived"]
    return [] if said.index("REPLY") > said.index("NOTICE") else [f"they came as {said}"]


_BAD: dict[str, dict[str, Any]] = {
    "for another merchant": {"app_id": "2021000000000009"},
    "with a forged signature": {"sign": "bad"},
    "of another sum": {"trans_amount": "0.01"},
}


def bad_notice(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    """A notice that must not be believed: one that is not for us, or not from the gateway, is not answered `success`; one
    that is rightly signed and says something else than we sent is stored, answered, and an alarm."""
    alarms = _alarms(stage)
    order = {"out_biz_no": _number(stage, step), "apply": False, "status": "SUCCESS", **_BAD[match["what"]]}
    told = stage.stand_ins.tell(rail_of(step), order)
    stage.notes.append(f"answered {str(told.get('reply'))[:40]!r}")
    if "alarm" in step.action:
        return [] if wait_for(lambda: _alarms(stage) > alarms, WITHIN_S) else ["no alarm"]
    return ["the hub took it: success"] if told.get("verdict") == "success" else []


def _alarms(stage: Stage) -> int:
    return len(stage.hub.get(OPERATOR, "/v1/alarms")["alarms"])


def repeat_notice(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    """The same notice again and again, as it was sent first: each is answered, nothing is done twice."""
    number = _number(stage, step)
    mine = [each for each in _book(stage, rail_of(step))["notifies"] if each["out_biz_no"] == number]
    if not mine:
        return ["the gateway has sent no notice of it"]
    for _ in range(int(match["times"])):
        stage.stand_ins.order(rail_of(step), resend={"notify_id": mine[0]["notify_id"]})
        if not wait_for(lambda: _taken(stage, rail_of(step), mine[0]["notify_id"]), WITHIN_S):
            return ["a repeated notice was not answered success"]
    return []


def _taken(stage: Stage, partner: str, notify_id: str) -> bool:
    return any(
        each["notify_id"] == notify_id and each["state"] == "TAKEN"
        for each in _book(stage, partner)["notifies"]
    )


# -- the books -------------------------------------------------------------------------------------------------


def book_shows(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    """The rail's own book is the judge of what was paid for this story's cases, and how often."""
    wanted = (int(match["count"]), fen_of(match["sum"]))
    seen: list[Any] = []

    def as_told() -> bool:
        numbers = {
            each["number"] for row in stage.story.disputes.values() for each in detail(stage, row)["orders"]
        }
        book = _book(stage, match["rail"])
        if match["rail"] == BANK:
            paid = [(p["executions"], p["executed_fen"]) for p in book["payments"] if p["e2e"] in numbers]
        else:
            paid = [
                (o["executions"], o["fen"] * o["executions"])
                for o in book["orders"]
                if o["out_biz_no"] in numbers
            ]
        seen[:] = [sum(times for times, _ in paid), sum(fen for _, fen in paid)]
        return tuple(seen) == wanted

    return (
        []
        if wait_for(as_told, WITHIN_S)
        else [f"{match['rail']}'s book: expected {wanted}, shows {tuple(seen)}"]
    )
