-- Escrow ledger: integer fen, double entry, append-only, hash-chained per account (escrow.md, "Ledger").
-- A debit is positive, a credit negative. Balances are kept on the account's own side and never fall below
-- zero; only `transfer` (money between two custody accounts) may stand on either side.

CREATE TABLE escrow.account_kind (
    kind     text PRIMARY KEY,
    side     char(1) NOT NULL CHECK (side IN ('D', 'C')),
    clearing boolean NOT NULL DEFAULT false,
    name_zh  text NOT NULL
);
INSERT INTO escrow.account_kind VALUES
    ('custody', 'D', false, '托管账户'), ('case_escrow', 'C', false, '案件托管款'), ('payable', 'C', false, '应付'),
    ('in_transit', 'C', false, '在途'), ('suspense', 'C', false, '挂账'), ('frozen', 'C', false, '冻结'),
    ('returned', 'C', false, '退汇待处理'), ('fee', 'C', false, '手续费'), ('transfer', 'D', true, '账户间调拨');

CREATE TABLE escrow.account (
    id       uuid PRIMARY KEY,
    kind     text NOT NULL REFERENCES escrow.account_kind,
    case_id  uuid REFERENCES escrow.escrow_case,
    key      text NOT NULL DEFAULT '',     -- seat, rail, freeze, line or custody that it is for
    balance  bigint NOT NULL DEFAULT 0,
    last_seq bigint NOT NULL DEFAULT 0,
    head     bytea NOT NULL DEFAULT '',
    UNIQUE NULLS NOT DISTINCT (kind, case_id, key)
);
CREATE INDEX account_by_case ON escrow.account (case_id);

-- What each kind of entry is, what it must rest on, and how it counts in the figures of a case.
CREATE TABLE escrow.entry_kind (
    kind           text PRIMARY KEY,
    line_direction text,                   -- CREDIT or DEBIT: needs a statement line of that direction
    needs_order    boolean NOT NULL DEFAULT false,
    needs_measure  text[],                 -- needs a court document of one of these measures
    needs_decision boolean NOT NULL DEFAULT false,
    custody_sign   int NOT NULL DEFAULT 0, -- how a case's money at a custody account moves
    figure         text,                   -- received, paid, returned, deducted, reversed, fee
    name_zh        text NOT NULL
);
INSERT INTO escrow.entry_kind VALUES
    ('CREDIT', 'CREDIT', false, NULL, false, 1, 'received', '来款'),
    ('SUSPENSE', 'CREDIT', false, NULL, false, 0, NULL, '来款挂账'),
    ('ASSIGN', NULL, false, NULL, true, 1, 'received', '挂账认领'),
    ('FREEZE', NULL, false, '{FREEZE,DEDUCT}', false, 0, NULL, '司法冻结'),
    ('LIFT', NULL, false, '{LIFT}', false, 0, NULL, '解除冻结'),
    ('DEDUCT', 'DEBIT', false, '{DEDUCT}', false, -1, 'deducted', '司法扣划'),
    ('HOLD', NULL, true, NULL, false, 0, NULL, '预留'),
    ('UNHOLD', NULL, true, NULL, false, 0, NULL, '解除预留'),
    ('SEND', NULL, true, NULL, false, 0, NULL, '发出'),
    ('RECALL', NULL, true, NULL, false, 0, NULL, '未成退回'),
    ('PAYOUT', 'DEBIT', true, NULL, false, -1, 'paid', '付款入账'),
    ('LATE_PAYOUT', 'DEBIT', true, NULL, false, -1, 'paid', '失败指令实际付款'),
    ('HISTORY_PAYOUT', 'DEBIT', false, NULL, false, -1, 'paid', '历史指令付款'),
    ('RETURN', 'CREDIT', true, NULL, false, 1, 'returned', '退汇'),
    ('RETURN_PARKED', 'CREDIT', true, NULL, false, 1, 'returned', '退汇金额不符暂存'),
    ('RETURN_TAKEN', NULL, true, NULL, true, 0, NULL, '退汇暂存转回'),
    ('HISTORY_RETURN', 'CREDIT', false, NULL, false, 1, 'received', '历史指令退汇'),
    ('HISTORY_BACK', 'CREDIT', false, NULL, false, 1, 'returned', '历史指令退汇冲回'),
    ('REVERSAL', 'DEBIT', false, NULL, false, -1, 'reversed', '银行冲正'),
    ('FEE', 'DEBIT', false, NULL, true, -1, 'fee', '手续费'),
    ('TOP_UP_OUT', 'DEBIT', true, NULL, false, -1, NULL, '调拨转出'),
    ('TOP_UP_IN', 'CREDIT', true, NULL, false, 1, NULL, '调拨转入'),
    ('PRESUME', NULL, true, NULL, false, 1, NULL, '调拨先行列账'),
    ('UNPRESUME', NULL, true, NULL, false, -1, NULL, '调拨先行冲销');

