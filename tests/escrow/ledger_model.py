"""The general ledger as a small program over dictionaries, written from the published rules (docs/ledger.md).

One event at a time, no database, no shared code with the engine: what the state machine's test compares it with.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field

from escrow.ledger import AMOUNT_MAX, Account, Transfer

LINKED, PENDING, POST, VOID, BAL_D, BAL_C, CLOSE_D, CLOSE_C = (1 << n for n in range(8))
IMPORTED, KEEP = 1 << 8, 1 << 16
WITHIN_CREDITS, WITHIN_DEBITS, CLOSED, FROZEN = 2, 4, 32, 1 << 16
MAX_ID = 2**128 - 1
PASSING = {
    "debit_account_not_found", "credit_account_not_found", "pending_transfer_not_found", "exceeds_credits",
    "exceeds_debits", "debit_account_already_closed", "credit_account_already_closed", "debit_account_frozen",
    "credit_account_frozen",
}  # fmt: skip


@dataclass
class Hold:
    """A hold: what is left of it, how it ended (posted, voided, expired), when its time is over (s)."""

    left: int
    ended: str = ""
    over_at: float | None = None


@dataclass
class Model:
    """All that the ledger knows."""

    accounts: dict[int, dict[str, int]] = field(default_factory=dict)
    transfers: dict[int, Transfer] = field(default_factory=dict)
    took: dict[int, int] = field(default_factory=dict)  # how far each post lowered its hold
    holds: dict[int, Hold] = field(default_factory=dict)
    spent: set[int] = field(default_factory=set)
    now: float = 0.0

    def add_account(self, a: Account) -> None:
        self.accounts[int(a.id)] = {
            "dp": 0,
            "d": 0,
            "cp": 0,
            "c": 0,
            "flags": int(a.flags),
            "ledger": a.ledger,
        }

    def pass_time(self, seconds: float) -> None:
        """Let time pass; holds that are over let go what is left."""
        self.now += seconds
        for name, hold in self.holds.items():
            if not hold.ended and hold.over_at is not None and hold.over_at <= self.now:
                self._let_go(name, hold.left)
                hold.left, hold.ended = 0, "expired"
                self._reopen(self.transfers[name])

    def batch(self, events: list[Transfer]) -> list[str]:
        """The code of each event of a batch."""
        codes: list[str] = []
        chain: list[int] = []
        before: dict[str, object] | None = None
        broken = False
        for at, t in enumerate(events):
            if t.flags & LINKED and before is None:
                before, broken, chain = deepcopy(self.__dict__), False, []
            last = at == len(events) - 1
            if t.flags & LINKED and last:
                code = "linked_event_chain_open"
            elif broken:
                code = "linked_event_failed"
            else:
                code = self.one(t)
            if code != "created" and before is not None and not broken:
                broken = True
                self.__dict__.update(deepcopy(before) | {"spent": self.spent})
                for earlier in chain:
                    codes[earlier] = "linked_event_failed"
            if code in PASSING:
                self.spent.add(int(t.id))
            codes.append(code)
            if before is not None:
                chain.append(at)
            if not t.flags & LINKED:
                before, broken = None, False
        return codes

    def one(self, t: Transfer) -> str:
        """One event by itself."""
        if t.flags & IMPORTED:
            return "imported_not_supported"
        if t.timestamp:
            return "timestamp_must_be_zero"
        if t.flags & ~(0xFF | KEEP) or (t.flags & KEEP and not t.flags & POST):
            return "reserved_flag"
        if t.id == 0:
            return "id_must_not_be_zero"
        if t.id == MAX_ID:
            return "id_must_not_be_int_max"
        if t.id in self.transfers:
            return self.again(t, self.transfers[int(t.id)])
        if t.id in self.spent:
            return "id_already_failed"
        return self.end(t) if t.flags & (POST | VOID) else self.begin(t)

    def again(self, t: Transfer, e: Transfer) -> str:
        """A request under an id that is there."""
        if t.flags != e.flags:
            return "exists_with_different_flags"
        if t.pending_id != e.pending_id:
            return "exists_with_different_pending_id"
        if t.timeout != e.timeout:
            return "exists_with_different_timeout"
        asked = t
        if t.flags & (POST | VOID):
            p = self.transfers[int(t.pending_id)]
            asked = t._replace(debit_account_id=t.debit_account_id or p.debit_account_id,
                credit_account_id=t.credit_account_id or p.credit_account_id, ledger=t.ledger or p.ledger,
                code=t.code or p.code, user_data_128=t.user_data_128 or p.user_data_128,
                user_data_64=t.user_data_64 or p.user_data_64, user_data_32=t.user_data_32 or p.user_data_32,
            )  # fmt: skip
            if t.flags & POST and t.amount == AMOUNT_MAX:
                asked = asked._replace(amount=self.took[int(t.id)])
            if t.flags & VOID and t.amount == 0:
                asked = asked._replace(amount=e.amount)
        elif t.flags & (BAL_D | BAL_C) and t.amount >= e.amount:
            asked = t._replace(amount=e.amount)
        for name in (
            "debit_account_id", "credit_account_id", "amount", "user_data_128", "user_data_64", "user_data_32", "ledger",
            "code",
        ):  # fmt: skip
            if getattr(asked, name) != getattr(e, name):
                return f"exists_with_different_{name}"
        return "exists"

    def begin(self, t: Transfer) -> str:
        """A move or a hold."""
        for side in ("debit", "credit"):
            account_id = getattr(t, f"{side}_account_id")
            if account_id == 0:
                return f"{side}_account_id_must_not_be_zero"
            if account_id == MAX_ID:
                return f"{side}_account_id_must_not_be_int_max"
        if t.debit_account_id == t.credit_account_id:
            return "accounts_must_be_different"
        if t.pending_id:
            return "pending_id_must_be_zero"
        if not t.flags & PENDING:
            if t.timeout:
                return "timeout_reserved_for_pending_transfer"
            if t.flags & (CLOSE_D | CLOSE_C):
                return "closing_transfer_must_be_pending"
        if not t.ledger:
            return "ledger_must_not_be_zero"
        if not t.code:
            return "code_must_not_be_zero"
        dr, cr = self.accounts.get(int(t.debit_account_id)), self.accounts.get(int(t.credit_account_id))
        if dr is None:
            return "debit_account_not_found"
        if cr is None:
            return "credit_account_not_found"
        if dr["ledger"] != cr["ledger"]:
            return "accounts_must_have_the_same_ledger"
        if t.ledger != dr["ledger"]:
            return "transfer_must_have_the_same_ledger_as_accounts"
        if shut := self.shut(dr, cr):
            return shut
        amount = t.amount
        if t.flags & BAL_D:
            amount = min(amount, max(0, dr["c"] - dr["d"] - dr["dp"]))
        if t.flags & BAL_C:
            amount = min(amount, max(0, cr["d"] - cr["c"] - cr["cp"]))
        if code := self.too_much(t, dr, cr, amount):
            return code
        if t.flags & PENDING:
            dr["dp"] += amount
            cr["cp"] += amount
            self.holds[int(t.id)] = Hold(amount, "", self.now + t.timeout if t.timeout else None)
            dr["flags"] |= CLOSED if t.flags & CLOSE_D else 0
            cr["flags"] |= CLOSED if t.flags & CLOSE_C else 0
        else:
            dr["d"] += amount
            cr["c"] += amount
        self.transfers[int(t.id)] = t._replace(amount=amount)
        return "created"

    def too_much(self, t: Transfer, dr: dict[str, int], cr: dict[str, int], amount: int) -> str:
        """Overflow of what the ledger can count, then the limits of the two accounts."""
        sums = [
            *([("debits_pending", dr["dp"]), ("credits_pending", cr["cp"])] if t.flags & PENDING else []),
            ("debits_posted", dr["d"]), ("credits_posted", cr["c"]), ("debits", dr["dp"] + dr["d"]),
            ("credits", cr["cp"] + cr["c"]),
        ]  # fmt: skip
        for name, there in sums:
            if amount + there > AMOUNT_MAX:
                return f"overflows_{name}"
        if dr["flags"] & WITHIN_CREDITS and dr["dp"] + dr["d"] + amount > dr["c"]:
            return "exceeds_credits"
        if cr["flags"] & WITHIN_DEBITS and cr["cp"] + cr["c"] + amount > cr["d"]:
            return "exceeds_debits"
        return ""

    def shut(self, dr: dict[str, int], cr: dict[str, int]) -> str:
        """Closed: nothing new. Frozen: nothing leaves, which is a credit where an account holds by debits."""
        if dr["flags"] & CLOSED:
            return "debit_account_already_closed"
        if cr["flags"] & CLOSED:
            return "credit_account_already_closed"
        if dr["flags"] & FROZEN and not dr["flags"] & WITHIN_DEBITS:
            return "debit_account_frozen"
        if cr["flags"] & FROZEN and cr["flags"] & WITHIN_DEBITS:
            return "credit_account_frozen"
        return ""

    def end(self, t: Transfer) -> str:
        """Post or void a hold."""
        if code := self.end_asked_wrong(t):
            return code
        p = self.transfers.get(int(t.pending_id))
        if p is None:
            return "pending_transfer_not_found"
        if not p.flags & PENDING:
            return "pending_transfer_not_pending"
        for name in ("debit_account_id", "credit_account_id", "ledger", "code"):
            if getattr(t, name) and getattr(t, name) != getattr(p, name):
                return f"pending_transfer_has_different_{name}"
        hold = self.holds[int(p.id)]
        left = p.amount if hold.ended else hold.left
        amount = (
            left
            if (t.flags & POST and t.amount == AMOUNT_MAX) or (t.flags & VOID and t.amount == 0)
            else t.amount
        )
        if amount > left:
            return "exceeds_pending_transfer_amount"
        if t.flags & VOID and amount < left:
            return "pending_transfer_has_different_amount"
        if hold.ended:
            return (
                "pending_transfer_expired"
                if hold.ended == "expired"
                else f"pending_transfer_already_{hold.ended}"
            )
        dr, cr = self.accounts[int(p.debit_account_id)], self.accounts[int(p.credit_account_id)]
        if t.flags & POST and (shut := self.shut(dr, cr)):
            return shut
        gone = amount if t.flags & KEEP else left
        self._let_go(int(p.id), gone)
        hold.left -= gone
        if t.flags & POST:
            dr["d"] += amount
            cr["c"] += amount
            hold.ended = "posted" if not t.flags & KEEP or hold.left == 0 else ""
        else:
            hold.ended = "voided"
            self._reopen(p)
        self.took[int(t.id)] = gone
        self.transfers[int(t.id)] = t._replace(
            amount=amount, debit_account_id=p.debit_account_id, credit_account_id=p.credit_account_id, ledger=p.ledger,
            code=p.code, user_data_128=t.user_data_128 or p.user_data_128, user_data_64=t.user_data_64 or p.user_data_64,
            user_data_32=t.user_data_32 or p.user_data_32,
        )  # fmt: skip
        return "created"

    def end_asked_wrong(self, t: Transfer) -> str:
        """What is wrong with a post or void by itself."""
        if (t.flags & POST and t.flags & VOID) or t.flags & (PENDING | BAL_D | BAL_C | CLOSE_D | CLOSE_C):
            return "flags_are_mutually_exclusive"
        if t.pending_id == 0:
            return "pending_id_must_not_be_zero"
        if t.pending_id == MAX_ID:
            return "pending_id_must_not_be_int_max"
        if t.pending_id == t.id:
            return "pending_id_must_be_different"
        if t.timeout:
            return "timeout_reserved_for_pending_transfer"
        return ""

    def _let_go(self, name: int, fen: int) -> None:
        p = self.transfers[name]
        self.accounts[int(p.debit_account_id)]["dp"] -= fen
        self.accounts[int(p.credit_account_id)]["cp"] -= fen

    def _reopen(self, p: Transfer) -> None:
        if p.flags & CLOSE_D:
            self.accounts[int(p.debit_account_id)]["flags"] &= ~CLOSED
        if p.flags & CLOSE_C:
            self.accounts[int(p.credit_account_id)]["flags"] &= ~CLOSED
