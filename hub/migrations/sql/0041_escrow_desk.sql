-- Escrow: court documents, stops, statements and their lines, suspense, decisions of two persons, breaks.

CREATE TABLE escrow.court_document (       -- a court's paper about money on an account; never changed
    id          uuid PRIMARY KEY,
    document_no text NOT NULL,
    measure     text NOT NULL CHECK (measure IN ('FREEZE', 'EXTEND', 'LIFT', 'DEDUCT')),
    case_no     text NOT NULL DEFAULT '',
    account     text NOT NULL,
    case_id     uuid REFERENCES escrow.escrow_case,
    fen         bigint NOT NULL CHECK (fen >= 0),
    from_on     date,
    until_on    date,
    waiting     boolean NOT NULL DEFAULT false,
    refers_to   text NOT NULL DEFAULT '',
    body_digest text NOT NULL,
    received_at timestamptz NOT NULL,
    source      text NOT NULL DEFAULT '',  -- where the paper lies (inbox row)
    UNIQUE (document_no, measure, account)
);

CREATE TABLE escrow.freeze (
    id          uuid PRIMARY KEY,
    document    uuid NOT NULL UNIQUE REFERENCES escrow.court_document,
    document_no text NOT NULL,
    case_id     uuid NOT NULL REFERENCES escrow.escrow_case,
    amount_fen  bigint NOT NULL CHECK (amount_fen >= 0),
    deducted_fen bigint NOT NULL DEFAULT 0,
    queue_no    int NOT NULL,              -- 轮候: the order in which the court's papers came
    state       text NOT NULL DEFAULT 'WAITING',
    ledger      uuid NOT NULL,
    until_on    date,
    placed_at   timestamptz NOT NULL,
    ended_at    timestamptz,
    ended_by    uuid REFERENCES escrow.court_document,
    UNIQUE (case_id, queue_no)
);
CREATE INDEX freeze_by_case ON escrow.freeze (case_id, queue_no) WHERE state IN ('WAITING', 'ACTIVE');

CREATE TABLE escrow.stop (                 -- a person's or a rule's
    id         uuid PRIMARY KEY,
    case_id    uuid NOT NULL REFERENCES escrow.escrow_case,
    kind       text NOT NULL,
    flag       text NOT NULL,              -- what an officer sees
    amount_fen bigint CHECK (amount_fen > 0), -- NULL: no sum, all releases in its scope wait
    payee      text NOT NULL DEFAULT '',   -- one seat only; '' = all
    reason     text NOT NULL,
    placed_by  text NOT NULL,
    placed_at  timestamptz NOT NULL,
    ended_at   timestamptz,
    ended_by   text,
    end_reason text
);
CREATE INDEX stop_open ON escrow.stop (case_id) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX stop_once ON escrow.stop (case_id, kind, payee) WHERE ended_at IS NULL;

CREATE TABLE escrow.statement (            -- a notice, an intraday report, a day's statement or a bill
    id          uuid PRIMARY KEY,
    rail        text NOT NULL,
    account     text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('NOTICE', 'INTRADAY', 'DAY')),
    native_id   text NOT NULL,
    page        int NOT NULL DEFAULT 1,
    seq         int,
    day         date NOT NULL,
    opening_fen bigint,
    closing_fen bigint,
    lines       int NOT NULL,
    complete    boolean NOT NULL DEFAULT true,
    body_digest text NOT NULL,
    received_at timestamptz NOT NULL,
    source      text NOT NULL DEFAULT '',
    UNIQUE (rail, account, kind, native_id, page)
);
CREATE INDEX statement_by_account ON escrow.statement (rail, account, kind, day);

