-- Escrow: what guards an order from draft to wire, and decisions of two persons.

-- A new order: within what the agreement gives this seat (I4), a refund only to where money came from (I6).
CREATE FUNCTION escrow.guard_new_order() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    may bigint;
    used bigint;
BEGIN
    PERFORM 1 FROM escrow.escrow_case WHERE id = NEW.case_id FOR NO KEY UPDATE;
    IF NEW.digest <> encode(sha256(NEW.payload), 'hex') THEN
        PERFORM escrow.fail('DIGEST_NOT_OF_PAYLOAD', NEW.number);
    END IF;
    IF NEW.purpose = 'COMPENSATION' THEN
        SELECT s.fen INTO may FROM escrow.share s JOIN escrow.instalment i ON i.id = s.instalment
         WHERE i.case_id = NEW.case_id AND i.version = NEW.version AND i.number = NEW.instalment AND s.payee = NEW.payee;
        IF NOT EXISTS (SELECT 1 FROM escrow.party p JOIN escrow.pay_account a ON a.party = p.id
                       WHERE p.id = NEW.payee_party AND p.case_id = NEW.case_id AND p.key = NEW.payee AND p.active AND a.active
                         AND a.rail = NEW.rail AND a.number = NEW.payee_account AND a.name = NEW.payee_name) THEN
            PERFORM escrow.fail('PAYEE_NOT_AGREED', NEW.payee_name);
        END IF;
    ELSIF NEW.purpose = 'REFUND' THEN
        SELECT sum(f.fen) INTO may FROM escrow.funding f
         WHERE f.case_id = NEW.case_id AND f.payer_account = NEW.payee_account;
        IF may IS NULL OR NEW.payee_account = '' THEN
            PERFORM escrow.fail('REFUND_NOT_TO_SOURCE', NEW.payee_account);
        END IF;
    ELSE
        RETURN NEW;
    END IF;
    SELECT coalesce(sum(amount_fen), 0) INTO used FROM escrow.payment_order
     WHERE case_id = NEW.case_id AND purpose = NEW.purpose AND payee = NEW.payee
       AND (purpose = 'REFUND' OR version = NEW.version AND instalment = NEW.instalment)
       AND state IN ('DRAFTED', 'CHECKED', 'RELEASED', 'DISPATCHING', 'SENT', 'PAID');
    IF may IS NULL OR used + NEW.amount_fen > may THEN
        PERFORM escrow.fail('OVER_AUTHORISED', used + NEW.amount_fen || ' of ' || coalesce(may, 0));
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER order_new BEFORE INSERT ON escrow.payment_order FOR EACH ROW EXECUTE FUNCTION escrow.guard_new_order();

CREATE FUNCTION escrow.persons_needed(fen bigint, on_day date) RETURNS int LANGUAGE sql STABLE AS $$
    SELECT persons FROM escrow.tier WHERE over_fen < fen AND valid_from <= on_day
    ORDER BY over_fen DESC, valid_from DESC LIMIT 1
$$;

-- After drafting nothing but state and its traces changes; approvals by distinct persons over this digest (I10).
CREATE FUNCTION escrow.guard_order() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    maker text;
    checker text;
    releaser text;
    persons int;
