-- Escrow: many orders drafted, checked and released as one batch, and sent in files of many.
-- What each person signs is the batch's digest: over every order's digest and the bytes of every file (I10, I11).

CREATE TABLE escrow.order_batch (
    id         uuid PRIMARY KEY,
    name       text NOT NULL UNIQUE CHECK (name <> ''),  -- the caller's own key: the same again is the same batch
    rail       text NOT NULL,
    orders     int NOT NULL CHECK (orders > 0),
    fen        bigint NOT NULL CHECK (fen > 0),
    digest     text NOT NULL,
    drafted_at timestamptz NOT NULL
);
CREATE TABLE escrow.batch_file (
    batch       uuid NOT NULL REFERENCES escrow.order_batch DEFERRABLE INITIALLY DEFERRED,
    no          int NOT NULL CHECK (no >= 1),
    rail        text NOT NULL,
    number      text NOT NULL,             -- the file's id towards the rail, unique for ever
    payload     bytea NOT NULL,
    digest      text NOT NULL,
    orders      int NOT NULL,
    fen         bigint NOT NULL,
    state       text NOT NULL DEFAULT 'WAITING' CHECK (state IN ('WAITING', 'INTENDED', 'SENDING', 'SENT', 'DROPPED')),
    wire        jsonb,                     -- as of rail_attempt: a repetition carries the same bytes
    wire_body   bytea,
    sends       int NOT NULL DEFAULT 0,
    lease_until timestamptz,
    send_after  timestamptz,
    PRIMARY KEY (batch, no),
    UNIQUE (rail, number)
);
CREATE INDEX batch_file_open ON escrow.batch_file (batch, no) WHERE state IN ('WAITING', 'INTENDED', 'SENDING');
CREATE TABLE escrow.batch_order (
    order_id uuid PRIMARY KEY REFERENCES escrow.payment_order,
    batch    uuid NOT NULL REFERENCES escrow.order_batch DEFERRABLE INITIALLY DEFERRED,
    file     int NOT NULL,
    place    int NOT NULL,
    UNIQUE (batch, place)
);
CREATE INDEX batch_order_by_file ON escrow.batch_order (batch, file);
CREATE TABLE escrow.batch_approval (
    batch  uuid NOT NULL REFERENCES escrow.order_batch,
    role   text NOT NULL CHECK (role IN ('MAKER', 'CHECKER', 'RELEASER')),
    person text NOT NULL,
    digest text NOT NULL,
    at     timestamptz NOT NULL,
    PRIMARY KEY (batch, role)
);
ALTER TABLE escrow.approval ADD COLUMN batch uuid REFERENCES escrow.order_batch; -- given by signing the whole batch

