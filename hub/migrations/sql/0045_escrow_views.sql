-- Escrow: read-only views for its own figures, for insight and for reports.

-- The figures of a case, in fen. funded = balance + released + refunded (contracts' stories).
CREATE VIEW escrow.v_figures AS
SELECT c.id AS case_id, c.dispute, c.mediation_number, c.state, c.agreed_fen,
       b.balance_fen, b.frozen_fen, b.in_transit_fen, b.payable_fen, b.free_fen, b.returned_fen, b.transfer_fen,
       f.received_fen, f.deducted_fen, f.reversed_fen, f.fee_fen,
       f.paid_out_fen - f.paid_back_fen AS released_fen,
       f.refund_out_fen - f.refund_back_fen AS refunded_fen,
       b.balance_fen + f.paid_out_fen - f.paid_back_fen + f.refund_out_fen - f.refund_back_fen AS funded_fen,
       s.stopped_fen,
       least(b.balance_fen, b.frozen_fen + s.stopped_fen) AS held_fen
  FROM escrow.escrow_case c
 CROSS JOIN LATERAL (
    SELECT coalesce(sum(a.balance) FILTER (WHERE k.side = 'C'), 0)::bigint AS balance_fen,
           coalesce(sum(a.balance) FILTER (WHERE a.kind = 'frozen'), 0)::bigint AS frozen_fen,
           coalesce(sum(a.balance) FILTER (WHERE a.kind = 'in_transit'), 0)::bigint AS in_transit_fen,
           coalesce(sum(a.balance) FILTER (WHERE a.kind = 'payable'), 0)::bigint AS payable_fen,
           coalesce(sum(a.balance) FILTER (WHERE a.kind = 'case_escrow'), 0)::bigint AS free_fen,
           coalesce(sum(a.balance) FILTER (WHERE a.kind = 'returned'), 0)::bigint AS returned_fen,
           coalesce(sum(a.balance) FILTER (WHERE a.kind = 'transfer'), 0)::bigint AS transfer_fen
      FROM escrow.account a JOIN escrow.account_kind k ON k.kind = a.kind WHERE a.case_id = c.id) b
 CROSS JOIN LATERAL (
    SELECT coalesce(sum(e.amount_fen) FILTER (WHERE k.figure = 'received'), 0)::bigint AS received_fen,
           coalesce(sum(e.amount_fen) FILTER (WHERE k.figure = 'deducted'), 0)::bigint AS deducted_fen,
           coalesce(sum(e.amount_fen) FILTER (WHERE k.figure = 'reversed'), 0)::bigint AS reversed_fen,
           coalesce(sum(e.amount_fen) FILTER (WHERE k.figure = 'fee'), 0)::bigint AS fee_fen,
           coalesce(sum(e.amount_fen) FILTER (WHERE k.figure = 'paid' AND e.purpose <> 'REFUND'), 0)::bigint AS paid_out_fen,
           coalesce(sum(e.amount_fen) FILTER (WHERE k.figure = 'paid' AND e.purpose = 'REFUND'), 0)::bigint AS refund_out_fen,
           coalesce(sum(e.amount_fen) FILTER (WHERE k.figure = 'returned' AND e.purpose <> 'REFUND'), 0)::bigint AS paid_back_fen,
           coalesce(sum(e.amount_fen) FILTER (WHERE k.figure = 'returned' AND e.purpose = 'REFUND'), 0)::bigint AS refund_back_fen
      FROM escrow.entry e JOIN escrow.entry_kind k ON k.kind = e.kind WHERE e.case_id = c.id) f
 CROSS JOIN LATERAL (
    SELECT coalesce(sum(st.amount_fen), 0)::bigint AS stopped_fen
      FROM escrow.stop st WHERE st.case_id = c.id AND st.ended_at IS NULL) s;

-- A case's money by the custody account where it lies.
CREATE VIEW escrow.v_holding AS
SELECT e.case_id, e.custody, sum(e.amount_fen * k.custody_sign)::bigint AS fen
  FROM escrow.entry e JOIN escrow.entry_kind k ON k.kind = e.kind
 WHERE e.case_id IS NOT NULL AND k.custody_sign <> 0 GROUP BY e.case_id, e.custody;

-- Credits that nobody could match yet.
CREATE VIEW escrow.v_suspense AS
SELECT l.id AS line, l.rail, l.account, l.bank_ref, l.booked_on, l.fen AS credit_fen, a.balance AS open_fen,
       l.other_name AS payer_name, l.other_account AS payer_account, l.text, l.known_at
  FROM escrow.account a JOIN escrow.statement_line l ON a.key = l.id::text
 WHERE a.kind = 'suspense' AND a.balance > 0;

-- Everything that stands between a custody account in the ledger and its holder's balance, each by name.
CREATE VIEW escrow.v_listed_item AS
SELECT b.custody, p.placed || '_LINE' AS item, l.id::text AS subject, p.case_id,
       CASE l.direction WHEN 'CREDIT' THEN l.fen ELSE -l.fen END AS fen, l.booked_on AS since
  FROM escrow.line_placing p JOIN escrow.statement_line l ON l.id = p.line
  JOIN escrow.bank_account b ON b.rail = l.rail AND b.number = l.account WHERE p.placed IN ('UNPOSTED', 'HISTORY')
UNION ALL
SELECT b.custody, 'OPENING_BALANCE', b.rail || '/' || b.number, b.case_id, b.first_opening, b.last_day
  FROM escrow.bank_account b WHERE b.first_opening <> 0
UNION ALL
SELECT b.custody, 'HALF_MOVE', m.id::text, m.case_id, CASE WHEN m.credit IS NULL THEN -m.fen ELSE m.fen END, NULL
  FROM escrow.place_move m JOIN escrow.bank_account b ON b.rail = m.rail AND b.number = m.to_account
 WHERE (m.debit IS NULL) <> (m.credit IS NULL)
UNION ALL
SELECT e.custody, 'TOP_UP_NOT_SHOWN', e.case_id::text, e.case_id,
       -sum(CASE e.kind WHEN 'PRESUME' THEN e.amount_fen ELSE -e.amount_fen END)::bigint, min(e.at)::date
  FROM escrow.entry e WHERE e.kind IN ('PRESUME', 'UNPRESUME') GROUP BY e.custody, e.case_id
HAVING sum(CASE e.kind WHEN 'PRESUME' THEN e.amount_fen ELSE -e.amount_fen END) <> 0;

CREATE VIEW escrow.v_case AS
SELECT c.id, c.dispute, c.mediation_number, c.title, c.state, c.confirmation, c.signed_on, c.created_at, c.void_at,
       f.agreed_fen, f.funded_fen, f.balance_fen, f.held_fen, f.in_transit_fen, f.released_fen, f.refunded_fen
  FROM escrow.escrow_case c JOIN escrow.v_figures f ON f.case_id = c.id;

CREATE VIEW escrow.v_order AS
SELECT o.id, o.case_id, c.dispute, c.mediation_number, o.purpose, o.instalment, o.payee, o.payee_name, o.rail, o.number,
       o.amount_fen, o.state, o.outcome, o.was_unknown, o.reason, o.drafted_at, o.moved_at, o.digest,
       (SELECT person FROM escrow.approval WHERE order_id = o.id AND role = 'MAKER') AS maker,
       (SELECT person FROM escrow.approval WHERE order_id = o.id AND role = 'CHECKER') AS checker,
       (SELECT person FROM escrow.approval WHERE order_id = o.id AND role = 'RELEASER') AS releaser
  FROM escrow.payment_order o JOIN escrow.escrow_case c ON c.id = o.case_id;

CREATE VIEW escrow.v_instalment AS
SELECT i.id, i.case_id, c.dispute, c.mediation_number, i.number, i.due_on, i.fen, i.paid_fen, i.state, i.payer
  FROM escrow.instalment i JOIN escrow.escrow_case c ON c.id = i.case_id AND c.version = i.version;

CREATE VIEW escrow.v_break AS
SELECT b.id, b.kind, b.subject, b.case_id, b.day, b.fen, b.state, b.found_at, b.own_by, b.close_by, b.owner, l.role,
       b.detail, b.closed_at, b.closed_by, b.close_document
  FROM escrow.recon_break b JOIN escrow.break_limit l ON l.kind = b.kind;

-- The postings of a case as a person reads them.
CREATE VIEW escrow.v_ledger AS
SELECT e.case_id, e.id AS entry, e.at, e.kind, k.name_zh AS entry_zh, a.kind AS account, ak.name_zh AS account_zh, a.key,
       p.amount, p.balance_after, e.line, e.order_id, e.document, e.decision, e.actor, p.seq, encode(p.hash, 'hex') AS hash
  FROM escrow.posting p JOIN escrow.entry e ON e.id = p.entry JOIN escrow.entry_kind k ON k.kind = e.kind
  JOIN escrow.account a ON a.id = p.account JOIN escrow.account_kind ak ON ak.kind = a.kind;
