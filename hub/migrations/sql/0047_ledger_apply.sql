-- The general ledger's rules: one batch of events applied in its order; the work of `ledger_create_transfers`. One function,
-- and long: each call of another would cost as much as an event. Beside that one's parameters: the clock's time (ns), and
-- how many of the events are expiries, put first. Raises unique_violation when an id comes to be there while this waits for
-- its locks: then it is to be done again.
CREATE FUNCTION escrow.ledger_apply_transfers(
    ids uuid[], debits uuid[], credits uuid[], amounts bigint[], pendings uuid[], d128s uuid[], d64s bigint[], d32s bigint[],
    waits bigint[], books bigint[], marks int[], asks int[], refused int[], now_ns bigint, due int,
    OUT codes int[], OUT stamps bigint[]
) LANGUAGE plpgsql AS $$
DECLARE
    none constant uuid := '00000000-0000-0000-0000-000000000000';
    every constant uuid := 'ffffffff-ffff-ffff-ffff-ffffffffffff';
    most constant bigint := 9223372036854775807;
    n int := coalesce(cardinality(ids), 0);
    base bigint;
    -- holds that events name, as stored (h_), by event; slot of a hold: where its state is kept while this runs
    h_dr uuid[]; h_cr uuid[]; h_amount bigint[]; h_flags int[]; h_book bigint[]; h_mark int[]; h_expires bigint[];
    h_kind text[]; h_128 uuid[]; h_64 bigint[]; h_32 bigint[]; h_last text[]; h_rest bigint[]; first_of int[];
    s_rest bigint[]; s_end text[]; hold_of int[]; -- hold_of: the row of an event's hold, if this batch made it
    same int[]; pend_at int[];             -- the event before with this id; the event before that is the hold
    there int[]; failed int[];             -- events whose id is stored; whose id failed before
    accounts uuid[]; kd int[]; kc int[];   -- accounts by id; which of them an event debits and credits
    a_id uuid[]; a_dp bigint[]; a_d bigint[]; a_cp bigint[]; a_c bigint[]; a_seq bigint[]; a_head bytea[]; a_flags int[];
    a_book bigint[]; was_seq bigint[];
    -- the rows of the accepted events, `o` of them; at_o: which row is an event's
    o int := 0; at_o int[]; o_rows escrow.ledger_transfer[]; lost int[];
    chain int := 0; chain_o int; broken boolean := false; undo int := 0;
    u_k int[]; u_dp bigint[]; u_d bigint[]; u_cp bigint[]; u_c bigint[]; u_seq bigint[]; u_head bytea[]; u_flags int[];
    u_slot int[]; u_rest bigint[]; u_end text[];
    i int; j int; f int; code int; d int; c int; slot int; df int; cf int;
    id uuid; pend uuid; dr uuid; cr uuid; amount bigint; released bigint; rest bigint; book bigint; mark int;
    d128 uuid; d64 bigint; d32 bigint; wait bigint; stamp bigint; expires bigint; kind text; over boolean; says bytea;
    has_timeout boolean := false; ends_timeout boolean := false;
    x_dr uuid; x_cr uuid; x_amount bigint; x_flags int; x_book bigint; x_mark int; x_expires bigint; x_kind text;
    x_128 uuid; x_64 bigint; x_32 bigint;
    e escrow.ledger_transfer; p escrow.ledger_transfer;