-- Which accounts an entry may touch, and from which side. Frozen money is debited by LIFT and DEDUCT only (I7).
CREATE TABLE escrow.entry_rule (
    kind         text NOT NULL REFERENCES escrow.entry_kind,
    account_kind text NOT NULL REFERENCES escrow.account_kind,
    sign         int NOT NULL CHECK (sign IN (-1, 1)),
    PRIMARY KEY (kind, account_kind, sign)
);
INSERT INTO escrow.entry_rule VALUES
    ('CREDIT', 'custody', 1), ('CREDIT', 'case_escrow', -1), ('SUSPENSE', 'custody', 1), ('SUSPENSE', 'suspense', -1),
    ('ASSIGN', 'suspense', 1), ('ASSIGN', 'case_escrow', -1), ('FREEZE', 'case_escrow', 1), ('FREEZE', 'frozen', -1),
    ('LIFT', 'frozen', 1), ('LIFT', 'case_escrow', -1), ('DEDUCT', 'frozen', 1), ('DEDUCT', 'custody', -1),
    ('HOLD', 'case_escrow', 1), ('HOLD', 'payable', -1), ('UNHOLD', 'payable', 1), ('UNHOLD', 'case_escrow', -1),
    ('SEND', 'payable', 1), ('SEND', 'in_transit', -1), ('RECALL', 'in_transit', 1), ('RECALL', 'case_escrow', -1),
    ('PAYOUT', 'in_transit', 1), ('PAYOUT', 'custody', -1),
    ('LATE_PAYOUT', 'case_escrow', 1), ('LATE_PAYOUT', 'custody', -1),
    ('HISTORY_PAYOUT', 'case_escrow', 1), ('HISTORY_PAYOUT', 'custody', -1),
    ('RETURN', 'custody', 1), ('RETURN', 'returned', -1), ('RETURN', 'returned', 1), ('RETURN', 'case_escrow', -1),
    ('RETURN_PARKED', 'custody', 1), ('RETURN_PARKED', 'returned', -1),
    ('RETURN_TAKEN', 'returned', 1), ('RETURN_TAKEN', 'case_escrow', -1),
    ('HISTORY_RETURN', 'custody', 1), ('HISTORY_RETURN', 'case_escrow', -1),
    ('HISTORY_BACK', 'custody', 1), ('HISTORY_BACK', 'case_escrow', -1),
    ('REVERSAL', 'case_escrow', 1), ('REVERSAL', 'suspense', 1), ('REVERSAL', 'custody', -1),
    ('FEE', 'case_escrow', 1), ('FEE', 'fee', -1), ('FEE', 'fee', 1), ('FEE', 'custody', -1),
    ('TOP_UP_OUT', 'in_transit', 1), ('TOP_UP_OUT', 'custody', -1), ('TOP_UP_OUT', 'transfer', 1),
    ('TOP_UP_OUT', 'case_escrow', -1), ('TOP_UP_IN', 'custody', 1), ('TOP_UP_IN', 'transfer', -1),
    ('PRESUME', 'custody', 1), ('PRESUME', 'transfer', -1), ('UNPRESUME', 'transfer', 1), ('UNPRESUME', 'custody', -1);