BEGIN
    IF to_jsonb(NEW) - '{state,outcome,was_unknown,returned_fen,reason,moved_at}'::text[]
       IS DISTINCT FROM to_jsonb(OLD) - '{state,outcome,was_unknown,returned_fen,reason,moved_at}'::text[] THEN
        PERFORM escrow.fail('ORDER_IS_FIXED', OLD.number || ' may not be changed after it was drafted');
    END IF;
    IF NEW.state IN ('CHECKED', 'RELEASED', 'DISPATCHING') AND NEW.state <> OLD.state THEN
        SELECT max(person) FILTER (WHERE role = 'MAKER'), max(person) FILTER (WHERE role = 'CHECKER'),
               max(person) FILTER (WHERE role = 'RELEASER')
          INTO maker, checker, releaser
          FROM escrow.approval WHERE order_id = NEW.id AND digest = NEW.digest;
        persons := escrow.persons_needed(NEW.amount_fen, (NEW.drafted_at AT TIME ZONE 'Asia/Shanghai')::date);
        IF maker IS NULL OR checker IS NULL OR maker = checker
           OR NEW.state <> 'CHECKED' AND (releaser IS NULL OR releaser = maker OR persons = 3 AND releaser = checker) THEN
            PERFORM escrow.fail('NOT_APPROVED', NEW.number || ' needs ' || persons || ' persons');
        END IF;
    END IF;
    IF NEW.state = 'DISPATCHING' AND NOT EXISTS (
            SELECT 1 FROM escrow.rail_attempt WHERE order_id = NEW.id AND payload = NEW.payload) THEN
        PERFORM escrow.fail('INTENT_FIRST', NEW.number);
    END IF;
    IF NEW.state IN ('RELEASED', 'DISPATCHING') AND NEW.state <> OLD.state AND NOT EXISTS (
            SELECT 1 FROM escrow.entry WHERE order_id = NEW.id
             AND kind = CASE NEW.state WHEN 'RELEASED' THEN 'HOLD' ELSE 'SEND' END) THEN
        PERFORM escrow.fail('MONEY_NOT_SET_ASIDE', NEW.number);
    END IF;
    IF NEW.state IN ('PAID', 'RETURNED') AND NEW.state <> OLD.state AND NOT EXISTS (
            SELECT 1 FROM escrow.entry WHERE order_id = NEW.id AND kind = ANY (CASE NEW.state
                WHEN 'PAID' THEN '{PAYOUT,LATE_PAYOUT,TOP_UP_OUT}'::text[] ELSE '{RETURN,RETURN_TAKEN}'::text[] END)) THEN
        PERFORM escrow.fail('NOT_PROVED', NEW.number);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER order_guard BEFORE UPDATE ON escrow.payment_order FOR EACH ROW EXECUTE FUNCTION escrow.guard_order();

CREATE FUNCTION escrow.guard_approval() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    o escrow.payment_order;
BEGIN
    SELECT * INTO o FROM escrow.payment_order WHERE id = NEW.order_id FOR NO KEY UPDATE;
    IF NEW.digest <> o.digest THEN
        PERFORM escrow.fail('APPROVAL_OF_OTHER_BYTES', o.number);
    END IF;
    IF o.state <> (CASE NEW.role WHEN 'RELEASER' THEN 'CHECKED' ELSE 'DRAFTED' END) THEN
        PERFORM escrow.fail('APPROVAL_OUT_OF_TURN', o.number || ' is ' || o.state);
    END IF;
    IF EXISTS (SELECT 1 FROM escrow.approval WHERE order_id = NEW.order_id AND person = NEW.person
               AND (role = 'MAKER' OR NEW.role = 'MAKER')) THEN
        PERFORM escrow.fail('SAME_PERSON', NEW.person || ' already signed ' || o.number);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approval_guard BEFORE INSERT ON escrow.approval FOR EACH ROW EXECUTE FUNCTION escrow.guard_approval();

-- Intent: only a released order, its approved bytes, its own number; a further attempt only after a definite no.
CREATE FUNCTION escrow.guard_attempt() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    o escrow.payment_order;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.id, NEW.order_id, NEW.attempt, NEW.rail, NEW.number, NEW.source, NEW.fen, NEW.payload, NEW.intended_at)
           IS DISTINCT FROM
           (OLD.id, OLD.order_id, OLD.attempt, OLD.rail, OLD.number, OLD.source, OLD.fen, OLD.payload, OLD.intended_at)
           OR OLD.proved_by IS NOT NULL AND NEW.proved_by IS DISTINCT FROM OLD.proved_by THEN
            PERFORM escrow.fail('ATTEMPT_IS_FIXED', OLD.number);
        END IF;
        IF OLD.outcome = 'UNKNOWN' AND NEW.outcome IS DISTINCT FROM 'UNKNOWN' AND NOT EXISTS (
                SELECT 1 FROM escrow.outcome_note WHERE attempt = OLD.id AND applied AND outcome = NEW.outcome
                   AND source IN ('QUERY', 'LINE', 'PERSON')) THEN
            PERFORM escrow.fail('UNKNOWN_STAYS', OLD.number);
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.source = 'HISTORY' THEN
        RETURN NEW;
    END IF;
    SELECT * INTO o FROM escrow.payment_order WHERE id = NEW.order_id FOR NO KEY UPDATE;
    IF o.state <> 'RELEASED' OR NEW.payload <> o.payload OR encode(sha256(NEW.payload), 'hex') <> o.digest
       OR NEW.fen <> o.amount_fen OR NEW.case_id <> o.case_id OR NEW.rail <> o.rail
       OR NEW.number <> o.number OR NEW.attempt <> 1 THEN
        PERFORM escrow.fail('ATTEMPT_NOT_AS_APPROVED', o.number);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER attempt_guard BEFORE INSERT OR UPDATE ON escrow.rail_attempt
    FOR EACH ROW EXECUTE FUNCTION escrow.guard_attempt();

