-- The general ledger (docs/ledger.md): accounts, transfers, holds. One row of `ledger_transfer` is one accepted event; it
-- carries what both accounts stood at after it and one link of the hash chain of each. Nothing is ever changed in it.
-- Written by the functions of 0047_ledger_calls.sql alone: the application's role may read these tables and call those.
-- Amounts are fen, 0 to 2^63-1. Ids of 128 bits are uuid; the zero uuid stands for "none". 64-bit user data is kept as the
-- signed number of the same bits. Times are nanoseconds since 1970 (UTC), and rise along every account.

CREATE TABLE escrow.ledger_account (
    id              uuid PRIMARY KEY CHECK (id NOT IN ('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff')),
    user_data_128   uuid NOT NULL,
    debits_pending  bigint NOT NULL DEFAULT 0 CHECK (debits_pending >= 0),
    debits_posted   bigint NOT NULL DEFAULT 0 CHECK (debits_posted >= 0),
    credits_pending bigint NOT NULL DEFAULT 0 CHECK (credits_pending >= 0),
    credits_posted  bigint NOT NULL DEFAULT 0 CHECK (credits_posted >= 0),
    last_seq        bigint NOT NULL DEFAULT 0,   -- of its last posting
    user_data_64    bigint NOT NULL,
    user_data_32    bigint NOT NULL CHECK (user_data_32 BETWEEN 0 AND 4294967295),
    ledger          bigint NOT NULL CHECK (ledger BETWEEN 1 AND 4294967295),
    "timestamp"     bigint NOT NULL,
    no              bigint GENERATED ALWAYS AS IDENTITY,
    code            int NOT NULL CHECK (code BETWEEN 1 AND 65535),
    flags           int NOT NULL CHECK (flags & ~65583 = 0 AND flags & 6 <> 6),
    head            bytea NOT NULL CHECK (length(head) = 32),
    CONSTRAINT debits_within_credits CHECK (flags & 2 = 0 OR debits_pending + debits_posted <= credits_posted),
    CONSTRAINT credits_within_debits CHECK (flags & 4 = 0 OR credits_pending + credits_posted <= debits_posted)
) WITH (fillfactor = 50);  -- half of each page free: an update of balances stays in its page and touches no index
CREATE INDEX ledger_account_by_time ON escrow.ledger_account ("timestamp", no);

CREATE TABLE escrow.ledger_transfer (
    id             uuid PRIMARY KEY,
    debit_account  uuid NOT NULL,
    credit_account uuid NOT NULL CHECK (credit_account <> debit_account),
    pending_id     uuid,                   -- the hold that this posts, voids or expires
    user_data_128  uuid NOT NULL,
    amount         bigint NOT NULL CHECK (amount >= 0),
    released       bigint NOT NULL CHECK (released >= amount OR kind IN ('MOVE', 'HOLD')), -- how far it lowers what is pending
    rest           bigint NOT NULL CHECK (rest >= 0),       -- what its hold still holds after it
    timeout        bigint NOT NULL CHECK (timeout BETWEEN 0 AND 4294967295), -- seconds
    expires_at     bigint,
    ledger         bigint NOT NULL,
    user_data_64   bigint NOT NULL,
    user_data_32   bigint NOT NULL CHECK (user_data_32 BETWEEN 0 AND 4294967295),
    "timestamp"    bigint NOT NULL,
    debit_seq      bigint NOT NULL CHECK (debit_seq > 0),
    credit_seq     bigint NOT NULL CHECK (credit_seq > 0),
    dr_debits_pending bigint NOT NULL, dr_debits_posted bigint NOT NULL,
    dr_credits_pending bigint NOT NULL, dr_credits_posted bigint NOT NULL,
    cr_debits_pending bigint NOT NULL, cr_debits_posted bigint NOT NULL,
    cr_credits_pending bigint NOT NULL, cr_credits_posted bigint NOT NULL,
    code           int NOT NULL CHECK (code BETWEEN 1 AND 65535),
    flags          int NOT NULL,
    kind           text NOT NULL CHECK (kind IN ('MOVE', 'HOLD', 'POST', 'VOID', 'EXPIRE')),
    debit_hash     bytea NOT NULL CHECK (length(debit_hash) = 32),
    credit_hash    bytea NOT NULL CHECK (length(credit_hash) = 32),
    CHECK ((kind IN ('POST', 'VOID', 'EXPIRE')) = (pending_id IS NOT NULL)),
    CHECK (kind NOT IN ('MOVE', 'HOLD') OR released = 0),
    CHECK (kind NOT IN ('VOID', 'EXPIRE') OR rest = 0)
);
-- Not partitioned by time: an id lives for ever, and a unique id over partitions would need the time in it.
CREATE UNIQUE INDEX ledger_debit_side ON escrow.ledger_transfer (debit_account, debit_seq);
CREATE UNIQUE INDEX ledger_credit_side ON escrow.ledger_transfer (credit_account, credit_seq);
CREATE UNIQUE INDEX ledger_of_hold ON escrow.ledger_transfer (pending_id, debit_seq) WHERE pending_id IS NOT NULL;
CREATE INDEX ledger_by_time ON escrow.ledger_transfer ("timestamp");
CREATE INDEX ledger_by_data_128 ON escrow.ledger_transfer (user_data_128, "timestamp")
    WHERE user_data_128 <> '00000000-0000-0000-0000-000000000000';
