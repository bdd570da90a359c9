"""A hub and a bank in one process: the bank's calls and messages go over its own core and signed envelopes."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import escrow
from benchmarks.money_sim.office import BANK, bank_account, person
from benchmarks.money_sim.site import Site
from foundation.actors import SYSTEM, Actor
from foundation.unit_of_work import unit_of_work
from foundation.wire import WireReply
from hub import choreography, rail_inbox
from sandbox.bank import api as bank_api
from sandbox.bank import settings as bank_settings
from schemas.exchange import RawMessage
from schemas.money import Fen

MORNING = datetime(2026, 5, 12, 2, tzinfo=UTC)
CASHIER, CHECKER, RELEASER = person("ka", "cashier"), person("fu", "checker"), person("sh", "releaser")


class Town:
    """`site` holds database, keys and stand-ins. It is also the wire of the hub."""

    def __init__(self, url: str, folder: Path, seed: int) -> None:
        self.site = Site(url, folder)
        self.site.begin(seed)
        self.site.clock.set(MORNING)
        self._seq = 0

    def request(
        self, method: str, url: str, *, headers: Any = None, content: bytes | None = None, timeout_s: float = 10.0
    ) -> WireReply:  # fmt: skip
        """Stands where `foundation.wire.Wire.request` stands: the exact bytes reach the bank's core."""
        path = urlsplit(url).path
        told = (
            bank_api.query(self.site.bank, path.rsplit("/", 1)[1])
            if "/payments/" in path
            else bank_api.receive(self.site.bank, content or b"")
        )
        return WireReply("ANSWERED", 200, {}, json.dumps(told, ensure_ascii=False).encode())

    def act(self, actor: Actor, work: Any) -> Any:
        """An act and what follows from it, as the edges do it."""
        with unit_of_work(self.site.hub.engine, actor) as uow:
            found = work(uow)
            if isinstance(found, escrow.Result):
                choreography.follow(uow, found.events)
        return found

    def by_file(self, told: bool) -> None:
        """Whether the bank tells of a file's payments together."""
        bank_settings.change(self.site.books, {"by_file": told})

    def deliver(self) -> int:
        """Hand the hub what the bank has written since; returns how many messages."""
        count = 0
        while batch := self.site.bank.post.after(self._seq, "", 50):
            for told in batch:
                raw = RawMessage(
                    BANK,
                    "hook",
                    "",
                    json.dumps(told, ensure_ascii=False).encode(),
                    self.site.clock.at,
                    {"x-query": ""},
                )
                taken = rail_inbox.receive(self.site.hub, raw)
                if taken.outcome.result != "ACCEPTED":
                    raise RuntimeError(f"{told['msgType']}: {taken.outcome}")
                count += 1
            self._seq = int(batch[-1]["seq"])
        return count

    def open_case(self, no: int, shares: list[int]) -> str:
        """A funded case with a payee a share; returns its mediation number."""
        number = f"瓯栖调〔2026〕{no:05d}号"
        payees = [
            escrow.PartyTerms(
                f"A{k}", "PAYEE", f"收款人{no}甲{k}", id_number="330399198401108161",
                accounts=(bank_account(f"6228{no:06d}{k:05d}", f"收款人{no}甲{k}"),),
            )
            for k in range(1, len(shares) + 1)
        ]  # fmt: skip
        payer = escrow.PartyTerms("R1", "PAYER", f"付款人{no}", id_number="330399198401108161",
                                  accounts=(bank_account(f"6217{no:011d}", f"付款人{no}"),))  # fmt: skip
        parts = tuple((f"A{k}", Fen(fen)) for k, fen in enumerate(shares, 1))
        terms = escrow.AgreementTerms(
            dispute=f"D{no:05d}", mediation_number=number, agreement_no=f"XY{no}", title="工资集体争议", signed_on=date(2026, 3, 30),
            parties=(*payees, payer), instalments=(escrow.InstalmentTerms(1, date(2026, 5, 20), Fen(sum(shares)), "R1", parts),),
            prefixes={BANK: f"B{no:05d}I"},
        )  # fmt: skip
        case = self.act(SYSTEM, lambda uow: escrow.open_escrow(uow, terms)).id
        bank = self.site.bank
        account = bank.ledger.open_subaccount(f"D{no:05d}", "工资集体争议", self.site.clock.beijing().date())
        self.act(SYSTEM, lambda uow: escrow.record_subaccount(uow, self.site.desk, case, BANK, account))
        bank.teller.deposit(
            account, sum(shares), f"付款人{no}", f"6217{no:011d}", "调解款", masked=False, tell=True
        )
        return number

    def close(self) -> None:
        """Let go of the database."""
        self.site.close()
