-- The review of links: what people are asked beside proposals, who looks at what, what was put off, and the least score of
-- a proposal as learnt from their answers (case_registry/link_review.py, link_audits.py, link_floor.py).

-- From which score (bits) a pair that the rule proposes is shown. The highest version is in force; no row = all are shown.
CREATE TABLE registry.link_floor (
    version    int PRIMARY KEY CHECK (version > 0),
    floor      double precision,                       -- NULL = none
    wanted     double precision NOT NULL CHECK (wanted > 0 AND wanted < 1),
    basis      jsonb NOT NULL,                         -- the answers on which it was adopted, counted
    reason     text NOT NULL CHECK (reason <> ''),
    adopted_at timestamptz NOT NULL,
    adopted_by text NOT NULL,
    takes_back int REFERENCES registry.link_floor      -- the version that this one takes back
);
CREATE TRIGGER link_floor_append_only BEFORE UPDATE OR DELETE ON registry.link_floor
    FOR EACH ROW EXECUTE FUNCTION exchange.refuse_change();

-- A proposal and a decision say which floor was in force; a decision also what the rule held of the pair then.
ALTER TABLE registry.proposal ADD COLUMN floor_version int NOT NULL DEFAULT 0;
CREATE INDEX proposal_by_pair ON registry.proposal (a, b);
ALTER TABLE registry.link_decision
    ADD COLUMN asked text NOT NULL DEFAULT '' CHECK (asked IN ('', 'PROPOSAL', 'AUDIT')),   -- '' = of the person's own accord
    ADD COLUMN held text NOT NULL DEFAULT 'NONE' CHECK (held IN ('LINK', 'PROPOSE', 'CANNOT', 'NONE')),
    ADD COLUMN score double precision,
    ADD COLUMN floor_version int NOT NULL DEFAULT 0;
CREATE INDEX link_decision_asked ON registry.link_decision (at) WHERE asked <> '' AND undone_at IS NULL;

-- Pairs drawn at random, so that what is said of the rule does not hang on what the rule shows.
CREATE TABLE registry.link_draw (
    id            uuid PRIMARY KEY,
    at            timestamptz NOT NULL,
    by            text NOT NULL,
    seed          bigint NOT NULL,                     -- the same seed over the same rows draws the same pairs
    floor_version int NOT NULL,
    population    jsonb NOT NULL                       -- pairs there were: LINK, BELOW, NONE (estimated), SHOWN by band
);
CREATE TABLE registry.link_audit (
    id          uuid PRIMARY KEY,
    draw        uuid NOT NULL REFERENCES registry.link_draw,
    stratum     text NOT NULL CHECK (stratum IN ('LINK', 'BELOW', 'NONE')),
    a           bigint NOT NULL REFERENCES registry.source_case,
    b           bigint NOT NULL REFERENCES registry.source_case,
    held        text NOT NULL,                         -- what the rule held of it when it was drawn
    score       double precision NOT NULL,
    reasons     jsonb NOT NULL,
    opened_at   timestamptz NOT NULL,
    answer      text CHECK (answer IN ('SAME', 'DIFFERENT')),
    answered_at timestamptz,
    decision    uuid REFERENCES registry.link_decision,
    CHECK (a < b),
    CHECK ((answer IS NULL) = (decision IS NULL) AND (answer IS NULL) = (answered_at IS NULL)),
    UNIQUE (draw, a, b)
);
CREATE INDEX link_audit_open ON registry.link_audit (a, b) WHERE answer IS NULL;
CREATE INDEX link_audit_by_decision ON registry.link_audit (decision) WHERE decision IS NOT NULL;

-- "Cannot tell": a person's word that the pair must wait; it counts in no estimate but is shown beside each.
CREATE TABLE registry.link_put_off (
    id            uuid PRIMARY KEY,
    item          uuid NOT NULL,                       -- the proposal or the audit
    at            timestamptz NOT NULL,
    by            text NOT NULL,
    reason        text NOT NULL CHECK (reason <> ''),
    taken_back_at timestamptz
);
CREATE INDEX link_put_off_by_item ON registry.link_put_off (item) WHERE taken_back_at IS NULL;
CREATE INDEX link_put_off_by_person ON registry.link_put_off (by, at) WHERE taken_back_at IS NULL;

-- Who has a pair before him: for others it comes later meanwhile, so that two do not read the same.
CREATE TABLE registry.link_look (
    item  uuid PRIMARY KEY,
    by    text NOT NULL,
    until timestamptz NOT NULL
);