CREATE INDEX ledger_by_data_64 ON escrow.ledger_transfer (user_data_64, "timestamp") WHERE user_data_64 <> 0;
CREATE INDEX ledger_by_data_32 ON escrow.ledger_transfer (user_data_32, "timestamp") WHERE user_data_32 <> 0;

-- Ids that failed for a reason that may pass (an account not there yet, too little money): never used again, so that an
-- answer once given stays true.
CREATE TABLE escrow.ledger_failed (
    id   uuid PRIMARY KEY,
    code int NOT NULL,
    "timestamp" bigint NOT NULL
);

CREATE TABLE escrow.ledger_due (           -- holds that will expire: a queue, made from the transfers
    transfer   uuid PRIMARY KEY,
    expires_at bigint NOT NULL
);
CREATE INDEX ledger_due_by_time ON escrow.ledger_due (expires_at, transfer);

CREATE TABLE escrow.ledger_freeze (        -- who froze an account, or lifted it, and why
    account uuid NOT NULL REFERENCES escrow.ledger_account,
    no      int NOT NULL,
    frozen  boolean NOT NULL,
    reason  text NOT NULL CHECK (reason <> ''),
    actor   text NOT NULL CHECK (actor <> ''),
    at      timestamptz NOT NULL,
    PRIMARY KEY (account, no)
);

CREATE TABLE escrow.ledger_proved (        -- how far each account's chain was proved: the next proof starts there
    account uuid PRIMARY KEY REFERENCES escrow.ledger_account,
    seq     bigint NOT NULL
);