CREATE TABLE escrow.statement_line (       -- a booked entry: the proof; never changed
    id            uuid PRIMARY KEY,
    rail          text NOT NULL,
    account       text NOT NULL,
    statement     uuid NOT NULL REFERENCES escrow.statement,
    bank_ref      text NOT NULL,
    booked_on     date NOT NULL,
    valued_on     date,
    fen           bigint NOT NULL CHECK (fen > 0),
    direction     text NOT NULL CHECK (direction IN ('CREDIT', 'DEBIT')),
    our_number    text NOT NULL DEFAULT '',
    other_name    text NOT NULL DEFAULT '', -- payer of a credit, payee of a debit
    other_account text NOT NULL DEFAULT '',
    text          text NOT NULL DEFAULT '',
    document_no   text NOT NULL DEFAULT '',
    is_return     boolean NOT NULL DEFAULT false,
    is_reversal   boolean NOT NULL DEFAULT false,
    return_code   text NOT NULL DEFAULT '',
    known_at      timestamptz NOT NULL,
    UNIQUE (rail, account, booked_on, bank_ref, direction, fen)
);
CREATE INDEX statement_line_by_number ON escrow.statement_line (rail, our_number) WHERE our_number <> '';
CREATE INDEX statement_line_by_day ON escrow.statement_line (rail, account, booked_on, fen);

CREATE TABLE escrow.line_sighting (        -- each statement that shows a line, under its reference there
    line      uuid NOT NULL REFERENCES escrow.statement_line,
    statement uuid NOT NULL REFERENCES escrow.statement,
    bank_ref  text NOT NULL,
    booked_on date NOT NULL,
    PRIMARY KEY (line, statement)
);
CREATE INDEX line_sighting_by_statement ON escrow.line_sighting (statement);

CREATE TABLE escrow.line_placing (         -- what a line was taken for
    line     uuid PRIMARY KEY REFERENCES escrow.statement_line,
    placed   text NOT NULL CHECK (placed IN ('POSTED', 'UNPOSTED', 'MOVE', 'NETTED', 'HISTORY')),
    meaning  text NOT NULL,                -- CREDIT, SUSPENSE, PAYOUT, RETURN …
    case_id  uuid REFERENCES escrow.escrow_case,
    order_id uuid REFERENCES escrow.payment_order,
    at       timestamptz NOT NULL
);
CREATE INDEX line_placing_unposted ON escrow.line_placing (line) WHERE placed = 'UNPOSTED';
CREATE INDEX line_placing_by_case ON escrow.line_placing (case_id, at);

CREATE TABLE escrow.pending_line (         -- PDNG: shown, never posted
    rail       text NOT NULL,
    account    text NOT NULL,
    bank_ref   text NOT NULL,
    booked_on  date NOT NULL,
    fen        bigint NOT NULL,
    direction  text NOT NULL,
    other_name text NOT NULL DEFAULT '',
    text       text NOT NULL DEFAULT '',
    seen_at    timestamptz NOT NULL,
    PRIMARY KEY (rail, account, booked_on, bank_ref, direction)
);

CREATE TABLE escrow.funding (              -- which money of which payer came to a case: refunds go back there
    id            uuid PRIMARY KEY,
    case_id       uuid NOT NULL REFERENCES escrow.escrow_case,
    line          uuid NOT NULL REFERENCES escrow.statement_line,
    fen           bigint NOT NULL CHECK (fen <> 0), -- negative: the holder reversed it
    payer_account text NOT NULL,
    payer_name    text NOT NULL,
    third_party   boolean NOT NULL,
    late          boolean NOT NULL DEFAULT false,
    at            timestamptz NOT NULL,
    UNIQUE (line, case_id)
);
CREATE INDEX funding_by_case ON escrow.funding (case_id, at);

CREATE TABLE escrow.suspense_hint (        -- to whom a suspense credit may belong; never applied by itself
    line    uuid NOT NULL REFERENCES escrow.statement_line,
    case_id uuid NOT NULL REFERENCES escrow.escrow_case,
    fen     bigint NOT NULL,
    signs   text[] NOT NULL,
    PRIMARY KEY (line, case_id)
);
CREATE INDEX suspense_hint_by_case ON escrow.suspense_hint (case_id);

CREATE TABLE escrow.place_move (           -- money of a case that lies on another account of the same holder
    id         uuid PRIMARY KEY,
    case_id    uuid NOT NULL REFERENCES escrow.escrow_case,
    source     uuid NOT NULL REFERENCES escrow.statement_line,
    rail       text NOT NULL,
    from_account text NOT NULL,
    to_account text NOT NULL,
    fen        bigint NOT NULL CHECK (fen > 0),
    debit      uuid UNIQUE REFERENCES escrow.statement_line,
    credit     uuid UNIQUE REFERENCES escrow.statement_line,
    UNIQUE (case_id, source)
);

