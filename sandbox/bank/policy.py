"""How the bank is told to treat payments: a standing manner, and manners for the next few or for named ones."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.books import Books
from sandbox.control import BadOrder

MODES = {
    "auto": "accept, execute when the windows allow, say so",
    "hold": "a person looks at it (PDNG OQ21) until it is released, refused or cancelled by order",
    "refuse": "RJCT with `reason` and `text`",
    "manual": "taken, nothing said, nothing done: only orders and emitted messages move it",
    "never_answer": "executed, but no pain.002 and no camt.054: statement and query alone tell",
    "unknown": "answered U00999, and then as auto",
}


@dataclass(frozen=True)
class Manner:
    mode: str
    reason: str = ""
    text: str = ""


def order(books: Books, mode: str, reason: str, text: str, account: str, e2e: str, times: int | None) -> None:
    """Set a manner for all payments or for one account or EndToEndId; `times` None = until changed."""
    if mode not in MODES:
        raise BadOrder(f"mode is one of {', '.join(MODES)}")
    if mode == "refuse" and not reason:
        raise BadOrder("a refusal has a reason: AC01, AC04, AC06, AM04, BE04, NARR, OQ21 or OQ30")
    if times is not None and not 1 <= times <= 100_000:
        raise BadOrder("times is 1..100000, or absent")
    with books.transaction() as db:
        if times is None:
            db.execute("DELETE FROM bank_policy WHERE times IS NULL AND account=? AND e2e=?", (account, e2e))
        db.execute(
            "INSERT INTO bank_policy (mode, reason, text, account, e2e, times) VALUES (?,?,?,?,?,?)",
            (mode, reason, text, account, e2e, times),
        )


def take(books: Books, account: str, e2e: str) -> Manner:
    """The manner for a payment that comes in now: named ones first, then counted ones in order, then standing ones."""
    with books.transaction() as db:
        row = db.execute(
            "SELECT * FROM bank_policy WHERE account IN ('', ?) AND e2e IN ('', ?) AND (times IS NULL OR times>0)"
            " ORDER BY e2e='', times IS NULL, account='', seq LIMIT 1",
            (account, e2e),
        ).fetchone()
        if row is None:
            return Manner("auto")
        if row["times"] is not None:
            db.execute("UPDATE bank_policy SET times=times-1 WHERE seq=?", (row["seq"],))
    return Manner(row["mode"], row["reason"], row["text"])


def current(books: Books) -> list[dict[str, object]]:
    with books.transaction() as db:
        rows = db.execute("SELECT * FROM bank_policy WHERE times IS NULL OR times>0 ORDER BY seq").fetchall()
    return [dict(row) for row in rows]


def payee_fault(books: Books, account: str, name: str) -> tuple[str, str]:
    """("", "") when name and account go together as far as the bank knows, else (reason, text)."""
    with books.transaction() as db:
        row = db.execute("SELECT * FROM bank_payee WHERE account=?", (account,)).fetchone()
    if row is None:
        return "", ""
    if row["status"] == "closed":
        return "AC04", "收款账户已销户"
    if row["status"] == "frozen":
        return "AC06", "收款账户已冻结"
    if row["name"] and row["name"] != name:
        return "AC01", "账号户名不符"
    return "", ""
