-- Escrow: deposits 提存 where a payee cannot be paid (Civil Code 570–574), recovery 追回 of what was paid under an
-- agreement that was set aside (Civil Code 157), and what the application may not change about payees and signatures.
ALTER TABLE escrow.decision DROP CONSTRAINT decision_kind_check;
ALTER TABLE escrow.decision ADD CONSTRAINT decision_kind_check
    CHECK (kind IN ('SPLIT', 'PAYEE', 'SHORT_RETURN', 'SETTLE', 'FEE', 'DEPOSIT'));

-- A depositary (notary office) takes the payee's seat: what is paid to it counts as performance (571).
CREATE TABLE escrow.deposit (
    id           uuid PRIMARY KEY,
    case_id      uuid NOT NULL REFERENCES escrow.escrow_case,
    seat         text NOT NULL,
    payee        uuid NOT NULL REFERENCES escrow.party,        -- who is owed
    depositary   uuid NOT NULL UNIQUE REFERENCES escrow.party, -- who keeps it for him
    ground       text NOT NULL CHECK (ground IN ('REFUSES', 'NOT_FOUND', 'DIED', 'NO_CAPACITY')), -- 570, first paragraph
    document     text NOT NULL CHECK (document <> ''),
    decision     uuid NOT NULL UNIQUE REFERENCES escrow.decision,
    state        text NOT NULL DEFAULT 'DECIDED',
    fen          bigint NOT NULL DEFAULT 0 CHECK (fen >= 0),   -- proved paid to the depositary
    placed_on    date,
    claim_until  date,                                         -- 574: five years from the deposit
    notified_at  timestamptz,                                  -- 572
    notice       text NOT NULL DEFAULT '',
    end_document text NOT NULL DEFAULT '',
    ended_at     timestamptz,
    decided_at   timestamptz NOT NULL,
    CHECK ((state IN ('PLACED', 'CLAIMED', 'TAKEN_BACK')) = (fen > 0)),
    CHECK (state NOT IN ('CLAIMED', 'TAKEN_BACK') OR end_document <> ''),
    CHECK ((notified_at IS NULL) = (notice = ''))
);
CREATE INDEX deposit_by_case ON escrow.deposit (case_id);
CREATE INDEX deposit_open ON escrow.deposit (claim_until) WHERE state = 'PLACED';

-- What a payee has to give back: paid under the agreement that was set aside, less what came back.
CREATE TABLE escrow.recovery (
    id           uuid PRIMARY KEY,
    case_id      uuid NOT NULL REFERENCES escrow.escrow_case,
    party        uuid NOT NULL REFERENCES escrow.party,
    fen          bigint NOT NULL CHECK (fen >= 0),
    got_fen      bigint NOT NULL DEFAULT 0 CHECK (got_fen BETWEEN 0 AND fen),
    state        text NOT NULL DEFAULT 'OPEN',
    document     text NOT NULL,
    end_document text NOT NULL DEFAULT '',
    opened_at    timestamptz NOT NULL,
    moved_at     timestamptz NOT NULL,
    UNIQUE (case_id, party),
    CHECK (state <> 'RECOVERED' OR got_fen = fen),
    CHECK (state NOT IN ('FILED', 'WAIVED') OR end_document <> '')
);
CREATE TABLE escrow.recovery_receipt (     -- which credit gave how much of it back; negative: the holder reversed it
    funding  uuid PRIMARY KEY REFERENCES escrow.funding,
    recovery uuid NOT NULL REFERENCES escrow.recovery,
    fen      bigint NOT NULL CHECK (fen <> 0)
);
CREATE INDEX recovery_receipt_by_recovery ON escrow.recovery_receipt (recovery);

