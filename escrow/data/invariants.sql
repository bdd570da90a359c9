-- The invariants of escrow.md, each as queries that give (subject, found) for what breaks it; no row: it holds.

-- I1 debits = credits in each entry
SELECT entry::text, 'sum ' || sum(amount) FROM escrow.posting GROUP BY entry HAVING sum(amount) <> 0;

-- I1 debits = credits in all
SELECT 'all', 'sum ' || sum(amount) FROM escrow.posting HAVING sum(amount) <> 0;

-- I1 each account stands where its postings put it
SELECT a.id::text, a.balance || ' is not ' || coalesce(s.total, 0)
  FROM escrow.account a JOIN escrow.account_kind k ON k.kind = a.kind
  LEFT JOIN (SELECT account, sum(amount) AS total FROM escrow.posting GROUP BY account) s ON s.account = a.id
 WHERE a.balance <> coalesce(s.total, 0) * CASE k.side WHEN 'D' THEN 1 ELSE -1 END;

-- I2 per case: received − paid − refunded − fees + returned = what its accounts hold, never below zero
SELECT mediation_number, balance_fen || ' is not ' || own FROM (
    SELECT f.*, received_fen - deducted_fen - reversed_fen - fee_fen - released_fen - refunded_fen AS own FROM escrow.v_figures f) x
 WHERE own <> balance_fen OR balance_fen < 0;

-- I2 no account below zero
SELECT id::text, kind || ' ' || balance FROM escrow.account WHERE balance < 0 AND kind <> 'transfer';

-- I3 all liabilities = the sum of the custody accounts, with what is on its way between them
SELECT 'all', liabilities || ' is not ' || assets FROM (
    SELECT coalesce(sum(a.balance) FILTER (WHERE k.side = 'C'), 0) AS liabilities,
           coalesce(sum(a.balance) FILTER (WHERE k.side = 'D'), 0) AS assets
      FROM escrow.account a JOIN escrow.account_kind k ON k.kind = a.kind) x
 WHERE liabilities <> assets;

-- I3 each custody account = its holder's accounts ± listed items
SELECT rail || '/' || number, ledger || ' + ' || listed || ' is not ' || holder FROM (
    SELECT c.rail, c.number, a.balance AS ledger,
           (SELECT coalesce(sum(b.mirror_fen), 0) FROM escrow.bank_account b WHERE b.custody = c.id) AS holder,
           (SELECT coalesce(sum(i.fen), 0) FROM escrow.v_listed_item i WHERE i.custody = c.id) AS listed
      FROM escrow.custody c JOIN escrow.account a ON a.id = c.ledger) x
 WHERE ledger + listed <> holder;

-- I3 each holder's account stands where its lines put it
SELECT rail || '/' || number, mirror_fen || ' is not ' || own FROM (
    SELECT b.*, b.first_opening + coalesce((SELECT sum(CASE l.direction WHEN 'CREDIT' THEN l.fen ELSE -l.fen END)
        FROM escrow.statement_line l WHERE l.rail = b.rail AND l.account = b.number), 0) AS own FROM escrow.bank_account b) x
 WHERE own <> mirror_fen;

-- I3 each holder's closing balance is its lines', or the difference is a break
SELECT rail || '/' || number, 'closing ' || last_closing || ' is not ' || own FROM (
    SELECT b.*, b.first_opening + coalesce((SELECT sum(CASE l.direction WHEN 'CREDIT' THEN l.fen ELSE -l.fen END)
        FROM escrow.statement_line l WHERE l.rail = b.rail AND l.account = b.number AND l.booked_on <= b.last_day), 0) AS own
      FROM escrow.bank_account b WHERE b.last_closing IS NOT NULL) x
 WHERE own <> last_closing
   AND NOT EXISTS (SELECT 1 FROM escrow.recon_break k WHERE k.rail = x.rail AND k.account = x.number);

-- I3 a line is posted once or stands apart by name
SELECT l.id::text, coalesce(p.placed, 'not placed') || CASE WHEN e.id IS NULL THEN ' without' ELSE ' with' END || ' entry'
  FROM escrow.statement_line l LEFT JOIN escrow.line_placing p ON p.line = l.id LEFT JOIN escrow.entry e ON e.line = l.id
 WHERE p.line IS NULL OR (p.placed = 'POSTED') <> (e.id IS NOT NULL);

