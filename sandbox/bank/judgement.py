"""The bank's book as a judge reads it: what was paid, how often, what each account holds, what was told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.bank import policy, settings

if TYPE_CHECKING:
    from sandbox.bank.service import Bank

LIMIT = 10_000

_PAYMENTS = """
SELECT p.e2e, p.msg_id, p.account, p.payee_name, p.payee_account, p.fen, p.text, p.state, p.reason, p.reason_text,
  p.submissions, p.bank_ref, p.booked_at, p.received_at,
  (SELECT count(*) FROM bank_entry e WHERE e.kind='payout' AND e.e2e=p.e2e) AS executions,
  (SELECT coalesce(sum(-t.fen), 0) FROM bank_entry e JOIN bank_posting t ON t.entry=e.id AND t.account=p.account
    WHERE e.kind='payout' AND e.e2e=p.e2e) AS executed_fen,
  (SELECT coalesce(sum(t.fen), 0) FROM bank_entry e JOIN bank_posting t ON t.entry=e.id AND t.account=p.account
    WHERE e.kind='return' AND e.e2e=p.e2e) AS returned_fen
FROM bank_payment p WHERE (? = '' OR p.account = ?) AND (? = '' OR p.e2e = ?) ORDER BY p.rowid LIMIT ?
"""
_SAME = """
SELECT account, payee_account, fen, count(*) AS times, group_concat(e2e) AS e2es FROM bank_payment
WHERE state = 'ACSC' GROUP BY account, payee_account, fen HAVING count(*) > 1
"""
_ENTRIES = """
SELECT e.id AS entry, e.kind, p.account, p.fen, p.ref, p.biz_date, p.statement_no, coalesce(e.e2e, '') AS e2e,
  e.other_name, e.other_account, e.text, e.at FROM bank_posting p JOIN bank_entry e ON e.id=p.entry
JOIN bank_account a ON a.number=p.account WHERE a.kind<>'OUT' AND (? = '' OR p.account = ?) ORDER BY e.id LIMIT ?
"""


def judgement(bank: Bank, account: str = "", e2e: str = "") -> dict[str, Any]:
    """Everything (of one sub-account or payment, when named), at most 10,000 rows of a kind."""
    with bank.books.transaction() as db:
        payments = [dict(r) for r in db.execute(_PAYMENTS, (account, account, e2e, e2e, LIMIT))]
        same = [{**dict(r), "e2es": r["e2es"].split(",")} for r in db.execute(_SAME)]
        entries = [dict(r) for r in db.execute(_ENTRIES, (account, account, LIMIT))]
        statements = [
            dict(r) for r in db.execute("SELECT * FROM bank_statement ORDER BY rowid LIMIT ?", (LIMIT,))
        ]
        returns = [dict(r) for r in db.execute("SELECT * FROM bank_return ORDER BY rowid LIMIT ?", (LIMIT,))]
        holds = [dict(r) for r in db.execute("SELECT * FROM bank_hold ORDER BY rowid LIMIT ?", (LIMIT,))]
        outside = db.execute("SELECT balance_fen FROM bank_account WHERE kind='OUT'").fetchone()[0]
    accounts = [
        {
            "account": one.number, "kind": one.kind, "case_ref": one.case_ref, "ledger_fen": one.balance_fen,
            "held_fen": bank.ledger.held(one.number), "available_fen": one.balance_fen - bank.ledger.held(one.number),
            "statement_no": one.statement_no, "closing_fen": one.closing_fen, "stated_to": one.stated_to,
        }
        for one in bank.ledger.accounts()
    ]  # fmt: skip
    custody = sum(one["ledger_fen"] for one in accounts)
    return {
        "payments": payments,
        "executed": {
            "count": sum(p["executions"] for p in payments),
            "fen": sum(p["executed_fen"] for p in payments),
            "more_than_once": [p["e2e"] for p in payments if p["executions"] > 1],
            "same_payee_and_sum": same,
        },
        "accounts": accounts,
        "custody_fen": custody,
        "balanced": custody == -outside,
        "entries": entries,
        "statements": statements,
        "returns": returns,
        "holds": holds,
        "outbound": bank.post.overview(),
        "policy": policy.current(bank.books),
        "settings": vars(settings.read(bank.books)),
    }