DO $$ DECLARE t text; BEGIN
    FOREACH t IN ARRAY ARRAY['order_batch', 'batch_order', 'batch_approval'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON escrow.%I
                        FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change()', t);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['order_batch', 'batch_file', 'batch_order', 'batch_approval'] LOOP
        EXECUTE format('CREATE TRIGGER never_emptied BEFORE TRUNCATE ON escrow.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION exchange.refuse_change()', t);
    END LOOP;
END $$;
CREATE TRIGGER never_deleted BEFORE DELETE ON escrow.batch_file FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();

-- What is signed: each order by number and digest in its place, each file by its bytes.
CREATE FUNCTION escrow.batch_digest(which uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT encode(sha256(convert_to(
        (SELECT string_agg(no || ' ' || encode(sha256(payload), 'hex') || ' ' || orders || ' ' || fen, E'\n' ORDER BY no)
           FROM escrow.batch_file WHERE batch = which) || E'\n' ||
        (SELECT string_agg(b.place || ' ' || b.file || ' ' || o.number || ' ' || o.digest, E'\n' ORDER BY b.place)
           FROM escrow.batch_order b JOIN escrow.payment_order o ON o.id = b.order_id WHERE b.batch = which), 'UTF8')), 'hex')
$$;

CREATE FUNCTION escrow.guard_batch_approval() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    b escrow.order_batch;
BEGIN
    SELECT * INTO b FROM escrow.order_batch WHERE id = NEW.batch;
    IF NEW.digest <> b.digest OR b.digest <> escrow.batch_digest(b.id) THEN
        PERFORM escrow.fail('APPROVAL_OF_OTHER_BYTES', b.name);
    END IF;
    IF NEW.role <> 'MAKER' AND NOT EXISTS (SELECT 1 FROM escrow.batch_approval WHERE batch = NEW.batch
            AND role = CASE NEW.role WHEN 'CHECKER' THEN 'MAKER' ELSE 'CHECKER' END) THEN
        PERFORM escrow.fail('APPROVAL_OUT_OF_TURN', b.name);
    END IF;
    IF NEW.role <> 'MAKER' AND EXISTS (SELECT 1 FROM escrow.batch_approval WHERE batch = NEW.batch AND role = 'MAKER'
            AND person = NEW.person) THEN
        PERFORM escrow.fail('SAME_PERSON', NEW.person || ' drafted ' || b.name);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER batch_approval_guard BEFORE INSERT ON escrow.batch_approval
    FOR EACH ROW EXECUTE FUNCTION escrow.guard_batch_approval();

-- An order of a batch is approved with its batch and no other way: its file holds the others as well.
CREATE FUNCTION escrow.guard_approval_batch() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    its uuid;
BEGIN
    SELECT batch INTO its FROM escrow.batch_order WHERE order_id = NEW.order_id;
    IF its IS DISTINCT FROM NEW.batch OR NEW.batch IS NOT NULL AND NOT EXISTS (SELECT 1 FROM escrow.batch_approval a
            WHERE a.batch = NEW.batch AND a.role = NEW.role AND a.person = NEW.person) THEN
        PERFORM escrow.fail('APPROVED_AS_BATCH', NEW.order_id::text);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER approval_of_batch BEFORE INSERT ON escrow.approval FOR EACH ROW EXECUTE FUNCTION escrow.guard_approval_batch();

-- A file's bytes never change, and it leaves only when every one of its orders has its intent under its number.
CREATE FUNCTION escrow.guard_batch_file() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.digest <> encode(sha256(NEW.payload), 'hex') THEN
        PERFORM escrow.fail('DIGEST_NOT_OF_PAYLOAD', NEW.number);
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.batch, NEW.no, NEW.rail, NEW.number, NEW.digest, NEW.orders, NEW.fen)
           IS DISTINCT FROM (OLD.batch, OLD.no, OLD.rail, OLD.number, OLD.digest, OLD.orders, OLD.fen) THEN
            PERFORM escrow.fail('FILE_IS_FIXED', OLD.number);
        END IF;
        IF OLD.state = 'DROPPED' OR NEW.state = 'DROPPED' AND OLD.state <> 'WAITING' THEN
            PERFORM escrow.fail('FILE_IS_FIXED', OLD.number);
        END IF;
        IF NEW.state IN ('INTENDED', 'SENDING') AND NEW.orders <> (SELECT count(*) FROM escrow.batch_order b
                JOIN escrow.payment_order o ON o.id = b.order_id AND o.state IN ('DISPATCHING', 'SENT', 'PAID')
                JOIN escrow.rail_attempt a ON a.order_id = o.id AND a.batch_no = NEW.number
               WHERE b.batch = NEW.batch AND b.file = NEW.no) THEN
            PERFORM escrow.fail('INTENT_FIRST', NEW.number);
        END IF;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER batch_file_guard BEFORE INSERT OR UPDATE ON escrow.batch_file
    FOR EACH ROW EXECUTE FUNCTION escrow.guard_batch_file();
CREATE INDEX rail_attempt_by_batch ON escrow.rail_attempt (rail, batch_no) WHERE batch_no <> '';