-- I3 an unposted line has a break
SELECT p.line::text, 'unposted without a break' FROM escrow.line_placing p
 WHERE p.placed = 'UNPOSTED' AND NOT EXISTS (SELECT 1 FROM escrow.recon_break b WHERE b.line = p.line);

-- I4 per case, instalment, purpose and seat: proved and under way ≤ agreed
SELECT o.case_id::text, o.instalment || '/' || o.payee || ': ' || sum(o.amount_fen) || ' of ' || coalesce(s.fen, 0)
  FROM escrow.payment_order o
  LEFT JOIN escrow.instalment i ON i.case_id = o.case_id AND i.version = o.version AND i.number = o.instalment
  LEFT JOIN escrow.share s ON s.instalment = i.id AND s.payee = o.payee
 WHERE o.purpose = 'COMPENSATION'
   AND o.state NOT IN ('CANCELLED', 'STOPPED', 'FAILED', 'RETURNED', 'REISSUED', 'CLOSED')
 GROUP BY o.case_id, o.version, o.instalment, o.payee, s.fen HAVING sum(o.amount_fen) > coalesce(s.fen, 0);

-- I4 paid is what an entry proves
SELECT o.number, o.state || ' without its entry' FROM escrow.payment_order o
 WHERE o.state = 'PAID' AND NOT EXISTS (SELECT 1 FROM escrow.entry e WHERE e.order_id = o.id
       AND e.kind IN ('PAYOUT', 'LATE_PAYOUT', 'TOP_UP_OUT'));

-- I5 at most one live instruction an order
SELECT o.number, count(*) || ' attempts' FROM escrow.rail_attempt a JOIN escrow.payment_order o ON o.id = a.order_id
 GROUP BY o.id, o.number HAVING count(*) FILTER (WHERE coalesce(a.outcome, '') <> 'REFUSED') > 1;

-- I5 what left has an attempt under its number
SELECT o.number, o.state || ' without an attempt' FROM escrow.payment_order o
 WHERE o.state IN ('DISPATCHING', 'SENT', 'PAID', 'FAILED', 'RETURNED', 'REISSUED', 'CLOSED')
   AND NOT EXISTS (SELECT 1 FROM escrow.rail_attempt a WHERE a.order_id = o.id AND a.number = o.number);

-- I5 money in transit is that of the orders that left
SELECT case_id::text, sent || ' sent is not ' || held FROM (
    SELECT c.id AS case_id,
           (SELECT coalesce(sum(amount_fen), 0) FROM escrow.payment_order p
             WHERE p.case_id = c.id AND p.state IN ('DISPATCHING', 'SENT')) AS sent,
           (SELECT coalesce(sum(balance), 0) FROM escrow.account a WHERE a.case_id = c.id AND a.kind = 'in_transit') AS held
      FROM escrow.escrow_case c) x
 WHERE sent <> held;

-- I5 money set aside is that of the released orders
SELECT case_id::text, released || ' released is not ' || held FROM (
    SELECT c.id AS case_id,
           (SELECT coalesce(sum(amount_fen), 0) FROM escrow.payment_order p
             WHERE p.case_id = c.id AND p.state = 'RELEASED') AS released,
           (SELECT coalesce(sum(balance), 0) FROM escrow.account a WHERE a.case_id = c.id AND a.kind = 'payable') AS held
      FROM escrow.escrow_case c) x
 WHERE released <> held;

-- I6 a refund goes only to the account the money came from
SELECT o.number, o.payee_account FROM escrow.payment_order o
 WHERE o.purpose = 'REFUND' AND NOT EXISTS (SELECT 1 FROM escrow.funding f
       WHERE f.case_id = o.case_id AND f.payer_account = o.payee_account AND f.fen > 0);

-- I7 frozen money left only by a court's document
SELECT e.id::text, e.kind FROM escrow.posting p JOIN escrow.account a ON a.id = p.account AND a.kind = 'frozen'
  JOIN escrow.entry e ON e.id = p.entry LEFT JOIN escrow.court_document d ON d.id = e.document
 WHERE p.amount > 0 AND (d.id IS NULL OR d.measure NOT IN ('LIFT', 'DEDUCT'));

