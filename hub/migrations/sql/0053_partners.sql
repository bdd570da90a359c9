-- Partners that connect by Concord's own contract are rows: who they are, how they prove it, what they may use up.
CREATE TABLE exchange.partner (
    id           text PRIMARY KEY CHECK (id ~ '^[a-z][a-z0-9_]{1,39}$'),
    name         text NOT NULL CHECK (name <> ''),
    institution  text NOT NULL CHECK (institution <> ''),
    agency       text NOT NULL CHECK (agency <> ''),
    protocols    text[] NOT NULL CHECK (protocols <@ ARRAY['rest', 'soap'] AND cardinality(protocols) > 0),
    -- Ways to prove who calls; any one of the list will do, "tls+http" means both at once.
    auth         text[] NOT NULL CHECK (auth <@ ARRAY['tls', 'http', 'wss', 'tls+http', 'tls+wss'] AND cardinality(auth) > 0),
    addresses    jsonb NOT NULL DEFAULT '{}',          -- where we call: {"deliver": "https://…"}
    limits       jsonb NOT NULL DEFAULT '{}',          -- what differs from foundation/partner_limits.py
    state        text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'suspended')),
    state_reason text NOT NULL DEFAULT '',
    state_by     text NOT NULL DEFAULT '',
    state_at     timestamptz NOT NULL,
    valid_from   timestamptz NOT NULL,
    valid_to     timestamptz CHECK (valid_to > valid_from),
    created_at   timestamptz NOT NULL,
    CHECK (state = 'active' OR state_reason <> '')
);

CREATE TABLE exchange.partner_key (
    id          text PRIMARY KEY CHECK (id ~ '^[A-Za-z0-9_.:-]{1,100}$'),  -- what keyid says on the wire
    partner     text NOT NULL REFERENCES exchange.partner,
    side        text NOT NULL CHECK (side IN ('theirs', 'ours')),          -- ours: the private half lies in the key folder
    kind        text NOT NULL CHECK (kind IN ('tls', 'http', 'wss')),
    algorithm   text NOT NULL,                                             -- foundation/algorithms.toml
    public_key  bytea NOT NULL,                                            -- SubjectPublicKeyInfo, DER
    certificate bytea,                                                     -- DER; a bare HTTP signature key has none
    fingerprint text NOT NULL CHECK (fingerprint ~ '^[0-9a-f]{64}$'),      -- SHA-256 of the certificate, else of the key
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz NOT NULL CHECK (valid_to > valid_from),
    revoked_at  timestamptz,
    revoked_why text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    created_by  text NOT NULL,
    CHECK (kind = 'http' OR certificate IS NOT NULL)
);
CREATE INDEX partner_key_by_partner ON exchange.partner_key (partner, kind, valid_to);
-- One certificate says who calls: it may not stand for two partners.
CREATE UNIQUE INDEX partner_key_once ON exchange.partner_key (kind, fingerprint) WHERE revoked_at IS NULL AND side = 'theirs';

-- Rotation overlaps by two: a third key in force at once is a forgotten one.
CREATE FUNCTION exchange.guard_partner_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (NEW.partner, NEW.side, NEW.kind, NEW.algorithm, NEW.public_key, NEW.certificate, NEW.fingerprint)
        IS DISTINCT FROM (OLD.partner, OLD.side, OLD.kind, OLD.algorithm, OLD.public_key, OLD.certificate, OLD.fingerprint) THEN
        RAISE EXCEPTION 'APPEND_ONLY: a key is revoked, never changed' USING ERRCODE = 'check_violation';
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN
        RAISE EXCEPTION 'REVOKED: a revoked key does not come back' USING ERRCODE = 'check_violation';
    END IF;
    PERFORM 1 FROM exchange.partner WHERE id = NEW.partner FOR UPDATE;
    IF NEW.revoked_at IS NULL AND (
        SELECT count(*) FROM exchange.partner_key k WHERE k.partner = NEW.partner AND k.kind = NEW.kind
        AND k.side = NEW.side AND k.id <> NEW.id AND k.revoked_at IS NULL AND k.valid_to > exchange.now()
    ) >= 2 THEN
        RAISE EXCEPTION 'TWO_KEYS: % has two % keys in force; revoke one first', NEW.partner, NEW.kind
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER partner_key_guard BEFORE INSERT OR UPDATE ON exchange.partner_key
    FOR EACH ROW EXECUTE FUNCTION exchange.guard_partner_key();
