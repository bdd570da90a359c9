-- Foundation: clock, inbox, outbox, journal, quarantine, events, staff, state moves.
CREATE SCHEMA exchange;

CREATE TABLE exchange.clock (
    one            boolean PRIMARY KEY DEFAULT true CHECK (one),
    mode           text NOT NULL DEFAULT 'real' CHECK (mode IN ('real', 'virtual')),
    movable        boolean NOT NULL DEFAULT false,
    anchor_virtual timestamptz,
    anchor_real    timestamptz
);
INSERT INTO exchange.clock DEFAULT VALUES;

-- Virtual time goes on at real speed from where it was set, the same for every process.
CREATE FUNCTION exchange.now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN mode = 'virtual' THEN anchor_virtual + (clock_timestamp() - anchor_real)
                ELSE clock_timestamp() END
    FROM exchange.clock
$$;

-- Legal moves of every state machine, filled from the Python tables at migration.
CREATE TABLE exchange.state_move (
    machine    text NOT NULL,
    from_state text NOT NULL,
    event      text NOT NULL,
    to_state   text NOT NULL,
    PRIMARY KEY (machine, from_state, event, to_state)
);

CREATE FUNCTION exchange.guard_state_move() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    old_state text := to_jsonb(OLD) ->> TG_ARGV[1];
    new_state text := to_jsonb(NEW) ->> TG_ARGV[1];
BEGIN
    IF old_state IS DISTINCT FROM new_state AND NOT EXISTS (
        SELECT 1 FROM exchange.state_move
        WHERE machine = TG_ARGV[0] AND from_state = old_state AND to_state = new_state
    ) THEN
        RAISE EXCEPTION 'ILLEGAL_MOVE: % may not go from % to %', TG_ARGV[0], old_state, new_state
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION exchange.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'APPEND_ONLY: % on %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'check_violation';
END $$;

CREATE TABLE exchange.partner_state (
    partner     text PRIMARY KEY,
    state       jsonb NOT NULL DEFAULT '{}',          -- tickets, tokens, cursors: written with the rows they cover
    paused      boolean NOT NULL DEFAULT false,
    failures    int NOT NULL DEFAULT 0,
    open_until  timestamptz,                          -- circuit breaker: no call before this instant
    last_ok     timestamptz,
    last_error  text,
    last_failed timestamptz
);

CREATE TABLE exchange.inbox (
    id             uuid PRIMARY KEY,
    seq            bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    partner        text NOT NULL,
    channel        text NOT NULL CHECK (channel IN ('push', 'pull', 'file', 'reply', 'hook')),
    operation      text NOT NULL DEFAULT '',
    filename       text,
    content        bytea STORAGE EXTERNAL NOT NULL,    -- locked (foundation/envelope.py); compressed before
    data_key       bytea,                              -- wrapped; NULL once the message is erased
    size           int NOT NULL,                       -- bytes of the message as it came
    erased_at      timestamptz,
    headers        jsonb NOT NULL DEFAULT '{}',
    content_hash   bytea NOT NULL,
    received_at    timestamptz NOT NULL,
    message_id     text,                               -- sender's id; NULL until read
    compare_digest text,
    case_key       text NOT NULL DEFAULT '',
    sequence       bigint,
    state          text NOT NULL DEFAULT 'RECEIVED'
                   CHECK (state IN ('RECEIVED', 'APPLIED', 'PARKED', 'DUPLICATE', 'QUARANTINED', 'REFUSED')),
    receipt_no     text,
    result         jsonb,
    attempts       int NOT NULL DEFAULT 0,
    next_try       timestamptz NOT NULL,
    last_error     text,
    decided_at     timestamptz,
    CHECK ((data_key IS NULL) = (erased_at IS NOT NULL))
);
-- One effect for a sender's id: only one message with it may be in force.
CREATE UNIQUE INDEX inbox_one_effect ON exchange.inbox (partner, message_id) WHERE state IN ('APPLIED', 'PARKED');
CREATE INDEX inbox_waiting ON exchange.inbox (next_try) WHERE state = 'RECEIVED';
CREATE INDEX inbox_by_time ON exchange.inbox (received_at DESC, id);
CREATE INDEX inbox_by_partner ON exchange.inbox (partner, state, received_at DESC);
CREATE INDEX inbox_by_message ON exchange.inbox (partner, message_id);

