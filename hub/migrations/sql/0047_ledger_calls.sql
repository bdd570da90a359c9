-- The general ledger's engine: the only writers of the ledger's tables. SECURITY DEFINER: they act with the rights of the
-- tables' owner, whoever calls; what they refuse, nobody can write. Result codes: escrow/ledger/codes.py, same numbers.
-- Plans are fixed to look-ups by index: a batch names its rows, and a plan made while a table was small must not stay.

-- What a second request under an id that is there is told: `exists`, or the first field that differs. `e`: what is there;
-- `p`: the hold it posts or voids; the rest is the request. A post or void may leave fields 0: those of its hold are meant.
CREATE FUNCTION escrow.ledger_same(
    e escrow.ledger_transfer, p escrow.ledger_transfer, debit uuid, credit uuid, wanted bigint, pending uuid, d128 uuid,
    d64 bigint, d32 bigint, wait bigint, book bigint, mark int, asked int
) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    none constant uuid := '00000000-0000-0000-0000-000000000000';
    ends boolean := asked & 12 <> 0;
BEGIN
    RETURN CASE
        WHEN asked <> e.flags THEN 36
        WHEN pending <> coalesce(e.pending_id, none) THEN 40
        WHEN wait <> e.timeout THEN 44
        WHEN debit <> e.debit_account AND NOT (ends AND debit = none) THEN 37
        WHEN credit <> e.credit_account AND NOT (ends AND credit = none) THEN 38
        WHEN asked & 48 <> 0 AND wanted >= 0 AND wanted < e.amount THEN 39
        WHEN asked & 4 <> 0 AND wanted = 9223372036854775807 AND e.amount <> e.released THEN 39
        WHEN asked & 48 = 0 AND NOT (asked & 4 <> 0 AND wanted = 9223372036854775807)
             AND NOT (asked & 8 <> 0 AND wanted = 0) AND wanted <> e.amount THEN 39
        WHEN d128 <> e.user_data_128 AND NOT (ends AND d128 = none AND e.user_data_128 = p.user_data_128) THEN 41
        WHEN d64 <> e.user_data_64 AND NOT (ends AND d64 = 0 AND e.user_data_64 = p.user_data_64) THEN 42
        WHEN d32 <> e.user_data_32 AND NOT (ends AND d32 = 0 AND e.user_data_32 = p.user_data_32) THEN 43
        WHEN book <> e.ledger AND NOT (ends AND book = 0) THEN 67
        WHEN mark <> e.code AND NOT (ends AND mark = 0) THEN 45
        ELSE 46 END;
END $$;

-- Which accounts a batch names, each once in the order of ids, and which of them each event debits and credits: those of
-- its hold, if it names one that is stored (h_dr, h_cr), or its own.
CREATE FUNCTION escrow.ledger_places(debits uuid[], credits uuid[], h_dr uuid[], h_cr uuid[],
                                     OUT kd int[], OUT kc int[], OUT accounts uuid[]) LANGUAGE plpgsql AS $$
BEGIN
    SELECT array_agg(r.k ORDER BY r.i) FILTER (WHERE r.side = 0), array_agg(r.k ORDER BY r.i) FILTER (WHERE r.side = 1),
           array_agg(r.acc ORDER BY r.k) FILTER (WHERE r.first)
      INTO kd, kc, accounts
      FROM (SELECT w.i, w.side, w.acc, (dense_rank() OVER (ORDER BY w.acc))::int AS k,
                   w.acc IS DISTINCT FROM lag(w.acc) OVER (ORDER BY w.acc) AS first
              FROM (SELECT u.i, 0 AS side, coalesce(h_dr[u.i], u.a) AS acc FROM unnest(debits) WITH ORDINALITY u(a, i)
                    UNION ALL
                    SELECT u.i, 1, coalesce(h_cr[u.i], u.a) FROM unnest(credits) WITH ORDINALITY u(a, i)) w) r;
END $$;