DO $$ DECLARE t text; BEGIN
    FOREACH t IN ARRAY ARRAY['ledger_transfer', 'ledger_failed', 'ledger_freeze'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON escrow.%I
                        FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change()', t);
    END LOOP;
    EXECUTE 'CREATE TRIGGER never_deleted BEFORE DELETE ON escrow.ledger_account
             FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change()';
    FOREACH t IN ARRAY ARRAY['ledger_account', 'ledger_transfer', 'ledger_failed', 'ledger_freeze', 'ledger_due',
                             'ledger_proved'] LOOP
        EXECUTE format('CREATE TRIGGER never_emptied BEFORE TRUNCATE ON escrow.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION exchange.refuse_change()', t);
    END LOOP;
END $$;

-- What a row says, as bytes (of its kind the first letter); and one link: the link before, what the row says, where the account then stood.
CREATE FUNCTION escrow.ledger_says(
    id uuid, kind text, pending_id uuid, debit uuid, credit uuid, amount bigint, released bigint, rest bigint, flags int,
    timeout bigint, ledger bigint, code int, d128 uuid, d64 bigint, d32 bigint, at bigint
) RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT uuid_send(id) || int4send(ascii(kind)) || coalesce(uuid_send(pending_id), '') || uuid_send(debit)
        || uuid_send(credit) || int8send(amount) || int8send(released) || int8send(rest) || int4send(flags)
        || int8send(timeout) || int8send(ledger) || int4send(code) || uuid_send(d128) || int8send(d64) || int8send(d32)
        || int8send(at)
$$;
CREATE FUNCTION escrow.ledger_link(prev bytea, says bytea, seq bigint, dp bigint, d bigint, cp bigint, c bigint)
RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256(prev || says || int8send(seq) || int8send(dp) || int8send(d) || int8send(cp) || int8send(c))
$$;
-- The first link of an account: what it is. Being closed or frozen comes and goes and takes no part.
CREATE FUNCTION escrow.ledger_genesis(id uuid, ledger bigint, code int, flags int, d128 uuid, d64 bigint, d32 bigint)
RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT sha256(uuid_send(id) || int8send(ledger) || int4send(code) || int4send(flags & ~65568)
        || uuid_send(d128) || int8send(d64) || int8send(d32))
$$;

-- Every posting of every account, in the order of its chain.
CREATE VIEW escrow.v_ledger_posting AS
SELECT debit_account AS account, debit_seq AS seq, 'D' AS side, t.*, dr_debits_pending AS debits_pending,
       dr_debits_posted AS debits_posted, dr_credits_pending AS credits_pending, dr_credits_posted AS credits_posted,
       debit_hash AS hash FROM escrow.ledger_transfer t
UNION ALL
SELECT credit_account, credit_seq, 'C', t.*, cr_debits_pending, cr_debits_posted, cr_credits_pending, cr_credits_posted,
       credit_hash FROM escrow.ledger_transfer t;

-- What an account is never changes; being closed or frozen may (the guard below looks at the other flags).
CREATE TRIGGER account_is_fixed BEFORE UPDATE OF id, user_data_128, user_data_64, user_data_32, ledger, "timestamp", no, code
    ON escrow.ledger_account FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();

-- An account stands only where a later posting of its own left it; without one, nothing but closed and frozen may change.
-- (That postings sum to what they move is their check constraints' and the proof's; a plan that adds them up here costs more
-- than the engine.) Old and new are paired by sorting: a plan that joins them turns quadratic in a batch. And each posting is
-- a scalar look-up: an EXISTS would be planned as a hash over the whole table.
CREATE FUNCTION escrow.guard_ledger_account() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
BEGIN
    SELECT n.id::text INTO wrong
      FROM (SELECT r.*, lag(r.last_seq) OVER w AS o_seq, lag(r.flags) OVER w AS o_flags,
                   lag(ROW(r.dp, r.d, r.cp, r.c, r.head)) OVER w AS o_stands
              FROM (SELECT id, 0 AS is_new, last_seq, debits_pending AS dp, debits_posted AS d, credits_pending AS cp,
                           credits_posted AS c, head, flags FROM old_rows
                    UNION ALL
                    SELECT id, 1, last_seq, debits_pending, debits_posted, credits_pending, credits_posted, head, flags
                      FROM new_rows) r
            WINDOW w AS (PARTITION BY r.id ORDER BY r.is_new)) n
     WHERE n.is_new = 1 AND (n.last_seq < n.o_seq OR (n.flags # n.o_flags) & ~65568 <> 0
        OR CASE WHEN n.last_seq = n.o_seq THEN ROW(n.dp, n.d, n.cp, n.c, n.head) <> n.o_stands
           ELSE (SELECT t.debit_hash = n.head AND (t.dr_debits_pending, t.dr_debits_posted, t.dr_credits_pending,
                        t.dr_credits_posted) = (n.dp, n.d, n.cp, n.c)
                   FROM escrow.ledger_transfer t WHERE t.debit_account = n.id AND t.debit_seq = n.last_seq) IS NOT TRUE
            AND (SELECT t.credit_hash = n.head AND (t.cr_debits_pending, t.cr_debits_posted, t.cr_credits_pending,
                        t.cr_credits_posted) = (n.dp, n.d, n.cp, n.c)
                   FROM escrow.ledger_transfer t WHERE t.credit_account = n.id AND t.credit_seq = n.last_seq) IS NOT TRUE END)
     LIMIT 1;
    IF wrong IS NOT NULL THEN
        PERFORM escrow.fail('ACCOUNT_FOLLOWS_POSTINGS', wrong);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER account_guard AFTER UPDATE ON escrow.ledger_account REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION escrow.guard_ledger_account();

CREATE FUNCTION escrow.guard_new_ledger_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM new_rows n WHERE (debits_pending, debits_posted, credits_pending, credits_posted, last_seq)
               <> (0, 0, 0, 0, 0)
               OR head <> escrow.ledger_genesis(id, ledger, code, flags, user_data_128, user_data_64, user_data_32)) THEN
        PERFORM escrow.fail('ACCOUNT_STARTS_EMPTY', 'a new account holds nothing');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER account_starts AFTER INSERT ON escrow.ledger_account REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION escrow.guard_new_ledger_account();
