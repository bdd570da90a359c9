-- Messages by the open contract: stored and receipted in one commit, applied in batches soon after, in order per case.
ALTER TABLE exchange.inbox ADD COLUMN receipt bytea;   -- the signed receipt as it was given; only by the open contract
-- One receipt for a sender's id, from the moment it is stored: of many senders of the same only one gets in.
CREATE UNIQUE INDEX inbox_open_once ON exchange.inbox (partner, message_id) WHERE receipt IS NOT NULL;
-- So the index that does the same for the others leaves these out.
DROP INDEX exchange.inbox_one_effect;
CREATE UNIQUE INDEX inbox_one_effect ON exchange.inbox (partner, message_id)
    WHERE state IN ('APPLIED', 'PARKED') AND receipt IS NULL;
DROP INDEX exchange.inbox_waiting;
CREATE INDEX inbox_waiting ON exchange.inbox (next_try) WHERE state = 'RECEIVED' AND receipt IS NULL;
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

-- Many messages in one archive: stored and receipted whole, then taken record by record, each with its own result.
CREATE TABLE exchange.batch (
    id          uuid PRIMARY KEY,
    partner     text NOT NULL,
    batch_id    text NOT NULL,                         -- the sender's own
    digest      text NOT NULL,                         -- SHA-256 of the archive
    content     bytea STORAGE EXTERNAL NOT NULL,       -- locked (foundation/envelope.py)
    data_key    bytea,
    size        int NOT NULL,
    headers     jsonb NOT NULL,
    receipt_no  text NOT NULL UNIQUE,
    receipt     bytea NOT NULL,
    received_at timestamptz NOT NULL,
    records     int NOT NULL DEFAULT 0,                -- taken so far: after a crash it goes on behind the last one
    state       text NOT NULL DEFAULT 'RECEIVED' CHECK (state IN ('RECEIVED', 'DONE', 'BROKEN')),
    findings    jsonb NOT NULL DEFAULT '[]',           -- why an archive could not be read to its end
    finished_at timestamptz,
    UNIQUE (partner, batch_id)
);
CREATE INDEX batch_waiting ON exchange.batch (received_at, id) WHERE state = 'RECEIVED';
CREATE SEQUENCE exchange.batch_number;

CREATE TABLE exchange.batch_record (
    batch      uuid NOT NULL REFERENCES exchange.batch,
    place      int NOT NULL,                           -- from 1, in the order of the archive
    name       text NOT NULL,                          -- file, and line where a file holds several
    message_id text NOT NULL,
    result     text NOT NULL CHECK (result IN ('ACCEPTED', 'DUPLICATE', 'QUARANTINED', 'REFUSED')),
    receipt_no text,
    findings   jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (batch, place)
);
