-- Messages by the open contract: stored and receipted in one commit, applied in batches soon after, in order per case.
ALTER TABLE exchange.inbox ADD COLUMN receipt bytea;   -- the signed receipt as it was given; only by the open contract
-- One receipt for a sender's id, from the moment it is stored: of many senders of the same only one gets in.
CREATE UNIQUE INDEX inbox_open_once ON exchange.inbox (partner, message_id) WHERE receipt IS NOT NULL;
CREATE INDEX inbox_open_due ON exchange.inbox (next_try, seq) WHERE state = 'RECEIVED' AND receipt IS NOT NULL;
CREATE INDEX inbox_open_held ON exchange.inbox (partner, case_key, sequence)
    WHERE state = 'RECEIVED' AND receipt IS NOT NULL AND sequence IS NOT NULL;

-- A receipt never changes, nor does what it was given for.
CREATE FUNCTION exchange.guard_receipt() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'APPEND_ONLY: a receipt may not be changed' USING ERRCODE = 'check_violation';
END $$;
CREATE TRIGGER inbox_receipt BEFORE UPDATE ON exchange.inbox FOR EACH ROW
    WHEN (OLD.receipt IS NOT NULL AND (OLD.receipt, OLD.receipt_no, OLD.message_id, OLD.compare_digest)
          IS DISTINCT FROM (NEW.receipt, NEW.receipt_no, NEW.message_id, NEW.compare_digest))
    EXECUTE FUNCTION exchange.guard_receipt();

-- Where a case stands that its sender numbers, or that one message holds up.
CREATE TABLE exchange.case_order (
    partner  text NOT NULL,
    case_key text NOT NULL,
    sequence bigint NOT NULL DEFAULT 0,        -- every number up to it was applied, or given up after its time
    held     boolean NOT NULL DEFAULT false,   -- later numbers wait in the inbox
    stuck    uuid,                             -- a message that failed by a fault of ours: those after it wait
    PRIMARY KEY (partner, case_key)
);

-- Numbers that did not come within their time; the sender sees them and sends them again.
CREATE TABLE exchange.missing_message (
    partner  text NOT NULL,
    case_key text NOT NULL,
    sequence bigint NOT NULL,
    since    timestamptz NOT NULL,
    came_at  timestamptz,
    PRIMARY KEY (partner, case_key, sequence)
);
CREATE INDEX missing_message_open ON exchange.missing_message (partner, since, case_key, sequence) WHERE came_at IS NULL;