CREATE TABLE escrow.entry (
    id           uuid PRIMARY KEY,
    business_key text NOT NULL UNIQUE,     -- lives for ever
    kind         text NOT NULL REFERENCES escrow.entry_kind,
    case_id      uuid REFERENCES escrow.escrow_case,
    custody      uuid REFERENCES escrow.custody,
    line         uuid UNIQUE REFERENCES escrow.statement_line, -- a line is posted once
    order_id     uuid REFERENCES escrow.payment_order,
    document     uuid REFERENCES escrow.court_document,
    decision     uuid REFERENCES escrow.decision,
    purpose      text NOT NULL DEFAULT '',
    amount_fen   bigint NOT NULL CHECK (amount_fen > 0),
    at           timestamptz NOT NULL,
    actor        text NOT NULL,
    xact         xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX entry_by_case ON escrow.entry (case_id, at);
CREATE INDEX entry_by_order ON escrow.entry (order_id) WHERE order_id IS NOT NULL;

CREATE TABLE escrow.posting (
    account       uuid NOT NULL REFERENCES escrow.account,
    seq           bigint NOT NULL,
    entry         uuid NOT NULL REFERENCES escrow.entry,
    amount        bigint NOT NULL CHECK (amount <> 0),
    balance_after bigint NOT NULL,
    prev          bytea NOT NULL,
    hash          bytea NOT NULL,
    PRIMARY KEY (account, seq)
);
CREATE INDEX posting_by_entry ON escrow.posting (entry);

CREATE TABLE escrow.day_root (             -- the heads of all chains at the end of a day, joined
    day      date PRIMARY KEY,
    accounts int NOT NULL,
    root     bytea NOT NULL,
    prev     bytea NOT NULL,
    sealed_at timestamptz NOT NULL
);

-- One link: what an account's chain says about one posting.
CREATE FUNCTION escrow.link_hash(prev bytea, entry uuid, seq bigint, amount bigint, balance bigint, at timestamptz)
RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
    SELECT sha256(prev || convert_to(concat_ws('|', entry::text, seq::text, amount::text, balance::text,
        to_char(at AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS.US')), 'UTF8'))
$$;

-- Post one entry: accounts are locked in one order, the chain is extended under the lock. The same key with
-- the same body gives the entry that is there; with another body it is refused, naming the field.
CREATE FUNCTION escrow.post_entry(
    p_id uuid, p_key text, p_kind text, p_case uuid, p_custody uuid, p_line uuid, p_order uuid, p_document uuid,
    p_decision uuid, p_amount bigint, p_at timestamptz, p_actor text, p_accounts uuid[], p_amounts bigint[]
) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    known escrow.entry;
    differs text;
    i int;
BEGIN
    LOOP
        SELECT * INTO known FROM escrow.entry WHERE business_key = p_key;
        EXIT WHEN FOUND;
        INSERT INTO escrow.entry (id, business_key, kind, case_id, custody, line, order_id, document, decision,
                                  amount_fen, at, actor)
        VALUES (p_id, p_key, p_kind, p_case, p_custody, p_line, p_order, p_document, p_decision, p_amount, p_at, p_actor)
        ON CONFLICT (business_key) DO NOTHING;
        EXIT WHEN FOUND;  -- not found: another transaction was first, look what it wrote
    END LOOP;
    IF known.id IS NOT NULL THEN
        differs := CASE
            WHEN known.kind <> p_kind THEN 'kind'
            WHEN known.amount_fen <> p_amount THEN 'amount_fen'
            WHEN known.case_id IS DISTINCT FROM p_case THEN 'case_id'
            WHEN known.line IS DISTINCT FROM p_line THEN 'line'
            WHEN known.order_id IS DISTINCT FROM p_order THEN 'order_id'
            WHEN known.document IS DISTINCT FROM p_document THEN 'document'
            WHEN known.decision IS DISTINCT FROM p_decision THEN 'decision'
            WHEN (SELECT array_agg((account, amount) ORDER BY account, amount) FROM escrow.posting WHERE entry = known.id)
                IS DISTINCT FROM (SELECT array_agg((a, m) ORDER BY a, m) FROM unnest(p_accounts, p_amounts) AS u(a, m))
                THEN 'postings' END;
        IF differs IS NOT NULL THEN
            RAISE EXCEPTION 'BUSINESS_KEY_CONFLICT: % was used with another %', p_key, differs
                USING ERRCODE = 'unique_violation', DETAIL = differs;
        END IF;
        RETURN known.id;
    END IF;
    PERFORM 1 FROM escrow.account WHERE id = ANY (p_accounts) ORDER BY id FOR NO KEY UPDATE;
    FOR i IN 1 .. array_length(p_accounts, 1) LOOP
        INSERT INTO escrow.posting (account, seq, entry, amount, balance_after, prev, hash)
        VALUES (p_accounts[i], 0, p_id, p_amounts[i], 0, '', '');  -- the trigger fills the chain
    END LOOP;
    RETURN p_id;
END $$;
