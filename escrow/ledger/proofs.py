"""Proof of the general ledger: chains, balances, sums and holds, from the rows alone.

By increments: each account's chain is recomputed from where its last proof ended, so a proof costs what was added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg.rows import dict_row

from escrow.ledger.general import Through, driver

FEW = 20  # faults shown of each kind

# Every posting after the mark against the one before it: its number, its link, the four balances it leaves.
_CHAIN = """
WITH mark AS (
    SELECT a.id, coalesce(p.seq, 0) AS seq,
           escrow.ledger_genesis(a.id, a.ledger, a.code, a.flags, a.user_data_128, a.user_data_64, a.user_data_32) AS genesis
      FROM escrow.ledger_account a LEFT JOIN escrow.ledger_proved p ON NOT %(full)s AND p.account = a.id
     WHERE a.last_seq > coalesce(p.seq, 0)
), posting AS (
    SELECT p.account, p.seq, p.hash, p.debits_pending AS dp, p.debits_posted AS d, p.credits_pending AS cp,
           p.credits_posted AS c, m.seq AS mark, m.genesis,
           escrow.ledger_says(p.id, p.kind, p.pending_id, p.debit_account, p.credit_account, p.amount, p.released, p.rest,
               p.flags, p.timeout, p.ledger, p.code, p.user_data_128, p.user_data_64, p.user_data_32, p.timestamp) AS says,
           CASE p.kind WHEN 'HOLD' THEN p.amount ELSE -p.released END AS pending,
           CASE WHEN p.kind IN ('MOVE', 'POST') THEN p.amount ELSE 0 END AS posted, p.side
      FROM mark m JOIN escrow.v_ledger_posting p ON p.account = m.id AND p.seq >= m.seq
), step AS (
    SELECT *, coalesce(lag(seq) OVER w, 0) AS o_seq, coalesce(lag(hash) OVER w, genesis) AS o_hash,
           coalesce(lag(dp) OVER w, 0) AS o_dp, coalesce(lag(d) OVER w, 0) AS o_d,
           coalesce(lag(cp) OVER w, 0) AS o_cp, coalesce(lag(c) OVER w, 0) AS o_c
      FROM posting WINDOW w AS (PARTITION BY account ORDER BY seq)
)
SELECT account || ' ' || seq AS subject, CASE
           WHEN seq <> o_seq + 1 THEN 'follows ' || o_seq
           WHEN hash <> escrow.ledger_link(o_hash, says, seq, dp, d, cp, c) THEN 'is not what its link says'
           ELSE 'leaves other balances than it moves' END AS found
  FROM step
 WHERE seq > mark AND (seq <> o_seq + 1 OR hash <> escrow.ledger_link(o_hash, says, seq, dp, d, cp, c)
    OR (dp - o_dp, d - o_d, cp - o_cp, c - o_c) <>
       (CASE side WHEN 'D' THEN pending ELSE 0 END, CASE side WHEN 'D' THEN posted ELSE 0 END,
        CASE side WHEN 'C' THEN pending ELSE 0 END, CASE side WHEN 'C' THEN posted ELSE 0 END))
 LIMIT 20"""

# An account stands where its last posting left it.
_HEAD = """
SELECT a.id::text AS subject, 'stands elsewhere than its last posting' AS found
  FROM escrow.ledger_account a LEFT JOIN escrow.ledger_proved m ON NOT %(full)s AND m.account = a.id
  LEFT JOIN LATERAL (SELECT * FROM escrow.v_ledger_posting p WHERE p.account = a.id ORDER BY p.seq DESC LIMIT 1) p ON true
 WHERE a.last_seq > coalesce(m.seq, -1)
   AND (a.last_seq, a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted, a.head) IS DISTINCT FROM
       (coalesce(p.seq, 0), coalesce(p.debits_pending, 0), coalesce(p.debits_posted, 0), coalesce(p.credits_pending, 0),
        coalesce(p.credits_posted, 0), coalesce(p.hash, escrow.ledger_genesis(a.id, a.ledger, a.code, a.flags,
            a.user_data_128, a.user_data_64, a.user_data_32))) LIMIT 20"""

_SUMS = """
SELECT 'ledger ' || ledger AS subject, 'debits and credits differ' AS found FROM escrow.ledger_account GROUP BY ledger
HAVING sum(debits_posted) <> sum(credits_posted) OR sum(debits_pending) <> sum(credits_pending) LIMIT 20"""

# What ends a hold, or takes a part, is about a hold that is there, leaves what was left, and nothing follows the end.
_HOLDS = """
SELECT e.id::text AS subject, 'is not a step of its hold' AS found
  FROM (SELECT t.*, sum(t.released) OVER w AS gone, lag(t.rest) OVER w AS o_rest, lag(t.kind) OVER w AS o_kind,
               lag(t.flags) OVER w AS o_flags
          FROM escrow.ledger_transfer t WHERE t.pending_id IS NOT NULL AND (%(full)s OR t.pending_id IN (
            SELECT n.pending_id FROM escrow.ledger_account a LEFT JOIN escrow.ledger_proved m ON m.account = a.id
              JOIN escrow.ledger_transfer n ON n.debit_account = a.id AND n.debit_seq > coalesce(m.seq, 0)
             WHERE a.last_seq > coalesce(m.seq, 0) AND n.pending_id IS NOT NULL))
        WINDOW w AS (PARTITION BY t.pending_id ORDER BY t.debit_seq)) e
  LEFT JOIN escrow.ledger_transfer h ON h.id = e.pending_id AND h.kind = 'HOLD'
 WHERE h.id IS NULL OR e.rest <> h.amount - e.gone
    OR (e.o_kind IS NOT NULL AND (e.o_kind <> 'POST' OR e.o_flags & 65536 = 0 OR e.o_rest = 0))
    OR (e.debit_account, e.credit_account, e.ledger) <> (h.debit_account, h.credit_account, h.ledger) LIMIT 20"""

_CHECKS = (("chain", _CHAIN), ("balance", _HEAD), ("sum", _SUMS), ("hold", _HOLDS))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in the ledger: which check found it, where, what."""

    check: str
    subject: str
    found: str


def prove_ledger(through: Through, *, full: bool = False) -> list[Fault]:
    """Prove the ledger; an empty list means that it holds.

    `full`: from the first posting; otherwise chains, balances and holds from the last proof on. When nothing
    is wrong and the transaction may write, the new marks are kept.
    """
    conn = driver(through)
    faults: list[Fault] = []
    with conn.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute("SELECT EXISTS (SELECT FROM escrow.ledger_account) AS used").fetchone()
        if not full and row is not None and not row["used"]:
            return []
        for name, sql in _CHECKS:
            rows: list[dict[str, Any]] = cursor.execute(sql, {"full": full}).fetchall()
            faults += [Fault(name, row["subject"], row["found"]) for row in rows]
        if not faults:
            cursor.execute(
                "SELECT CASE current_setting('transaction_read_only') WHEN 'off' THEN escrow.ledger_keep_proof() END"
            )
    return faults
