"""What the mediation office and its cashiers do in a story, through the API, as the people they are."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from sandbox.stories.hub_api import HubApi, HubRefused
from sandbox.stories.judge import find_dispute
from sandbox.stories.pack import StoryDispute
from schemas.money import Fen

CLERK, MEDIATOR, REVIEWER = "clerk1", "mediator1", "reviewer1"
CASHIER, CHECKER, RELEASER = "cashier1", "checker1", "releaser1"
FIRST_DUE_DAYS = 10


class Office:
    """Acts of the office for the disputes of one story."""

    def __init__(self, hub: HubApi) -> None:
        self._hub = hub

    def matter(self, row: StoryDispute) -> dict[str, Any] | None:
        """The office's matter of a dispute, or None when it has none yet."""
        try:
            found: dict[str, Any] = self._hub.get(
                MEDIATOR, "/v1/matter", mediation_number=row.mediation_number
            )
        except HubRefused as refused:
            if refused.status == 404:
                return None
            raise
        return found

    def accept(self, row: StoryDispute) -> dict[str, Any]:
        """Accept the matter unless it is there. The clerk writes down the number it came under, if it came."""
        found = self.matter(row)
        if found:
            return found
        came = find_dispute(self._hub, row)["dispute"]
        referral = ""
        if came:
            episodes = self._hub.get("auditor1", "/v1/dispute", number=came)["episodes"]
            numbers = {each["native_id"] for each in episodes if each["agency"] != "court"}
            referral = next((number for number in row.agency_numbers if number in numbers), "")
        body = {
            "mediation_number": row.mediation_number,
            "committee": row.row["committee"],
            "mediator": row.row["mediator"],
            "cause": row.row["cause"],
            "accepted_on": row.row["accepted_on"],
            "claimed_fen": int(row.row["claim_fen"]),
            "referral": referral,
            "parties": _parties(row),
        }
        self._hub.post(CLERK, "/v1/matters", body)
        self.confirm_links(row)
        found = self.matter(row)
        assert found is not None
        return found

    def confirm_links(self, row: StoryDispute) -> int:
        """Confirm every proposed link that names this matter; returns how many there were."""
        confirmed = 0
        for proposal in self._hub.get(REVIEWER, "/v1/proposals", number=row.mediation_number)["proposals"]:
            body = {"accept": True, "reason": "当事人、案由、金额、日期均相符"}
            self._hub.post(REVIEWER, f"/v1/proposals/{proposal['id']}/decision", body)
            confirmed += 1
        return confirmed

    def lodge(self, row: StoryDispute, parts: list[int], signed_on: date) -> None:
        """The signed paper is at the escrow desk; the office has entered nothing yet."""
        body = {
            "mediation_number": row.mediation_number,
            "cause": row.row["cause"],
            "signed_on": signed_on.isoformat(),
            "paper": "纸质协议，托管窗口收讫",
            "parties": [
                {name: each[name] or "" for name in ("key", "kind", "name", "id_number")}
                for each in _parties(row)
                if each["key"] in ("A1", "R1")
            ],
            "instalments": _instalments(parts, signed_on),
        }
        self._hub.post(CASHIER, "/v1/escrows", body)

    def agree(
        self, row: StoryDispute, parts: list[int], signed_on: date, accounts: dict[str, dict[str, Any]],
        *, on_paper: bool = False, pairs: list[tuple[str, str]] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Sign an agreement of instalments ``parts`` (fen): the first due after ten days, then monthly.

        ``on_paper``: it was signed on that day before, and is entered now. ``pairs``: payer and payee of each part
        where there are several, all due on one day.
        """
        matter = self.accept(row)
        for name, account in accounts.items():
            party = next((each for each in matter["parties"] if name in (each["name"], each["key"])), None)
            if party:
                self._hub.post(CLERK, f"/v1/matters/{matter['id']}/parties/{party['key']}/account", account)
        body = {
            "total_fen": sum(parts),
            "terms": f"被申请人分{len(parts)}期给付申请人人民币{Fen(sum(parts)).yuan_text()}元。",
            "instalments": _between(parts, signed_on, pairs) if pairs else _instalments(parts, signed_on),
        }
        drafted = self._hub.post(MEDIATOR, f"/v1/matters/{matter['id']}/agreements", body)
        signers = [{"signer": each["key"], "name": each["name"]} for each in matter["parties"]]
        signers += [
            {"signer": "mediator", "name": row.row["mediator"]},
            {"signer": "seal", "name": row.row["committee"], "method": "seal"},
        ]
        signed = {"signatures": signers, **({"signed_on": signed_on.isoformat()} if on_paper else {})}
        self._hub.post(MEDIATOR, f"/v1/agreements/{drafted['id']}/signatures", signed)
        found: dict[str, Any] = drafted
        return found

    def fail(self, row: StoryDispute) -> None:
        """Record that mediation failed."""
        matter = self.accept(row)
        self._hub.post(
            MEDIATOR, f"/v1/matters/{matter['id']}/moves", {"event": "fail", "reason": "未达成协议"}
        )

    def apply_for_confirmation(self, row: StoryDispute) -> None:
        """Both parties apply to the court for confirmation."""
        matter = self.accept(row)
        live = next(each for each in matter["agreements"] if each["state"] == "SIGNED")
        self._hub.post(MEDIATOR, f"/v1/agreements/{live['id']}/confirmation", {"event": "apply"})

    def void(self, row: StoryDispute) -> None:
        """The parties set the agreement aside in writing."""
        matter = self.accept(row)
        live = next(each for each in matter["agreements"] if each["state"] == "SIGNED")
        self._hub.post(MEDIATOR, f"/v1/agreements/{live['id']}/void", {"reason": "双方书面解除"})

    def pay(self, row: StoryDispute, rail: str, fen: int, payee: dict[str, Any]) -> dict[str, Any]:
        """Draft, check and release one payment order; each step by another person."""
        body = {"mediation_number": row.mediation_number, "rail": rail, "fen": fen, "payee": payee}
        return self._approve(self._hub.post(CASHIER, "/v1/orders", body))

    def refund(self, row: StoryDispute, rail: str, fen: int, payee: dict[str, Any]) -> dict[str, Any]:
        """Pay money back to the account it came from, by three persons."""
        body = {
            "mediation_number": row.mediation_number,
            "rail": rail,
            "account": payee["account"],
            "fen": fen,
            "bank_code": payee.get("bank_code", ""),
            "bank_name": payee.get("bank_name", ""),
            "payer_id": payee.get("id_number", ""),
        }
        return self._approve(self._hub.post(CASHIER, "/v1/refunds", body))

    def replace_payee(self, row: StoryDispute, payee: dict[str, Any]) -> None:
        """Heirs showed their document: another person takes the payee's seat, by two persons."""
        body = {
            "mediation_number": row.mediation_number,
            "seat": "A1",
            "payee": {name: value for name, value in payee.items() if value},
            "reason": "收款人死亡，继承人持公证文书领取",
            "document": "继承权公证书",
        }
        decision = self._hub.post(CASHIER, "/v1/payees", body)["decision"]
        self._hub.post(CHECKER, f"/v1/decisions/{decision}/confirm")

    def split(self, parts: list[tuple[StoryDispute, int]]) -> str:
        """A credit in suspense is shared out: proposed by the cashier, confirmed by a second person.

        Returns the account on which the money lies.
        """
        total = sum(fen for _, fen in parts)
        lines = self._hub.get(CASHIER, "/v1/suspense")["suspense"]
        line = next(each for each in lines if int(each["open_fen"]) == total)
        body = {
            "line": line["line"],
            "parts": [{"mediation_number": row.mediation_number, "fen": fen} for row, fen in parts],
            "reason": "付款人说明一笔付两案",
        }
        decision = self._hub.post(CASHIER, "/v1/suspense/splits", body)["decision"]
        self._hub.post(CHECKER, f"/v1/decisions/{decision}/confirm")
        return str(line["account"])

    def _approve(self, order: dict[str, Any]) -> dict[str, Any]:
        order = self._sign(order, CHECKER, "check")
        return self._sign(order, RELEASER, "release") if order["state"] == "CHECKED" else order

    def _sign(self, order: dict[str, Any], person: str, act: str) -> dict[str, Any]:
        """One signature; how the order stands after it is looked up, for the answer may have been cut off."""
        self._hub.post(person, f"/v1/orders/{order['id']}/{act}", {"digest": order["digest"]})
        found: dict[str, Any] = self._hub.get(person, f"/v1/orders/{order['id']}")
        return found


def _parties(row: StoryDispute) -> list[dict[str, Any]]:
    made = []
    for letter, role, people in (("A", "applicant", row.applicants), ("R", "respondent", row.respondents)):
        for place, (name, identifier) in enumerate(people, start=1):
            organisation = not identifier[:6].isdigit() or identifier[:2] in (
                "91",
                "92",
                "93",
                "51",
                "52",
                "12",
            )
            made.append(
                {
                    "key": f"{letter}{place}",
                    "role": role,
                    "kind": "organisation" if organisation else "person",
                    "name": name,
                    "id_number": identifier or None,
                }
            )
    return made


def _instalments(parts: list[int], signed_on: date) -> list[dict[str, Any]]:
    days = _due_days(signed_on, len(parts))
    return [
        {"no": no, "due_on": due.isoformat(), "fen": fen, "payer": "R1", "payee": "A1"}
        for no, (fen, due) in enumerate(zip(parts, days, strict=True), start=1)
    ]


def _between(parts: list[int], signed_on: date, pairs: list[tuple[str, str]]) -> list[dict[str, Any]]:
    due = (signed_on + timedelta(days=FIRST_DUE_DAYS)).isoformat()
    return [
        {"no": no, "due_on": due, "fen": fen, "payer": payer, "payee": payee}
        for no, (fen, (payer, payee)) in enumerate(zip(parts, pairs, strict=True), start=1)
    ]


def _due_days(signed_on: date, count: int) -> list[date]:
    first = signed_on + timedelta(days=FIRST_DUE_DAYS)
    days = [first]
    for ahead in range(1, count):
        year, month = divmod(first.year * 12 + first.month - 1 + ahead, 12)
        days.append(date(year, month + 1, min(first.day, 28)))
    return days
