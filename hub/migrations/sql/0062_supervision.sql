-- Supervision 督办: cases, their files, and the clocks that belong to them (supervision.md 1 to 3).

CREATE TABLE registry.supervision_case (
    id              uuid PRIMARY KEY,
    number          text UNIQUE,                       -- given when it is issued
    source_case     bigint NOT NULL REFERENCES registry.source_case,   -- the case it hangs on: it follows merges and splits
    level           text NOT NULL CHECK (level IN ('L1', 'L2', 'L3')),
    state           text NOT NULL DEFAULT 'DRAFT',
    agency          text NOT NULL,                     -- the kind of agency it is addressed to
    organisation    text NOT NULL DEFAULT '',
    reason          text NOT NULL,
    why             text NOT NULL CHECK (why <> ''),
    rule            text NOT NULL DEFAULT '',          -- the rule that drafted it, '' = a person
    rule_version    text NOT NULL,
    drafted_at      timestamptz NOT NULL,
    drafted_by      text NOT NULL,
    issued_at       timestamptz,
    issued_by       text,
    issuer          text,                              -- the issuing office
    seal            text,
    notice_digest   text,                              -- SHA-256 of the notice's words
    signed_at       timestamptz,
    receipt         text,
    handler         text,
    handler_phone   text,
    last_urged_at   timestamptz,
    objected_from   text,
    extended_days   int NOT NULL DEFAULT 0,
    asked_days      int,
    suspended_until date,
    result_code     text,
    result_papers   jsonb NOT NULL DEFAULT '[]',
    result_by       text,
    reported_at     timestamptz,
    verifier        text,
    verifier_agency text,
    verify_record   text,
    verified_at     timestamptz,
    send_backs      int NOT NULL DEFAULT 0,
    closed_at       timestamptz,
    closed_by       text,
    closing_note    text,
    ended_why       text,
    takes_over      uuid REFERENCES registry.supervision_case,   -- the lower one whose file it goes on with
    -- IS TRUE: what is not there is no proof either.
    CHECK (level = 'L3' OR issued_by IS NULL OR issued_by <> drafted_by),
    CHECK (state IN ('DRAFT', 'VOID')
           OR (number <> '' AND issued_by <> '' AND issuer IS NOT NULL AND seal <> '' AND notice_digest <> '') IS TRUE),
    CHECK (state IN ('DRAFT', 'VOID', 'ISSUED', 'OBJECTED', 'ESCALATED', 'WITHDRAWN') OR signed_at IS NOT NULL),
    CHECK (state NOT IN ('REPORTED', 'VERIFYING', 'VERIFIED', 'CLOSED')
           OR (result_code <> '' AND result_papers <> '[]' AND result_by <> '' AND reported_at IS NOT NULL) IS TRUE),
    -- Nothing closes without proof: a record by somebody who is not of the assigned agency, and a note.
    CHECK (state NOT IN ('VERIFIED', 'CLOSED') OR (verify_record <> '' AND verifier <> '' AND verifier_agency <> ''
           AND verifier_agency <> agency AND verified_at >= reported_at) IS TRUE),
    CHECK (state <> 'CLOSED' OR (closing_note <> '' AND closed_by <> '' AND closed_at IS NOT NULL
           AND (level = 'L3' OR closed_by <> issued_by)) IS TRUE)
);
CREATE INDEX supervision_by_case ON registry.supervision_case (source_case);
-- One matter has at most one open case and one draft; a higher one takes over the lower.
CREATE UNIQUE INDEX supervision_open ON registry.supervision_case (source_case)
    WHERE state NOT IN ('DRAFT', 'VOID', 'CLOSED', 'WITHDRAWN', 'ESCALATED');
CREATE UNIQUE INDEX supervision_draft ON registry.supervision_case (source_case) WHERE state = 'DRAFT';
CREATE INDEX supervision_listed ON registry.supervision_case (level, drafted_at)
    WHERE state NOT IN ('VOID', 'CLOSED', 'WITHDRAWN', 'ESCALATED');
CREATE TRIGGER supervision_moves BEFORE UPDATE ON registry.supervision_case
    FOR EACH ROW EXECUTE FUNCTION exchange.guard_state_move('supervision_case', 'state');

-- The file of a case: every act with its proof, in order. `action`: code of the table of supervision actions, '' = none.
CREATE TABLE registry.supervision_act (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    supervision uuid NOT NULL REFERENCES registry.supervision_case,
    event       text NOT NULL,
    action      text NOT NULL DEFAULT '',
    from_state  text NOT NULL,
    to_state    text NOT NULL,
    at          timestamptz NOT NULL,
    by          text NOT NULL,
    org         text NOT NULL DEFAULT '',
    proof       jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX supervision_act_by_case ON registry.supervision_act (supervision, id);
CREATE INDEX supervision_act_by_time ON registry.supervision_act (at);
CREATE TRIGGER supervision_act_append_only BEFORE UPDATE OR DELETE ON registry.supervision_act
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();

-- A proof that stands in the file too: a state that needs a result, a record or a note needs its act there, after the last report.
CREATE FUNCTION registry.guard_supervision_proof() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state = 'CLOSED' AND OLD.state <> 'CLOSED' AND NOT EXISTS (
        SELECT 1 FROM registry.supervision_act a WHERE a.supervision = NEW.id AND a.event = 'pass'
        AND a.id > (SELECT max(r.id) FROM registry.supervision_act r WHERE r.supervision = NEW.id AND r.event = 'report_result')) THEN
        RAISE EXCEPTION 'NO_PROOF: % is closed without a passed verification of its last result', NEW.number
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER supervision_proof BEFORE UPDATE ON registry.supervision_case
    FOR EACH ROW EXECUTE FUNCTION registry.guard_supervision_proof();

CREATE TABLE registry.supervision_number (
    year  int NOT NULL,
    level text NOT NULL,
    last  int NOT NULL,
    PRIMARY KEY (year, level)
);

-- A clock of a supervision case: kept by its acts, not by what episodes say.
ALTER TABLE registry.clock ADD COLUMN supervision uuid REFERENCES registry.supervision_case;
CREATE INDEX clock_by_supervision ON registry.clock (supervision) WHERE supervision IS NOT NULL;

CREATE VIEW registry.supervision_v1 AS
    SELECT s.id, s.number, c.dispute, s.level, s.state, s.agency, s.reason, s.rule, s.drafted_at, s.issued_at, s.signed_at,
           s.reported_at, s.verified_at, s.closed_at, s.send_backs, s.extended_days
    FROM registry.supervision_case s JOIN registry.source_case c ON c.id = s.source_case;