-- An outcome moves along its table as well; UNKNOWN is never left by waiting.
CREATE TRIGGER outcome_moves BEFORE UPDATE ON escrow.rail_attempt
    FOR EACH ROW WHEN (OLD.outcome IS NOT NULL)
    EXECUTE FUNCTION exchange.guard_state_move('payment_outcome', 'outcome');

CREATE FUNCTION escrow.guard_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.kind, NEW.subject, NEW.body, NEW.digest, NEW.proposed_by, NEW.case_id, NEW.document)
       IS DISTINCT FROM (OLD.kind, OLD.subject, OLD.body, OLD.digest, OLD.proposed_by, OLD.case_id, OLD.document) THEN
        PERFORM escrow.fail('DECISION_IS_FIXED', OLD.kind);
    END IF;
    IF NEW.state = 'CONFIRMED' AND (NEW.decided_by IS NULL OR NEW.decided_by = NEW.proposed_by) THEN
        PERFORM escrow.fail('SAME_PERSON', 'a decision needs a second person');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER decision_guard BEFORE UPDATE ON escrow.decision FOR EACH ROW EXECUTE FUNCTION escrow.guard_decision();

CREATE FUNCTION escrow.guard_freeze() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.id, NEW.document, NEW.case_id, NEW.amount_fen, NEW.queue_no, NEW.ledger)
       IS DISTINCT FROM (OLD.id, OLD.document, OLD.case_id, OLD.amount_fen, OLD.queue_no, OLD.ledger) THEN
        PERFORM escrow.fail('FREEZE_IS_FIXED', OLD.document_no);
    END IF;
    IF NEW.state IN ('LIFTED', 'DEDUCTED') AND NEW.state <> OLD.state AND NOT EXISTS (
            SELECT 1 FROM escrow.court_document WHERE id = NEW.ended_by AND measure IN ('LIFT', 'DEDUCT')) THEN
        PERFORM escrow.fail('FROZEN_NEEDS_DOCUMENT', OLD.document_no);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER freeze_guard BEFORE UPDATE ON escrow.freeze FOR EACH ROW EXECUTE FUNCTION escrow.guard_freeze();

CREATE FUNCTION escrow.guard_placing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.placed <> 'UNPOSTED' AND (NEW.placed, NEW.meaning) IS DISTINCT FROM (OLD.placed, OLD.meaning) THEN
        PERFORM escrow.fail('PLACED_ONCE', OLD.line::text);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER placing_guard BEFORE UPDATE ON escrow.line_placing FOR EACH ROW EXECUTE FUNCTION escrow.guard_placing();

-- What a holder's account shows follows its booked lines: once for all lines that a statement of SQL wrote.
CREATE FUNCTION escrow.mirror_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE escrow.bank_account b SET mirror_fen = b.mirror_fen + n.fen
      FROM (SELECT rail, account, sum(CASE direction WHEN 'CREDIT' THEN fen ELSE -fen END)::bigint AS fen
              FROM new_lines GROUP BY rail, account) n
     WHERE b.rail = n.rail AND b.number = n.account;
    RETURN NULL;
END $$;
CREATE TRIGGER line_is_mirrored AFTER INSERT ON escrow.statement_line REFERENCING NEW TABLE AS new_lines
    FOR EACH STATEMENT EXECUTE FUNCTION escrow.mirror_lines();
