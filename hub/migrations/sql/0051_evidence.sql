-- The journal and its seals (exchange rule 9): lines are appended unsealed by whoever makes them true, and sealed
-- in batches soon after: chained per day and shard, gathered in a Merkle tree, its root time-stamped (RFC 3161).
CREATE TABLE exchange.journal_batch (
    no         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL,
    lines      int NOT NULL CHECK (lines > 0),
    leaves     bytea NOT NULL CHECK (octet_length(leaves) = 32 * lines),   -- the lines' chain hashes in their order
    root       bytea NOT NULL CHECK (octet_length(root) = 32),
    sealed     timestamptz NOT NULL DEFAULT clock_timestamp(),             -- by the machine's clock, for alarms only
    token      bytea,                                                      -- RFC 3161 time stamp over the root
    stamped_at timestamptz
);
CREATE INDEX journal_batch_unstamped ON exchange.journal_batch (no) WHERE token IS NULL;

CREATE TABLE exchange.journal (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL,
    day     date GENERATED ALWAYS AS ((at AT TIME ZONE 'Asia/Shanghai')::date) STORED,
    shard   smallint NOT NULL,
    kind    text NOT NULL,
    ref     text NOT NULL,
    digest  bytea NOT NULL CHECK (octet_length(digest) = 32),
    actor   text NOT NULL,
    detail  jsonb NOT NULL DEFAULT '{}',
    written timestamptz NOT NULL DEFAULT clock_timestamp(),                -- by the machine's clock, for alarms only
    -- Written once, by the sealer, all four together:
    batch   bigint REFERENCES exchange.journal_batch,
    leaf    int,                                                           -- place in the batch, from 0
    no      bigint,                                                        -- place in the chain of its day and shard, from 1
    hash    bytea,
    CHECK (num_nulls(batch, leaf, no, hash) IN (0, 4))
);
CREATE INDEX journal_unsealed ON exchange.journal (shard, id) WHERE batch IS NULL;
CREATE UNIQUE INDEX journal_chain_place ON exchange.journal (day, shard, no) WHERE no IS NOT NULL;
CREATE INDEX journal_by_ref ON exchange.journal (ref);

-- How long each chain is and where it ends: a line cut off at the end is missed too.
CREATE TABLE exchange.journal_chain (
    day   date NOT NULL,
    shard smallint NOT NULL,
    no    bigint NOT NULL,
    hash  bytea NOT NULL,
    PRIMARY KEY (day, shard)
);

CREATE TRIGGER journal_append_only BEFORE DELETE ON exchange.journal
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();
-- The only change there is: an unsealed line is sealed, and nothing else of it moves.
CREATE TRIGGER journal_sealed_once BEFORE UPDATE ON exchange.journal
    FOR EACH ROW WHEN (
        OLD.batch IS NOT NULL OR NEW.batch IS NULL
        OR (OLD.id, OLD.at, OLD.shard, OLD.kind, OLD.ref, OLD.digest, OLD.actor, OLD.detail, OLD.written)
           IS DISTINCT FROM (NEW.id, NEW.at, NEW.shard, NEW.kind, NEW.ref, NEW.digest, NEW.actor, NEW.detail, NEW.written))
    EXECUTE FUNCTION exchange.refuse_change();
CREATE TRIGGER journal_batch_append_only BEFORE DELETE ON exchange.journal_batch
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();
CREATE TRIGGER journal_batch_stamped_once BEFORE UPDATE ON exchange.journal_batch
    FOR EACH ROW WHEN (
        OLD.token IS NOT NULL OR NEW.token IS NULL
        OR (OLD.no, OLD.at, OLD.lines, OLD.leaves, OLD.root, OLD.sealed)
           IS DISTINCT FROM (NEW.no, NEW.at, NEW.lines, NEW.leaves, NEW.root, NEW.sealed))
    EXECUTE FUNCTION exchange.refuse_change();
CREATE TRIGGER journal_chain_append_only BEFORE DELETE ON exchange.journal_chain
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();
CREATE TRIGGER journal_chain_grows BEFORE UPDATE ON exchange.journal_chain
    FOR EACH ROW WHEN (NEW.no <= OLD.no OR NEW.day <> OLD.day OR NEW.shard <> OLD.shard)
    EXECUTE FUNCTION exchange.refuse_change();

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['journal', 'journal_batch', 'journal_chain'] LOOP
        EXECUTE format('CREATE TRIGGER never_emptied BEFORE TRUNCATE ON exchange.%I
                        FOR EACH STATEMENT EXECUTE FUNCTION exchange.refuse_change()', name);
    END LOOP;
END $$;
