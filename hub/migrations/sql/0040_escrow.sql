-- Escrow: terms, parties, accounts at the holders, orders, holds, statements. Ledger: 0041. Guards: 0042. Views: 0043.
CREATE SCHEMA escrow;

-- Who may do what, and how many persons a sum needs. Data, so that a county can change them (escrow.md, I10).
CREATE TABLE escrow.act_role (
    act  text NOT NULL,
    role text NOT NULL,
    PRIMARY KEY (act, role)
);
INSERT INTO escrow.act_role VALUES
    ('draft', 'cashier'), ('check', 'checker'), ('check', 'releaser'), ('release', 'checker'), ('release', 'releaser'),
    ('cancel', 'cashier'), ('cancel', 'checker'), ('cancel', 'releaser'),
    ('propose', 'cashier'), ('propose', 'checker'), ('confirm', 'checker'), ('confirm', 'releaser'),
    ('stop', 'cashier'), ('stop', 'checker'), ('stop', 'releaser'), ('stop', 'supervision_officer'),
    ('break', 'cashier'), ('break', 'checker'), ('break', 'releaser');

CREATE TABLE escrow.tier (
    over_fen   bigint NOT NULL,            -- the rule holds for sums above this
    persons    int NOT NULL CHECK (persons IN (2, 3)),
    valid_from date NOT NULL,
    PRIMARY KEY (over_fen, valid_from)
);
INSERT INTO escrow.tier VALUES (0, 2, '2024-01-01'), (5000000, 3, '2024-01-01');

-- Accounts that really hold money; each is mirrored and proved by its own statement or bill.
CREATE TABLE escrow.custody (
    id        uuid PRIMARY KEY,
    rail      text NOT NULL UNIQUE,
    number    text NOT NULL,
    name      text NOT NULL,
    ledger    uuid NOT NULL,               -- its account in the ledger
    opened_at timestamptz NOT NULL
);

CREATE TABLE escrow.escrow_case (
    id                 uuid PRIMARY KEY,
    dispute            text NOT NULL,      -- the registry's dispute, as its number
    mediation_number   text NOT NULL UNIQUE,
    agreement_no       text NOT NULL,
    version            int NOT NULL DEFAULT 1,
    title              text NOT NULL,
    agreed_fen         bigint NOT NULL CHECK (agreed_fen > 0),
    grace_days         int NOT NULL DEFAULT 5 CHECK (grace_days BETWEEN 0 AND 30),
    acceleration       boolean NOT NULL DEFAULT false,
    needs_confirmation boolean NOT NULL DEFAULT false,
    signed_on          date NOT NULL,
    prefixes           jsonb NOT NULL,     -- rail → how instruction numbers of this case begin
    terms_digest       text NOT NULL,
    state              text NOT NULL DEFAULT 'NONE',
    confirmation       text NOT NULL DEFAULT 'NONE',
    late_fen           bigint NOT NULL DEFAULT 0,
    void_at            timestamptz,
    void_reason        text,
    withdrawn_at       timestamptz,        -- another agency withdrew while money was here
    split_missing      boolean NOT NULL DEFAULT false,
    created_at         timestamptz NOT NULL
);
CREATE INDEX escrow_case_by_dispute ON escrow.escrow_case (dispute);
CREATE INDEX escrow_case_by_state ON escrow.escrow_case (state, created_at DESC, id);

CREATE TABLE escrow.bank_account (
    rail          text NOT NULL,
    number        text NOT NULL,
    custody       uuid NOT NULL REFERENCES escrow.custody,
    kind          text NOT NULL CHECK (kind IN ('PARENT', 'SUB', 'OTHER')), -- OTHER: a sub-account that is no case's
    case_id       uuid REFERENCES escrow.escrow_case,
    first_opening bigint NOT NULL DEFAULT 0, -- what it held before the first line we know
    mirror_fen    bigint NOT NULL DEFAULT 0, -- first_opening plus all booked lines
    last_day      date,
    last_seq      int,
    last_closing  bigint,
    booked_fen    bigint,                  -- the holder's last word on balance and on what is free of court holds
    available_fen bigint,
    told_at       timestamptz,
    PRIMARY KEY (rail, number),
    CHECK ((kind = 'SUB') = (case_id IS NOT NULL))
);
CREATE UNIQUE INDEX bank_account_one_a_case ON escrow.bank_account (rail, case_id) WHERE case_id IS NOT NULL;