DO $$ DECLARE t text; m record; BEGIN
    FOREACH t IN ARRAY ARRAY['deposit', 'recovery'] LOOP
        EXECUTE format('CREATE TRIGGER never_deleted BEFORE DELETE ON escrow.%I
                        FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change()', t);
    END LOOP;
    CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON escrow.recovery_receipt
        FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();
    FOREACH t IN ARRAY ARRAY['deposit', 'recovery', 'recovery_receipt'] LOOP
        EXECUTE format('CREATE TRIGGER never_emptied BEFORE TRUNCATE ON escrow.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION exchange.refuse_change()', t);
    END LOOP;
    FOR m IN SELECT * FROM (VALUES ('deposit', 'DECIDED'), ('recovery', 'OPEN')) AS v(machine, start) LOOP
        EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON escrow.%I FOR EACH ROW
                        EXECUTE FUNCTION exchange.guard_state_move(%L, %L)', 'a_' || m.machine || '_moves', m.machine, m.machine, 'state');
        EXECUTE format('CREATE TRIGGER %I AFTER INSERT OR UPDATE ON escrow.%I FOR EACH ROW
                        EXECUTE FUNCTION escrow.log_state(%L, %L, %L)', m.machine || '_log', m.machine, m.machine, 'state', m.start);
    END LOOP;
END $$;

-- A deposit rests on two persons' decision, its sum on the proofs of orders to the depositary.
CREATE FUNCTION escrow.guard_deposit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    paid bigint;
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.id, NEW.case_id, NEW.seat, NEW.payee, NEW.depositary, NEW.ground, NEW.document, NEW.decision)
       IS DISTINCT FROM (OLD.id, OLD.case_id, OLD.seat, OLD.payee, OLD.depositary, OLD.ground, OLD.document, OLD.decision) THEN
        PERFORM escrow.fail('DEPOSIT_IS_FIXED', OLD.seat);
    END IF;
    IF NOT EXISTS (SELECT 1 FROM escrow.decision WHERE id = NEW.decision AND kind = 'DEPOSIT' AND state = 'CONFIRMED') THEN
        PERFORM escrow.fail('ENTRY_WITHOUT_DECISION', 'deposit of ' || NEW.seat);
    END IF;
    SELECT coalesce(sum(amount_fen), 0) INTO paid FROM escrow.payment_order
     WHERE case_id = NEW.case_id AND payee_party = NEW.depositary AND state = 'PAID';
    IF NEW.fen <> paid THEN
        PERFORM escrow.fail('NOT_PROVED', 'deposit of ' || NEW.fen || ', proved ' || paid);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER deposit_guard BEFORE INSERT OR UPDATE ON escrow.deposit FOR EACH ROW EXECUTE FUNCTION escrow.guard_deposit();

-- What came back for a recovery is no source to refund to: it is the payer's money (I6 the other way round).
CREATE FUNCTION escrow.guard_refund() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    may bigint;
    used bigint;
BEGIN
    SELECT coalesce(sum(f.fen - coalesce(r.fen, 0)), 0) INTO may FROM escrow.funding f
      LEFT JOIN escrow.recovery_receipt r ON r.funding = f.id
     WHERE f.case_id = NEW.case_id AND f.payer_account = NEW.payee_account;
    SELECT coalesce(sum(amount_fen), 0) INTO used FROM escrow.payment_order
     WHERE case_id = NEW.case_id AND purpose = 'REFUND' AND payee = NEW.payee
       AND state IN ('DRAFTED', 'CHECKED', 'RELEASED', 'DISPATCHING', 'SENT', 'PAID');
    IF used + NEW.amount_fen > may THEN
        PERFORM escrow.fail('OVER_AUTHORISED', used + NEW.amount_fen || ' of ' || may || ', what came back for the payer aside');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refund_new BEFORE INSERT ON escrow.payment_order
    FOR EACH ROW WHEN (NEW.purpose = 'REFUND') EXECUTE FUNCTION escrow.guard_refund();

-- A payee that changed after the draft voids it: no signature and no intent on an order whose payee no longer stands.
CREATE FUNCTION escrow.guard_payee_stands() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM escrow.party p JOIN escrow.pay_account a ON a.party = p.id
                   WHERE p.id = NEW.payee_party AND p.active AND a.active AND a.rail = NEW.rail
                     AND a.number = NEW.payee_account AND a.name = NEW.payee_name) THEN
        PERFORM escrow.fail('PAYEE_NOT_AGREED', NEW.number || ' was drafted to ' || NEW.payee_name);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payee_stands BEFORE UPDATE ON escrow.payment_order
    FOR EACH ROW WHEN (NEW.purpose = 'COMPENSATION' AND NEW.state IN ('CHECKED', 'RELEASED', 'DISPATCHING')
                       AND OLD.state IN ('DRAFTED', 'CHECKED', 'RELEASED') AND NEW.state <> OLD.state)
    EXECUTE FUNCTION escrow.guard_payee_stands();

-- Who is paid, and where: never rewritten, only ended; another account is another row, by two persons.
CREATE FUNCTION escrow.guard_payee_rows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'active' IS DISTINCT FROM to_jsonb(OLD) - 'active' OR NEW.active AND NOT OLD.active THEN
        PERFORM escrow.fail('PAYEE_IS_FIXED', TG_TABLE_NAME || ' ' || OLD.id);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER payee_fixed BEFORE UPDATE ON escrow.party FOR EACH ROW EXECUTE FUNCTION escrow.guard_payee_rows();
CREATE TRIGGER payee_fixed BEFORE UPDATE ON escrow.pay_account FOR EACH ROW EXECUTE FUNCTION escrow.guard_payee_rows();

-- To whom a credit without a name may belong: who still owes just that much.
CREATE INDEX instalment_open_sum ON escrow.instalment ((fen - paid_fen)) WHERE state IN ('DUE', 'PART_PAID', 'OVERDUE');

-- Where there is a list of staff, only people on it sign, each as what he is (I10): a name that differs by a blank or a
-- capital is no second person. (Books that are kept without a list, such as the simulator's, know their people otherwise.)
CREATE FUNCTION escrow.guard_signer() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM exchange.staff) AND NOT EXISTS (
            SELECT 1 FROM exchange.staff s JOIN escrow.act_role r ON r.role = ANY (s.roles)
             WHERE s.id = NEW.person AND s.active
               AND r.act = CASE NEW.role WHEN 'MAKER' THEN 'draft' WHEN 'CHECKER' THEN 'check' ELSE 'release' END) THEN
        PERFORM escrow.fail('NOT_AUTHORISED', NEW.person || ' may not sign as ' || NEW.role);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approval_signer BEFORE INSERT ON escrow.approval FOR EACH ROW EXECUTE FUNCTION escrow.guard_signer();