CREATE TABLE escrow.return_advice (        -- announced only; the credit proves
    rail        text NOT NULL,
    return_id   text NOT NULL,
    attempt     uuid NOT NULL REFERENCES escrow.rail_attempt,
    fen         bigint NOT NULL CHECK (fen > 0),
    code        text NOT NULL DEFAULT '',
    text        text NOT NULL DEFAULT '',
    received_at timestamptz NOT NULL,
    proved_by   uuid REFERENCES escrow.statement_line,
    PRIMARY KEY (rail, return_id)
);
CREATE INDEX return_advice_by_attempt ON escrow.return_advice (attempt);

CREATE TABLE escrow.decision (             -- proposed by one person, confirmed by another
    id          uuid PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('SPLIT', 'PAYEE', 'SHORT_RETURN', 'SETTLE', 'FEE')),
    case_id     uuid REFERENCES escrow.escrow_case,
    subject     text NOT NULL,
    body        jsonb NOT NULL,
    digest      text NOT NULL,
    reason      text NOT NULL,
    document    text NOT NULL DEFAULT '',
    state       text NOT NULL DEFAULT 'PROPOSED',
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    decided_by  text,
    decided_at  timestamptz
);
CREATE UNIQUE INDEX decision_open_once ON escrow.decision (kind, subject) WHERE state = 'PROPOSED';

CREATE TABLE escrow.break_limit (          -- who owns a kind of break and how long it may take (ES05, ES06)
    kind           text PRIMARY KEY,
    role           text NOT NULL DEFAULT 'cashier',
    own_hours      int NOT NULL DEFAULT 4,
    close_workdays int NOT NULL DEFAULT 3
);
INSERT INTO escrow.break_limit (kind) VALUES
    ('EXCESS'), ('SHORT'), ('AMOUNT'), ('CUTOFF'), ('DUPLICATE'), ('STATUS'), ('UNKNOWN_PAYER'), ('UNKNOWN_PAYEE'),
    ('MISSING_LINE'), ('UNEXPECTED_DEBIT'), ('RETURN'), ('REVERSAL'), ('BALANCE'), ('SEQUENCE'), ('FEE'), ('OVERLAP');

CREATE TABLE escrow.recon_break (
    id         uuid PRIMARY KEY,
    kind       text NOT NULL REFERENCES escrow.break_limit,
    subject    text NOT NULL,              -- what differs: the same difference is one break
    case_id    uuid REFERENCES escrow.escrow_case,
    order_id   uuid REFERENCES escrow.payment_order,
    line       uuid REFERENCES escrow.statement_line,
    rail       text NOT NULL DEFAULT '',
    account    text NOT NULL DEFAULT '',
    day        date NOT NULL,
    fen        bigint NOT NULL DEFAULT 0,
    detail     jsonb NOT NULL DEFAULT '{}',
    state      text NOT NULL DEFAULT 'OPEN',
    found_at   timestamptz NOT NULL,
    own_by     timestamptz NOT NULL,
    close_by   date NOT NULL,
    owner      text,
    closed_at  timestamptz,
    closed_by  text,
    close_entry uuid,                      -- closes only with an entry or a document
    close_document text,
    CHECK (state <> 'CLOSED' OR close_entry IS NOT NULL OR coalesce(close_document, '') <> '')
);
CREATE UNIQUE INDEX recon_break_once ON escrow.recon_break (kind, subject) WHERE state <> 'CLOSED';
CREATE INDEX recon_break_open ON escrow.recon_break (found_at) WHERE state <> 'CLOSED';
CREATE INDEX recon_break_by_case ON escrow.recon_break (case_id) WHERE case_id IS NOT NULL;

CREATE TABLE escrow.recon_run (
    id     uuid PRIMARY KEY,
    day    date NOT NULL,
    at     timestamptz NOT NULL,
    actor  text NOT NULL,
    result jsonb NOT NULL
);
CREATE INDEX recon_run_by_day ON escrow.recon_run (day DESC, at DESC);

CREATE TABLE escrow.reminder (             -- said once
    case_id uuid NOT NULL REFERENCES escrow.escrow_case,
    kind    text NOT NULL,
    key     text NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (case_id, kind, key)
);