CREATE TABLE escrow.account_request (      -- asking a holder to open a sub-account
    case_id    uuid NOT NULL REFERENCES escrow.escrow_case,
    rail       text NOT NULL,
    request_no text NOT NULL UNIQUE,
    asked_at   timestamptz NOT NULL,
    next_try   timestamptz NOT NULL,
    attempts   int NOT NULL DEFAULT 0,
    number     text,
    last_error text,
    PRIMARY KEY (case_id, rail)
);

-- A payee's seat keeps its key when the person in it changes (heir, assignee): shares hang on the seat.
CREATE TABLE escrow.party (
    id        uuid PRIMARY KEY,
    case_id   uuid NOT NULL REFERENCES escrow.escrow_case,
    version   int NOT NULL,
    key       text NOT NULL,
    role      text NOT NULL CHECK (role IN ('PAYER', 'PAYEE')),
    kind      text NOT NULL CHECK (kind IN ('person', 'organisation')),
    name      text NOT NULL,
    id_number text NOT NULL DEFAULT '',
    active    boolean NOT NULL DEFAULT true,
    since     timestamptz NOT NULL,
    document  text NOT NULL DEFAULT ''     -- paper by which this person took the seat
);
CREATE UNIQUE INDEX party_one_in_seat ON escrow.party (case_id, version, key) WHERE active;

CREATE TABLE escrow.pay_account (
    id        uuid PRIMARY KEY,
    party     uuid NOT NULL REFERENCES escrow.party,
    rail      text NOT NULL,
    number    text NOT NULL,
    name      text NOT NULL,
    bank_code text NOT NULL DEFAULT '',
    bank_name text NOT NULL DEFAULT '',
    extra     jsonb NOT NULL DEFAULT '{}',
    active    boolean NOT NULL DEFAULT true
);
CREATE INDEX pay_account_by_party ON escrow.pay_account (party, rail) WHERE active;

CREATE TABLE escrow.instalment (
    id       uuid PRIMARY KEY,
    case_id  uuid NOT NULL REFERENCES escrow.escrow_case,
    version  int NOT NULL,
    number   int NOT NULL CHECK (number >= 1),
    due_on   date NOT NULL,
    fen      bigint NOT NULL CHECK (fen > 0),
    payer    text NOT NULL,
    state    text NOT NULL DEFAULT 'DUE',
    paid_fen bigint NOT NULL DEFAULT 0 CHECK (paid_fen BETWEEN 0 AND fen),
    accelerated_at timestamptz,
    waiver   text,
    UNIQUE (case_id, version, number)
);
CREATE INDEX instalment_open ON escrow.instalment (due_on) WHERE state IN ('DUE', 'PART_PAID', 'OVERDUE');

CREATE TABLE escrow.share (
    instalment uuid NOT NULL REFERENCES escrow.instalment,
    payee      text NOT NULL,
    fen        bigint NOT NULL CHECK (fen > 0),
    PRIMARY KEY (instalment, payee)
);

CREATE TABLE escrow.payment_order (
    id             uuid PRIMARY KEY,
    case_id        uuid NOT NULL REFERENCES escrow.escrow_case,
    purpose        text NOT NULL CHECK (purpose IN ('COMPENSATION', 'REFUND', 'TOP_UP')),
    version        int NOT NULL,
    instalment     int NOT NULL DEFAULT 0, -- 0: a refund or a move between custody accounts
    payee          text NOT NULL,          -- seat, payer's account, or rail of the other custody account
    part           int NOT NULL CHECK (part >= 1),
    ordinal        int NOT NULL CHECK (ordinal >= 1),
    rail           text NOT NULL,
    number         text NOT NULL,          -- instruction number: pure function of prefix, purpose, ordinal
    business_key   text NOT NULL UNIQUE,   -- lives for ever
    request_key    text UNIQUE,            -- the form's or the caller's own key
    amount_fen     bigint NOT NULL CHECK (amount_fen > 0),
    debit_account  text NOT NULL,
    payee_party    uuid REFERENCES escrow.party,
    payee_name     text NOT NULL,
    payee_account  text NOT NULL,
    payee_bank     text NOT NULL DEFAULT '',
    remark         text NOT NULL DEFAULT '',
    decision       text NOT NULL DEFAULT '', -- a person's reason, where the state of the case demands one
    content        jsonb NOT NULL,         -- what the rail was asked to build the bytes from
    payload        bytea NOT NULL,         -- the bytes that are approved and sent
    digest         text NOT NULL,
    replaces       uuid REFERENCES escrow.payment_order,
    state          text NOT NULL DEFAULT 'DRAFTED',
    outcome        text,
    was_unknown    boolean NOT NULL DEFAULT false,
    returned_fen   bigint NOT NULL DEFAULT 0,
    reason         text NOT NULL DEFAULT '', -- why it was cancelled, stopped, refused or returned
    drafted_at     timestamptz NOT NULL,
    moved_at       timestamptz NOT NULL
);
CREATE INDEX payment_order_by_case ON escrow.payment_order (case_id, drafted_at);
CREATE INDEX payment_order_live ON escrow.payment_order (state, moved_at)
    WHERE state IN ('DRAFTED', 'CHECKED', 'RELEASED', 'DISPATCHING', 'SENT');