-- I7 a freeze holds no more than its document says, and nothing after its end
SELECT f.document_no, f.state || ' holds ' || a.balance FROM escrow.freeze f JOIN escrow.account a ON a.id = f.ledger
 WHERE f.state <> 'ACTIVE' AND a.balance <> 0 OR a.balance > f.amount_fen - f.deducted_fen;

-- I7 no money of a case is free while a freeze still wants it
SELECT f.document_no, 'wants ' || f.amount_fen - f.deducted_fen - a.balance || ' while ' || c.balance || ' is free'
  FROM escrow.freeze f JOIN escrow.account a ON a.id = f.ledger
  JOIN escrow.account c ON c.case_id = f.case_id AND c.kind = 'case_escrow'
 WHERE f.state = 'ACTIVE' AND f.amount_fen - f.deducted_fen > a.balance AND c.balance > 0;

-- I8 the chain of each account verifies from the first link
SELECT x.account::text, 'link ' || x.seq FROM (
    SELECT p.*, lag(p.hash) OVER w AS before, lag(p.seq) OVER w AS seq_before, lag(p.balance_after) OVER w AS balance_before,
           k.side, e.at
      FROM escrow.posting p JOIN escrow.entry e ON e.id = p.entry JOIN escrow.account a ON a.id = p.account
      JOIN escrow.account_kind k ON k.kind = a.kind
    WINDOW w AS (PARTITION BY p.account ORDER BY p.seq)) x
 WHERE x.prev <> coalesce(x.before, '') OR x.seq <> coalesce(x.seq_before, 0) + 1
    OR x.balance_after <> coalesce(x.balance_before, 0) + CASE x.side WHEN 'D' THEN x.amount ELSE -x.amount END
    OR x.hash <> escrow.link_hash(x.prev, x.entry, x.seq, x.amount, x.balance_after, x.at);

-- I8 each account's head is its last link
SELECT a.id::text, 'head' FROM escrow.account a LEFT JOIN escrow.posting p ON p.account = a.id AND p.seq = a.last_seq
 WHERE a.head <> coalesce(p.hash, '') OR a.last_seq <> (SELECT count(*) FROM escrow.posting q WHERE q.account = a.id);

-- I9 every move that was made is in its table
SELECT l.subject::text, l.machine || ': ' || l.from_state || ' to ' || l.to_state FROM escrow.state_log l
 WHERE l.from_state IS NOT NULL AND NOT EXISTS (SELECT 1 FROM exchange.state_move m
       WHERE m.machine = l.machine AND m.from_state = l.from_state AND m.to_state = l.to_state);

-- I9 every move starts where the last one ended
SELECT x.subject::text, x.machine || ': ' || x.from_state || ' follows ' || coalesce(x.before, 'nothing') FROM (
    SELECT l.*, lag(to_state) OVER (PARTITION BY machine, subject ORDER BY id) AS before FROM escrow.state_log l) x
 WHERE x.from_state IS DISTINCT FROM x.before;

-- I10 two different persons for every order, three above the tier
SELECT o.number, o.state || ' signed by ' || coalesce(string_agg(DISTINCT p.person, ', '), 'nobody')
  FROM escrow.payment_order o LEFT JOIN escrow.approval p ON p.order_id = o.id AND p.digest = o.digest
 WHERE o.state IN ('RELEASED', 'DISPATCHING', 'SENT', 'PAID', 'FAILED', 'RETURNED', 'REISSUED', 'CLOSED')
 GROUP BY o.id, o.number, o.state, o.amount_fen, o.drafted_at
HAVING count(DISTINCT p.role) < 3 OR count(DISTINCT p.person)
       < escrow.persons_needed(o.amount_fen, (o.drafted_at AT TIME ZONE 'Asia/Shanghai')::date);

-- I10 a decision is confirmed by another person
SELECT id::text, kind || ' by one person' FROM escrow.decision
 WHERE state = 'CONFIRMED' AND (decided_by IS NULL OR decided_by = proposed_by);

-- I11 what is sent is what was approved
SELECT o.number, 'other bytes' FROM escrow.rail_attempt a JOIN escrow.payment_order o ON o.id = a.order_id
 WHERE encode(sha256(a.payload), 'hex') <> o.digest OR a.payload <> o.payload;