-- The raw message never changes. Its data key may be wrapped by another key (the first four bytes name it), or go.
CREATE FUNCTION exchange.guard_inbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR NEW.content IS DISTINCT FROM OLD.content OR NEW.content_hash <> OLD.content_hash
       OR NEW.partner <> OLD.partner OR NEW.received_at <> OLD.received_at OR NEW.headers <> OLD.headers
       OR OLD.erased_at IS DISTINCT FROM NEW.erased_at AND OLD.erased_at IS NOT NULL
       OR NEW.erased_at IS NULL AND NEW.data_key IS DISTINCT FROM OLD.data_key
          AND substr(NEW.data_key, 1, 4) = substr(OLD.data_key, 1, 4) THEN
        RAISE EXCEPTION 'APPEND_ONLY: a raw message may not be changed' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER inbox_raw BEFORE UPDATE OR DELETE ON exchange.inbox
    FOR EACH ROW EXECUTE FUNCTION exchange.guard_inbox();

CREATE TABLE exchange.nonce (
    partner text NOT NULL,
    nonce   text NOT NULL,
    seen_at timestamptz NOT NULL,
    inbox   uuid NOT NULL,
    PRIMARY KEY (partner, nonce)
);

CREATE TABLE exchange.outbox (
    id          uuid PRIMARY KEY,
    seq         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    partner     text NOT NULL,
    operation   text NOT NULL,
    message_id  text NOT NULL,
    case_key    text NOT NULL DEFAULT '',
    body        jsonb NOT NULL,
    content     bytea STORAGE EXTERNAL,                -- wire bytes, locked; kept from the first try: a retry sends the same
    data_key    bytea,                                 -- wrapped
    state       text NOT NULL DEFAULT 'WAITING' CHECK (state IN ('WAITING', 'SENDING', 'DELIVERED', 'DEAD')),
    created_at  timestamptz NOT NULL,
    due         timestamptz NOT NULL,
    lease_until timestamptz,
    attempts    int NOT NULL DEFAULT 0,
    delivered_at timestamptz,
    last_error  text,
    actor       text NOT NULL,
    UNIQUE (partner, message_id)
);
CREATE INDEX outbox_due ON exchange.outbox (due) WHERE state IN ('WAITING', 'SENDING');
CREATE INDEX outbox_by_case ON exchange.outbox (partner, case_key, seq) WHERE state IN ('WAITING', 'SENDING');
CREATE INDEX outbox_by_time ON exchange.outbox (created_at DESC);
CREATE INDEX outbox_by_matter ON exchange.outbox ((body->>'mediation_number'));

CREATE TABLE exchange.outbox_attempt (
    outbox  uuid NOT NULL REFERENCES exchange.outbox,
    attempt int NOT NULL,
    at      timestamptz NOT NULL,
    outcome text NOT NULL,
    code    text,
    text    text,
    reply   bytea,                                     -- locked
    data_key bytea,
    PRIMARY KEY (outbox, attempt)
);

CREATE TABLE exchange.event (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic   text NOT NULL,
    payload jsonb NOT NULL,
    at      timestamptz NOT NULL,
    actor   text NOT NULL,
    published boolean NOT NULL DEFAULT false
);
CREATE INDEX event_unpublished ON exchange.event (id) WHERE NOT published;

CREATE TABLE exchange.disclosure (
    id         uuid PRIMARY KEY,
    at         timestamptz NOT NULL,
    actor      text NOT NULL,
    recipient  text NOT NULL,
    purpose    text NOT NULL,
    subject    text NOT NULL,
    fields     jsonb NOT NULL,
    basis      text NOT NULL
);
CREATE TRIGGER disclosure_append_only BEFORE UPDATE OR DELETE ON exchange.disclosure
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();

CREATE TABLE exchange.alarm (
    id        uuid PRIMARY KEY,
    at        timestamptz NOT NULL,
    kind      text NOT NULL,
    subject   text NOT NULL,
    detail    jsonb NOT NULL DEFAULT '{}',
    role      text NOT NULL DEFAULT 'operator',
    closed_at timestamptz,
    closed_by text,
    reason    text
);
CREATE INDEX alarm_open ON exchange.alarm (at DESC) WHERE closed_at IS NULL;
CREATE UNIQUE INDEX alarm_once ON exchange.alarm (kind, subject) WHERE closed_at IS NULL;

CREATE TABLE exchange.staff (
    id            text PRIMARY KEY,
    name          text NOT NULL,
    org           text NOT NULL,
    roles         text[] NOT NULL,
    password_hash text NOT NULL,
    active        boolean NOT NULL DEFAULT true,
    created_at    timestamptz NOT NULL
);
CREATE TABLE exchange.session (
    token_hash bytea PRIMARY KEY,
    staff      text NOT NULL REFERENCES exchange.staff,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE TABLE exchange.job_run (
    id          uuid PRIMARY KEY,
    job         text NOT NULL,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    ok          boolean,
    result      jsonb
);
CREATE INDEX job_run_by_job ON exchange.job_run (job, started_at DESC);
