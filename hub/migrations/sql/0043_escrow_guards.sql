-- Escrow: the database defends itself. Append-only books, sums to zero, chains, legal moves, distinct persons,
-- bytes sent = bytes approved, frozen money, refunds to the source (escrow.md, I1, I4–I7, I9–I11).

CREATE FUNCTION escrow.fail(code text, message text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%: %', code, message USING ERRCODE = 'check_violation', DETAIL = code;
END $$;

-- Books that are only ever added to.
DO $$ DECLARE t text; BEGIN
    FOREACH t IN ARRAY ARRAY['entry', 'posting', 'statement', 'statement_line', 'line_sighting', 'approval', 'funding',
                             'court_document', 'outcome_note', 'day_root', 'account_kind', 'entry_kind', 'entry_rule'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON escrow.%I
                        FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change()', t);
        EXECUTE format('CREATE TRIGGER never_emptied BEFORE TRUNCATE ON escrow.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION exchange.refuse_change()', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['account', 'custody', 'escrow_case', 'payment_order', 'rail_attempt', 'freeze', 'stop',
                             'decision', 'recon_break', 'line_placing', 'instalment', 'share', 'party', 'pay_account'] LOOP
        EXECUTE format('CREATE TRIGGER never_deleted BEFORE DELETE ON escrow.%I
                        FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change()', t);
        EXECUTE format('CREATE TRIGGER never_emptied BEFORE TRUNCATE ON escrow.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION exchange.refuse_change()', t);
    END LOOP;
END $$;

-- Entries: rest on what their kind demands. The purpose is that of the order.
CREATE FUNCTION escrow.guard_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    k escrow.entry_kind;
    l escrow.statement_line;
    o escrow.payment_order;
BEGIN
    NEW.xact := pg_current_xact_id();
    SELECT * INTO k FROM escrow.entry_kind WHERE kind = NEW.kind;
    IF (k.line_direction IS NULL) <> (NEW.line IS NULL) THEN
        PERFORM escrow.fail('ENTRY_WITHOUT_PROOF', NEW.kind || ' and its statement line');
    END IF;
    IF NEW.line IS NOT NULL THEN
        SELECT * INTO l FROM escrow.statement_line WHERE id = NEW.line;
        IF l.direction <> k.line_direction OR l.fen <> NEW.amount_fen THEN
            PERFORM escrow.fail('ENTRY_WITHOUT_PROOF', 'the line shows ' || l.direction || ' ' || l.fen);
        END IF;
    END IF;
    IF k.needs_order THEN
        SELECT * INTO o FROM escrow.payment_order WHERE id = NEW.order_id;
        IF o.id IS NULL OR o.case_id IS DISTINCT FROM NEW.case_id THEN
            PERFORM escrow.fail('ENTRY_WITHOUT_ORDER', NEW.kind);
        END IF;
        NEW.purpose := o.purpose;
        IF NEW.kind IN ('HOLD', 'UNHOLD', 'SEND', 'RECALL', 'PAYOUT', 'LATE_PAYOUT', 'RETURN') AND o.amount_fen <> NEW.amount_fen
           OR NEW.kind IN ('PAYOUT', 'LATE_PAYOUT') AND l.our_number <> o.number THEN
            PERFORM escrow.fail('ENTRY_NOT_OF_ORDER', NEW.kind || ' of ' || o.number);
        END IF;
    END IF;
    IF k.needs_measure IS NOT NULL AND NOT EXISTS (SELECT 1 FROM escrow.court_document
            WHERE id = NEW.document AND measure = ANY (k.needs_measure)) THEN
        PERFORM escrow.fail('FROZEN_NEEDS_DOCUMENT', NEW.kind);
    END IF;
    IF k.needs_decision AND NOT EXISTS (SELECT 1 FROM escrow.decision
            WHERE id = NEW.decision AND state = 'CONFIRMED') THEN
        PERFORM escrow.fail('ENTRY_WITHOUT_DECISION', NEW.kind);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER entry_rests BEFORE INSERT ON escrow.entry FOR EACH ROW EXECUTE FUNCTION escrow.guard_entry();

-- Postings: the chain is computed here whatever the writer said, then the account follows.
CREATE FUNCTION escrow.chain_posting() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    a escrow.account;
    e escrow.entry;
    k escrow.account_kind;
BEGIN
    SELECT * INTO e FROM escrow.entry WHERE id = NEW.entry;
    IF e.xact IS DISTINCT FROM pg_current_xact_id() THEN
        PERFORM escrow.fail('ENTRY_IS_COMPLETE', 'postings are written with their entry');
    END IF;
    SELECT * INTO a FROM escrow.account WHERE id = NEW.account FOR NO KEY UPDATE;
    SELECT * INTO k FROM escrow.account_kind WHERE kind = a.kind;
    IF NOT EXISTS (SELECT 1 FROM escrow.entry_rule r
                   WHERE r.kind = e.kind AND r.account_kind = a.kind AND r.sign = sign(NEW.amount)) THEN
        PERFORM escrow.fail('POSTING_NOT_IN_RULES', e.kind || ' on ' || a.kind);
    END IF;
    IF a.case_id IS NOT NULL AND a.case_id IS DISTINCT FROM e.case_id THEN
        PERFORM escrow.fail('POSTING_OF_OTHER_CASE', a.kind);
    END IF;
    NEW.seq := a.last_seq + 1;
    NEW.prev := a.head;
    NEW.balance_after := a.balance + CASE k.side WHEN 'D' THEN NEW.amount ELSE -NEW.amount END;
    IF NEW.balance_after < 0 AND NOT k.clearing THEN
        PERFORM escrow.fail('NEGATIVE_BALANCE', a.kind || ' would stand at ' || NEW.balance_after);
    END IF;
    NEW.hash := escrow.link_hash(NEW.prev, NEW.entry, NEW.seq, NEW.amount, NEW.balance_after, e.at);
    RETURN NEW;
END $$;
CREATE TRIGGER posting_chain BEFORE INSERT ON escrow.posting FOR EACH ROW EXECUTE FUNCTION escrow.chain_posting();

CREATE FUNCTION escrow.follow_posting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE escrow.account SET balance = NEW.balance_after, last_seq = NEW.seq, head = NEW.hash WHERE id = NEW.account;
    RETURN NULL;
END $$;
CREATE TRIGGER posting_moves_account AFTER INSERT ON escrow.posting FOR EACH ROW EXECUTE FUNCTION escrow.follow_posting();

CREATE FUNCTION escrow.guard_account() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.balance <> 0 OR NEW.last_seq <> 0 OR NEW.head <> '' THEN
            PERFORM escrow.fail('ACCOUNT_STARTS_EMPTY', NEW.kind);
        END IF;
    ELSIF (NEW.id, NEW.kind, NEW.case_id, NEW.key) IS DISTINCT FROM (OLD.id, OLD.kind, OLD.case_id, OLD.key)
       OR NOT EXISTS (SELECT 1 FROM escrow.posting p WHERE p.account = NEW.id AND p.seq = NEW.last_seq
                      AND p.seq = OLD.last_seq + 1 AND p.balance_after = NEW.balance AND p.hash = NEW.head) THEN
        PERFORM escrow.fail('ACCOUNT_FOLLOWS_POSTINGS', NEW.kind);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER account_guard BEFORE INSERT OR UPDATE ON escrow.account FOR EACH ROW EXECUTE FUNCTION escrow.guard_account();

CREATE FUNCTION escrow.entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    total bigint;
    parts int;
    cash bigint;
    sign int;
BEGIN
    SELECT coalesce(sum(p.amount), 0), count(*), coalesce(sum(p.amount) FILTER (WHERE a.kind = 'custody'), 0)
      INTO total, parts, cash
      FROM escrow.posting p JOIN escrow.account a ON a.id = p.account WHERE p.entry = NEW.id;
    IF total <> 0 OR parts < 2 THEN
        PERFORM escrow.fail('SUM_NOT_ZERO', NEW.kind || ' sums to ' || total || ' over ' || parts || ' postings');
    END IF;
    SELECT CASE line_direction WHEN 'CREDIT' THEN 1 WHEN 'DEBIT' THEN -1 END INTO sign
      FROM escrow.entry_kind WHERE kind = NEW.kind;
    IF sign IS NOT NULL AND cash <> sign * NEW.amount_fen THEN
        PERFORM escrow.fail('CUSTODY_NOT_AS_LINE', NEW.kind || ' moves custody by ' || cash);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER entry_balances AFTER INSERT ON escrow.entry DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION escrow.entry_balances();

-- States: start where the machine starts, move along its table, and leave a trace (I9).
CREATE TABLE escrow.state_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    machine    text NOT NULL,
    subject    uuid NOT NULL,
    from_state text,
    to_state   text NOT NULL,
    at         timestamptz NOT NULL
);
CREATE INDEX state_log_by_subject ON escrow.state_log (subject, machine, id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON escrow.state_log
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();

CREATE FUNCTION escrow.log_state() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was text := CASE WHEN TG_OP = 'UPDATE' THEN to_jsonb(OLD) ->> TG_ARGV[1] END;
    is_now text := to_jsonb(NEW) ->> TG_ARGV[1];
BEGIN
    IF TG_OP = 'INSERT' AND is_now <> TG_ARGV[2] THEN
        PERFORM escrow.fail('ILLEGAL_START', TG_ARGV[0] || ' starts as ' || TG_ARGV[2]);
    END IF;
    IF was IS DISTINCT FROM is_now THEN
        INSERT INTO escrow.state_log (machine, subject, from_state, to_state, at)
        VALUES (TG_ARGV[0], NEW.id, was, is_now, exchange.now());
    END IF;
    RETURN NULL;
END $$;

DO $$ DECLARE m record; BEGIN
    FOR m IN SELECT * FROM (VALUES
        ('escrow_case', 'state', 'escrow', 'NONE'), ('escrow_case', 'confirmation', 'judicial_confirmation', 'NONE'),
        ('payment_order', 'state', 'payment_order', 'DRAFTED'), ('instalment', 'state', 'instalment', 'DUE'),
        ('freeze', 'state', 'freeze', 'WAITING'), ('decision', 'state', 'decision', 'PROPOSED'),
        ('recon_break', 'state', 'recon_break', 'OPEN')) AS v(tab, col, machine, start) LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON escrow.%I FOR EACH ROW
                        EXECUTE FUNCTION exchange.guard_state_move(%L, %L)', 'a_' || m.machine || '_moves', m.tab, m.machine, m.col);
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT OR UPDATE ON escrow.%I FOR EACH ROW
                        EXECUTE FUNCTION escrow.log_state(%L, %L, %L)', m.machine || '_log', m.tab, m.machine, m.col, m.start);
    END LOOP;
END $$;