-- A number that never left may be given again to the next order; one that left, never (rail_attempt).
CREATE UNIQUE INDEX payment_order_number ON escrow.payment_order (rail, number)
    WHERE state NOT IN ('CANCELLED', 'STOPPED');

CREATE TABLE escrow.approval (
    id       uuid PRIMARY KEY,
    order_id uuid NOT NULL REFERENCES escrow.payment_order,
    role     text NOT NULL CHECK (role IN ('MAKER', 'CHECKER', 'RELEASER')),
    person   text NOT NULL,
    digest   text NOT NULL,
    at       timestamptz NOT NULL,
    UNIQUE (order_id, role)
);

-- Every instruction that left us or may have: also those of the time before (source HISTORY).
CREATE TABLE escrow.rail_attempt (
    id            uuid PRIMARY KEY,
    order_id      uuid REFERENCES escrow.payment_order,
    case_id       uuid REFERENCES escrow.escrow_case,
    attempt       int NOT NULL DEFAULT 1 CHECK (attempt >= 1),
    rail          text NOT NULL,
    number        text NOT NULL,
    source        text NOT NULL CHECK (source IN ('HUB', 'HISTORY')),
    fen           bigint NOT NULL CHECK (fen > 0),
    debit_account text NOT NULL DEFAULT '',
    payee_name    text NOT NULL DEFAULT '',
    payee_account text NOT NULL DEFAULT '',
    batch_no      text NOT NULL DEFAULT '',
    payload       bytea,
    intended_at   timestamptz NOT NULL,
    outcome       text,
    outcome_code  text NOT NULL DEFAULT '',
    was_unknown   boolean NOT NULL DEFAULT false,
    proved_by     uuid,
    state         text NOT NULL DEFAULT 'INTENDED' CHECK (state IN ('INTENDED', 'SENDING', 'SENT')),
    wire          jsonb,                   -- method, path, headers and request id of the first send: a retry sends the same
    wire_body     bytea,
    sends         int NOT NULL DEFAULT 0,
    lease_until   timestamptz,
    send_after    timestamptz,
    first_sent_at timestamptz,
    asks          int NOT NULL DEFAULT 0,
    next_ask      timestamptz,
    UNIQUE (rail, number),
    UNIQUE (order_id, attempt),
    CHECK ((source = 'HUB') = (order_id IS NOT NULL AND payload IS NOT NULL))
);
CREATE INDEX rail_attempt_to_send ON escrow.rail_attempt (intended_at) WHERE state <> 'SENT';
CREATE INDEX rail_attempt_to_ask ON escrow.rail_attempt (next_ask) WHERE next_ask IS NOT NULL;

CREATE TABLE escrow.outcome_note (         -- each word that the rail or a person said about an attempt
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    attempt uuid NOT NULL REFERENCES escrow.rail_attempt,
    at      timestamptz NOT NULL,
    source  text NOT NULL CHECK (source IN ('REPLY', 'QUERY', 'REPORT', 'NOTICE', 'LINE', 'PERSON', 'HUB')),
    outcome text NOT NULL,
    applied boolean NOT NULL,
    code    text NOT NULL DEFAULT '',
    text    text NOT NULL DEFAULT '',
    raw     bytea,
    actor   text NOT NULL
);
CREATE INDEX outcome_note_by_attempt ON escrow.outcome_note (attempt, id);

CREATE SEQUENCE escrow.case_no;            -- where an agreement brings no prefix for a rail
CREATE TABLE escrow.rail_counter (         -- our own running number towards each rail
    rail text PRIMARY KEY,
    last bigint NOT NULL
);
