-- The registry: likelihood of escalation of a dispute, and back-tests of it on this record.
-- It decides nothing: no trigger, grade, clock, payment or sharing agreement reads it.

CREATE TABLE registry.escalation (
    dispute  uuid PRIMARY KEY REFERENCES registry.dispute,
    rated_at timestamptz NOT NULL,
    model    text NOT NULL,                            -- digest of the weights
    percent  int NOT NULL CHECK (percent BETWEEN 1 AND 99),
    band     text NOT NULL CHECK (band IN ('HIGH', 'RAISED', 'LOW')),
    reasons  jsonb NOT NULL
);
CREATE INDEX escalation_by_percent ON registry.escalation (percent DESC);
CREATE INDEX escalation_by_age ON registry.escalation (rated_at);

-- What was told of whom on which day: each change of the band, and its end ('' = closed, merged or without a forecast).
CREATE TABLE registry.escalation_log (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dispute uuid NOT NULL REFERENCES registry.dispute,
    at      timestamptz NOT NULL,
    by      text NOT NULL,
    model   text NOT NULL,
    was     text NOT NULL,
    now     text NOT NULL,
    percent int,
    reasons jsonb NOT NULL
);
CREATE INDEX escalation_log_by_dispute ON registry.escalation_log (dispute, id);
CREATE TRIGGER escalation_log_append_only BEFORE UPDATE OR DELETE ON registry.escalation_log
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();

-- How the weights did on this database's own record. `figures`: as case_registry.escalation_fit.judge gives them.
CREATE TABLE registry.escalation_back_test (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL,
    by        text NOT NULL,
    model     text NOT NULL,
    version   text NOT NULL,
    seed      bigint NOT NULL,
    from_day  date NOT NULL,
    until_day date NOT NULL,
    disputes  int NOT NULL,
    cases     int NOT NULL,
    escalated int NOT NULL,
    figures   jsonb NOT NULL
);
CREATE INDEX escalation_back_test_by_model ON registry.escalation_back_test (model, id);
CREATE TRIGGER escalation_back_test_append_only BEFORE UPDATE OR DELETE ON registry.escalation_back_test
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();

-- Whether this is a sandbox, for readers who may not look into the exchange's tables.
CREATE FUNCTION registry.is_sandbox() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
    SELECT movable FROM exchange.clock
$$;

DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'concord_reader') THEN
        ALTER TABLE registry.escalation ENABLE ROW LEVEL SECURITY;
        CREATE POLICY readers ON registry.escalation FOR SELECT TO concord_reader
            USING (registry.reader_sees_dispute(dispute, 'forecast'));
        ALTER TABLE registry.escalation_log ENABLE ROW LEVEL SECURITY;
        CREATE POLICY readers ON registry.escalation_log FOR SELECT TO concord_reader
            USING (registry.reader_sees_dispute(dispute, 'forecast'));
        GRANT SELECT ON registry.escalation, registry.escalation_log, registry.escalation_back_test TO concord_reader;
        IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'concord_app') THEN
            CREATE POLICY application ON registry.escalation TO concord_app USING (true) WITH CHECK (true);
            CREATE POLICY application ON registry.escalation_log TO concord_app USING (true) WITH CHECK (true);
        END IF;
    END IF;
END $$;
