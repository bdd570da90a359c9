-- A county's day as the books hold it before the night's statements: made from table `plan` by an administrator with
-- triggers off, since it stands for weeks of work; the invariants are proved over it before and after the run.
CREATE FUNCTION pg_temp.u(what text, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT md5(what || n)::uuid $$;
CREATE TEMPORARY TABLE holder AS
SELECT a, pg_temp.u('case', a) AS case_id, account, sum(fen) AS agreed, sum(fen) FILTER (WHERE proved) AS paid, stated
  FROM plan GROUP BY a, account, stated;

INSERT INTO escrow.account (id, kind, case_id, key) VALUES (pg_temp.u('custody', 0), 'custody', NULL, :'rail');
INSERT INTO escrow.custody VALUES (pg_temp.u('holder', 0), :'rail', :'parent', '银行直连', pg_temp.u('custody', 0), :'before');
INSERT INTO escrow.escrow_case (id, dispute, mediation_number, agreement_no, title, agreed_fen, signed_on, prefixes,
    terms_digest, state, created_at)
SELECT case_id, 'D' || a, '瓯栖调〔2026〕对账' || a || '号', 'XY' || a, '工资集体争议', agreed, :'day'::date - 9,
       jsonb_build_object(:'rail', 'Q' || lpad(a::text, 6, '0') || 'I'), md5('t' || a), 'RELEASING', :'before' FROM holder;
INSERT INTO escrow.bank_account (rail, number, custody, kind, case_id, mirror_fen, last_day, last_seq, last_closing, booked_fen)
SELECT :'rail', :'parent', pg_temp.u('holder', 0), 'PARENT', NULL::uuid, 0, :'day'::date - 1, 1, 0, 0
UNION ALL SELECT :'rail', account, pg_temp.u('holder', 0), 'SUB', case_id, agreed - coalesce(paid, 0),
       CASE WHEN stated THEN :'day'::date - 1 END, CASE WHEN stated THEN 1 END, CASE WHEN stated THEN agreed END,
       CASE WHEN stated THEN agreed END FROM holder;
INSERT INTO escrow.party (id, case_id, version, key, role, kind, name, id_number, since)
SELECT pg_temp.u('party', i), pg_temp.u('case', a), 1, 'A' || k, 'PAYEE', 'person', '收款人' || i, '330399198401108161', :'before' FROM plan;
INSERT INTO escrow.pay_account (id, party, rail, number, name, bank_code, bank_name)
SELECT pg_temp.u('pay', i), pg_temp.u('party', i), :'rail', payee_account, '收款人' || i, '402339900017', '瓯栖农村合作银行' FROM plan;
INSERT INTO escrow.instalment (id, case_id, version, number, due_on, fen, payer, state, paid_fen)
SELECT pg_temp.u('inst', a), case_id, 1, 1, :'day'::date, agreed, 'R1', 'PAID', agreed FROM holder;
INSERT INTO escrow.share SELECT pg_temp.u('inst', a), 'A' || k, fen FROM plan;
INSERT INTO escrow.payment_order (id, case_id, purpose, version, instalment, payee, part, ordinal, rail, number, business_key,
    amount_fen, debit_account, payee_party, payee_name, payee_account, content, payload, digest, state, outcome, drafted_at, moved_at)
SELECT pg_temp.u('order', i), pg_temp.u('case', a), 'COMPENSATION', 1, 1, 'A' || k, 1, k, :'rail', number, 'B' || number, fen, account,
       pg_temp.u('party', i), '收款人' || i, payee_account, '{}', number::bytea, encode(sha256(number::bytea), 'hex'),
       CASE WHEN proved THEN 'PAID' ELSE 'SENT' END, outcome, :'before', :'before' FROM plan;
INSERT INTO escrow.approval
SELECT pg_temp.u(role, i), pg_temp.u('order', i), role, person, encode(sha256(number::bytea), 'hex'), :'before'
  FROM plan, (VALUES ('MAKER', 'ka'), ('CHECKER', 'fu'), ('RELEASER', 'sh')) AS p (role, person);
INSERT INTO escrow.rail_attempt (id, order_id, case_id, rail, number, source, fen, debit_account, payee_name, payee_account, payload,
    intended_at, outcome, proved_by, state, sends, first_sent_at)
SELECT pg_temp.u('attempt', i), pg_temp.u('order', i), pg_temp.u('case', a), :'rail', number, 'HUB', fen, account, '收款人' || i,
       payee_account, number::bytea, :'before', outcome, CASE WHEN proved THEN pg_temp.u('line', i) END, 'SENT', 1, :'before' FROM plan;

-- Each account was funded the day before, and the night's statement showed it; the debits came by notices.
INSERT INTO escrow.statement (id, rail, account, kind, native_id, seq, day, opening_fen, closing_fen, lines, body_digest, received_at)
SELECT pg_temp.u('fund', a), :'rail', account, CASE WHEN stated THEN 'DAY' ELSE 'NOTICE' END, 'F' || a, 1, :'day'::date - 1, 0, agreed,
       1, md5('f' || a), :'before' FROM holder
UNION ALL SELECT pg_temp.u('note', a), :'rail', account, 'NOTICE', 'N' || a, 1, :'day'::date, NULL, NULL, 0, md5('n' || a), :'before' FROM holder;
INSERT INTO escrow.statement_line (id, rail, account, statement, bank_ref, booked_on, valued_on, fen, direction, our_number,
    other_name, other_account, text, known_at)
SELECT pg_temp.u('credit', a), :'rail', account, pg_temp.u('fund', a), 'CR' || a, :'day'::date - 1, :'day'::date - 1, agreed, 'CREDIT', '',
       '付款人' || a, '98' || a, '调解款', :'before' FROM holder
UNION ALL SELECT pg_temp.u('line', i), :'rail', account, pg_temp.u('note', a), ref, booked_on, booked_on, fen, 'DEBIT', number,
       '收款人' || i, payee_account, '调解款', :'before' FROM plan WHERE proved;
INSERT INTO escrow.line_sighting SELECT pg_temp.u('credit', a), pg_temp.u('fund', a), 'CR' || a, :'day'::date - 1 FROM holder
UNION ALL SELECT pg_temp.u('line', i), pg_temp.u('note', a), ref, booked_on FROM plan WHERE proved;
INSERT INTO escrow.line_placing SELECT pg_temp.u('credit', a), 'POSTED', 'CREDIT', case_id, NULL::uuid, :'before' FROM holder
UNION ALL SELECT pg_temp.u('line', i), 'POSTED', 'PAYOUT', pg_temp.u('case', a), pg_temp.u('order', i), :'before' FROM plan WHERE proved;
INSERT INTO escrow.funding SELECT pg_temp.u('funding', a), case_id, pg_temp.u('credit', a), agreed, '98' || a, '付款人' || a, false, false,
       :'before' FROM holder;
-- What was booked the day before stood in a notice and not in that night's statement: somebody is looking for it.
INSERT INTO escrow.recon_break (id, kind, subject, case_id, line, rail, account, day, fen, found_at, own_by, close_by)
SELECT pg_temp.u('break', i), 'MISSING_LINE', 'line/' || pg_temp.u('line', i), pg_temp.u('case', a), pg_temp.u('line', i), :'rail', account,
       booked_on, fen, :'before', :'day'::date + 9, :'day'::date + 9 FROM plan WHERE booked_on < :'day'::date;
INSERT INTO escrow.state_log (machine, subject, to_state, at)
SELECT 'recon_break', pg_temp.u('break', i), 'OPEN', :'before' FROM plan WHERE booked_on < :'day'::date;

-- The ledger: money came in, was set aside, sent, and proved; each account's chain link by link.
INSERT INTO escrow.account (id, kind, case_id, key)
SELECT pg_temp.u('escrow', a), 'case_escrow', case_id, '' FROM holder
UNION ALL SELECT pg_temp.u('transit', a), 'in_transit', case_id, :'rail' FROM holder
UNION ALL SELECT pg_temp.u('payable', i), 'payable', pg_temp.u('case', a), 'A' || k FROM plan;
CREATE TEMPORARY TABLE made AS
SELECT pg_temp.u('e0', a) AS id, 0 AS step, a::bigint AS n, 'CREDIT' AS kind, 'line/' || pg_temp.u('credit', a) AS key, case_id,
       pg_temp.u('holder', 0) AS custody, pg_temp.u('credit', a) AS line, NULL::uuid AS order_id, agreed::bigint AS fen,
       pg_temp.u('custody', 0) AS debit, pg_temp.u('escrow', a) AS credit FROM holder
UNION ALL SELECT pg_temp.u('e1', i), 1, i, 'HOLD', 'hold/' || pg_temp.u('order', i), pg_temp.u('case', a), NULL, NULL, pg_temp.u('order', i), fen,
       pg_temp.u('escrow', a), pg_temp.u('payable', i) FROM plan
UNION ALL SELECT pg_temp.u('e2', i), 2, i, 'SEND', 'send/' || pg_temp.u('order', i), pg_temp.u('case', a), NULL, NULL, pg_temp.u('order', i), fen,
       pg_temp.u('payable', i), pg_temp.u('transit', a) FROM plan
UNION ALL SELECT pg_temp.u('e3', i), 3, i, 'PAYOUT', 'line/' || pg_temp.u('line', i), pg_temp.u('case', a), pg_temp.u('holder', 0),
       pg_temp.u('line', i), pg_temp.u('order', i), fen, pg_temp.u('transit', a), pg_temp.u('custody', 0) FROM plan WHERE proved;
INSERT INTO escrow.entry (id, business_key, kind, case_id, custody, line, order_id, purpose, amount_fen, at, actor)
SELECT id, key, kind, case_id, custody, line, order_id, CASE WHEN step = 0 THEN '' ELSE 'COMPENSATION' END, fen, :'before', 'system' FROM made;
DO $$
DECLARE
    r record;
    at timestamptz := current_setting('bench.before')::timestamptz;
    last uuid;
    seq bigint;
    balance bigint;
    prev bytea;
    link bytea;
BEGIN
    FOR r IN SELECT p.account, p.entry, p.amount, k.side FROM (
            SELECT debit AS account, id AS entry, fen AS amount, step, n FROM made
            UNION ALL SELECT credit, id, -fen, step, n FROM made) p
        JOIN escrow.account a ON a.id = p.account JOIN escrow.account_kind k ON k.kind = a.kind ORDER BY p.account, p.step, p.n LOOP
        IF last IS DISTINCT FROM r.account THEN
            UPDATE escrow.account a SET balance = b.balance, last_seq = b.seq, head = b.link
              FROM (SELECT balance, seq, link) b WHERE a.id = last;
            last := r.account; seq := 0; balance := 0; prev := '';
        ELSE
            prev := link;
        END IF;
        seq := seq + 1;
        balance := balance + CASE r.side WHEN 'D' THEN r.amount ELSE -r.amount END;
        link := escrow.link_hash(prev, r.entry, seq, r.amount, balance, at);
        INSERT INTO escrow.posting (account, seq, entry, amount, balance_after, prev, hash)
        VALUES (r.account, seq, r.entry, r.amount, balance, prev, link);
    END LOOP;
    UPDATE escrow.account a SET balance = b.balance, last_seq = b.seq, head = b.link
      FROM (SELECT balance, seq, link) b WHERE a.id = last;
END $$;