CREATE TRIGGER partner_key_stays BEFORE DELETE ON exchange.partner_key
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();

-- Every process keeps the directory of partners and keys in memory. It asks for this number when its copy is a second
-- old, and is told of a change at once, so that a suspension or revocation acts within a second everywhere.
CREATE TABLE exchange.directory_version (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version bigint NOT NULL DEFAULT 1
);
INSERT INTO exchange.directory_version DEFAULT VALUES;

CREATE FUNCTION exchange.directory_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE exchange.directory_version SET version = version + 1;
    PERFORM pg_notify('concord_directory', '');
    RETURN NULL;
END $$;
CREATE TRIGGER partner_changed AFTER INSERT OR UPDATE OR DELETE ON exchange.partner
    FOR EACH STATEMENT EXECUTE FUNCTION exchange.directory_changed();
CREATE TRIGGER partner_key_changed AFTER INSERT OR UPDATE OR DELETE ON exchange.partner_key
    FOR EACH STATEMENT EXECUTE FUNCTION exchange.directory_changed();

-- Signatures seen, so that none is taken twice. The slot is the signature's own expiry in five-minute steps: a replay
-- bears the same one, and whole old slots are deleted by range (foundation/replays.py).
CREATE TABLE exchange.signature_seen (
    slot  int NOT NULL,
    proof bytea NOT NULL CHECK (octet_length(proof) = 16),
    PRIMARY KEY (slot, proof)
) WITH (autovacuum_vacuum_scale_factor = 0.05);

-- What is left of a partner's rate of deliveries and of its second tries: two buckets that fill with the hub's time.
ALTER TABLE exchange.partner_state
    ADD COLUMN send_left  double precision,
    ADD COLUMN retry_left double precision,
    ADD COLUMN left_at    timestamptz,
    ADD COLUMN suspended  boolean NOT NULL DEFAULT false;  -- of a partner with an adapter: its calls are put off too
CREATE INDEX outbox_by_partner ON exchange.outbox (partner, due, seq) WHERE state IN ('WAITING', 'SENDING');

-- Partners with something due now, found by skipping from one to the next: a backlog of one costs the others nothing.
CREATE FUNCTION exchange.partners_due(at timestamptz) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    WITH RECURSIVE lane AS (
        (SELECT partner FROM exchange.outbox WHERE state IN ('WAITING', 'SENDING') ORDER BY partner LIMIT 1)
        UNION ALL
        SELECT (SELECT o.partner FROM exchange.outbox o WHERE o.state IN ('WAITING', 'SENDING')
                AND o.partner > lane.partner ORDER BY o.partner LIMIT 1)
        FROM lane WHERE lane.partner IS NOT NULL)
    SELECT partner FROM lane WHERE partner IS NOT NULL AND EXISTS (
        SELECT 1 FROM exchange.outbox o WHERE o.partner = lane.partner AND o.state IN ('WAITING', 'SENDING') AND o.due <= at)
$$;

-- Lease at most `room` due rows of one partner, the first of its case each, at most `retries` of them tried before.
CREATE FUNCTION exchange.lease_outbox(p text, room int, retries int, at timestamptz, lease_s double precision)
RETURNS SETOF exchange.outbox LANGUAGE plpgsql AS $$
DECLARE
    again boolean;
    taken int := 0;
    n int;
BEGIN
    FOREACH again IN ARRAY ARRAY[true, false] LOOP
        n := CASE WHEN again THEN least(room, retries) ELSE room - taken END;
        CONTINUE WHEN n <= 0;
        RETURN QUERY
        UPDATE exchange.outbox u SET state = 'SENDING', attempts = u.attempts + 1,
            lease_until = clock_timestamp() + make_interval(secs => lease_s)
        WHERE u.id IN (
            SELECT o.id FROM exchange.outbox o
            WHERE o.partner = p AND o.state IN ('WAITING', 'SENDING') AND o.due <= at AND (o.attempts > 0) = again
              AND (o.state = 'WAITING' OR o.lease_until < clock_timestamp())
              AND NOT EXISTS (
                SELECT 1 FROM exchange.outbox e WHERE e.partner = p AND e.case_key = o.case_key
                AND e.case_key <> '' AND e.seq < o.seq AND e.state IN ('WAITING', 'SENDING'))
            ORDER BY o.due, o.seq LIMIT n FOR UPDATE SKIP LOCKED)
        RETURNING u.*;
        GET DIAGNOSTICS n = ROW_COUNT;
        taken := taken + n;
    END LOOP;
END $$;
