"""What people at the escrow desk do in a story, and how it is looked at, over REST."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from sandbox.stories.hub_api import HubRefused
from sandbox.stories.learning import row_of
from sandbox.stories.office import CASHIER, CHECKER, MEDIATOR, RELEASER
from sandbox.stories.pack import Step, StoryDispute
from schemas.money import Fen

if TYPE_CHECKING:
    from sandbox.stories.play import Stage

OPERATOR, AUDITOR = "operator1", "auditor1"
DRAFTERS = (CASHIER, "cashier2")
WITHIN_S = 20.0
NOTARY = "N1"  # the story's account of the depositary


def fen_of(text: str) -> int:
    return int(Fen.from_yuan_text(text))


def rail_of(step: Step) -> str:
    """The rail a step speaks of: the partner in it that is not the hub."""
    return step.receiver if step.receiver != "hub" else step.sender if step.sender != "hub" else "bank"


def detail(stage: Stage, row: StoryDispute) -> dict[str, Any]:
    found: dict[str, Any] = stage.hub.get(AUDITOR, "/v1/escrow", mediation_number=row.mediation_number)
    return found


def newest_order(stage: Stage, row: StoryDispute) -> dict[str, Any]:
    orders = detail(stage, row)["orders"]
    return dict(max(orders, key=lambda each: (each["drafted_at"], each["number"])))


def _order(row: StoryDispute, step: Step, match: re.Match[str]) -> dict[str, Any]:
    body = {
        "mediation_number": row.mediation_number,
        "rail": rail_of(step),
        "fen": fen_of(match["sum"]),
        "payee_key": match["seat"],
    }
    return {**body, "instalment": int(match["no"])} if match["no"] else body


def release(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    row = row_of(stage, step)
    order = approve(stage, stage.hub.post(CASHIER, "/v1/orders", _order(row, step, match)))
    stage.notes.append(f"order {order['number']} {order['state']}")
    return []


def approve(stage: Stage, order: dict[str, Any]) -> dict[str, Any]:
    """Two further people sign what the first has drafted."""
    for person, act in ((CHECKER, "check"), (RELEASER, "release")):
        stage.hub.post(person, f"/v1/orders/{order['id']}/{act}", {"digest": order["digest"]})
    found: dict[str, Any] = stage.hub.get(CASHIER, f"/v1/orders/{order['id']}")
    return found


def draft(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    order = stage.hub.post(match["who"], "/v1/orders", _order(row_of(stage, step), step, match))
    stage.notes.append(f"order {order['number']} {order['state']}")
    return []


def sign(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    order = newest_order(stage, row_of(stage, step))
    act = {"checks": "check", "releases": "release", "cancels": "cancel"}[match["act"]]
    body = {"reason": "撤回重拟"} if act == "cancel" else {"digest": order["digest"]}
    stage.hub.post(match["who"], f"/v1/orders/{order['id']}/{act}", body)
    return []


def send_back(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    row = row_of(stage, step)
    account = stage.story.accounts[row.id]["T1" if match["seat"].startswith("a ") else match["seat"]]
    order = stage.office.refund(row, rail_of(step), fen_of(match["sum"]), account)
    stage.notes.append(f"refund {order['number']} {order['state']}")
    return []


def two_cashiers(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    """Both send their draft in the same moment: one order, whoever was first; the other is told so."""
    row = row_of(stage, step)
    body = {
        "mediation_number": row.mediation_number,
        "rail": rail_of(step),
        "payee_key": match["seat"],
        "instalment": 1,
    }

    def send(person: str, fen: int) -> tuple[str, str]:
        try:
            return "taken", str(stage.hub.post(person, "/v1/orders", {**body, "fen": fen})["id"])
        except HubRefused as refused:
            return "refused", str(refused)

    with ThreadPoolExecutor(2) as both:
        answers = list(both.map(send, DRAFTERS, (fen_of(match["one"]), fen_of(match["two"]))))
    taken = {told for kind, told in answers if kind == "taken"}
    refused = [told for kind, told in answers if kind == "refused"]
    if len(taken) != 1 or (match["one"] == match["two"]) != (not refused):
        return [f"two drafts at once came to {answers}"]
    known = ("BUSINESS_KEY_CONFLICT", "OVER_AUTHORISED", "MONEY_SHORT")
    return [f"refused otherwise: {told}" for told in refused if not any(code in told for code in known)]


def share_out(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    told = re.findall(r"(\w+) (\d+\.\d{2})", match["parts"])
    stage.office.split([(stage.story.disputes[key], fen_of(amount)) for key, amount in told])
    return []


def _confirm(stage: Stage, path: str, body: dict[str, Any]) -> None:
    """One proposes, another confirms; the proposer himself may not."""
    decision = stage.hub.post(CASHIER, path, body)["decision"]
    try:
        stage.hub.post(CASHIER, f"/v1/decisions/{decision}/confirm")
    except HubRefused:
        stage.hub.post(CHECKER, f"/v1/decisions/{decision}/confirm")
        return
    raise RuntimeError("the proposer could confirm his own proposal")


def new_account(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    row = row_of(stage, step)
    payee = {**stage.story.accounts[row.id][f"{match['seat']}2"]}
    body = {"mediation_number": row.mediation_number, "seat": match["seat"], "payee": payee, "reason": "本人更换账户",
            "document": "账户变更申请书"}  # fmt: skip
    _confirm(stage, "/v1/payees", body)
    return []


def deposit(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    row = row_of(stage, step)
    body = {"mediation_number": row.mediation_number, "seat": match["seat"], "ground": match["ground"],
            "depositary": stage.story.accounts[row.id][NOTARY], "reason": "收款人未能受领", "document": "提存公证决定书"}  # fmt: skip
    _confirm(stage, "/v1/deposits", body)
    return []


def _deposit(stage: Stage, step: Step) -> str:
    return str(detail(stage, row_of(stage, step))["deposits"][-1]["id"])


def told_of_deposit(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    stage.hub.post(
        CASHIER, f"/v1/deposits/{_deposit(stage, step)}/notice", {"notice": "提存通知书，公告送达"}
    )
    return []


def takes_deposit(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    body = {"result": "CLAIMED", "document": "提存领取凭证"}
    stage.hub.post(RELEASER, f"/v1/deposits/{_deposit(stage, step)}/end", body)
    return []


def set_aside(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    matter = stage.office.accept(row_of(stage, step))
    live = next(each for each in matter["agreements"] if each["state"] == "SIGNED")
    stage.hub.post(MEDIATOR, f"/v1/agreements/{live['id']}/void", {"reason": "法院判决撤销调解协议"})
    return []


def stop(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    number = row_of(stage, step).mediation_number
    body = {
        "mediation_number": number,
        "kind": match["kind"],
        "payee": match["seat"],
        "reason": "居委会告知，待核实",
    }
    stage.hub.post("supervisor1", "/v1/stops", body)
    return []


def resume(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    number = row_of(stage, step).mediation_number
    stage.hub.post(CHECKER, "/v1/escrow/resume", {"mediation_number": number, "reason": "情况已核实"})
    return []


def settle(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    order = newest_order(stage, row_of(stage, step))
    body = {"outcome": match["outcome"], "reason": "银行书面确认", "document": "银行业务确认函"}
    _confirm(stage, f"/v1/orders/{order['id']}/settlement", body)
    return []


def ask(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    stage.hub.post(CASHIER, f"/v1/orders/{newest_order(stage, row_of(stage, step))['id']}/ask")
    stage.hub.post(OPERATOR, "/v1/jobs/payments")
    return []


def pause(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    body = {"paused": match["how"] == "pauses", "reason": "出款窗口"}
    stage.hub.post(OPERATOR, f"/v1/partners/{rail_of(step)}/pause", body)
    return []


def freeze_and_release(stage: Stage, step: Step, match: re.Match[str]) -> list[str]:
    """The court's message and the releaser's signature arrive in the same moment: the freeze holds either way."""
    row = row_of(stage, step)
    order = newest_order(stage, row)
    content = stage.real((stage.story.folder / match["file"]).read_bytes())

    def sign_it() -> str:
        try:
            stage.hub.post(RELEASER, f"/v1/orders/{order['id']}/release", {"digest": order["digest"]})
        except HubRefused as refused:
            return str(refused)
        return "released"

    with ThreadPoolExecutor(2) as both:
        signed = both.submit(sign_it)
        answered = both.submit(stage.stand_ins.emit, step.sender, content).result()
    stage.notes.append(
        f"court: {answered.get('verdict') or answered.get('status')}; releaser: {signed.result()[:60]}"
    )
    return [] if answered.get("status") == 200 else [f"the court was answered {answered.get('status')}"]
