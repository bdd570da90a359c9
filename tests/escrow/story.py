"""Plays the escrow column of the published cross-agency stories, played through the front door with the real rails.

Bank messages are the story's own files, read by the rail; orders are drafted, approved and dispatched by people,
and what is sent is compared with the story's file. After each step the figures must be equal to the fen, and all
invariants must hold.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

import escrow
from foundation.actors import SYSTEM
from foundation.keys import KeyStore
from schemas.money import Fen
from tests.escrow.world import CHECKER, RELEASER, World

PACK = Path(__file__).parents[2] / "sandbox" / "story_pack" / "contract" / "scenarios"
BANK, ALIPAY = "bank_direct", "alipay"
PARENT = "9900339900000100000"
DISPUTES = {
    row["dispute"]: row for row in csv.DictReader((PACK / "disputes.csv").read_text("utf-8").splitlines())
}
OTHERS = {"TWO_TRACKS", "COURT_WITHDRAWN", "SEQ_HOLE", "PARKED"}  # flags of the registry, not of the escrow
FIGURES = (
    "funded_fen",
    "balance_fen",
    "held_fen",
    "in_transit_fen",
    "released_fen",
    "refunded_fen",
    "suspense_fen",
)


class Story(World):
    def __init__(self, engine: Engine, keys: KeyStore, name: str) -> None:
        super().__init__(engine, escrow.RailDesk(keys), proves=False)
        self.name = name
        self.told: dict[str, Any] = json.loads((PACK / name / "expected.json").read_text("utf-8"))
        self.cases: dict[str, UUID] = {}
        self.orders: list[UUID] = []

    def play(self, acts: dict[int, Callable[[Story], Any]]) -> None:
        for step in self.told["steps"]:
            self.at(step["at"] if len(step["at"]) > 16 else step["at"] + ":00")
            act = acts.get(step["step"])
            if act is not None:
                act(self)
            elif step["sender"] == "bank":
                self.bank(step["file"])
            self.compare(step)

    def compare(self, step: dict[str, Any]) -> None:
        seen: list[str] = []
        for dispute, wanted in step["escrow"].items():
            if dispute == "_parent":
                assert self.look(lambda uow: escrow.suspense_fen(uow, PARENT)) == wanted["suspense_fen"], (
                    step["step"]
                )
                continue
            found = self.case(DISPUTES[dispute]["mediation_no"])
            told = {"state": found["state"], **{name: found[name] for name in FIGURES}}
            assert told == {"state": wanted["state"], **{name: wanted[name] for name in FIGURES}}, (
                self.name,
                step["step"],
            )
            seen += found["flags"]
        ours = {flag for flag in step["flags"] if flag.split(":")[0] not in OTHERS}
        assert set(seen) == ours, (self.name, step["step"])
        self.prove()

    def bank(self, name: str) -> escrow.Result:
        content = (PACK / self.name / name).read_bytes()

        def take(uow: Any) -> escrow.Result:
            context = self.desk.context(uow, BANK)
            advice = self.desk.rail(BANK).statement(content, context)
            assert advice.findings == ()
            return escrow.take_advice(uow, self.desk, BANK, advice)

        found: escrow.Result = self.act(SYSTEM, take)
        assert found.findings == []
        return found

    def agree(
        self,
        dispute: str,
        fens: list[int] | None = None,
        *,
        opened: bool = True,
        due: list[date] | None = None,
        **more: Any,
    ) -> None:
        row = DISPUTES[dispute]
        agreed = int(row["agreed_fen"])
        fens = fens or [agreed]
        signed = date.fromisoformat(row["agreed_on"])
        due = due or [signed + timedelta(days=300 + 30 * n) for n in range(len(fens))]
        payee, payee_id = row["applicants"].split("|")[0].split(":")
        payer, payer_id = row["respondents"].split("|")[0].split(":")
        agreement = escrow.AgreementTerms(
            dispute=dispute, mediation_number=row["mediation_no"], agreement_no=f"XY{dispute}", title=row["cause"], signed_on=signed,
            parties=(
                escrow.PartyTerms("A1", "PAYEE", payee, id_number=payee_id, accounts=self.accounts(row, payee)),
                escrow.PartyTerms("R1", "PAYER", payer, "organisation" if "公司" in payer or "医院" in payer else "person",
                                  payer_id, self.payer_accounts(dispute, payer)),
            ),
            instalments=tuple(
                escrow.InstalmentTerms(n, on, Fen(fen), "R1", (("A1", Fen(fen)),))
                for n, (fen, on) in enumerate(zip(fens, due, strict=True), 1)
            ),
            prefixes={BANK: row["bank_e2e_prefix"], ALIPAY: row["alipay_out_biz_no"]}, **more,
        )  # fmt: skip
        self.cases[dispute] = self.act(SYSTEM, lambda uow: escrow.open_escrow(uow, agreement)).id
        if opened:
            self.subaccount(dispute)

    def accounts(self, row: dict[str, str], payee: str) -> tuple[escrow.PayAccount, ...]:
        """The payee's card as the story's own payment files name it, and a wallet."""
        found = [escrow.PayAccount(ALIPAY, "10057702997", payee, kind="ALIPAY_LOGON_ID")]
        for path in sorted((PACK / self.name).glob("*pain001*")):
            paid = payee_of(path.read_text("utf-8"))
            if paid["name"] == payee:
                found.append(
                    escrow.PayAccount(BANK, paid["account"], payee, paid["bank"], paid["bank_name"], "card")
                )
        return tuple(found)

    def payer_accounts(self, dispute: str, payer: str) -> tuple[escrow.PayAccount, ...]:
        for path in sorted((PACK / self.name).glob("*pain001_refund*")):
            paid = payee_of(path.read_text("utf-8"))
            return (escrow.PayAccount(BANK, paid["account"], payer, paid["bank"], paid["bank_name"], "card"),)
        return ()

    def subaccount(self, dispute: str) -> None:
        number = DISPUTES[dispute]["subaccount"]
        self.act(
            SYSTEM, lambda uow: escrow.record_subaccount(uow, self.desk, self.cases[dispute], BANK, number)
        )

    def pay(
        self,
        dispute: str,
        file: str | None,
        fen: int,
        *,
        sent: bool = True,
        instalment: int = 1,
        rail: str = BANK,
        **more: Any,
    ) -> UUID:
        order = self.draft(self.cases[dispute], fen, rail=rail, instalment=instalment, **more)
        return self.approve_and_send(order, file, sent)

    def approve_and_send(self, order: UUID, file: str | None, sent: bool = True) -> UUID:
        two = self.order(order)["amount_fen"] <= 5_000_000
        self.approve(order, CHECKER, CHECKER if two else RELEASER)  # below the tier the checker may release
        self.orders.append(order)
        if sent:
            self.act(SYSTEM, lambda uow: escrow.dispatch(uow, self.desk, order))
            (claim,) = self.act(SYSTEM, lambda uow: escrow.claim_to_send(uow, self.desk))
            if file is not None:
                assert facts(claim.request.document.decode()) == facts(
                    (PACK / self.name / file).read_text("utf-8")
                )
        return order


def payee_of(xml: str) -> dict[str, str]:
    cut = xml[xml.index("<CdtrAgt>") :]
    one = lambda tag: re.search(rf"<{tag}>([^<]*)</{tag}>", cut)  # noqa: E731
    bank, bank_name = one("MmbId"), one("Nm")
    name = re.search(r"<Cdtr><Nm>([^<]*)</Nm>", cut)
    account = re.search(r"<CdtrAcct><Id><Othr><Id>([^<]*)</Id>", cut)
    assert bank and bank_name and name and account
    return {"bank": bank[1], "bank_name": bank_name[1], "name": name[1], "account": account[1]}


def facts(xml: str) -> dict[str, str]:
    """What a payment file says that matters: number, sum, from, to."""
    number = re.search(r"<EndToEndId>([^<]*)<", xml)
    amount = re.search(r"<InstdAmt Ccy=\"CNY\">([^<]*)<", xml)
    debit = re.search(r"<DbtrAcct><Id><Othr><Id>([^<]*)<", xml)
    on = re.search(r"<ReqdExctnDt>.*?<Dt>([^<]*)<", xml)
    assert number and amount and debit and on
    return {"number": number[1], "amount": amount[1], "from": debit[1], "on": on[1], **payee_of(xml)}