BEGIN
    codes := array_fill(0, ARRAY[n]); stamps := array_fill(0::bigint, ARRAY[n]);
    IF n = 0 THEN
        RETURN;
    END IF;
    -- 1. The holds that are named and the ids that are there: what they are never changes, so it is read before anything
    -- is locked; an id that comes later makes the insert fail.
    IF pendings IS NOT NULL THEN
        SELECT array_agg(h.debit_account), array_agg(h.credit_account), array_agg(h.amount), array_agg(h.flags),
               array_agg(h.ledger), array_agg(h.code), array_agg(h.expires_at), array_agg(h.kind),
               array_agg(h.user_data_128), array_agg(h.user_data_64), array_agg(h.user_data_32)
          INTO h_dr, h_cr, h_amount, h_flags, h_book, h_mark, h_expires, h_kind, h_128, h_64, h_32
          FROM (SELECT t.debit_account, t.credit_account, t.amount, t.flags, t.ledger, t.code, t.expires_at, t.kind,
                       t.user_data_128, t.user_data_64, t.user_data_32 FROM unnest(pendings) WITH ORDINALITY u(id, i)
                  LEFT JOIN escrow.ledger_transfer t ON u.id <> none AND t.id = u.id AND t.kind <> 'EXPIRE' ORDER BY u.i) h;
    END IF;
    SELECT array_agg(u.i::int) INTO there FROM unnest(ids) WITH ORDINALITY u(id, i) JOIN escrow.ledger_transfer t ON t.id = u.id;

    -- 2. The accounts, each once, in the order of their ids: locked in that order, so no two calls wait in a ring.
    IF n = 1 THEN
        dr := coalesce(h_dr[1], debits[1]); cr := coalesce(h_cr[1], credits[1]);
        accounts := CASE WHEN dr < cr THEN ARRAY[dr, cr] WHEN dr > cr THEN ARRAY[cr, dr] ELSE ARRAY[dr] END;
        kd := ARRAY[CASE WHEN dr <= cr THEN 1 ELSE 2 END]; kc := ARRAY[CASE WHEN cr <= dr THEN 1 ELSE 2 END];
    ELSE
        SELECT r.kd, r.kc, r.accounts INTO kd, kc, accounts FROM escrow.ledger_places(debits, credits, h_dr, h_cr) r;
        SELECT r.same, r.pend_at, r.first_of INTO same, pend_at, first_of FROM escrow.ledger_before(ids, pendings) r;
    END IF;
    SELECT array_agg(l.id), array_agg(l.debits_pending), array_agg(l.debits_posted), array_agg(l.credits_pending),
           array_agg(l.credits_posted), array_agg(l.last_seq), array_agg(l.head), array_agg(l.flags), array_agg(l.ledger)
      INTO a_id, a_dp, a_d, a_cp, a_c, a_seq, a_head, a_flags, a_book
      FROM (SELECT a.id, a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted, a.last_seq, a.head, a.flags,
                   a.ledger FROM escrow.ledger_account a WHERE a.id = ANY (accounts) ORDER BY a.id FOR NO KEY UPDATE) l;
    IF coalesce(cardinality(a_id), 0) < cardinality(accounts) THEN  -- some are not there: leave their places empty
        SELECT array_agg(l.id), array_agg(l.debits_pending), array_agg(l.debits_posted), array_agg(l.credits_pending),
               array_agg(l.credits_posted), array_agg(l.last_seq), array_agg(l.head), array_agg(l.flags), array_agg(l.ledger)
          INTO a_id, a_dp, a_d, a_cp, a_c, a_seq, a_head, a_flags, a_book
          FROM (SELECT u.id, a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted, a.last_seq, a.head,
                       a.flags, a.ledger FROM unnest(accounts) WITH ORDINALITY u(id, k)
                  LEFT JOIN escrow.ledger_account a ON a.id = u.id AND a.id = ANY (a_id) ORDER BY u.k) l;
    END IF;
    was_seq := a_seq;

    -- 3. Under the locks: which ids failed, how far the holds are, and the time after all before.
    IF EXISTS (SELECT FROM escrow.ledger_failed) THEN
        SELECT array_agg(u.i::int) INTO failed FROM unnest(ids) WITH ORDINALITY u(id, i) JOIN escrow.ledger_failed t ON t.id = u.id;
    END IF;
    IF h_dr IS NOT NULL THEN
        SELECT array_agg(r.kind ORDER BY u.i), array_agg(r.rest ORDER BY u.i) INTO h_last, h_rest
          FROM unnest(pendings) WITH ORDINALITY u(id, i)
          LEFT JOIN LATERAL (SELECT t.kind, t.rest FROM escrow.ledger_transfer t
                              WHERE u.id <> none AND t.pending_id = u.id ORDER BY t.debit_seq DESC LIMIT 1) r ON true;
    END IF;
    base := greatest(now_ns, (SELECT max(t.timestamp) FROM escrow.ledger_transfer t));
    at_o := array_fill(NULL::int, ARRAY[n]); hold_of := at_o;
    s_rest := array_fill(NULL::bigint, ARRAY[2 * n]); s_end := array_fill(NULL::text, ARRAY[2 * n]);

    -- 4. Each event in its turn. The order of the tests is the precedence of the codes.
    FOR i IN 1 .. n LOOP
        f := asks[i]; id := ids[i]; pend := coalesce(pendings[i], none); code := 0; stamp := base + i; stamps[i] := stamp;
        IF f & 1 <> 0 AND chain = 0 THEN
            chain := i; chain_o := o; broken := false; undo := 0;
        END IF;
        <<event>>
        BEGIN
            code := CASE
                WHEN f & 1 <> 0 AND i = n THEN 2 WHEN broken THEN 1 WHEN refused[i] <> 0 THEN refused[i]
                WHEN f & ~65791 <> 0 OR f & 65540 = 65536 THEN 4 WHEN id = none THEN 5 WHEN id = every THEN 6 ELSE 0 END;
            EXIT event WHEN code <> 0;
            IF n > 1 THEN                  -- the same id before, in this batch
                j := same[i];
                WHILE j IS NOT NULL LOOP
                    EXIT WHEN codes[j] = 0;
                    IF lost[j] IS NOT NULL THEN code := 68; EXIT event; END IF;
                    j := same[j];
                END LOOP;
                IF j IS NOT NULL THEN
                    e := o_rows[at_o[j]];
                    p := NULL;
                    IF e.flags & 12 <> 0 AND h_dr[j] IS NOT NULL THEN
                        p.user_data_128 := h_128[j]; p.user_data_64 := h_64[j]; p.user_data_32 := h_32[j];
                    ELSIF e.flags & 12 <> 0 THEN
                        p := o_rows[hold_of[j]];
                    END IF;
                    code := escrow.ledger_same(e, p, debits[i], credits[i], amounts[i], pend, d128s[i], d64s[i], d32s[i],
                                               waits[i], books[i], marks[i], f);
                    IF code = 46 THEN stamps[i] := stamps[j]; END IF;
                    EXIT event;
                END IF;
            END IF;
            IF there IS NOT NULL AND i = ANY (there) THEN
                SELECT * INTO e FROM escrow.ledger_transfer t WHERE t.id = ids[i];
                SELECT * INTO p FROM escrow.ledger_transfer t WHERE t.id = e.pending_id;
                code := escrow.ledger_same(e, p, debits[i], credits[i], amounts[i], pend, d128s[i], d64s[i], d32s[i],
                                           waits[i], books[i], marks[i], f);
                IF code = 46 THEN stamps[i] := e.timestamp; END IF;
                EXIT event;
            END IF;
            IF failed IS NOT NULL AND i = ANY (failed) THEN code := 68; EXIT event; END IF;

            IF f & 12 <> 0 THEN            -- post or void
                code := CASE
                    WHEN f & 12 = 12 OR f & 242 <> 0 THEN 7 WHEN pend = none THEN 14 WHEN pend = every THEN 15
                    WHEN pend = id THEN 16 WHEN waits[i] <> 0 THEN 17 ELSE 0 END;
                EXIT event WHEN code <> 0;
                IF h_dr[i] IS NOT NULL THEN
                    x_dr := h_dr[i]; x_cr := h_cr[i]; x_amount := h_amount[i]; x_flags := h_flags[i]; x_book := h_book[i];
                    x_mark := h_mark[i]; x_expires := h_expires[i]; x_kind := h_kind[i]; x_128 := h_128[i];
                    x_64 := h_64[i]; x_32 := h_32[i]; d := kd[i]; c := kc[i];
                    slot := n + coalesce(first_of[i], 1);
                    IF s_rest[slot] IS NULL THEN
                        s_rest[slot] := coalesce(h_rest[i], x_amount);
                        s_end[slot] := CASE WHEN h_last[i] = 'POST' AND h_rest[i] > 0 THEN NULL ELSE h_last[i] END;
                    END IF;
                ELSE
                    j := pend_at[i];
                    WHILE j IS NOT NULL AND codes[j] <> 0 LOOP
                        j := same[j];
                    END LOOP;
                    IF j IS NULL THEN code := 25; EXIT event; END IF;
                    hold_of[i] := at_o[j];
                    p := o_rows[at_o[j]];
                    x_dr := p.debit_account; x_cr := p.credit_account; x_amount := p.amount; x_flags := p.flags;
                    x_book := p.ledger; x_mark := p.code; x_expires := p.expires_at; x_kind := p.kind;
                    x_128 := p.user_data_128; x_64 := p.user_data_64; x_32 := p.user_data_32;
                    d := kd[j]; c := kc[j]; slot := j;
                    IF s_rest[slot] IS NULL THEN s_rest[slot] := x_amount; s_end[slot] := NULL; END IF;
                END IF;
                dr := debits[i]; cr := credits[i]; book := books[i]; mark := marks[i];
                code := CASE
                    WHEN x_kind <> 'HOLD' THEN 26 WHEN dr <> none AND dr <> x_dr THEN 27
                    WHEN cr <> none AND cr <> x_cr THEN 28 WHEN book <> 0 AND book <> x_book THEN 29
                    WHEN mark <> 0 AND mark <> x_mark THEN 30 ELSE 0 END;
                EXIT event WHEN code <> 0;
                rest := CASE WHEN s_end[slot] IS NULL THEN s_rest[slot] ELSE x_amount END;
                amount := amounts[i];
                IF f & 4 <> 0 AND amount = most OR f & 8 <> 0 AND amount = 0 THEN amount := rest; END IF;
                df := a_flags[d]; cf := a_flags[c];
                code := CASE               -- a closed or frozen account lets holds go, and no more
                    WHEN amount < 0 OR amount > rest THEN 31 WHEN f & 8 <> 0 AND amount < rest THEN 32
                    WHEN s_end[slot] = 'POST' THEN 33 WHEN s_end[slot] = 'VOID' THEN 34 WHEN s_end[slot] = 'EXPIRE' THEN 35
                    WHEN x_expires <= now_ns AND i > due THEN 35 WHEN f & 4 = 0 THEN 0
                    WHEN df & 32 <> 0 THEN 65 WHEN cf & 32 <> 0 THEN 66
                    WHEN df & 65540 = 65536 THEN 200 WHEN cf & 65540 = 65540 THEN 201 ELSE 0 END;
                EXIT event WHEN code <> 0;
                kind := CASE WHEN i <= due THEN 'EXPIRE' WHEN f & 4 <> 0 THEN 'POST' ELSE 'VOID' END;
                released := CASE WHEN f & 65536 <> 0 THEN amount ELSE rest END;
                rest := rest - released;
                IF i <= due THEN amount := 0; END IF;
                dr := x_dr; cr := x_cr; book := x_book; mark := x_mark; wait := 0; expires := NULL;
                d128 := CASE WHEN d128s[i] = none THEN x_128 ELSE d128s[i] END;
                d64 := CASE WHEN d64s[i] = 0 THEN x_64 ELSE d64s[i] END;
                d32 := CASE WHEN d32s[i] = 0 THEN x_32 ELSE d32s[i] END;
            ELSE
                dr := debits[i]; cr := credits[i]; book := books[i]; mark := marks[i]; wait := waits[i]; amount := amounts[i];
                d := kd[i]; c := kc[i]; df := a_flags[d]; cf := a_flags[c];
                code := CASE
                    WHEN dr = none THEN 8 WHEN dr = every THEN 9 WHEN cr = none THEN 10 WHEN cr = every THEN 11
                    WHEN dr = cr THEN 12 WHEN pend <> none THEN 13 WHEN f & 2 = 0 AND wait <> 0 THEN 17
                    WHEN f & 2 = 0 AND f & 192 <> 0 THEN 64 WHEN book = 0 THEN 19 WHEN mark = 0 THEN 20
                    WHEN df IS NULL THEN 21 WHEN cf IS NULL THEN 22 WHEN a_book[d] <> a_book[c] THEN 23
                    WHEN a_book[d] <> book THEN 24 WHEN df & 32 <> 0 THEN 65 WHEN cf & 32 <> 0 THEN 66
                    WHEN df & 65540 = 65536 THEN 200 WHEN cf & 65540 = 65540 THEN 201 ELSE 0 END;
                EXIT event WHEN code <> 0;
                over := amount < 0;
                IF f & 48 <> 0 THEN        -- balancing: as much as is there, at most what is asked
                    IF over THEN amount := most; over := false; END IF;
                    IF f & 16 <> 0 THEN amount := least(amount, greatest(0, a_c[d] - a_d[d] - a_dp[d])); END IF;
                    IF f & 32 <> 0 THEN amount := least(amount, greatest(0, a_d[c] - a_c[c] - a_cp[c])); END IF;
                END IF;
                code := CASE
                    WHEN f & 2 <> 0 AND (over OR amount > most - a_dp[d]) THEN 47
                    WHEN f & 2 <> 0 AND amount > most - a_cp[c] THEN 48
                    WHEN over OR amount > most - a_d[d] THEN 49 WHEN amount > most - a_c[c] THEN 50
                    WHEN amount > most - a_dp[d] - a_d[d] THEN 51 WHEN amount > most - a_cp[c] - a_c[c] THEN 52
                    WHEN wait > 0 AND wait > (most - now_ns) / 1000000000 THEN 53
                    WHEN df & 2 <> 0 AND a_dp[d] + a_d[d] + amount > a_c[d] THEN 54
                    WHEN cf & 4 <> 0 AND a_cp[c] + a_c[c] + amount > a_d[c] THEN 55 ELSE 0 END;
                EXIT event WHEN code <> 0;
                kind := CASE WHEN f & 2 <> 0 THEN 'HOLD' ELSE 'MOVE' END;
                released := 0; rest := CASE WHEN f & 2 <> 0 THEN amount ELSE 0 END; slot := NULL;
                expires := CASE WHEN wait > 0 THEN now_ns + wait * 1000000000 END;
                d128 := d128s[i]; d64 := d64s[i]; d32 := d32s[i];
            END IF;

            IF chain > 0 THEN              -- remember what to go back to if a later event of the chain fails
                undo := undo + 1;
                u_k[undo] := d; u_dp[undo] := a_dp[d]; u_d[undo] := a_d[d]; u_cp[undo] := a_cp[d]; u_c[undo] := a_c[d];
                u_seq[undo] := a_seq[d]; u_head[undo] := a_head[d]; u_flags[undo] := a_flags[d]; u_slot[undo] := NULL;
                undo := undo + 1;
                u_k[undo] := c; u_dp[undo] := a_dp[c]; u_d[undo] := a_d[c]; u_cp[undo] := a_cp[c]; u_c[undo] := a_c[c];
                u_seq[undo] := a_seq[c]; u_head[undo] := a_head[c]; u_flags[undo] := a_flags[c];
                u_slot[undo] := slot; u_rest[undo] := s_rest[slot]; u_end[undo] := s_end[slot];
            END IF;
            IF kind = 'HOLD' THEN
                a_dp[d] := a_dp[d] + amount; a_cp[c] := a_cp[c] + amount;
                IF f & 64 <> 0 THEN a_flags[d] := df | 32; END IF;
                IF f & 128 <> 0 THEN a_flags[c] := cf | 32; END IF;
            ELSIF kind = 'MOVE' THEN
                a_d[d] := a_d[d] + amount; a_c[c] := a_c[c] + amount;
            ELSE
                a_dp[d] := a_dp[d] - released; a_cp[c] := a_cp[c] - released;
                s_rest[slot] := rest;
                IF kind = 'POST' THEN
                    a_d[d] := a_d[d] + amount; a_c[c] := a_c[c] + amount;
                    IF f & 65536 = 0 OR rest = 0 THEN s_end[slot] := kind; END IF;
                ELSE
                    s_end[slot] := kind;
                    IF x_flags & 64 <> 0 THEN a_flags[d] := df & ~32; END IF;
                    IF x_flags & 128 <> 0 THEN a_flags[c] := a_flags[c] & ~32; END IF;
                END IF;
            END IF;
            a_seq[d] := a_seq[d] + 1; a_seq[c] := a_seq[c] + 1;
            says := escrow.ledger_says(id, kind, CASE WHEN pend <> none THEN pend END, dr, cr, amount, released, rest, f, wait, book,
                                       mark, d128, d64, d32, stamp);
            a_head[d] := escrow.ledger_link(a_head[d], says, a_seq[d], a_dp[d], a_d[d], a_cp[d], a_c[d]);
            a_head[c] := escrow.ledger_link(a_head[c], says, a_seq[c], a_dp[c], a_d[c], a_cp[c], a_c[c]);
            has_timeout := has_timeout OR expires IS NOT NULL;
            ends_timeout := ends_timeout OR (pend <> none AND x_expires IS NOT NULL);
            o := o + 1; at_o[i] := o;
            o_rows[o] := ROW(id, dr, cr, CASE WHEN pend <> none THEN pend END, d128, amount, released, rest, wait, expires, book,
                d64, d32, stamp, a_seq[d], a_seq[c], a_dp[d], a_d[d], a_cp[d], a_c[d], a_dp[c], a_d[c], a_cp[c], a_c[c], mark, f,
                kind, a_head[d], a_head[c])::escrow.ledger_transfer;
        END event;
        codes[i] := code;
        IF code <> 0 THEN
            -- What may pass (no such account or hold yet, too little money, closed, frozen) spends the id for ever.
            IF code IN (21, 22, 25, 54, 55, 65, 66, 200, 201) THEN
                lost := coalesce(lost, array_fill(NULL::int, ARRAY[n])); lost[i] := code;
            END IF;
            IF chain > 0 AND NOT broken THEN
                broken := true; o := chain_o;
                WHILE undo > 0 LOOP
                    d := u_k[undo]; a_dp[d] := u_dp[undo]; a_d[d] := u_d[undo]; a_cp[d] := u_cp[undo]; a_c[d] := u_c[undo];
                    a_seq[d] := u_seq[undo]; a_head[d] := u_head[undo]; a_flags[d] := u_flags[undo];
                    IF u_slot[undo] IS NOT NULL THEN
                        s_rest[u_slot[undo]] := u_rest[undo]; s_end[u_slot[undo]] := u_end[undo];
                    END IF;
                    undo := undo - 1;
                END LOOP;
                FOR j IN chain .. i - 1 LOOP
                    codes[j] := 1; s_rest[j] := NULL; s_end[j] := NULL;
                END LOOP;
            END IF;
        END IF;
        IF f & 1 = 0 THEN
            chain := 0; broken := false;
        END IF;
    END LOOP;

    -- 5. What was accepted, in one statement each.
    IF o < cardinality(o_rows) THEN
        o_rows := o_rows[1 : o];           -- the rest was taken back with its chain
    END IF;
    PERFORM escrow.ledger_write(o_rows, has_timeout, ends_timeout, a_id, a_dp, a_d, a_cp, a_c, a_seq, a_head, a_flags, was_seq);
    IF lost IS NOT NULL THEN
        INSERT INTO escrow.ledger_failed
        SELECT w.id, w.code, w.stamp FROM unnest(ids, lost, stamps) AS w(id, code, stamp) WHERE w.code IS NOT NULL
            ON CONFLICT DO NOTHING;
    END IF;
END $$;