-- For each event the last one before it with its id (same), and the last one before it whose id is the hold that it names
-- (pend_at); first_of: the first event that names this hold. No holds named: `pendings` NULL.
CREATE FUNCTION escrow.ledger_before(ids uuid[], pendings uuid[], OUT same int[], OUT pend_at int[], OUT first_of int[])
LANGUAGE plpgsql AS $$
BEGIN
    IF pendings IS NULL THEN
        SELECT array_agg(r.prev) INTO same
          FROM (SELECT lag(u.i::int) OVER (PARTITION BY u.id ORDER BY u.i) AS prev
                  FROM unnest(ids) WITH ORDINALITY u(id, i) ORDER BY u.i) r;
        RETURN;
    END IF;
    SELECT array_agg(r.prev ORDER BY r.i) FILTER (WHERE r.ref = 0), array_agg(r.prev ORDER BY r.i) FILTER (WHERE r.ref = 1),
           array_agg(r.first_ref ORDER BY r.i) FILTER (WHERE r.ref = 1)
      INTO same, pend_at, first_of
      FROM (SELECT w.i, w.ref, max(CASE w.ref WHEN 0 THEN w.i END) OVER (PARTITION BY w.k ORDER BY w.i
                       ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS prev,
                   min(CASE w.ref WHEN 1 THEN w.i END) OVER (PARTITION BY w.k) AS first_ref
              FROM (SELECT u.i::int AS i, 0 AS ref, u.id AS k FROM unnest(ids) WITH ORDINALITY u(id, i)
                    UNION ALL
                    SELECT u.i::int, 1, u.id FROM unnest(pendings) WITH ORDINALITY u(id, i)) w) r;
END $$;

-- Write what a batch came to: its rows, and every account that moved once.
CREATE FUNCTION escrow.ledger_write(
    made escrow.ledger_transfer[], has_timeout boolean, ends_timeout boolean, a_id uuid[], a_dp bigint[], a_d bigint[],
    a_cp bigint[], a_c bigint[], a_seq bigint[], a_head bytea[], a_flags int[], was_seq bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(cardinality(made), 0) = 0 THEN
        RETURN;
    END IF;
    INSERT INTO escrow.ledger_transfer SELECT r.* FROM unnest(made) r;
    UPDATE escrow.ledger_account a
       SET debits_pending = w.dp, debits_posted = w.d, credits_pending = w.cp, credits_posted = w.c, last_seq = w.seq,
           head = w.head, flags = w.flags
      FROM (SELECT unnest(a_id) AS id, unnest(a_dp) AS dp, unnest(a_d) AS d, unnest(a_cp) AS cp, unnest(a_c) AS c,
                   unnest(a_seq) AS seq, unnest(a_head) AS head, unnest(a_flags) AS flags, unnest(was_seq) AS was) w
     WHERE a.id = w.id AND w.seq > w.was;
    IF has_timeout THEN
        INSERT INTO escrow.ledger_due SELECT r.id, r.expires_at FROM unnest(made) r WHERE r.expires_at IS NOT NULL;
    END IF;
    IF ends_timeout THEN
        DELETE FROM escrow.ledger_due q USING unnest(made) r WHERE q.transfer = r.pending_id AND r.rest = 0;
    END IF;
END $$;

-- Create transfers, in their order; each gets its code and its time. Column arrays of one length; NULL: all zero.
-- `amounts` -1: more than the ledger holds. `refused`: codes that the caller found already (0: none). Holds that are due
-- expire first, as events of their own.
CREATE FUNCTION escrow.ledger_create_transfers(
    ids uuid[], debits uuid[], credits uuid[], amounts bigint[], pendings uuid[], d128s uuid[], d64s bigint[], d32s bigint[],
    waits bigint[], books bigint[], marks int[], asks int[], refused int[], OUT codes int[], OUT stamps bigint[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, escrow, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_bitmapscan = off AS $$
DECLARE
    none constant uuid := '00000000-0000-0000-0000-000000000000';
    n int := coalesce(cardinality(ids), 0);
    dims text := '[1:' || n || ']';        -- columns of other lengths or bounds would mix up events
    now_ns bigint := (extract(epoch FROM exchange.now()) * 1000000)::bigint * 1000;
    due int := 0;
    due_ids uuid[];
BEGIN
    IF n > 8192 THEN
        RAISE EXCEPTION 'LEDGER_BATCH_TOO_LONG: % transfers, at most 8192', n USING ERRCODE = 'program_limit_exceeded';
    END IF;
    IF n > 0 AND (array_dims(ids) = dims AND array_dims(debits) = dims AND array_dims(credits) = dims
        AND array_dims(amounts) = dims AND array_dims(books) = dims AND array_dims(marks) = dims AND array_dims(asks) = dims
        AND coalesce(array_dims(pendings), dims) = dims AND coalesce(array_dims(d128s), dims) = dims
        AND coalesce(array_dims(d64s), dims) = dims AND coalesce(array_dims(d32s), dims) = dims
        AND coalesce(array_dims(waits), dims) = dims AND coalesce(array_dims(refused), dims) = dims) IS NOT TRUE THEN
        RAISE EXCEPTION 'LEDGER_COLUMNS: each column has one value for each event' USING ERRCODE = 'array_subscript_error';
    END IF;
    d128s := coalesce(d128s, array_fill(none, ARRAY[n])); d64s := coalesce(d64s, array_fill(0::bigint, ARRAY[n]));
    d32s := coalesce(d32s, array_fill(0::bigint, ARRAY[n])); waits := coalesce(waits, array_fill(0::bigint, ARRAY[n]));
    refused := coalesce(refused, array_fill(0, ARRAY[n]));
    IF EXISTS (SELECT FROM escrow.ledger_due q WHERE q.expires_at <= now_ns) THEN
        due_ids := array(SELECT q.transfer FROM escrow.ledger_due q WHERE q.expires_at <= now_ns
                          ORDER BY q.expires_at, q.transfer LIMIT 8192);
        due := cardinality(due_ids);
        ids := array(SELECT gen_random_uuid() FROM generate_series(1, due)) || ids;
        pendings := due_ids || coalesce(pendings, array_fill(none, ARRAY[n]));
        debits := array_fill(none, ARRAY[due]) || debits; credits := array_fill(none, ARRAY[due]) || credits;
        amounts := array_fill(0::bigint, ARRAY[due]) || amounts; d128s := array_fill(none, ARRAY[due]) || d128s;
        d64s := array_fill(0::bigint, ARRAY[due]) || d64s; d32s := array_fill(0::bigint, ARRAY[due]) || d32s;
        waits := array_fill(0::bigint, ARRAY[due]) || waits; books := array_fill(0::bigint, ARRAY[due]) || books;
        marks := array_fill(0, ARRAY[due]) || marks; asks := array_fill(8, ARRAY[due]) || asks;
        refused := array_fill(0, ARRAY[due]) || refused;
    END IF;
    FOR tries IN REVERSE 9 .. 0 LOOP
        BEGIN
            SELECT r.codes, r.stamps INTO codes, stamps
              FROM escrow.ledger_apply_transfers(ids, debits, credits, amounts, pendings, d128s, d64s, d32s, waits, books,
                                                 marks, asks, refused, now_ns, due) r;
            EXIT;
        EXCEPTION WHEN unique_violation THEN
            IF tries = 0 THEN
                RAISE;
            END IF;
        END;
    END LOOP;
    IF due > 0 THEN
        codes := codes[due + 1 :]; stamps := stamps[due + 1 :];
    END IF;
END $$;

-- One call for a single caller outside any transaction: the work commits without waiting for the disk, so its locks go at
-- once; then the answer waits until the log is on disk. Later work that builds on this lies behind it in the same log, so
-- no answer is ever given for what a crash would lose. Roughly: a busy account is no slower than a quiet one.
CREATE PROCEDURE escrow.ledger_commit_transfers(
    ids uuid[], debits uuid[], credits uuid[], amounts bigint[], pendings uuid[], d128s uuid[], d64s bigint[], d32s bigint[],
    waits bigint[], books bigint[], marks int[], asks int[], refused int[], INOUT codes int[], INOUT stamps bigint[]
) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT r.codes, r.stamps INTO codes, stamps
      FROM escrow.ledger_create_transfers(ids, debits, credits, amounts, pendings, d128s, d64s, d32s, waits, books, marks,
                                          asks, refused) r;
    COMMIT;
    PERFORM pg_logical_emit_message(false, 'ledger', '', true);
END $$;

-- Create accounts, in their order; each gets its code and its time. Columns as of transfers.
CREATE FUNCTION escrow.ledger_create_accounts(
    ids uuid[], d128s uuid[], d64s bigint[], d32s bigint[], books bigint[], marks int[], asks int[], refused int[],
    late int[], OUT codes int[], OUT stamps bigint[]
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, escrow, pg_temp SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    n int := coalesce(cardinality(ids), 0);
    dims text;
    base bigint;
    same int[]; e_128 uuid[]; e_64 bigint[]; e_32 bigint[]; e_book bigint[]; e_mark int[]; e_flags int[]; e_stamp bigint[];
    made boolean[];
    chain int := 0; broken boolean := false;
    i int; j int; f int; code int; f_128 uuid; f_64 bigint; f_32 bigint; f_book bigint; f_mark int; f_flags int;
    f_stamp bigint;
BEGIN
    IF n > 8192 THEN
        RAISE EXCEPTION 'LEDGER_BATCH_TOO_LONG: % accounts, at most 8192', n USING ERRCODE = 'program_limit_exceeded';
    END IF;
    dims := '[1:' || n || ']';
    IF n > 0 AND (array_dims(ids) = dims AND array_dims(d128s) = dims AND array_dims(d64s) = dims AND array_dims(d32s) = dims
        AND array_dims(books) = dims AND array_dims(marks) = dims AND array_dims(asks) = dims AND array_dims(refused) = dims
        AND array_dims(late) = dims) IS NOT TRUE THEN
        RAISE EXCEPTION 'LEDGER_COLUMNS: each column has one value for each event' USING ERRCODE = 'array_subscript_error';
    END IF;
    codes := array_fill(0, ARRAY[n]); stamps := array_fill(0::bigint, ARRAY[n]); made := array_fill(false, ARRAY[n]);
    IF n = 0 THEN
        RETURN;
    END IF;
    SELECT array_agg(w.prev), array_agg(w.user_data_128), array_agg(w.user_data_64), array_agg(w.user_data_32),
           array_agg(w.ledger), array_agg(w.code), array_agg(w.flags), array_agg(w.timestamp)
      INTO same, e_128, e_64, e_32, e_book, e_mark, e_flags, e_stamp
      FROM (SELECT u.i, (lag(u.i) OVER (PARTITION BY u.id ORDER BY u.i))::int AS prev, a.user_data_128, a.user_data_64,
                   a.user_data_32, a.ledger, a.code, a.flags, a.timestamp
              FROM unnest(ids) WITH ORDINALITY u(id, i) LEFT JOIN escrow.ledger_account a ON a.id = u.id ORDER BY u.i) w;
    base := greatest((extract(epoch FROM exchange.now()) * 1000000)::bigint * 1000,
                     (SELECT max(a.timestamp) FROM escrow.ledger_account a),
                     (SELECT max(t.timestamp) FROM escrow.ledger_transfer t));
    FOR i IN 1 .. n LOOP
        f := asks[i]; code := 0; stamps[i] := base + i;
        IF f & 1 <> 0 AND chain = 0 THEN
            chain := i; broken := false;
        END IF;
        <<event>>
        BEGIN
            IF f & 1 <> 0 AND i = n THEN code := 2; EXIT event; END IF;
            IF broken THEN code := 1; EXIT event; END IF;
            IF refused[i] <> 0 THEN code := refused[i]; EXIT event; END IF;
            IF f & ~65583 <> 0 THEN code := 5; EXIT event; END IF;
            IF ids[i] = '00000000-0000-0000-0000-000000000000' THEN code := 6; EXIT event; END IF;
            IF ids[i] = 'ffffffff-ffff-ffff-ffff-ffffffffffff' THEN code := 7; EXIT event; END IF;
            j := same[i];
            WHILE j IS NOT NULL AND NOT made[j] LOOP
                j := same[j];
            END LOOP;
            IF e_flags[i] IS NOT NULL OR j IS NOT NULL THEN
                IF e_flags[i] IS NOT NULL THEN
                    f_flags := e_flags[i]; f_128 := e_128[i]; f_64 := e_64[i]; f_32 := e_32[i]; f_book := e_book[i];
                    f_mark := e_mark[i]; f_stamp := e_stamp[i];
                ELSE
                    f_flags := asks[j]; f_128 := d128s[j]; f_64 := d64s[j]; f_32 := d32s[j]; f_book := books[j];
                    f_mark := marks[j]; f_stamp := stamps[j];
                END IF;
                -- a freeze comes and goes: it does not make another account
                code := CASE WHEN (f # f_flags) & ~65536 <> 0 THEN 15 WHEN d128s[i] <> f_128 THEN 16 WHEN d64s[i] <> f_64 THEN 17
                             WHEN d32s[i] <> f_32 THEN 18 WHEN books[i] <> f_book THEN 19 WHEN marks[i] <> f_mark THEN 20
                             ELSE 21 END;
                IF code = 21 THEN stamps[i] := f_stamp; END IF;
                EXIT event;
            END IF;
            IF f & 6 = 6 THEN code := 8; EXIT event; END IF;
            IF late[i] <> 0 THEN code := late[i]; EXIT event; END IF;  -- balances that are not zero
            IF books[i] = 0 THEN code := 13; EXIT event; END IF;
            IF marks[i] = 0 THEN code := 14; EXIT event; END IF;
            made[i] := true;
        END event;
        codes[i] := code;
        IF code <> 0 AND chain > 0 AND NOT broken THEN
            broken := true;
            FOR j IN chain .. i - 1 LOOP
                codes[j] := 1; made[j] := false;
            END LOOP;
        END IF;
        IF f & 1 = 0 THEN
            chain := 0; broken := false;
        END IF;
    END LOOP;
    INSERT INTO escrow.ledger_account (id, user_data_128, user_data_64, user_data_32, ledger, timestamp, code, flags, head)
    SELECT w.id, w.d128, w.d64, w.d32, w.book, w.stamp, w.mark, w.f,
           escrow.ledger_genesis(w.id, w.book, w.mark, w.f, w.d128, w.d64, w.d32)
      FROM unnest(ids, d128s, d64s, d32s, books, stamps, marks, asks, codes)
           AS w(id, d128, d64, d32, book, stamp, mark, f, code) WHERE w.code = 0;
END $$;

-- Freeze an account, or lift the freeze: money may come in, none may leave. The same state again changes nothing.
CREATE FUNCTION escrow.ledger_freeze_account(account_id uuid, to_frozen boolean, why text, who text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, escrow, pg_temp AS $$
DECLARE
    was int;
BEGIN
    SELECT a.flags INTO was FROM escrow.ledger_account a WHERE a.id = account_id FOR NO KEY UPDATE;
    IF was IS NULL OR (was & 65536 <> 0) = to_frozen THEN
        RETURN was IS NOT NULL;
    END IF;
    INSERT INTO escrow.ledger_freeze
    SELECT account_id, coalesce(max(z.no), 0) + 1, to_frozen, why, who, exchange.now()
      FROM escrow.ledger_freeze z WHERE z.account = account_id;
    UPDATE escrow.ledger_account a SET flags = a.flags # 65536 WHERE a.id = account_id;
    RETURN true;
END $$;

-- Remember how far the chains were proved. Whoever calls this without a proof only spoils his own next increment: a full
-- proof starts at the first posting whatever is kept here.
CREATE FUNCTION escrow.ledger_keep_proof() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, escrow, pg_temp AS $$
    INSERT INTO escrow.ledger_proved AS p SELECT a.id, a.last_seq FROM escrow.ledger_account a WHERE a.last_seq > 0
        ON CONFLICT (account) DO UPDATE SET seq = excluded.seq WHERE p.seq < excluded.seq
$$;
