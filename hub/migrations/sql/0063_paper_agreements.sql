-- Escrow: an agreement signed on paper may reach the escrow desk before the office has entered it. The account is opened
-- at once, so that the payer can pay; nothing is paid out until the office has entered the same words.
ALTER TABLE escrow.escrow_case
    ADD COLUMN paper      text NOT NULL DEFAULT '',    -- where the signed paper lies, when the desk took it first
    ADD COLUMN lodged_by  text NOT NULL DEFAULT '',
    ADD COLUMN entered_at timestamptz,                 -- when the office entered the same agreement
    ADD CHECK ((paper = '') = (lodged_by = '')),
    ADD CHECK (entered_at IS NULL OR paper <> '');

INSERT INTO escrow.act_role VALUES ('lodge', 'cashier');

CREATE FUNCTION escrow.guard_paper() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.paper, OLD.lodged_by) IS DISTINCT FROM (NEW.paper, NEW.lodged_by) AND (OLD.paper <> '' OR OLD.state <> 'SIGNED')
       OR OLD.entered_at IS NOT NULL AND NEW.entered_at IS DISTINCT FROM OLD.entered_at THEN
        PERFORM escrow.fail('APPEND_ONLY', 'how an agreement came to the escrow is never changed');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER paper_stays BEFORE UPDATE OF paper, lodged_by, entered_at ON escrow.escrow_case
    FOR EACH ROW EXECUTE FUNCTION escrow.guard_paper();

-- Whoever writes the order: no compensation under an agreement that only the desk has seen.
CREATE FUNCTION escrow.guard_entered() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM escrow.escrow_case WHERE id = NEW.case_id AND paper <> '' AND entered_at IS NULL) THEN
        PERFORM escrow.fail('CONDITION_OPEN', 'the office has not entered the agreement');
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER order_awaits_entry BEFORE INSERT ON escrow.payment_order
    FOR EACH ROW WHEN (NEW.purpose <> 'REFUND') EXECUTE FUNCTION escrow.guard_entered();
