-- The mediation office's own work: matters, agreements, signatures.
CREATE SCHEMA mediation;

CREATE TABLE mediation.number_series (
    committee text NOT NULL,
    year      int NOT NULL,
    last      int NOT NULL,
    PRIMARY KEY (committee, year)
);

CREATE TABLE mediation.matter (
    id               uuid PRIMARY KEY,
    mediation_number text NOT NULL UNIQUE,
    county           text NOT NULL,
    committee        text NOT NULL,
    mediator         text NOT NULL,
    category         text NOT NULL DEFAULT '',
    cause            text NOT NULL,
    place            text NOT NULL DEFAULT '',
    occurred_on      date,
    accepted_on      date NOT NULL,
    claimed_fen      bigint CHECK (claimed_fen >= 0),
    narrative        text NOT NULL DEFAULT '',
    source           text NOT NULL DEFAULT 'A1',
    medium           text NOT NULL DEFAULT 'W1',
    referral         text NOT NULL DEFAULT '',        -- another agency's number that sent the matter here
    state            text NOT NULL DEFAULT 'ACCEPTED',
    version          int NOT NULL DEFAULT 1,
    payment_numbers  jsonb NOT NULL DEFAULT '{}',     -- rail → prefix of instruction numbers, where one was allotted
    created_at       timestamptz NOT NULL,
    created_by       text NOT NULL,
    changed_at       timestamptz NOT NULL
);
CREATE INDEX matter_by_state ON mediation.matter (state, accepted_on DESC);
CREATE TRIGGER matter_moves BEFORE UPDATE ON mediation.matter
    FOR EACH ROW EXECUTE FUNCTION exchange.guard_state_move('matter', 'state');

CREATE TABLE mediation.matter_party (
    matter    uuid NOT NULL REFERENCES mediation.matter,
    key       text NOT NULL,
    role      text NOT NULL CHECK (role IN ('applicant', 'respondent', 'third_party', 'representative')),
    kind      text NOT NULL CHECK (kind IN ('person', 'organisation')),
    name      text NOT NULL CHECK (name <> ''),
    id_number text,
    phone     text,
    address   text,
    account   jsonb,                                  -- holder, number, bank_code, bank_name, wallet
    PRIMARY KEY (matter, key)
);

CREATE TABLE mediation.agreement (
    id            uuid PRIMARY KEY,
    matter        uuid NOT NULL REFERENCES mediation.matter,
    number        text NOT NULL UNIQUE,
    state         text NOT NULL DEFAULT 'DRAFT',
    confirmation  text NOT NULL DEFAULT 'NONE',
    total_fen     bigint NOT NULL CHECK (total_fen > 0),
    terms         text NOT NULL,
    grace_days    int NOT NULL DEFAULT 5 CHECK (grace_days BETWEEN 0 AND 60),
    acceleration  boolean NOT NULL DEFAULT true,
    needs_confirmation boolean NOT NULL DEFAULT false,
    digest        bytea,                              -- of the text that was signed
    signed_at     timestamptz,
    ended_at      timestamptz,
    end_reason    text,
    replaces      uuid REFERENCES mediation.agreement,
    created_at    timestamptz NOT NULL,
    created_by    text NOT NULL
);
CREATE UNIQUE INDEX agreement_one_live ON mediation.agreement (matter) WHERE state = 'SIGNED';
CREATE TRIGGER agreement_moves BEFORE UPDATE ON mediation.agreement
    FOR EACH ROW EXECUTE FUNCTION exchange.guard_state_move('agreement', 'state');
CREATE TRIGGER confirmation_moves BEFORE UPDATE ON mediation.agreement
    FOR EACH ROW EXECUTE FUNCTION exchange.guard_state_move('confirmation', 'confirmation');

-- What was signed stays as it was signed.
CREATE FUNCTION mediation.guard_signed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.state <> 'DRAFT' AND (NEW.total_fen, NEW.terms, NEW.digest, NEW.signed_at, NEW.matter)
        IS DISTINCT FROM (OLD.total_fen, OLD.terms, OLD.digest, OLD.signed_at, OLD.matter) THEN
        RAISE EXCEPTION 'APPEND_ONLY: a signed agreement may not be changed: void or replace it'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER agreement_signed BEFORE UPDATE OR DELETE ON mediation.agreement
    FOR EACH ROW EXECUTE FUNCTION mediation.guard_signed();

CREATE TABLE mediation.agreed_instalment (
    agreement uuid NOT NULL REFERENCES mediation.agreement,
    no        int NOT NULL CHECK (no >= 1),
    due_on    date NOT NULL,
    fen       bigint NOT NULL CHECK (fen > 0),
    payer     text NOT NULL,
    payee     text NOT NULL,
    PRIMARY KEY (agreement, no)
);

CREATE TABLE mediation.signature (
    agreement uuid NOT NULL REFERENCES mediation.agreement,
    signer    text NOT NULL,                          -- party key, "mediator" or "seal"
    name      text NOT NULL,
    method    text NOT NULL CHECK (method IN ('handwritten', 'fingerprint', 'seal', 'electronic')),
    digest    bytea NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (agreement, signer)
);
CREATE TRIGGER signature_append_only BEFORE UPDATE OR DELETE ON mediation.signature
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();

CREATE VIEW mediation.published_matter AS
    SELECT id, mediation_number, county, committee, mediator, category, cause, accepted_on, claimed_fen, state
    FROM mediation.matter;
