"""After the storm: nothing breaks any more, time passes, people finish their work. Then nothing may be left."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import escrow
from benchmarks.money_sim import court, people
from benchmarks.money_sim.office import BANK, CASHIERS, CHECKERS, PAYER, RELEASER, WALLET, Office
from benchmarks.money_sim.outside import Outside
from benchmarks.money_sim.scene import Scene
from hub import reconciling
from sandbox.bank import settings as bank_settings

ROUNDS = 20


class Healing:
    """Lets the run come to its end."""

    def __init__(self, office: Office, outside: Outside, scene: Scene) -> None:
        self.office, self.outside, self.scene = office, outside, scene
        self.site = office.site
        self.days: set[str] = set()

    def run(self) -> None:
        """Rounds of work and time until all is paid or refunded, ROUNDS at most."""
        self._calm()
        for number in range(ROUNDS):
            self._letters()
            self._work()
            self._letters()
            self.scene.watch()
            if self._finished():
                break
            self._people()
            self._work()
            self._letters()
            self._time(number)
        self._letters()

    def _calm(self) -> None:
        office, scene = self.office, self.scene
        office.storm = self.outside.storm = False
        office.trace.note("the storm ends")
        scene.late_calls()
        self.site.clock.set(self.site.clock.at, timedelta())
        with self.site.books.transaction() as db:
            db.execute("DELETE FROM bank_policy")
        bank_settings.change(self.site.books, {"query_lag_s": 0})
        self.site.wallet.script.clear()
        for rail in (BANK, WALLET):
            scene.trust(rail)
        scene.know_account()
        for _ in range(4):
            if scene.account:
                break
            self.site.clock.advance(timedelta(hours=1))
            scene.worker()
            scene.know_account()
        for no in [no for no, one in office.freezes.items() if not one.lifted]:
            court.lift(scene, no)
        missing = office.agreed - sum(fen for _, fen in scene.paid_in)
        if missing > 0 and not office.void:
            scene.deposit(missing, PAYER)

    def _letters(self) -> None:
        """Everything on its way arrives, in order; what is refused is pushed again later."""
        self.outside.collect()
        for one in list(self.outside.letters):
            if self.scene.take(one):
                self.outside.letters.remove(one)

    def _work(self) -> None:
        bank = self.site.bank
        for e2e in self.scene.bank_rows("PDNG", "ACSP"):
            if bank.orders.payment(e2e)["due_at"] is None:
                bank.orders.release(e2e)
        bank.orders.run_due()
        self.scene.worker()
        bank.orders.run_due()
        for number in self.scene.wallet_rows("DEALING"):
            self.site.wallet.pool.pay(number)
            self.site.wallet.tell(number)
        self.outside.collect()

    def _people(self) -> None:
        """Draft what is due, refund what is too much, approve what is right."""
        office = self.office
        for row in office.learn():
            if row["state"] in ("DRAFTED", "CHECKED") and self._stale(row):
                order = row["id"]
                office.do(
                    "cancel",
                    lambda o=order: office.act(CASHIERS[0], lambda uow: escrow.cancel_order(uow, o, "重拟")),
                )
        if office.void:
            self._close_returned()
            self._refund_rest()
        else:
            for key, instalment, fen in people.due(self.scene):
                office.do("draft", office.draft(office.seats[key], instalment, fen, CASHIERS[0]))
            self._refund_excess()
        for row in office.learn():
            if row["state"] == "DRAFTED":
                office.do("check", office.check(row["id"], CHECKERS[0]))
        for row in office.learn():
            if row["state"] == "CHECKED":
                office.do("release", office.release(row["id"], RELEASER))
        people.note_signatures(self.scene)

    def _stale(self, row: Any) -> bool:
        """Drafts that are no longer what is wanted."""
        if row["purpose"] == "REFUND":
            return not self.office.void and int(row["amount_fen"]) == 600
        if self.office.void:
            return True
        seat = self.office.seats.get(row["payee"])
        return seat is not None and row["payee_account"] != seat.accounts[-1][0]

    def _figures(self) -> Any:
        return self.office.rows(
            "SELECT * FROM escrow.v_figures WHERE case_id = %(case)s", case=self.office.case
        )[0]

    def _close_returned(self) -> None:
        """What came back after the agreement was void is not paid again: it is refunded."""
        for row in self.office.learn():
            if row["state"] == "RETURNED":
                self.office.do("close returned", lambda o=row["id"]: self.office.act(
                    CASHIERS[0], lambda uow: escrow.close_returned(uow, o, "协议已解除，款项退还")))  # fmt: skip

    def _refund_rest(self) -> None:
        free = int(self._figures()["free_fen"])
        self._refund(free)

    def _refund_excess(self) -> None:
        f = self._figures()
        excess = int(f["balance_fen"]) + int(f["released_fen"]) - int(f["agreed_fen"])
        self._refund(min(excess, int(f["free_fen"])))

    def _refund(self, fen: int) -> None:
        """Back to where it came from, account by account, never more than came from it."""
        came: dict[str, int] = {}
        for account, each in self.scene.paid_in:
            came[account] = came.get(account, 0) + each
        for row in self.office.learn():
            if row["purpose"] == "REFUND" and row["state"] in (
                "DRAFTED",
                "CHECKED",
                "RELEASED",
                "DISPATCHING",
                "SENT",
                "PAID",
            ):
                came[row["payee_account"]] = came.get(row["payee_account"], 0) - int(row["amount_fen"])
                if row["state"] in ("DRAFTED", "CHECKED"):
                    fen -= int(row["amount_fen"])
        for account, rest in came.items():
            sum_ = min(fen, rest)
            if sum_ > 0:
                self.office.do("refund", self.office.refund(account, sum_, CASHIERS[1]))
                fen -= sum_

    def _finished(self) -> bool:
        if self.outside.letters or self.outside.late:
            return False
        rows = self.office.learn()
        if any(
            row["state"] in ("DRAFTED", "CHECKED", "RELEASED", "DISPATCHING", "SENT", "RETURNED")
            for row in rows
        ):
            return False
        f = self._figures()
        if self.office.void:
            return int(f["free_fen"]) == 0
        return not people.due(self.scene) and int(f["balance_fen"]) + int(f["released_fen"]) <= int(
            f["agreed_fen"]
        )

    def _time(self, number: int) -> None:
        """Half an hour, then nights and mornings, with their statements and bills."""
        clock = self.site.clock
        if number % 3 == 0:
            clock.advance(timedelta(minutes=31))
            return
        now = clock.beijing()
        if number % 3 == 1:
            evening = now.replace(hour=23, minute=31, second=0, microsecond=0)
            clock.advance(max(evening - now, timedelta(minutes=1)))
            self.site.bank.notices.close_day(clock.beijing().date())
            self.outside.collect()
            return
        morning = (now + timedelta(days=1)).replace(hour=10, minute=5, second=0, microsecond=0)
        clock.advance(morning - now)
        for day in self._days_open(clock.beijing().date().isoformat()):
            self.days.add(day)
            self.office.do("reconcile", lambda d=day: reconciling.reconcile(self.site.hub, d))

    def _days_open(self, today: str) -> list[str]:
        """Days before today with a bill that was not fetched yet, and always yesterday."""
        yesterday = (self.site.clock.beijing() - timedelta(days=1)).date().isoformat()
        with self.site.books.transaction() as db:
            rows = db.execute(
                "SELECT DISTINCT bill_date FROM alipay_line WHERE kind <> 'top_up' AND bill_date < ? ORDER BY 1",
                (today,),
            ).fetchall()
        return sorted(({str(row[0]) for row in rows} | {yesterday}) - self.days)
